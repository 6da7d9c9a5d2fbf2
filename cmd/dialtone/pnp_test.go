package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A phone that knows nothing but its MAC asks where its files are, and fetches
// them from there.
func TestPlugAndPlay(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir), "--sip.pnp", "known", "--sip.pnp_addr", "")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	if got := askProfile(t, p.sip, "001565aabbcc"); got != "" {
		t.Errorf("an unknown phone is told %s", got)
	}
	a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice)
	url := askProfile(t, p.sip, "001565aabbcc")
	if url != a.url {
		t.Fatalf("a known phone is told %q, want %s", url, a.url)
	}
	if res, _ := fetch(t, url+"001565aabbcc.cfg"); res.StatusCode != http.StatusOK {
		t.Errorf("its file: %s", res.Status)
	}
	if strings.Contains(p.log.String(), strings.Split(a.url, "/p/")[1]) {
		t.Error("the log holds the path token")
	}
	if code := p.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	p = start(t, dir, "--db.url", sqliteURL(dir), "--sip.pnp", a.account, "--sip.pnp_addr", "")
	a.api = p.api
	if got := askProfile(t, p.sip, "001565000001"); got != "" {
		t.Errorf("without the account's leave an unknown phone is told %s", got)
	}
	a.must(t, http.StatusOK, "PATCH", "/v2/accounts/"+a.account, `{"data":{"pnp":true}}`)
	if got := askProfile(t, p.sip, "001565000001"); !strings.HasPrefix(got, p.phones+"/p/") {
		t.Errorf("an unknown phone of the account is told %q", got)
	}
}

// askProfile sends a SUBSCRIBE and returns the body of the NOTIFY, "" when there
// is no answer.
func askProfile(t *testing.T, addr, mac string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	local := conn.LocalAddr()
	text := "SUBSCRIBE sip:MAC%3A" + mac + "@224.0.1.75 SIP/2.0\r\nVia: SIP/2.0/UDP " + local.String() + ";branch=z9hG4bK" + mac + ";rport\r\n" +
		"Max-Forwards: 70\r\nFrom: <sip:MAC%3A" + mac + "@224.0.1.75>;tag=1\r\nTo: <sip:MAC%3A" + mac + "@224.0.1.75>\r\nCall-ID: " + local.String() +
		"\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:" + local.String() + ">\r\nExpires: 0\r\n" +
		`Event: ua-profile;profile-type="device";vendor="Yealink";model="T46U";version="108.86.0.20"` + "\r\nContent-Length: 0\r\n\r\n"
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return ""
		}
		if head, body, _ := strings.Cut(string(buffer[:n]), "\r\n\r\n"); strings.HasPrefix(head, "NOTIFY ") {
			return body
		}
	}
}

func TestQuickcallThroughREST(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--db.url", sqliteURL(dir))
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	id := a.must(t, http.StatusCreated, "PUT", "devices", yealinkDevice).id(t)
	if r := a.must(t, http.StatusInternalServerError, "POST", "devices/"+id+"/quickcall/100", ""); !strings.Contains(string(r.Data), "not registered") {
		t.Errorf("POST: %s", r.Data)
	}
	wait(t, "an end of the first call", func() bool {
		r, err := a.ask(t.Context(), "GET", "devices/"+id+"/quickcall/100", nil)
		return err == nil && r.status == http.StatusAccepted
	})
	wait(t, "two outcomes", func() bool {
		calls := string(a.must(t, http.StatusOK, "GET", "devices/"+id+"/quickcalls", "").Data)
		return strings.Count(calls, `"state":"unreachable"`) == 2
	})
	if strings.Contains(p.log.String(), `"level":"ERROR"`) {
		t.Errorf("a phone that is off is no error:\n%s", fmt.Sprint(p.log))
	}
}
