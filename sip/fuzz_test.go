package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dialtone/internal/digestauth"
	"dialtone/models"
)

// What is accepted can be stored, written into a header and read back the same.
func FuzzContacts(f *testing.F) {
	for _, seed := range []string{
		"<sip:a@10.0.0.1>;expires=60", `"A, <b>" <sip:a@b;transport=tcp>;q=0.5, sip:c@d;expires=0`, "*",
		`<sip:a@[::1]:5060;ob>;+sip.instance="<urn:uuid:1>";reg-id=1`, `"\"" <sips:x>`, "sip:a@b?x=y", "<sip:a@b>;reg-id=99999999999",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		contacts, all, err := parseContacts([]string{value}, 300)
		if err != nil || all {
			return
		}
		now := time.Now()
		for _, c := range contacts {
			if len(c.uri) > maxURI || !isClean(c.uri+c.instance) || c.expires < 0 {
				t.Fatalf("accepted %+v", c)
			}
			b := models.Binding{Contact: c.uri, Instance: c.instance, RegID: c.regID, Expires: now.Add(time.Duration(c.expires) * time.Second)}
			again, _, err := parseContacts([]string{contactValue(b, now)}, 300)
			if err != nil || len(again) != 1 {
				t.Fatalf("%s: %+v, %v", contactValue(b, now), again, err)
			}
			if diff := cmp.Diff(c, again[0], cmp.AllowUnexported(contact{})); diff != "" {
				t.Fatalf("read back (-want +got):\n%s", diff)
			}
			if !c.sameAs(c) {
				t.Fatalf("%s is not itself", c.uri)
			}
			u := stackURI(c.uri)
			if got := u.String(); !strings.EqualFold(got, c.uri) {
				t.Fatalf("as Request-URI: got %s, want %s", got, c.uri)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"<sip:127.0.0.1:15090;lr;received=sip:1.2.3.4:5062%3Btransport%3Dtcp>", "<sip:a;lr>, \"x,\" <sips:b:1>;p=q", "<sip:[::1]>", "sip:a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		path, err := parsePath([]string{value})
		if err != nil {
			return
		}
		again, err := parsePath([]string{strings.Join(path, ", ")})
		if diff := cmp.Diff(path, again); err != nil || diff != "" {
			t.Fatalf("read back: %v\n%s", err, diff)
		}
		for _, route := range path {
			hop, err := parseHop(route)
			if err != nil || strings.ContainsAny(route, "\r\n") {
				t.Fatalf("accepted %q: %v", route, err)
			}
			if host := hop.hostPort(); !strings.Contains(host, ":") {
				t.Fatalf("%q leads to %q", route, host)
			}
		}
	})
}

// No header makes the check crash or succeed.
func FuzzAuthorization(f *testing.F) {
	authority := digestauth.New([]byte("key"), time.Now)
	f.Add(`Digest username="a", realm="r", nonce="n", uri="sip:r", response="0", qop=auth, nc=00000001, cnonce="c", algorithm=MD5`)
	f.Add(`Digest realm="r",nonce="",qop="auth-int",nc=ffffffff`)
	f.Add(`digest realm=r, algorithm=SHA-256, userhash=true`)
	f.Fuzz(func(t *testing.T, header string) {
		creds := findCredentials([]string{header}, "r")
		if creds == nil {
			return
		}
		if verdict := authority.Check(creds, "r", "192.0.2.1", "REGISTER", "a password nobody guesses", digestauth.MD5, digestauth.SHA256); verdict == digestauth.Right {
			t.Fatalf("%q: got verdict %v", header, verdict)
		}
	})
}

// A username survives its way into a URI and back.
func FuzzUsername(f *testing.F) {
	f.Add("ann")
	f.Add("ann #1@x;y?z%20\n")
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" {
			return
		}
		u, err := parseURI(fmt.Sprintf("sip:%s@acme.example.com", escapeUser(name)))
		if err != nil || unescape(u.user) != name || u.host != "acme.example.com" {
			t.Fatalf("%q: got %+v, %v", name, u, err)
		}
	})
}
