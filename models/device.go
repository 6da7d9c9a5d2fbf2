package models

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Device is one endpoint of an account: usually a desk phone, found by its
// MAC at boot and by its SIP username when it registers.
type Device struct {
	Meta
	AccountID    string
	Document     Document
	HTTPPassword Secret // the phone's own password for fetching its files

	OldHTTPPassword  Secret    // the one before, "" = none that is good
	OldPasswordUntil time.Time // how long it is good at most
	FirstContact     time.Time // until when the phone may be given its bootstrap file, zero = it may not
	CameBefore       bool      // the phone had fetched something when the device was read

	DeviceSettings
}

// DeviceMobile is the device_type of a mobile phone, which has a number of its
// own in mobile.mdn.
const DeviceMobile = "mobile"

// DeviceSettings is the typed view of a device's document: the members that
// rendering, registration and indexes need.
type DeviceSettings struct {
	Name       string
	Enabled    Switch
	DeviceType string
	OwnerID    string
	MACAddress string // cleaned, see CleanMAC
	PresenceID string
	Language   string
	Timezone   string // IANA name; "" or "inherit" = the next layer's
	SIP        SIPSettings
	Media      MediaSettings
	Provision  ProvisionSettings
}

// SIPSettings is a device's "sip" object.
type SIPSettings struct {
	Username      string
	Password      Secret
	Method        string // "password" (also when empty) or "ip"
	IP            string // source address when Method is "ip"
	Realm         string // "" = the account's
	Proxy         string // host[:port] that phones send requests to
	Transport     string
	ExpireSeconds int
}

// MediaSettings is a device's "media" object.
type MediaSettings struct {
	Audio struct {
		Codecs []string
	}
	Encryption struct {
		Methods         []string
		EnforceSecurity bool
	}
}

// ProvisionSettings is a device's "provision" object.
type ProvisionSettings struct {
	ID          string // names a template of the brand, before model and family
	Brand       string
	Family      string
	Model       Model
	ComboKeys   Keys
	FeatureKeys Keys
	Lines       Lines
}

// SetDocument replaces the document and reads the typed view from it.
func (d *Device) SetDocument(doc Document) error {
	settings, err := ParseDeviceSettings(doc)
	if err != nil {
		return err
	}
	d.Document, d.DeviceSettings = doc, settings
	return nil
}

// ParseDeviceSettings reads the typed view of a device document, or of one
// that has its account's and owner's settings laid underneath.
func ParseDeviceSettings(doc Document) (DeviceSettings, error) {
	v := &viewer{}
	settings := v.device(doc)
	return settings, v.err
}

// MAC is the device's hardware address; false when it has none that a phone
// could ask with.
func (s *DeviceSettings) MAC() (MAC, bool) {
	mac, err := ParseMAC(s.MACAddress)
	return mac, err == nil
}

// AuthByIP reports whether the device is known by its source address rather
// than by username and password.
func (s *SIPSettings) AuthByIP() bool { return s.Method == "ip" }

// A Model is provision.endpoint_model: a string, or a list of which the first
// counts, or (older documents) a number.
type Model string

// modelOf reads the three forms; others are no model.
func modelOf(v any) Model {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	text, _ := scalarText(v)
	return Model(text)
}

// Lines are the devices that make the further SIP lines of a phone, by ascending
// number of the line.
type Lines []NamedLine

// A NamedLine says which device makes a line.
type NamedLine struct {
	Number   int // from 2: the first line is the phone's own
	DeviceID string
}

// MaxLines is the highest number of a line.
const MaxLines = 300

// linesOf reads {"2": "<device id>"}. Members that say something else are left
// out.
func linesOf(v any) Lines {
	var lines Lines
	members, _ := v.(map[string]any) // others were stored before validation: no lines
	for name, member := range members {
		number, err := strconv.Atoi(name)
		id, _ := member.(string)
		if err == nil && number >= 2 && number <= MaxLines && strconv.Itoa(number) == name && ValidID(id) {
			lines = append(lines, NamedLine{number, id})
		}
	}
	slices.SortFunc(lines, func(a, b NamedLine) int { return cmp.Compare(a.Number, b.Number) })
	return lines
}

// The key types of Kazoo's combo and feature keys.
const (
	KeyLine            = "line"
	KeyPresence        = "presence"         // value: a user id
	KeyPersonalParking = "personal_parking" // value: a user id
	KeyParking         = "parking"          // value: a slot, 1..10
	KeySpeedDial       = "speed_dial"       // value: digits
)

// A Key is one combo or feature key as stored.
type Key struct {
	Number   int    // the document's member name, zero-based by convention
	Type     string // one of the Key constants, or what a later API adds
	Value    string
	HasValue bool
	Label    string
	HasLabel bool // a label was given, possibly ""
	Line     int  // SIP line that it belongs to, from 1; 0 = not said
}

// Keys are a container's keys by ascending number.
type Keys []Key

// KeysOf reads {"0": {"type": ..., "value": ...}, "1": null}. A null entry means a cleared key and is
// left out, as is any member whose name is not a number or whose value is not
// a key.
func KeysOf(v any) Keys {
	members, _ := v.(map[string]any) // others were stored before validation: no keys
	if len(members) == 0 {
		return nil
	}
	keys := make(Keys, 0, len(members))
	for name, member := range members {
		number, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			continue
		}
		if key, ok := parseKey(member); ok {
			key.Number = int(number)
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(keys, func(a, b Key) bool { return a.Number == b.Number }) // "1" and "01"
}

func parseKey(v any) (Key, bool) {
	stored, _ := v.(map[string]any)
	key := Key{}
	if key.Type, _ = stored["type"].(string); key.Type == "" {
		return Key{}, false
	}
	if line, ok := scalarText(stored["line"]); ok {
		n, _ := strconv.ParseUint(line, 10, 16)
		key.Line = int(n)
	}
	value := stored["value"]
	if labelled, ok := value.(map[string]any); ok {
		value = labelled["value"]
		key.Label, key.HasLabel = labelled["label"].(string)
	}
	key.Value, key.HasValue = scalarText(value)
	return key, true
}

// scalarText is the text of a JSON string or number.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// A Phone is a device with everything that decides what it may do and what it
// is given: its account, and its owner when it has one that exists.
type Phone struct {
	Device  *Device
	Account *Account
	Owner   *User // nil: no owner, or one that was deleted
	Lines   []Line

	Firmware string   // version that the phone told with its request, or else last before; "" = it never did
	Uploads  []string // names of the files that it stored; of a phone that was found by its MAC
}

// A Line is a further SIP line of a phone: another device of the account, which
// registers as itself.
type Line struct {
	Number int    // from 2, ascending; some may be missing
	Phone  *Phone // the device with its owner; it has no lines
}

// Enabled is Kazoo's rule: device, owner and account must all be enabled.
func (p *Phone) Enabled() bool {
	return p.Device.Enabled.On() && p.Account.Enabled.On() && (p.Owner == nil || p.Owner.Enabled.On())
}

// Realm is the SIP realm the phone registers in: lower-case.
func (p *Phone) Realm() string {
	return strings.ToLower(cmp.Or(p.Device.SIP.Realm, p.Account.Realm))
}

// AOR is the phone's address of record, "sip:ann@acme.example.com"; "" when
// the device has no SIP username.
func (p *Phone) AOR() string {
	if p.Device.SIP.Username == "" {
		return ""
	}
	return fmt.Sprintf("sip:%s@%s", p.Device.SIP.Username, p.Realm())
}
