package provisioner

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"dialtone/models"
	"dialtone/templates"
)

// builtin loads the built-in tree once for all tests.
var builtin = sync.OnceValues(func() (*Catalog, error) { return Load(templates.FS) })

func builtinCatalog(t testing.TB) *Catalog {
	t.Helper()
	c, err := builtin()
	if err != nil {
		t.Fatalf("built-in templates: %v", err)
	}
	return c
}

const acmeManifest = `brand: acme
label: Acme
user_agents: ['^Acme (?P<model>[a-z0-9]+) (?P<firmware>[0-9.]+)']
check_sync: {resync: acme-sync, reboot: acme-reboot}
files:
  - {role: settings, path: "{mac}.txt", template: settings.tpl, format: ini, content_type: text/plain, settings: true, repeatable: [user]}
  - {role: common, path: "m{number}.txt", template: common.tpl, format: ini, content_type: text/plain}
  - {role: page, path: "{mac}.xml", template: page.tpl, format: xml, content_type: text/xml}
keys:
  combo: {first: 1, codes: {presence: blf, line: line}}
  feature: {first: 2, codes: {presence: blf}}
codecs:
  - {names: [PCMU], code: mu}
  - {names: [PCMA], code: a}
  - {names: [], code: wide}
languages: {en: English, de: German, de-at: Austrian}
transports: {udp: "0", tcp: "1", tls: "2"}
defaults:
  timezone: Etc/UTC
  media: {audio: {codecs: [PCMA]}}
model: {label: ANY, lines: 1, line_keys: 4}
families:
  t1x:
    model: {line_keys: 6}
    models:
      t11: {label: T11, aliases: [t11p], attributes: {number: "11"}}
      t12: {label: T12, lines: 2, line_keys: 8, expansion_modules: 2, expansion_keys: 3, attributes: {number: "12"}}
  f2x:
    models:
      x20: {attributes: {number: "20"}}
phone: {precedence: last}
generation: '^([0-9]+)\.'
video_codecs:
  - {names: [H264], code: avc}
  - {names: [H263], code: old}
`

const acmeSample = `{
  "account": {"id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "name": "Acme", "realm": "acme.example.com"},
  "device": {"id": "cccccccccccccccccccccccccccccccc", "name": "Desk", "mac_address": "001122334455",
    "sip": {"username": "ann", "password": "secret"}}
}`

// acme is a small tree that loads; changes replace or, when empty, remove files.
func acme(changes map[string]string) fstest.MapFS {
	files := map[string]string{
		"acme/manifest.yaml":      acmeManifest,
		"acme/settings.tpl":       "name = {{ device.name }}\n",
		"acme/common.tpl":         "realm = {{ account.realm }}\n",
		"acme/page.tpl":           "<page name=\"{{ device.name }}\"/>\n",
		"acme/samples/plain.json": acmeSample,
	}
	maps.Copy(files, changes)
	tree := fstest.MapFS{}
	for name, text := range files {
		if text != "" {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return tree
}

func loadAcme(t testing.TB, changes map[string]string) *Catalog {
	t.Helper()
	c, err := Load(acme(changes))
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func document(t testing.TB, text string) models.Document {
	t.Helper()
	doc, err := models.ParseDocument([]byte(text))
	if err != nil {
		t.Fatalf("document %s: %v", text, err)
	}
	return doc
}

const (
	accountID = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	annID     = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb1"
	bobID     = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb2"
	deviceID  = "cccccccccccccccccccccccccccccccc"
)

// newPhone is a phone of documents; an empty owner means none.
func newPhone(t testing.TB, account, owner, device string) *models.Phone {
	t.Helper()
	p := &models.Phone{
		Account: &models.Account{Meta: models.Meta{ID: accountID, Revision: "1-a"}, PathToken: "token"},
		Device:  &models.Device{Meta: models.Meta{ID: deviceID, Revision: "1-d"}, AccountID: accountID, HTTPPassword: "http-secret"},
	}
	err := errors.Join(p.Account.SetDocument(document(t, account)), p.Device.SetDocument(document(t, device)))
	if owner != "" {
		p.Owner = newUser(t, annID, owner)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newUser(t testing.TB, id, text string) *models.User {
	t.Helper()
	u := &models.User{Meta: models.Meta{ID: id, Revision: "1-u"}, AccountID: accountID}
	if err := u.SetDocument(document(t, text)); err != nil {
		t.Fatal(err)
	}
	return u
}

// wantFileError checks file, line and a part of the reason of the only or
// first mistake.
func wantFileError(t *testing.T, err error, file string, line int, reason string) {
	t.Helper()
	located := &FileError{}
	if !errors.As(err, &located) {
		t.Fatalf("got error %v, want one that names a file", err)
	}
	if located.File != file || located.Line != line || !strings.Contains(located.Reason, reason) {
		t.Errorf("got %s:%d: %s\nwant %s:%d: ...%s...", located.File, located.Line, located.Reason, file, line, reason)
	}
}
