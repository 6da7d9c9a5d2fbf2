package provisioner

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"

	"dialtone/models"
)

// The feature codes that keys are made of.
const (
	codePark   = "park"   // before a parking slot: parks a call there, or takes it back
	codePickup = "pickup" // before an extension: takes the call that rings there
)

// defaultCodes are the feature codes of a switch as Kazoo's portal sets it up;
// "" where there is none by default.
var defaultCodes = map[string]string{
	codePark:         "*3",
	"park_retrieve":  "*5",
	codePickup:       "",
	"group_pickup":   "",
	"intercom":       "*0",
	"privacy":        "*67",
	"forward_on":     "*72",
	"forward_off":    "*73",
	"dnd_on":         "",
	"dnd_off":        "",
	"hotdesk_login":  "*11",
	"hotdesk_logout": "*12",
}

func featureCode(doc models.Document, name string) string {
	return text(doc, "provision.feature_codes."+name, defaultCodes[name])
}

func (in viewInput) codesView() view {
	codes := view{}
	for name := range defaultCodes {
		codes[name] = featureCode(in.settings.document, name)
	}
	return codes
}

// securityView is how the phone's own pages and menus are locked: passwords of
// this device alone, unless a document sets others. A common file knows none.
func (in viewInput) securityView() view {
	doc := in.settings.document
	out := view{
		"admin_name":     text(doc, "provision.admin_name", "admin"),
		"user_name":      text(doc, "provision.user_name", "user"),
		"admin_password": "",
		"user_password":  "",
	}
	if in.device != nil {
		out["admin_password"] = text(doc, "provision.admin_password", derivedPassword(in.device, "admin", passwordLetters, 16))
		out["user_password"] = text(doc, "provision.user_password", derivedPassword(in.device, "user", pinDigits, 8))
	}
	return out
}

// What derived passwords are made of: nothing that looks like something else.
const (
	passwordLetters = "abcdefghjkmnpqrstuvwxyz23456789"
	pinDigits       = "0123456789"
)

// derivedPassword makes a password from the device's HTTP password, which is
// random: stable, another one for each purpose and device, and no way back.
func derivedPassword(d *models.Device, purpose, letters string, length int) string {
	key := d.HTTPPassword.Reveal()
	if key == "" || key == d.HTTPPassword.String() { // none, or masked
		return key
	}
	fair := 256 - 256%len(letters) // bytes from here on would prefer some letters
	password := make([]byte, 0, length)
	for block := byte(0); len(password) < length; block++ {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte("dialtone " + purpose + " password of " + d.ID))
		mac.Write([]byte{block})
		for _, c := range mac.Sum(nil) {
			if int(c) < fair && len(password) < length {
				password = append(password, letters[int(c)%len(letters)])
			}
		}
	}
	return string(password)
}

func (in viewInput) logsView() view {
	doc := in.settings.document
	return view{
		"upload":      doc.Flag("provision.logs.upload", false),
		"level":       choice(doc, "provision.logs.level", "warning", "error", "info", "debug"),
		"syslog_host": doc.Text("provision.logs.syslog_host"),
		"syslog_port": number(doc, "provision.logs.syslog_port", 1, 65535, 514),
	}
}

func (in viewInput) networkView() view {
	doc := in.settings.document
	return view{
		"vlan":            number(doc, "provision.network.vlan", 0, 4094, 0),
		"vlan_pc":         number(doc, "provision.network.vlan_pc", 0, 4094, 0),
		"lldp":            doc.Flag("provision.network.lldp", true),
		"dscp_signalling": number(doc, "provision.network.dscp_signalling", 0, 63, 26),
		"dscp_audio":      number(doc, "provision.network.dscp_audio", 0, 63, 46),
	}
}

func (in viewInput) dialplanView() view {
	doc := in.settings.document
	return view{
		"digitmap": doc.Text("provision.digitmap"),
		"timeout":  number(doc, "provision.digit_timeout", 1, 14, 4),
	}
}

func (in viewInput) assetsView() view {
	doc := in.settings.document
	ringtones := []any{}
	for _, ref := range doc.Texts("provision.ringtones") {
		if address := in.asset(ref); address != "" {
			ringtones = append(ringtones, view{"name": ref[strings.LastIndexByte(ref, '/')+1:], "url": address})
		}
	}
	return view{"logo": in.asset(doc.Text("provision.logo")), "ringtones": ringtones}
}

// asset is where a phone fetches a file that no template makes: a URL as it
// stands, or the name of a file in the server's assets folder.
func (in viewInput) asset(ref string) string {
	switch {
	case ref == "" || strings.Contains(ref, "://"):
		return ref
	case in.server.URL == "":
		return ""
	}
	return in.server.URL + "assets/" + ref
}

// A locale is how a language's people write times and dates.
type locale struct {
	clock string // "12" or "24"
	date  string // one of dateFormats
}

var dateFormats = []string{"YYYY-MM-DD", "DD/MM/YYYY", "MM/DD/YYYY"}

// yearFirst are the languages, or language and country, that write the year
// first.
var yearFirst = []string{"en-ca", "fr-ca", "hu", "ja", "ko", "lt", "sv", "zh"}

// localeOf a language tag.
func localeOf(tag string) locale {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	base, _, _ := strings.Cut(tag, "-")
	switch {
	case tag == "en-us":
		return locale{"12", "MM/DD/YYYY"}
	case tag == "" || slices.Contains(yearFirst, tag) || slices.Contains(yearFirst, base):
		return locale{"24", "YYYY-MM-DD"}
	}
	return locale{"24", "DD/MM/YYYY"}
}
