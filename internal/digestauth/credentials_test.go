package digestauth_test

import (
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"

	"dialtone/internal/digestauth"
)

func TestParseCredentials(t *testing.T) {
	ann := digest.Credentials{Username: "ann", Realm: "acme", Nonce: "n=,\"\\", URI: "sip:acme", Response: "00ff", QOP: "auth", Nc: 10, Cnonce: "c"}
	tests := []struct {
		name, header string
		want         *digest.Credentials // nil: none
	}{
		{"usual", `Digest username="ann", realm="acme", nonce="n=,\"\\", uri="sip:acme", response="00ff", qop=auth, nc=0000000a, cnonce="c"`, &ann},
		{"narrow, another order, what nobody knows", `digest nc=a,qop="auth",cnonce="c",new=1,response="00ff",uri="sip:acme",nonce="n=,\"\\",realm="acme",username="ann"`, &ann},
		{"wide", "Digest  username = \"ann\" ,\trealm=acme, nonce=\"n=,\\\"\\\\\" , uri=\"sip:acme\",response=00ff,qop=auth,nc=0a,cnonce=\"c\"  ", &ann},
		{"the last counts", `Digest username="bob", username="ann"`, &digest.Credentials{Username: "ann"}},
		{"empty", `Digest `, &digest.Credentials{}},
		{"basic", `Basic YW5uOnB3`, nil},
		{"open quote", `Digest username="ann`, nil},
		{"open escape", `Digest username="ann\`, nil},
		{"text after a quote", `Digest username="ann"x, realm="acme"`, nil},
		{"no value", `Digest username`, nil},
		{"count", `Digest nc=zz`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := digestauth.ParseCredentials(tt.header)
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("got %v, want an error: %v", err, tt.want == nil)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// What the library reads, ParseCredentials reads alike.
func FuzzParseCredentials(f *testing.F) {
	f.Add(`Digest username="a\"b", realm=x, nonce="", nc=00000001, userhash=true`)
	f.Add(`digest  a = "," , uri="sip:a@b;c=d"`)
	f.Fuzz(func(t *testing.T, header string) {
		want, err := digest.ParseCredentials(header)
		got, gotErr := digestauth.ParseCredentials(header)
		if err != nil || !utf8.ValidString(header) {
			return
		}
		if gotErr != nil {
			t.Fatalf("%q: got %v, want %+v", header, gotErr, want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got\n%s", header, diff)
		}
	})
}
