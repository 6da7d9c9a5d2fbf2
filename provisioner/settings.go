package provisioner

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"dialtone/models"
)

// settings is what a phone is to be set to, before any vendor's words: the
// layers account, owner and device over the manifest's defaults.
type settings struct {
	models.DeviceSettings
	document models.Document // the merged layers, for members without a typed view
	lines    []line
	features []key // feature keys by number
	combos   []key // combo keys by number
}

// A line is the phone's SIP account.
type line struct {
	Enabled     bool
	Username    string
	Password    models.Secret // "" while the line is disabled
	Realm       string        // the SIP domain
	DisplayName string        // as callees see it
	Label       string        // beside the line key
	Proxy       string        // host that requests are sent to
	ProxyPort   int           // 0: found by DNS
	Transport   string        // "udp", "tcp", "tls" or "auto"
	Expires     int           // seconds
	SRTP        string        // "off", "optional" or "required"
}

// identityMembers say who an account or user is. They are not handed down.
var identityMembers = []string{
	"id", "name", "enabled", "realm", "username", "email", "first_name", "last_name", "password", "owner_id",
	"mac_address", "device_type", "sip.username", "sip.password", "sip.realm", "sip.method", "sip.ip",
	"provision.id", "provision.endpoint_brand", "provision.endpoint_family", "provision.endpoint_model",
}

// blankMembers count as absent when empty: the layer below holds.
var blankMembers = []string{"timezone", "language", "ntp_server", "sip.proxy", "sip.transport"}

// deriveSettings applies Kazoo's rules. users are those the keys name; keys of
// others are left out.
func (b *brand) deriveSettings(phone *models.Phone, users []*models.User, registrar string) (settings, error) {
	layers := []models.Document{b.defaults, handedDown(phone.Account.Document)}
	if phone.Owner != nil {
		layers = append(layers, handedDown(phone.Owner.Document))
	}
	s, err := mergeLayers(append(layers, phone.Device.Document)...)
	if err != nil {
		return settings{}, err
	}
	if s.SIP.Username != "" {
		s.lines = []line{b.deriveLine(phone, &s, registrar)}
	}
	s.features = resolveKeys(s.Provision.FeatureKeys, users)
	s.combos = resolveKeys(s.Provision.ComboKeys, users)
	return s, nil
}

// commonSettings are those that hold for every device of an account.
func (b *brand) commonSettings(account *models.Account) (settings, error) {
	return mergeLayers(b.defaults, handedDown(account.Document))
}

func mergeLayers(layers ...models.Document) (settings, error) {
	merged := models.Document{}
	for _, layer := range layers {
		merged = models.Overlay(merged, present(layer))
	}
	typed, err := models.ParseDeviceSettings(merged)
	return settings{DeviceSettings: typed, document: merged}, err
}

// handedDown is what of an account or owner holds for its devices too.
func handedDown(doc models.Document) models.Document {
	out := doc.Clone()
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
	out := doc.Clone()
	for _, member := range blankMembers {
		if v, ok := out.Lookup(member); ok && (v == nil || v == "" || member == "timezone" && v == "inherit") {
			drop(out, member)
		}
	}
	return out
}

func (b *brand) deriveLine(phone *models.Phone, s *settings, registrar string) line {
	l := line{
		Enabled:     phone.Enabled(),
		Username:    s.SIP.Username,
		Password:    s.SIP.Password,
		Realm:       phone.Realm(),
		DisplayName: displayName(phone),
		Transport:   b.transport(s.SIP.Transport),
		Expires:     cmp.Or(max(s.SIP.ExpireSeconds, 0), 300),
		SRTP:        srtpMode(s.Media),
	}
	if !l.Enabled {
		l.Password = ""
	}
	l.Label = l.DisplayName
	if phone.Owner != nil && phone.Owner.Label() != "" {
		l.Label = phone.Owner.Label()
	}
	l.Proxy, l.ProxyPort = splitHostPort(cmp.Or(s.SIP.Proxy, registrar, l.Realm))
	if l.ProxyPort == 0 {
		l.ProxyPort = defaultPort(l.Transport)
	}
	return l
}

// transport is one that the brand has a word for, UDP when it has none.
func (b *brand) transport(name string) string {
	name = strings.ToLower(name)
	if _, ok := b.Transports[name]; ok {
		return name
	}
	return "udp"
}

// displayName is the first of: the device's name, the owner's first and last
// name, the account's name.
func displayName(phone *models.Phone) string {
	owner := ""
	if phone.Owner != nil {
		owner = strings.TrimSpace(phone.Owner.FirstName + " " + phone.Owner.LastName)
	}
	return cmp.Or(phone.Device.Name, owner, phone.Account.Name)
}

func srtpMode(media models.MediaSettings) string {
	switch {
	case !slices.Contains(media.Encryption.Methods, "srtp"):
		return "off"
	case media.Encryption.EnforceSecurity:
		return "required"
	}
	return "optional"
}

// splitHostPort reads host, host:port or [v6]:port; the port is 0 when there
// is none.
func splitHostPort(hostport string) (string, int) {
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]"), 0
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int(port)
}

// defaultPort of a transport (RFC 3261, section 19.1.2); 0 for "auto", where
// DNS tells transport and port.
func defaultPort(transport string) int {
	switch transport {
	case "auto":
		return 0
	case "tls":
		return 5061
	}
	return 5060
}

// maxCodecs is how many of a codec list count, as Kazoo's four slots.
const maxCodecs = 4

// selectCodecs maps the listed codecs to the brand's, in order; when that
// leaves none, the manifest's own list holds. Switched off are the others.
func (b *brand) selectCodecs(listed []string) (on, off []string) {
	on = b.codecCodes(listed[:min(len(listed), maxCodecs)])
	if len(on) == 0 {
		fallback, err := models.ParseDeviceSettings(b.defaults)
		if err == nil {
			on = b.codecCodes(fallback.Media.Audio.Codecs)
		}
	}
	for _, codec := range b.Codecs {
		if !slices.Contains(on, codec.Code) {
			off = append(off, codec.Code)
		}
	}
	return on, off
}

func (b *brand) codecCodes(names []string) []string {
	var codes []string
	for _, name := range names {
		for _, codec := range b.Codecs {
			if slices.Contains(codec.Names, name) && !slices.Contains(codes, codec.Code) {
				codes = append(codes, codec.Code)
			}
		}
	}
	return codes
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
