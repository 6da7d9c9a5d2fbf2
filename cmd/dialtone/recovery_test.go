package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"dialtone/internal/mail/mailtest"
)

// A user who has forgotten the password gets a link by mail, logs in with it and
// sets another one. What is asked for at the very end is still sent.
func TestForgottenPassword(t *testing.T) {
	dir, server := t.TempDir(), mailtest.New(t)
	p := start(t, dir, "--db.url", sqliteURL(dir), "--mail.url", server.URL(), "--mail.from", "dialtone@example.com",
		"--mail.portals", "portal.example.com")
	a := newAdmin(t, p, dir, "--db.url", sqliteURL(dir))
	user := a.must(t, http.StatusCreated, "PUT", "users",
		`{"data":{"first_name":"A","last_name":"B","username":"ann","password":"s3cret-ann","email":"ann@example.com"}}`).id(t)
	const asked = `{"data":{"username":"ann","account_realm":"acme.example.com","ui_url":"https://portal.example.com/"}}`

	a.must(t, http.StatusCreated, "PUT", "/v2/user_auth/recovery", asked)
	m := server.Next()
	if m.To != "ann@example.com" || m.From != "dialtone@example.com" || !strings.Contains(m.Text, "Somebody at 127.0.0.1 ") {
		t.Errorf("mail %+v", m)
	}
	link, err := url.Parse(regexp.MustCompile(`https://\S+`).FindString(m.Text))
	if err != nil {
		t.Fatal(err)
	}
	id := link.Query().Get("recovery")
	ann := *a
	ann.token = a.must(t, http.StatusCreated, "PUT", "/v2/user_auth/recovery", `{"data":{"reset_id":"`+id+`"}}`).AuthToken
	ann.must(t, http.StatusOK, "PATCH", "users/"+user, `{"data":{"password":"s3cret-new"}}`)

	a.must(t, http.StatusCreated, "PUT", "/v2/user_auth/recovery", asked)
	if code := p.stop(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if m := server.Next(); m.To != "ann@example.com" {
		t.Errorf("mail %+v", m)
	}
	for _, secret := range []string{server.Password, id, "s3cret"} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}
