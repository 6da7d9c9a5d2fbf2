package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// startTLS is a server that speaks TLS to phones and administrators, with a phone.
func startTLS(t *testing.T) (*process, *admin) {
	t.Helper()
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--phones.tls_addr", "127.0.0.1:0", "--phones.tls_old_addr", "127.0.0.1:0",
		"--phones.tls_cert", cert, "--phones.tls_key", key, "--limits.exempt", "127.0.0.0/8")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	return p, a
}

// HTTP/2 is for portals and proxies, and brings what HTTP/1.1 does. Listeners for
// phones that are old, or speak in the clear, do not know it.
func TestHTTP2(t *testing.T) {
	p, a := startTLS(t)
	addr := p.listener(t, "phones-tls")
	for listener, want := range map[string]string{addr: "h2", p.listener(t, "phones-tls-old"): "http/1.1"} {
		conn := dialTLS(t, listener, "h2", "http/1.1")
		if got := conn.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("%s: negotiated %q, want %q", listener, got, want)
		}
	}
	path := strings.TrimPrefix(a.url, p.phones) + "001565aabbcc.cfg"
	_, want := fetch(t, a.url+"001565aabbcc.cfg")
	got := answerOf(t, "--http2", "https://"+addr+path)
	if body, version, _ := strings.Cut(got, "\nversion "); body != string(want) || version != "2 200" {
		t.Errorf("by HTTP/2: got version %s and %d bytes, want 2 200 and the %d bytes that HTTP/1.1 brings", version, len(body), len(want))
	}
	if got := answerOf(t, "--http2", "--digest", "--user", "001565aabbcc:wrong", "https://"+addr+"/001565aabbcc.cfg"); !strings.HasSuffix(got, "version 2 401") {
		t.Errorf("a wrong password by HTTP/2: got %q, want 401", got)
	}
	if got := answerOf(t, "--http2-prior-knowledge", p.phones+path); strings.Contains(got, "version 2 200") {
		t.Errorf("HTTP/2 in the clear: got %q, want no answer in it", got)
	}
}

// The REST API speaks it as well.
func TestHTTP2OfAPI(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--api.tls_cert", cert, "--api.tls_key", key)
	_, addr, _ := strings.Cut(p.api, "//")
	if got := answerOf(t, "--http2", "https://"+addr+"/v2/accounts"); !strings.HasSuffix(got, "version 2 401") {
		t.Errorf("the API by HTTP/2, without a token: got %q, want 401", got)
	}
}

// answerOf is the body, the version of HTTP and the status, by curl.
func answerOf(t *testing.T, args ...string) string {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--insecure", "--write-out", "\nversion %{http_version} %{http_code}"}, args...)...).Output()
	return string(out)
}

// What HTTP/2 is abused for is bounded, or ends the abuser's connection, and a
// phone is served meanwhile.
func TestHTTP2Abuse(t *testing.T) {
	t.Parallel()
	p, a := startTLS(t)
	path := strings.TrimPrefix(a.url, p.phones)
	for name, abuse := range map[string]func(*testing.T, *abuser){
		"streams that are reset at once": func(t *testing.T, c *abuser) {
			for n := 0; n < 50_000 && c.err == nil; n++ {
				c.get(path + "001565aabbcc.cfg")
				c.try(c.framer.WriteRSTStream(c.stream, http2.ErrCodeCancel))
			}
			c.try(c.framer.WritePing(false, [8]byte{1}))
			c.try(c.flush())
			for frame := range c.frames(t) {
				switch frame.(type) {
				case *http2.PingFrame, *http2.GoAwayFrame:
					return
				}
			}
		},
		"headers without end": func(t *testing.T, c *abuser) {
			c.headers(path, false)
			for n := 0; n < 4000 && c.err == nil; n++ {
				c.try(c.framer.WriteContinuation(c.stream, false, c.field("x-much", strings.Repeat("a", 16<<10-100))))
			}
			if c.err == nil {
				t.Error("all 64 MB were taken")
			}
		},
		"more streams than there may be": func(t *testing.T, c *abuser) {
			c.try(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})) // so that none is answered to its end
			for range 40 {
				c.get(path + "001565aabbcc.cfg")
			}
			c.try(c.flush())
			for frame := range c.frames(t) {
				if reset, is := frame.(*http2.RSTStreamFrame); is {
					if reset.ErrCode != http2.ErrCodeRefusedStream || reset.StreamID != 2*33+1 {
						t.Errorf("got %v, want the 33rd stream to be refused", reset)
					}
					return
				}
			}
			t.Error("no stream was refused")
		},
		"answers that nobody takes": func(t *testing.T, c *abuser) {
			c.try(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
			c.try(c.framer.WriteWindowUpdate(0, 1<<30))
			for n := 0; n < 4000 && c.err == nil; n++ {
				c.get(path + "001565aabbcc.cfg")
				if n%16 == 0 {
					c.try(c.flush())
					time.Sleep(time.Millisecond) // so that they are answered, and not too many at once
				}
			}
			c.try(c.flush())
			time.Sleep(40 * time.Second)
			ended(t, "answers that nobody takes", c.conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAbuser(t, p.listener(t, "phones-tls"))
			abuse(t, c)
			if resp, _ := fetch(t, a.url+"001565aabbcc.cfg"); resp.StatusCode != http.StatusOK {
				t.Errorf("a phone meanwhile: got %d", resp.StatusCode)
			}
		})
	}
}

// An abuser writes frames of HTTP/2 as it likes.
type abuser struct {
	conn   net.Conn
	framer *http2.Framer
	out    bytes.Buffer // what is to be sent
	coded  bytes.Buffer
	encode *hpack.Encoder
	stream uint32 // that was opened last: odd
	err    error  // since when nothing is taken
}

func newAbuser(t *testing.T, addr string) *abuser {
	t.Helper()
	c := &abuser{conn: dialTLS(t, addr, "h2"), stream: 1}
	c.framer, c.encode = http2.NewFramer(&c.out, c.conn), hpack.NewEncoder(&c.coded)
	c.out.WriteString(http2.ClientPreface)
	c.try(c.framer.WriteSettings())
	return c
}

// try remembers the first error, and sends now and then.
func (c *abuser) try(err error) {
	if err == nil && c.out.Len() > 64<<10 {
		err = c.flush()
	}
	c.err = errors.Join(c.err, err)
}

func (c *abuser) flush() error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := c.out.WriteTo(c.conn)
	return err
}

func (c *abuser) get(path string) { c.headers(path, true) }

// headers opens the next stream; more of it may follow.
func (c *abuser) headers(path string, whole bool) {
	c.stream += 2
	var fields []byte
	for _, field := range [][2]string{{":method", http.MethodGet}, {":scheme", "https"}, {":authority", "x"}, {":path", path}} {
		fields = append(fields, c.field(field[0], field[1])...)
	}
	c.try(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: fields, EndHeaders: whole, EndStream: true}))
}

// field is a header field as it is sent.
func (c *abuser) field(name, value string) []byte {
	c.coded.Reset()
	_ = c.encode.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}) // into memory
	return bytes.Clone(c.coded.Bytes())
}

// frames are those that the server sends, until it ends the connection.
func (c *abuser) frames(t *testing.T) func(yield func(http2.Frame) bool) {
	t.Helper()
	return func(yield func(http2.Frame) bool) {
		_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
		for {
			frame, err := c.framer.ReadFrame()
			if ne, is := errors.AsType[net.Error](err); is && ne.Timeout() {
				t.Error("the connection is still open after a minute")
			}
			if err != nil || !yield(frame) {
				return
			}
		}
	}
}

// dialTLS connects whatever the certificate is.
func dialTLS(t *testing.T, addr string, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*tls.Conn)
}
