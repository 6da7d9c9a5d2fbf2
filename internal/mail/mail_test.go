package mail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dialtone/internal/mail"
	"dialtone/internal/mail/mailtest"
	"dialtone/internal/syncbuf"
)

// newQueue makes a queue whose log must not hold the server's password.
func newQueue(t *testing.T, url string) (*mail.Queue, *syncbuf.Buffer) {
	t.Helper()
	log := &syncbuf.Buffer{}
	queue, err := mail.New(url, "Dialtone <dialtone@example.com>", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if strings.Contains(log.String(), "s3cret") {
			t.Errorf("the log holds a secret: %s", log.String())
		}
	})
	return queue, log
}

// one composes a single message.
func one(to string) mail.Compose {
	return func(context.Context) ([]mail.Message, error) {
		return []mail.Message{{To: to, Subject: "Grüße", Text: "Zeile 1: ä\nhttps://portal.example.com/?a=b&c=d\n"}}, nil
	}
}

// run runs a queue to its end: what was posted before is sent.
func run(queue *mail.Queue) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	queue.Run(ctx)
}

func TestSend(t *testing.T) {
	server := mailtest.New(t)
	queue, log := newQueue(t, server.URL())
	queue.Post(t.Context(), one("ann@example.com"))
	queue.Post(t.Context(), func(context.Context) ([]mail.Message, error) { return nil, nil })
	queue.Post(t.Context(), func(context.Context) ([]mail.Message, error) { return nil, errors.New("no database") })
	queue.Post(t.Context(), one("not an address"))
	queue.Post(t.Context(), one("bob@example.com"))
	run(queue)
	for _, to := range []string{"ann@example.com", "bob@example.com"} {
		m := server.Next()
		if m.From != "dialtone@example.com" || m.To != to || m.Text != "Zeile 1: ä\nhttps://portal.example.com/?a=b&c=d\n" {
			t.Errorf("mail %+v, want one to %s", m, to)
		}
		if m.Header.Get("Date") == "" || m.Header.Get("Message-ID") == "" || !strings.Contains(m.Header.Get("From"), "Dialtone") {
			t.Errorf("header %v", m.Header)
		}
	}
	if got := strings.Count(log.String(), "mail not sent"); got != 2 || !strings.Contains(log.String(), "no database") {
		t.Errorf("log %s", log.String())
	}
}

// What is wrong with the server is logged, and the next mail is tried.
func TestServerRefuses(t *testing.T) {
	server := mailtest.New(t)
	queue, log := newQueue(t, strings.Replace(server.URL(), "s3cret-smtp", "s3cret-wrong", 1))
	queue.Post(t.Context(), one("ann@example.com"))
	queue.Post(t.Context(), one("bob@example.com"))
	run(queue)
	if len(server.Mails) != 0 || strings.Count(log.String(), "mail not sent") != 2 {
		t.Errorf("%d mails, log %s", len(server.Mails), log.String())
	}
}

func TestTooManyWait(t *testing.T) {
	server := mailtest.New(t)
	queue, log := newQueue(t, server.URL())
	for i := range 105 {
		queue.Post(t.Context(), one(fmt.Sprintf("user%d@example.com", i)))
	}
	if got := strings.Count(log.String(), "mail dropped"); got != 5 {
		t.Errorf("%d drops are logged, want 5", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		queue.Run(ctx)
	}()
	for i := range 100 {
		if m := server.Next(); m.To != fmt.Sprintf("user%d@example.com", i) {
			t.Fatalf("mail %d went to %s", i, m.To)
		}
	}
	cancel()
	<-ended
}

func TestSettings(t *testing.T) {
	for _, tt := range []struct{ url, from, want string }{
		{"smtp://h", "a@b.example", ""},
		{"smtps://u:s3cret@h:465", "A <a@b.example>", ""},
		{"http://u:s3cret@h", "a@b.example", "url: want smtp://"},
		{"smtp://u:s3cret@", "a@b.example", "url: want smtp://"},
		{"smtp://u:s3cret@h:99999", "a@b.example", "url: "},
		{"smtp://u:s3cret%zz@h", "a@b.example", "url: want smtp://"},
		{"smtp://u:s3cret@h/path", "a@b.example", "url: want smtp://"},
		{"smtp://u:s3cret@h", "nobody", "from: want an address"},
		{"smtp://u:s3cret@h", "", "from: want an address"},
	} {
		_, err := mail.New(tt.url, tt.from, nil)
		switch got := fmt.Sprint(err); {
		case tt.want == "" && err != nil, tt.want != "" && !strings.HasPrefix(got, tt.want), strings.Contains(got, "s3cret"):
			t.Errorf("%s from %q: %s, want %q", tt.url, tt.from, got, tt.want)
		}
	}
}
