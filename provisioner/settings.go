package provisioner

import (
	"maps"
	"slices"
	"strings"

	"dialtone/models"
)

// settings is what a phone is to be set to, before any vendor's words: the
// layers account, owner and device over the manifest's defaults.
type settings struct {
	document models.Document // the merged layers
	lines    []line
	features []key // feature keys by number
	combos   []key // combo keys by number
}

// identityMembers say who an account or user is. They are not handed down.
var identityMembers = []string{
	"id", "name", "enabled", "realm", "username", "email", "first_name", "last_name", "password", "owner_id",
	"mac_address", "device_type", "sip.username", "sip.password", "sip.realm", "sip.method", "sip.ip",
	"provision.id", "provision.endpoint_brand", "provision.endpoint_family", "provision.endpoint_model", "provision.lines",
}

// blankMembers count as absent when empty: the layer below holds.
var blankMembers = []string{"timezone", "language", "ntp_server", "sip.proxy", "sip.transport"}

// deriveSettings applies Kazoo's rules. users are those the phone names, see
// namedUserIDs; keys of others are left out.
func (b *brand) deriveSettings(phone *models.Phone, users []*models.User, registrar string) settings {
	base := mergeLayers(b.defaults, handedDown(phone.Account.Document))
	s := settings{document: layered(base, phone)}
	if phone.Device.SIP.Username != "" {
		s.lines = append(s.lines, b.deriveLine(1, phone, s.document, users, registrar))
	}
	for _, l := range phone.Lines {
		if l.Phone.Device.SIP.Username != "" {
			s.lines = append(s.lines, b.deriveLine(l.Number, l.Phone, layered(base, l.Phone), users, registrar))
		}
	}
	park := featureCode(s.document, codePark)
	s.features = resolveKeys(keysAt(s.document, featureKeys), users, park)
	s.combos = resolveKeys(keysAt(s.document, comboKeys), users, park)
	return s
}

// layered lays a device's owner and itself over the account's layers.
func layered(base models.Document, phone *models.Phone) models.Document {
	if phone.Owner == nil {
		return mergeLayers(base, phone.Device.Document)
	}
	return mergeLayers(base, handedDown(phone.Owner.Document), phone.Device.Document)
}

// commonSettings are those that hold for every device of an account.
func (b *brand) commonSettings(account *models.Account) settings {
	return settings{document: mergeLayers(b.defaults, handedDown(account.Document))}
}

func mergeLayers(base models.Document, layers ...models.Document) models.Document {
	for i := range layers {
		layers[i] = present(layers[i])
	}
	return models.Overlay(base, layers...)
}

// handedDown is what of an account or owner holds for its devices too. It shares
// members with the document.
func handedDown(doc models.Document) models.Document {
	out := maps.Clone(doc)
	for _, name := range []string{"sip", "provision"} { // have members to drop
		if object, ok := out[name].(map[string]any); ok {
			out[name] = maps.Clone(object)
		}
	}
	for _, member := range identityMembers {
		drop(out, member)
	}
	return out
}

// drop deletes a member, and its object when that is left empty: an empty
// object would replace the one of the layer below.
func drop(doc models.Document, member string) {
	if _, ok := doc.Lookup(member); !ok {
		return
	}
	doc.Delete(member)
	i := strings.LastIndexByte(member, '.')
	if i < 0 {
		return
	}
	if parent, _ := doc.Lookup(member[:i]); len(parent.(map[string]any)) == 0 {
		drop(doc, member[:i])
	}
}

// present drops members whose value means "see the layer below".
func present(doc models.Document) models.Document {
	out, owned := doc, false
	for _, member := range blankMembers {
		if v, ok := doc.Lookup(member); ok && (v == nil || v == "" || member == "timezone" && v == "inherit") {
			if !owned {
				out, owned = doc.Clone(), true
			}
			drop(out, member)
		}
	}
	return out
}

// maxCodecs is how many of a codec list count, as Kazoo's four slots.
const maxCodecs = 4

// selectCodecs maps the listed codecs to the brand's, in order; when that
// leaves none, the manifest's own list holds: a phone cannot do without.
// Switched off are the others.
func (b *brand) selectCodecs(listed []string) (on, off []string) {
	on = codecCodes(b.Codecs, listed)
	if len(on) == 0 {
		on = codecCodes(b.Codecs, b.defaults.Texts("media.audio.codecs"))
	}
	return on, otherCodecs(b.Codecs, on)
}

// selectVideoCodecs does so for video, which a phone can do without.
func (b *brand) selectVideoCodecs(listed []string) (on, off []string) {
	on = codecCodes(b.VideoCodecs, listed)
	return on, otherCodecs(b.VideoCodecs, on)
}

// codecCodes are the vendor's codes of the codecs with these names.
func codecCodes(rules []CodecRule, names []string) []string {
	var codes []string
	for _, name := range names[:min(len(names), maxCodecs)] {
		for _, codec := range rules {
			if slices.Contains(codec.Names, name) && !slices.Contains(codes, codec.Code) {
				codes = append(codes, codec.Code)
			}
		}
	}
	return codes
}

// otherCodecs are the codes of all codecs but those.
func otherCodecs(rules []CodecRule, on []string) []string {
	var off []string
	for _, codec := range rules {
		if !slices.Contains(on, codec.Code) {
			off = append(off, codec.Code)
		}
	}
	return off
}

// The readers of settings: what is absent, or not as it should be, is the
// default. Documents of manifests, users and accounts are not all checked.

// text is the string at a path; an empty one was meant.
func text(doc models.Document, path, otherwise string) string {
	v, _ := doc.Lookup(path)
	if s, ok := v.(string); ok {
		return s
	}
	return otherwise
}

// number is the whole number at a path when it is low to high.
func number(doc models.Document, path string, low, high, otherwise int) int {
	if n, ok := doc.Int(path); ok && n >= low && n <= high {
		return n
	}
	return otherwise
}

// choice is the string at a path when it is one of those, of which the first is
// the default.
func choice(doc models.Document, path string, of ...string) string {
	if s := doc.Text(path); slices.Contains(of, s) {
		return s
	}
	return of[0]
}

// language is the vendor's word for a language tag: "de-AT" is looked up as
// "de-at", then "de". "" when the vendor has none.
func (b *brand) language(tag string) string {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	for tag != "" {
		if word, ok := b.Languages[tag]; ok {
			return word
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	return ""
}
