package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"dialtone/internal/mail"
	"dialtone/models"
)

const resetLife = 24 * time.Hour

// How often a user can be sent a link to reset the password: a few times in a
// row, and then one in a while.
const (
	resetBurst = 3
	resetEvery = 20 * time.Minute
)

// A recovery is what somebody who has forgotten a password asks for.
type recovery struct {
	account  models.Credentials // which accounts are meant
	username string
	page     *url.URL   // where the link leads to
	source   netip.Addr // where the request comes from
}

// recoverPassword serves PUT and POST /v2/user_auth/recovery: with a "reset_id"
// it is a login, without one it asks for a mail that has one.
func (s *server) recoverPassword(ctx context.Context, r *request) (*answer, error) {
	if s.Mail == nil {
		return nil, fault("not_implemented", "this server sends no mail: an administrator sets a new password")
	}
	if !s.Guard.Allowed(r.source) {
		return nil, fault("too_many_requests", "too many failed logins")
	}
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	if _, sent := doc["reset_id"]; sent {
		return s.redeemReset(ctx, r, doc)
	}
	return s.askReset(ctx, r, doc)
}

// askReset answers before anybody has looked for the user: neither what it says
// nor the time it takes tells whether there is one.
func (s *server) askReset(ctx context.Context, r *request, doc models.Document) (*answer, error) {
	if err := s.schemas["recovery"].settle(doc).err(); err != nil {
		return nil, err
	}
	page, err := url.Parse(doc.Text("ui_url"))
	if err != nil {
		return nil, invalid("ui_url", "wrong_format", "not a URL", detail{"value": doc.Text("ui_url"), "format": "uri"})
	}
	if !slices.ContainsFunc(s.Portals, func(host string) bool { return strings.EqualFold(host, page.Host) }) {
		return nil, invalid("ui_url", "invalid", "not a portal of this server", detail{"cause": page.Host})
	}
	asked := recovery{
		account: models.Credentials{
			Realm:       cmp.Or(doc.Text("account_realm"), doc.Text("realm")),
			AccountName: doc.Text("account_name"),
		},
		username: doc.Text("username"),
		page:     page,
		source:   r.source,
	}
	actor := models.ActorOf(ctx)
	s.Mail(ctx, func(ctx context.Context) ([]mail.Message, error) {
		return s.resetMails(models.WithActor(ctx, actor), asked)
	})
	return &answer{status: http.StatusCreated, data: "a user of that name who has an e-mail address is sent a link"}, nil
}

// resetMails makes the mails to all users that a recovery may mean.
func (s *server) resetMails(ctx context.Context, asked recovery) ([]mail.Message, error) {
	users, err := s.Store.UsersByUsername(ctx, asked.account, asked.username)
	if err != nil {
		return nil, err
	}
	var mails []mail.Message
	for _, u := range users {
		m, failed := s.resetMail(ctx, u, asked)
		mails, err = append(mails, m...), errors.Join(err, failed)
	}
	return mails, err
}

// resetMail makes the mail to one user, none to who may not log in, has no
// address, or was sent enough mails of late. It is the only place where the
// reset id is, of which a hash is stored.
func (s *server) resetMail(ctx context.Context, u *models.User, asked recovery) ([]mail.Message, error) {
	account, err := s.Store.Account(ctx, u.AccountID)
	if err != nil || s.standing(account) != nil || !u.Enabled.On() || u.Email == "" || !s.resets.Allow(u.ID) {
		return nil, err
	}
	id, now := newToken(), s.Now().UTC()
	reset := &models.Token{
		AccountID: account.ID, OwnerID: u.ID, LoginAccountID: account.ID, LoginOwnerID: u.ID,
		Method: models.ResetID, Created: now, Expires: now.Add(resetLife),
	}
	if err := s.Store.CreateToken(ctx, id, reset, models.Grounds{Accounts: []*models.Account{account}, Users: []*models.User{u}}); err != nil {
		return nil, err
	}
	link, query := *asked.page, asked.page.Query()
	query.Set("recovery", id.Reveal())
	link.RawQuery = query.Encode()
	return []mail.Message{{
		To:      u.Email,
		Subject: "Your password",
		Text: fmt.Sprintf("Somebody at %s asked for a new password for the user %s of %s.\n\n"+
			"If that was you, follow this link within a day. It works once, and leads to %s:\n\n%s\n\n"+
			"If it was not you, or if you do not know %s, do nothing: your password stays as it is.\n",
			asked.source, u.Username, account.Realm, link.Host, link.String(), link.Host),
	}}, nil
}

// redeemReset gives a token for a reset id, once.
func (s *server) redeemReset(ctx context.Context, r *request, doc models.Document) (*answer, error) {
	if err := s.schemas["reset"].settle(doc).err(); err != nil {
		return nil, err
	}
	var a *answer
	err := s.untilWritten(ctx, func(ctx context.Context) (err error) {
		a, err = s.redeemResetOnce(ctx, models.Secret(doc.Text("reset_id")))
		return err
	})
	if errors.Is(err, models.ErrNotFound) {
		s.Guard.Fail(r.source)
		return nil, invalid("reset_id", "not_found", "the link is too old, or was used before", nil)
	}
	return a, err
}

// redeemResetOnce is ErrNotFound when the reset id, or its user, is no more.
func (s *server) redeemResetOnce(ctx context.Context, id models.Secret) (*answer, error) {
	reset, err := s.Store.Token(ctx, id)
	if err != nil {
		return nil, err
	}
	if reset.Method != models.ResetID || !reset.Expires.After(s.Now()) {
		return nil, models.ErrNotFound
	}
	account, err := s.Store.Account(ctx, reset.AccountID)
	if err != nil {
		return nil, err
	}
	if err := s.standing(account); err != nil {
		return nil, err
	}
	user, err := s.Store.User(ctx, reset.AccountID, reset.OwnerID)
	if err != nil {
		return nil, err
	}
	return s.login(ctx, &identity{account: account, user: user, reset: id}, models.LoginByUser, nil)
}
