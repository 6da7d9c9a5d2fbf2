// Package mail sends mails by SMTP, off the path of the requests that cause
// them.
package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
)

const (
	maxWaiting  = 100              // mails to be composed and sent; more are dropped
	sendTimeout = 10 * time.Second // for one of them
	drainTime   = 3 * time.Second  // for those that wait at the end
)

// A Message is a mail of plain text.
type Message struct{ To, Subject, Text string }

// Compose makes the messages of one cause, none when there is nothing to say.
type Compose func(context.Context) ([]Message, error)

// A Queue composes and sends mails one after the other.
type Queue struct {
	from    string
	client  *mail.Client
	log     *slog.Logger
	waiting chan Compose
}

// New makes a Queue that sends through smtp://user:password@host:port, which uses
// TLS when the server has it, or smtps://, which is TLS from the start. Passwords
// do not travel without TLS, except to this machine. Errors begin with what is
// wrong, "url" or "from", and do not repeat the URL.
func New(server, from string, log *slog.Logger) (*Queue, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Path != "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return nil, errors.New("url: want smtp://user:password@host:port or smtps://user:password@host:port")
	}
	if _, err := netmail.ParseAddress(from); err != nil {
		return nil, fmt.Errorf("from: want an address like dialtone@example.com, got %q", from)
	}
	options := []mail.Option{mail.WithTimeout(sendTimeout), mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithPort(25)}
	if u.Scheme == "smtps" {
		options = append(options, mail.WithSSL(), mail.WithPort(465))
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		options = append(options, mail.WithPort(port))
	}
	if password, isSet := u.User.Password(); isSet {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	client, err := mail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	return &Queue{from: from, client: client, log: log, waiting: make(chan Compose, maxWaiting)}, nil
}

// Post has mails composed and sent, and returns at once. When too many wait
// they are dropped.
func (q *Queue) Post(ctx context.Context, compose Compose) {
	select {
	case q.waiting <- compose:
	default:
		q.log.ErrorContext(ctx, "mail dropped: too many are waiting", "waiting", maxWaiting)
	}
}

// Run sends until ctx ends, and then for a short while what still waits.
func (q *Queue) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case compose := <-q.waiting:
			q.send(context.WithoutCancel(ctx), compose)
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	for len(q.waiting) > 0 && ctx.Err() == nil {
		q.send(ctx, <-q.waiting)
	}
	if len(q.waiting) > 0 {
		q.log.ErrorContext(ctx, "mail dropped: no time is left", "waiting", len(q.waiting))
	}
}

func (q *Queue) send(ctx context.Context, compose Compose) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	messages, err := compose(ctx)
	for _, m := range messages {
		err = errors.Join(err, q.sendOne(ctx, m))
	}
	if err != nil {
		q.log.ErrorContext(ctx, "mail not sent", "err", err)
	}
}

func (q *Queue) sendOne(ctx context.Context, m Message) error {
	message := mail.NewMsg()
	if err := errors.Join(message.From(q.from), message.To(m.To)); err != nil {
		return err
	}
	message.Subject(m.Subject)
	message.SetDate()
	message.SetMessageID()
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	return q.client.DialAndSendWithContext(ctx, message)
}
