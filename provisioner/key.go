package provisioner

import (
	"slices"
	"strings"

	"dialtone/models"
)

// A key is a combo or feature key with its user looked up.
type key struct {
	Number int
	Type   string // one of the models.Key constants
	Value  string // what is monitored or dialled
	Label  string
	Line   int // SIP line that it belongs to, from 1
}

// The type of a line key without a function.
const keyNone = "none"

// Characters that count of a key, as for the API. Documents from before it said
// so may hold more, which must not keep phones from their files.
const (
	maxKeyLabel = 128
	maxKeyValue = 256
)

// clip is at most so many characters of a text.
func clip(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// Where a document has its keys.
const (
	comboKeys   = "provision.combo_keys"
	featureKeys = "provision.feature_keys"
)

// keysAt reads the combo or feature keys of a document.
func keysAt(doc models.Document, path string) models.Keys {
	v, _ := doc.Lookup(path)
	return models.KeysOf(v)
}

// resolveKeys gives each key its value and label. A key whose user is unknown,
// or whose user has no presence id, is left out, and so is an unknown type.
// park is the feature code for parking: before a slot, it parks or picks up.
func resolveKeys(stored models.Keys, users []*models.User, park string) []key {
	var keys []key
	for _, k := range stored {
		if value, label, ok := resolveKey(k, users, park); ok {
			keys = append(keys, key{Number: k.Number, Type: k.Type, Value: clip(value, maxKeyValue), Label: clip(label, maxKeyLabel), Line: max(k.Line, 1)})
		}
	}
	return keys
}

func resolveKey(k models.Key, users []*models.User, park string) (value, label string, ok bool) {
	if k.Type == models.KeyLine {
		return "", "", true
	}
	if !k.HasValue {
		return "", "", false
	}
	switch k.Type {
	case models.KeyPresence, models.KeyPersonalParking:
		return userKey(k, users, park)
	case models.KeyParking:
		return park + k.Value, labelOr(k, "Park "+k.Value), true
	case models.KeySpeedDial:
		return k.Value, labelOr(k, k.Value), true
	}
	return "", "", false
}

// userKey is a presence or personal_parking key: its value is a user's id.
func userKey(k models.Key, users []*models.User, park string) (value, label string, ok bool) {
	i := slices.IndexFunc(users, func(u *models.User) bool { return u.ID == k.Value })
	if i < 0 || users[i].PresenceID == "" {
		return "", "", false
	}
	u := users[i]
	if k.Type == models.KeyPresence {
		return u.PresenceID, labelOr(k, u.Label()), true
	}
	return park + u.PresenceID, labelOr(k, strings.TrimSpace("Park "+u.Label())), true
}

// labelOr is the label given with the key, even an empty one, else another.
func labelOr(k models.Key, other string) string {
	if k.HasLabel {
		return k.Label
	}
	return other
}

// namedUserIDs are the ids of the users that a phone's keys and hotdesks name,
// sorted, each once. Keys may also come from the layers below the device.
func namedUserIDs(phone *models.Phone) []string {
	ids := keyUserIDs(phone.Device.Document)
	below := []models.Document{phone.Account.Document}
	if phone.Owner != nil {
		below = append(below, phone.Owner.Document)
	} else {
		ids = append(ids, hotdeskUsers(phone)...)
	}
	for _, l := range phone.Lines {
		if l.Phone.Owner == nil {
			ids = append(ids, hotdeskUsers(l.Phone)...)
		}
	}
	for _, doc := range below {
		ids = append(ids, keyUserIDs(doc)...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func keyUserIDs(doc models.Document) []string {
	var ids []string
	for _, path := range []string{comboKeys, featureKeys} {
		for _, k := range keysAt(doc, path) {
			if (k.Type == models.KeyPresence || k.Type == models.KeyPersonalParking) && models.ValidID(k.Value) {
				ids = append(ids, k.Value)
			}
		}
	}
	return ids
}

// A lineKey is one physical key, beside the screen or on an expansion module.
type lineKey struct {
	Position int // from 1, over the phone and its modules
	Type     string
	Code     string // the vendor's
	Value    string
	Label    string
	Nth      int // among the keys with a function other than line, from 1; 0 for the rest
	Line     int // SIP line that it belongs to, from 1
	OfCode   int // among the keys with the same code, from 1; 0 for those without
}

// placeKeys puts combo and feature keys on the physical keys. A combo key
// takes its place; the first key is the line's unless a combo key has it; a
// feature key takes its place when that is free. What has no place is dropped.
func (r KeyRules) placeKeys(combos, features []key, count int) []lineKey {
	keys := make([]lineKey, count)
	for i := range keys {
		keys[i] = lineKey{Position: i + 1, Type: keyNone, Line: 1}
	}
	r.Combo.place(keys, combos)
	r.Combo.place(keys, []key{{Number: 1 - r.Combo.First, Type: models.KeyLine, Line: 1}})
	r.Feature.place(keys, features)
	countKeys(keys)
	return keys
}

// countKeys numbers the keys that have a function.
func countKeys(keys []lineKey) {
	nth, ofCode := 0, map[string]int{}
	for i := range keys {
		if keys[i].Type != keyNone && keys[i].Type != models.KeyLine {
			nth++
			keys[i].Nth = nth
		}
		if code := keys[i].Code; code != "" {
			ofCode[code]++
			keys[i].OfCode = ofCode[code]
		}
	}
}

func (r KeyRule) place(keys []lineKey, assigned []key) {
	for _, k := range assigned {
		i := r.First + k.Number - 1
		if i < 0 || i >= len(keys) || keys[i].Type != keyNone {
			continue
		}
		keys[i] = lineKey{Position: i + 1, Type: k.Type, Code: r.Codes[k.Type], Value: k.Value, Label: k.Label, Line: k.Line}
	}
}
