package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"dialtone/internal/certs"
)

// derive stands for a secret that servers share.
func derive(purpose string) ([]byte, error) {
	sum := sha256.Sum256([]byte(purpose))
	return sum[:], nil
}

// A ticket is good today and tomorrow, at servers whose clocks are a day behind as
// well, and then no more; and for its own service alone.
func TestTickets(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := pair(t, "phones", key, time.Now().Add(time.Hour))
	cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		service string
		after   time.Duration
		want    bool
	}{
		{"the same day", "phones", time.Hour, true},
		{"tomorrow", "phones", day, true},
		{"a clock that is behind", "phones", -day, true},
		{"later", "phones", 2 * day, false},
		{"another service", "sip", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sessions := tls.NewLRUClientSessionCache(1)
			resumed := func(service string, at time.Time) bool {
				server := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
				if err := certs.NewTickets(derive, func() time.Time { return at }).Keep(server, service); err != nil {
					t.Fatal(err)
				}
				listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = listener.Close() }()
				go func() {
					if conn, err := listener.Accept(); err == nil {
						_, _ = io.WriteString(conn, "x")
						_ = conn.Close()
					}
				}()
				config := &tls.Config{InsecureSkipVerify: true, ServerName: "phones", ClientSessionCache: sessions}
				conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				if _, err := io.ReadAll(conn); err != nil {
					t.Fatal(err)
				}
				return conn.(*tls.Conn).ConnectionState().DidResume
			}
			if resumed("phones", begin) {
				t.Fatal("resumed what never was")
			}
			if got := resumed(tt.service, begin.Add(tt.after)); got != tt.want {
				t.Errorf("resumed is %v, want %v", got, tt.want)
			}
		})
	}
}
