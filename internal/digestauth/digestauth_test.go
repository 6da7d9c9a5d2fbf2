package digestauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"dialtone/internal/digestauth"
	"dialtone/models"
)

// answer plays a client: it answers a challenge for GET /file.
func answer(t *testing.T, challenge, password string, change func(*digest.Challenge)) *digest.Credentials {
	t.Helper()
	parsed, err := digest.ParseChallenge(challenge)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(parsed)
	}
	creds, err := digest.Digest(parsed, digest.Options{Method: "GET", URI: "/file", Username: "u", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

func TestCheck(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	authority, stranger := digestauth.New([]byte("key"), clock), digestauth.New([]byte("another"), clock)
	replica := digestauth.New([]byte("key"), clock)
	challenge := authority.Challenge("phones", "192.0.2.1", digestauth.MD5, false)
	const password = models.Secret("s3cret")

	tests := []struct {
		name  string
		creds *digest.Credentials
		want  digestauth.Verdict
	}{
		{"right", answer(t, challenge, "s3cret", nil), digestauth.Right},
		{"without qop (RFC 2069)", answer(t, challenge, "s3cret", func(c *digest.Challenge) { c.QOP = nil }), digestauth.Right},
		{"without algorithm", answer(t, challenge, "s3cret", func(c *digest.Challenge) { c.Algorithm = "" }), digestauth.Right},
		{"wrong password", answer(t, challenge, "secret", nil), digestauth.Wrong},
		{"another realm", answer(t, authority.Challenge("other", "192.0.2.1", digestauth.MD5, false), "s3cret", nil), digestauth.Wrong},
		{"SHA-256", answer(t, challenge, "s3cret", func(c *digest.Challenge) { c.Algorithm = "SHA-256" }), digestauth.Wrong},
		{"the nonce of a server with another key", answer(t, stranger.Challenge("phones", "192.0.2.1", digestauth.MD5, false), "s3cret", nil), digestauth.Stale},
		{"a replica's nonce", answer(t, replica.Challenge("phones", "192.0.2.1", digestauth.MD5, false), "s3cret", nil), digestauth.Right},
		{"a made-up nonce", answer(t, challenge, "s3cret", func(c *digest.Challenge) { c.Nonce = "x" }), digestauth.Stale},
		{"a made-up nonce, wrong password", answer(t, challenge, "guess", func(c *digest.Challenge) { c.Nonce = "x" }), digestauth.Stale},
		{"another client's nonce", answer(t, authority.Challenge("phones", "192.0.2.2", digestauth.MD5, false), "s3cret", nil), digestauth.Stale},
		{"empty", &digest.Credentials{Realm: "phones"}, digestauth.Stale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := authority.Check(tt.creds, "phones", "192.0.2.1", "GET", password, digestauth.MD5); got != tt.want {
				t.Errorf("got verdict %v, want %v", got, tt.want)
			}
		})
	}

	old := answer(t, challenge, "s3cret", nil)
	if got := authority.Check(old, "phones", "192.0.2.1", "HEAD", password, digestauth.MD5); got != digestauth.Wrong {
		t.Errorf("another method: got %v, want Wrong", got)
	}
	now = now.Add(5 * time.Minute)
	if got := authority.Check(old, "phones", "192.0.2.1", "GET", password, digestauth.MD5); got != digestauth.Stale {
		t.Errorf("five minutes later: got %v, want Stale", got)
	}
	if again := authority.Challenge("phones", "192.0.2.1", digestauth.MD5, true); !strings.Contains(again, "stale=true") || again == authority.Challenge("phones", "192.0.2.1", digestauth.MD5, true) {
		t.Errorf("second challenge: got %s, want a new one with stale=true", again)
	}
}

// Of the algorithms, only what was offered is good, however it is written.
func TestAlgorithms(t *testing.T) {
	authority := digestauth.New([]byte("key"), time.Now)
	const password = models.Secret("s3cret")
	both := []digestauth.Algorithm{digestauth.SHA256, digestauth.MD5}
	tests := []struct {
		answered digestauth.Algorithm
		change   func(*digest.Challenge)
		offered  []digestauth.Algorithm
		want     digestauth.Verdict
	}{
		{digestauth.SHA256, nil, both, digestauth.Right},
		{digestauth.SHA256, func(c *digest.Challenge) { c.Algorithm = "sha-256" }, both, digestauth.Right},
		{digestauth.MD5, nil, both, digestauth.Right},
		{digestauth.MD5, nil, both[:1], digestauth.Wrong},
		{digestauth.MD5, func(c *digest.Challenge) { c.Algorithm = "" }, both[:1], digestauth.Wrong},
		{digestauth.SHA256, nil, both[1:], digestauth.Wrong},
		{digestauth.SHA256, func(c *digest.Challenge) { c.Algorithm = "SHA-512-256" }, both, digestauth.Wrong},
	}
	for _, tt := range tests {
		creds := answer(t, authority.Challenge("phones", "", tt.answered, false), "s3cret", tt.change)
		if got := authority.Check(creds, "phones", "", "GET", password, tt.offered...); got != tt.want {
			t.Errorf("%s where %v is offered: got %v, want %v", creds.Algorithm, tt.offered, got, tt.want)
		}
	}
}
