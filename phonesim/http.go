package phonesim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/icholy/digest"

	"dialtone/models"
)

// What a phone has patience and memory for.
const (
	requestTimeout   = 30 * time.Second
	maxBody          = 4 << 20
	maxHeader        = 64 << 10
	maxBusyRetries   = 3
	defaultBusyDelay = 5 * time.Second
	maxBusyDelay     = 30 * time.Second
)

// errTooLarge is a file that a phone has no memory for.
var errTooLarge = fmt.Errorf("larger than %d bytes", maxBody)

// A fetcher makes a phone's HTTP requests and prints each as one line. It is
// used by one boot at a time.
type fetcher struct {
	http      *http.Client
	transport *http.Transport // of http
	user      string          // digest credentials, when the URL brings none
	password  models.Secret
	out       *printer
	asked     map[string]*challenge                // by host: what its last 401 of this boot asked for
	observe   func(status int, took time.Duration) // of each answer; nil: nobody is told
}

// A challenge is a digest challenge that is answered again and again, as long
// as the server takes it.
type challenge struct {
	digest.Challenge
	answers int
}

// An answer is what a phone looks at in an HTTP response.
type answer struct {
	status     int
	body       []byte
	retryAfter time.Duration
}

func newFetcher(user string, password models.Secret, out *printer) *fetcher {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	transport := &http.Transport{
		Protocols:              protocols,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        requestTimeout,
	}
	return &fetcher{
		http: &http.Client{
			Timeout:       requestTimeout,
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		transport: transport,
		user:      user, password: password, out: out,
	}
}

// start forgets what the last boot learnt from servers: a boot's first request
// carries no Authorization.
func (f *fetcher) start() { f.asked = map[string]*challenge{} }

// do sends one request, and a second one when the first is answered by a
// digest challenge. Userinfo of u are the credentials for it.
func (f *fetcher) do(ctx context.Context, method string, u *url.URL, agent string, body []byte) (answer, error) {
	auth := f.authorization(method, u)
	a, header, err := f.send(ctx, method, u, agent, auth, body)
	if err != nil || a.status != http.StatusUnauthorized || !f.learn(u, header) {
		return a, err
	}
	a, _, err = f.send(ctx, method, u, agent, f.authorization(method, u), body)
	return a, err
}

// credentials are those of the URL, else the phone's own.
func (f *fetcher) credentials(u *url.URL) (user, password string) {
	if u.User != nil {
		password, _ = u.User.Password()
		return u.User.Username(), password
	}
	return f.user, f.password.Reveal()
}

// learn keeps the digest challenge of a 401; false when there is none that
// the phone has an answer to.
func (f *fetcher) learn(u *url.URL, header http.Header) bool {
	user, password := f.credentials(u)
	if user == "" && password == "" {
		return false
	}
	asked, err := digest.FindChallenge(header)
	if err != nil || !digest.CanDigest(asked) {
		return false
	}
	f.asked[u.Host] = &challenge{Challenge: *asked}
	return true
}

// authorization is the header for a host that has challenged before, or "".
func (f *fetcher) authorization(method string, u *url.URL) string {
	asked := f.asked[u.Host]
	if asked == nil {
		return ""
	}
	asked.answers++
	user, password := f.credentials(u)
	answer, err := digest.Digest(&asked.Challenge, digest.Options{
		Method: method, URI: u.RequestURI(), Count: asked.answers, Username: user, Password: password,
	})
	if err != nil { // learn let through only what can be answered
		return ""
	}
	return answer.String()
}

// send makes exactly one HTTP request and prints it.
func (f *fetcher) send(ctx context.Context, method string, u *url.URL, agent, auth string, body []byte) (answer, http.Header, error) {
	name := path.Base(u.Path) // the rest of the path may hold a secret
	began := time.Now()
	a, header, err := f.exchange(ctx, method, u, agent, auth, body)
	if ctx.Err() != nil {
		return answer{}, nil, ctx.Err()
	}
	if f.observe != nil && err == nil {
		f.observe(a.status, time.Since(began))
	}
	switch {
	case err != nil:
		f.out.printf("%s %s failed: %v", method, name, err)
		return a, nil, fmt.Errorf("%s %s: %w", method, name, err)
	case method == http.MethodGet && a.status == http.StatusOK:
		f.out.printf("%s %s %d %d bytes", method, name, a.status, len(a.body))
	default:
		f.out.printf("%s %s %d", method, name, a.status)
	}
	return a, header, nil
}

func (f *fetcher) exchange(ctx context.Context, method string, u *url.URL, agent, auth string, body []byte) (answer, http.Header, error) {
	bare := *u
	bare.User = nil // net/http would send it as Basic
	req, err := http.NewRequestWithContext(ctx, method, bare.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, nil, withoutURL(err)
	}
	req.Header.Set("User-Agent", agent)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	res, err := f.http.Do(req)
	if err != nil {
		return answer{}, nil, withoutURL(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, retryAfter: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(a.body) > maxBody {
		err = errTooLarge
	}
	return a, res.Header, err
}

// withoutURL takes the URL, and the secret in it, off an error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// retryAfter reads a Retry-After header, seconds or a date, within bounds.
func retryAfter(header string, now time.Time) time.Duration {
	delay := defaultBusyDelay
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 16); err == nil {
		delay = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		delay = at.Sub(now)
	}
	return min(max(delay, 0), maxBusyDelay)
}

// file is one file of the boot that counts: a busy server is asked again, a
// bounded number of times. A missing file is models.ErrNotFound.
func (f *fetcher) file(ctx context.Context, u *url.URL, agent string) ([]byte, error) {
	for tries := 0; ; tries++ {
		a, err := f.do(ctx, http.MethodGet, u, agent, nil)
		switch {
		case err != nil:
			return nil, err
		case a.status == http.StatusOK:
			return a.body, nil
		case a.status == http.StatusNotFound:
			return nil, models.ErrNotFound
		case a.status != http.StatusServiceUnavailable || tries == maxBusyRetries:
			return nil, fmt.Errorf("GET %s: %d %s", path.Base(u.Path), a.status, cmp.Or(http.StatusText(a.status), "unknown status"))
		}
		if err := sleep(ctx, a.retryAfter); err != nil {
			return nil, err
		}
	}
}

// sleep waits, or returns early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
