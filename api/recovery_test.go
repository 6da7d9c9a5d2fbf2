package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dialtone/internal/mail"
	"dialtone/models"
)

const recoveryPath = "/v2/user_auth/recovery"

// An outbox is what a bench is asked to mail. Nothing is composed before look.
type outbox struct {
	*bench
	waiting []mail.Compose
}

// mailing lets the API send mails.
func (b *bench) mailing() *outbox {
	b.Helper()
	o := &outbox{bench: b}
	cfg := b.config
	cfg.Mail = func(_ context.Context, compose mail.Compose) { o.waiting = append(o.waiting, compose) }
	cfg.Portals = []string{"portal.example.com", "portal.example.com:8443"}
	b.handler = b.serve(cfg)
	return o
}

// look composes all that waits.
func (o *outbox) look() []mail.Message {
	o.Helper()
	var mails []mail.Message
	for _, compose := range o.waiting {
		m, err := compose(o.Context())
		if err != nil {
			o.Error(err)
		}
		mails = append(mails, m...)
	}
	o.waiting = nil
	return mails
}

// ask asks for a mail for ann of acme.example.com, and gives its reset id.
func (o *outbox) ask() string {
	o.Helper()
	o.recover(`{"username":"ann","account_realm":"acme.example.com","ui_url":"https://portal.example.com/"}`).want(http.StatusCreated)
	mails := o.look()
	if len(mails) != 1 {
		o.Fatalf("%d mails, want 1", len(mails))
	}
	return resetID(o.T, mails[0])
}

func (b *bench) recover(data string) *reply {
	b.Helper()
	return b.as("", "PUT", recoveryPath, `{"data":`+data+`}`)
}

func (b *bench) redeem(id string) *reply {
	b.Helper()
	return b.as("", "POST", recoveryPath, `{"data":{"reset_id":"`+id+`"}}`)
}

var links = regexp.MustCompile(`https?://\S+`)

func resetID(t *testing.T, m mail.Message) string {
	t.Helper()
	link, err := url.Parse(links.FindString(m.Text))
	if err != nil || link.Query().Get("recovery") == "" {
		t.Fatalf("no reset id in %q: %v", link, err)
	}
	return link.Query().Get("recovery")
}

// forgetful is a bench with mail and ann of acme.example.com, who has an address.
func forgetful(t *testing.T, b *bench) (o *outbox, acme *models.Account, ann string) {
	t.Helper()
	acme, _ = b.account("Acme", "acme.example.com", b.master)
	ann = b.user(acme, "ann", "s3cret-ann")
	b.do("PATCH", ann, `{"data":{"email":"ann@example.com"}}`).want(http.StatusOK)
	return b.mailing(), acme, ann
}

// From the forgotten password to the new one.
func TestRecovery(t *testing.T) {
	eachDatabase(t, func(t *testing.T, b *bench) {
		o, acme, ann := forgetful(t, b)
		asked := `{"username":"Ann","account_name":"ACME","ui_url":"https://portal.example.com:8443/x?a=b&c=d#/login"}`
		b.recover(asked).want(http.StatusCreated)
		mails := o.look()
		if len(mails) != 1 || mails[0].To != "ann@example.com" {
			t.Fatalf("mails %v", mails)
		}
		id, text := resetID(t, mails[0]), mails[0].Text
		for _, want := range []string{"Somebody at 192.0.2.1 ", "user ann of acme.example.com", "leads to portal.example.com:8443:",
			"\nhttps://portal.example.com:8443/x?a=b&c=d&recovery=" + id + "#/login\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in %q", want, text)
			}
		}
		entry := b.do("GET", "/v2/accounts/"+acme.ID+"/audit", "").want(http.StatusOK).list()[0].(map[string]any)
		if entry["action"] != "recovery" || !strings.HasSuffix(ann, fmt.Sprint("/", entry["object_id"])) || entry["actor"].(map[string]any)["source"] != "192.0.2.1" {
			t.Errorf("audit %v", entry)
		}
		// It opens nothing else, and other tokens are no reset ids.
		b.as(id, "GET", "/v2/token_auth", "").fails(http.StatusUnauthorized, "invalid_credentials")
		b.as("", "GET", "/v2/account?auth_token="+id, "").fails(http.StatusUnauthorized, "invalid_credentials")
		b.redeem(b.token).rejects("reset_id: not_found")

		r := b.redeem(id)
		if owner := r.want(http.StatusCreated).at("owner_id"); r.at("account_id") != acme.ID || !strings.HasSuffix(ann, fmt.Sprint("/", owner)) {
			t.Errorf("answer %s", r.body)
		}
		b.redeem(id).rejects("reset_id: not_found")
		b.as(r.token(), "PATCH", ann, `{"data":{"password":"s3cret-new"}}`).want(http.StatusOK)
		b.userLogin("ann:s3cret-new", `,"realm":"acme.example.com"`).want(http.StatusCreated)
		b.as(r.token(), "GET", ann, "").fails(http.StatusUnauthorized, "invalid_credentials")
	})
}

// Nothing in the answer tells whether there is such a user.
func TestRecoveryTellsNothing(t *testing.T) {
	b := newBench(t)
	o, acme, ann := forgetful(t, b)
	b.user(acme, "bob", "s3cret-bob") // without an address
	off := b.user(acme, "off", "s3cret-off")
	b.do("PATCH", off, `{"data":{"email":"off@example.com","enabled":false}}`).want(http.StatusOK)
	closed := b.do("PUT", "/v2/accounts", `{"data":{"name":"Closed","realm":"closed.example.com"}}`).id()
	b.do("PUT", "/v2/accounts/"+closed+"/users", `{"data":{"first_name":"A","last_name":"B","username":"ann","password":"s3cret-x","email":"x@example.com"}}`).want(http.StatusCreated)
	b.do("PATCH", "/v2/accounts/"+closed, `{"data":{"enabled":false}}`).want(http.StatusOK)
	var first *reply
	for _, tt := range []struct {
		who   string
		mails int
	}{
		{`"username":"ann","realm":"acme.example.com"`, 1},
		{`"username":"ann","phone_number":"+15551234567","account_realm":"acme.example.com"`, 1},
		{`"username":"bob","realm":"acme.example.com"`, 0},
		{`"username":"off","realm":"acme.example.com"`, 0},
		{`"username":"nobody","realm":"acme.example.com"`, 0},
		{`"username":"ann","realm":"closed.example.com"`, 0},
		{`"username":"ann","realm":"nowhere.example.com"`, 0},
		{`"username":"ann"`, 0},
	} {
		r := b.as("", "PUT", recoveryPath, `{"data":{"ui_url":"https://portal.example.com",`+tt.who+`}}`, "X-Request-ID: same").want(http.StatusCreated)
		if first == nil {
			first = r
		}
		if r.body != first.body || len(r.header) != len(first.header) {
			t.Errorf("%s: %s, want %s", tt.who, r.body, first.body)
		}
		if mails := o.look(); len(mails) != tt.mails {
			t.Errorf("%s: %d mails, want %d", tt.who, len(mails), tt.mails)
		}
	}
	if strings.Contains(b.do("GET", ann, "").body, "recovery") {
		t.Error("the user's document shows the recovery")
	}
}

// What ends a reset id.
func TestResetEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(b *bench, account, user string)
		want bool // it still works
	}{
		{"nearly a day passes", func(b *bench, _, _ string) { b.sleep(24*time.Hour - time.Second); b.token = b.login(b.key) }, true},
		{"a day passes", func(b *bench, _, _ string) { b.sleep(24 * time.Hour); b.token = b.login(b.key) }, false},
		{"a name changes", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"first_name":"C"}}`).want(http.StatusOK)
		}, true},
		{"another password", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"password":"s3cret-new"}}`).want(http.StatusOK)
		}, false},
		{"user disabled and enabled", func(b *bench, _, user string) {
			b.do("PATCH", user, `{"data":{"enabled":false}}`).want(http.StatusOK)
			b.do("PATCH", user, `{"data":{"enabled":true}}`).want(http.StatusOK)
		}, false},
		{"account disabled and enabled", func(b *bench, account, _ string) {
			b.do("PATCH", account, `{"data":{"enabled":false}}`).want(http.StatusOK)
			b.do("PATCH", account, `{"data":{"enabled":true}}`).want(http.StatusOK)
		}, false},
		{"user deleted", func(b *bench, _, user string) { b.do("DELETE", user, "").want(http.StatusOK) }, false},
		{"account deleted", func(b *bench, account, _ string) { b.do("DELETE", account, "").want(http.StatusOK) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			o, acme, ann := forgetful(t, b)
			id := o.ask()
			tt.do(b, "/v2/accounts/"+acme.ID, ann)
			r := b.redeem(id)
			if tt.want {
				r.want(http.StatusCreated)
				return
			}
			r.rejects("reset_id: not_found")
		})
	}
}

// Nobody's mailbox is filled, and no reset id is guessed.
func TestRecoveryLimits(t *testing.T) {
	b := newBench(t)
	o, _, _ := forgetful(t, b)
	const ann = `{"username":"ann","realm":"acme.example.com","ui_url":"https://portal.example.com"}`
	for range 5 {
		b.recover(ann).want(http.StatusCreated)
	}
	if mails := o.look(); len(mails) != 3 {
		t.Errorf("%d mails, want 3", len(mails))
	}
	b.sleep(20 * time.Minute)
	b.recover(ann).want(http.StatusCreated)
	if mails := o.look(); len(mails) != 1 {
		t.Errorf("%d mails after a while, want 1", len(mails))
	}
	for range 20 {
		b.redeem("dt_guess").rejects("reset_id: not_found")
	}
	b.redeem("dt_guess").fails(http.StatusTooManyRequests, "too_many_requests")
	b.recover(ann).fails(http.StatusTooManyRequests, "too_many_requests")
}

func TestRecoveryValidation(t *testing.T) {
	b := newBench(t)
	o := b.mailing()
	b.recover(`{}`).rejects("username: required", "ui_url: required")
	b.as("", "POST", recoveryPath, `{"data":{"username":"","ui_url":7,"account_realm":"a b c"}}`).
		rejects("username: minLength", "ui_url: type", "account_realm: pattern")
	b.recover(`{"reset_id":""}`).rejects("reset_id: minLength")
	for _, bad := range []string{"javascript:alert(1)", "ftp://x.example.com", "//x.example.com", "x.example.com", "https://", "https://user:pass@x.example.com",
		"https://x.example.com/a b", `https://x.example.com/\r\nBcc: eve@example.com`, "https://x.example.com\\\\@evil.example.com", "HTTPS://é.example.com"} {
		b.recover(`{"username":"ann","ui_url":"` + bad + `"}`).rejects("ui_url: pattern")
	}
	b.recover(`{"username":"ann","ui_url":"https://x.example.com:port/"}`).rejects("ui_url: wrong_format")
	for _, other := range []string{"https://evil.example.com/", "https://portal.example.com.evil.example.com", "https://portal.example.com:9000/"} {
		b.recover(`{"username":"ann","ui_url":"` + other + `"}`).rejects("ui_url: invalid")
	}
	if mails := o.look(); len(mails) != 0 {
		t.Errorf("mails %v", mails)
	}
}
