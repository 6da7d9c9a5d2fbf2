package api

import (
	"context"
	"crypto/md5"  //nolint:gosec // what a Kazoo login presents is an MD5 or SHA-1
	"crypto/sha1" //nolint:gosec // see above
	"encoding/hex"
	"strings"

	"dialtone/models"
)

// settleUser makes doc what is stored (cleaned, without defaults and the
// password) and u's credentials what they become. u holds the user as it was.
func (rs rules) settleUser(ctx context.Context, u *models.User, doc models.Document) (problems, error) {
	if username := doc.Text("username"); username != "" {
		doc["username"] = strings.ToLower(username)
	}
	wrong := rs.settle(rs.schemas["users"], doc)
	password := models.Secret(doc.Text("password"))
	delete(doc, "password")
	if doc.Text("username") == "" && password != "" {
		doc["username"] = "user_" + models.NewID()[:16]
	}
	username := doc.Text("username")
	switch {
	case password != "":
		u.MD5Auth, u.SHA1Auth = credentials(username, password)
	case username == "":
		u.MD5Auth, u.SHA1Auth = "", ""
	case username != strings.ToLower(u.Username):
		wrong.add("password", "required", "a new username needs a password", detail{"value": "password"})
	}
	return wrong, rs.checkUniqueUser(ctx, u, doc, wrong)
}

// checkUniqueUser asks the store who else has the username or hotdesk id, when
// they are new.
func (rs rules) checkUniqueUser(ctx context.Context, u *models.User, doc models.Document, wrong problems) error {
	candidate := &models.User{AccountID: u.AccountID, Document: models.Document{}}
	candidate.ID = u.ID
	if username := strings.ToLower(doc.Text("username")); username != strings.ToLower(u.Username) {
		candidate.Username = username
	}
	if desk := doc.Text("hotdesk.id"); desk != u.Document.Text("hotdesk.id") {
		candidate.Document.Set("hotdesk.id", desk)
	}
	taken, err := rs.store.UserTaken(ctx, candidate)
	wrong.addTaken(taken, doc)
	return err
}

// credentials are the two hashes that a login may present instead of the
// password, in lower-case hex.
func credentials(username string, password models.Secret) (asMD5, asSHA1 models.Secret) {
	plain := []byte(username + ":" + password.Reveal())
	m, h := md5.Sum(plain), sha1.Sum(plain) //nolint:gosec // Kazoo's protocol
	return models.Secret(hex.EncodeToString(m[:])), models.Secret(hex.EncodeToString(h[:]))
}
