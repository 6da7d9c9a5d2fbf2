// Package mailtest is a small SMTP server for tests.
package mailtest

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// A Mail is what the server was given.
type Mail struct {
	From, To string // of the envelope
	Header   mail.Header
	Text     string
}

// A Server takes mails from who knows user and password.
type Server struct {
	Addr           string // host:port
	User, Password string
	Mails          chan Mail // taken, in their order
	t              testing.TB
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), User: "dialtone", Password: "s3cret-smtp", Mails: make(chan Mail, 1000), t: t}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// URL is where to send, with the credentials.
func (s *Server) URL() string { return "smtp://" + s.User + ":" + s.Password + "@" + s.Addr }

// Next waits for the next mail.
func (s *Server) Next() Mail {
	s.t.Helper()
	select {
	case m := <-s.Mails:
		return m
	case <-time.After(30 * time.Second):
		s.t.Fatal("no mail after 30 s")
		return Mail{}
	}
}

func (s *Server) serve(conn net.Conn) {
	c := textproto.NewConn(conn)
	defer func() { _ = c.Close() }()
	say := func(lines ...string) {
		for _, line := range lines {
			_ = c.PrintfLine("%s", line)
		}
	}
	say("220 test ESMTP")
	proof := base64.StdEncoding.EncodeToString([]byte("\x00" + s.User + "\x00" + s.Password))
	var m Mail
	known := false
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch {
		case verb == "EHLO":
			say("250-test", "250 AUTH PLAIN")
		case verb == "AUTH" && rest == "PLAIN "+proof:
			known = true
			say("235 welcome")
		case verb == "QUIT":
			say("221 bye")
			return
		case !known:
			say("535 who are you")
		case verb == "MAIL":
			m.From = address(rest)
			say("250 ok")
		case verb == "RCPT":
			m.To = address(rest)
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			if !s.read(c, &m) {
				return
			}
			s.Mails <- m
			say("250 ok")
		default:
			say("250 ok")
		}
	}
}

// read takes a mail of plain text.
func (s *Server) read(c *textproto.Conn, m *Mail) bool {
	parsed, err := mail.ReadMessage(c.DotReader())
	if err != nil {
		s.t.Error(err)
		return false
	}
	text, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
	if err != nil {
		s.t.Error(err)
		return false
	}
	m.Header, m.Text = parsed.Header, strings.ReplaceAll(string(text), "\r\n", "\n")
	return true
}

// address is what stands between < and >.
func address(argument string) string {
	_, rest, _ := strings.Cut(argument, "<")
	addr, _, _ := strings.Cut(rest, ">")
	return addr
}
