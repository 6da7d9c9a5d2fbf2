package provisioner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
)

func TestResolveKeys(t *testing.T) {
	users := []*models.User{
		newUser(t, annID, `{"first_name": "Ann", "last_name": "Lee", "presence_id": "1001@acme.example.com"}`),
		newUser(t, bobID, `{"name": "bob", "first_name": "Bob"}`),
	}
	nameless := newUser(t, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb3", `{"presence_id": "1003"}`)
	users = append(users, nameless)
	tests := []struct {
		name, stored string
		want         []key
	}{
		{"line ignores its value", `{"type": "line", "value": "9"}`, []key{{Type: "line", Line: 1}}},
		{"presence", `{"type": "presence", "value": "` + annID + `"}`, []key{{Type: "presence", Value: "1001@acme.example.com", Label: "Ann Lee", Line: 1}}},
		{"presence with label", `{"type": "presence", "value": {"value": "` + annID + `", "label": "Boss"}}`, []key{{Type: "presence", Value: "1001@acme.example.com", Label: "Boss", Line: 1}}},
		{"presence with an empty label", `{"type": "presence", "value": {"value": "` + annID + `", "label": ""}}`, []key{{Type: "presence", Value: "1001@acme.example.com", Line: 1}}},
		{"presence object without label", `{"type": "presence", "value": {"value": "` + annID + `"}}`, []key{{Type: "presence", Value: "1001@acme.example.com", Label: "Ann Lee", Line: 1}}},
		{"user without presence id", `{"type": "presence", "value": "` + bobID + `"}`, nil},
		{"unknown user", `{"type": "presence", "value": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb9"}`, nil},
		{"personal parking", `{"type": "personal_parking", "value": "` + annID + `"}`, []key{{Type: "personal_parking", Value: "*31001@acme.example.com", Label: "Park Ann Lee", Line: 1}}},
		{"personal parking with label", `{"type": "personal_parking", "value": {"value": "` + annID + `", "label": "Mine"}}`, []key{{Type: "personal_parking", Value: "*31001@acme.example.com", Label: "Mine", Line: 1}}},
		{"personal parking of the nameless", `{"type": "personal_parking", "value": "` + nameless.ID + `"}`, []key{{Type: "personal_parking", Value: "*31003", Label: "Park", Line: 1}}},
		{"parking number", `{"type": "parking", "value": 3}`, []key{{Type: "parking", Value: "*33", Label: "Park 3", Line: 1}}},
		{"parking text", `{"type": "parking", "value": "3"}`, []key{{Type: "parking", Value: "*33", Label: "Park 3", Line: 1}}},
		{"parking with label", `{"type": "parking", "value": {"value": 3, "label": "Lot"}}`, []key{{Type: "parking", Value: "*33", Label: "Lot", Line: 1}}},
		{"speed dial", `{"type": "speed_dial", "value": "1001"}`, []key{{Type: "speed_dial", Value: "1001", Label: "1001", Line: 1}}},
		{"on the second line", `{"type": "speed_dial", "value": "1001", "line": 2}`, []key{{Type: "speed_dial", Value: "1001", Label: "1001", Line: 2}}},
		{"on a line that is none", `{"type": "speed_dial", "value": "1001", "line": -2}`, []key{{Type: "speed_dial", Value: "1001", Label: "1001", Line: 1}}},
		{"speed dial with label", `{"type": "speed_dial", "value": {"value": "1001", "label": "Desk"}}`, []key{{Type: "speed_dial", Value: "1001", Label: "Desk", Line: 1}}},
		{"without a value", `{"type": "speed_dial"}`, nil},
		{"unknown type", `{"type": "teleport", "value": "1"}`, nil},
		{"null", `null`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stored, err := models.ParseDocument([]byte(`{"0": ` + tt.stored + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, resolveKeys(models.KeysOf(map[string]any(stored)), users, "*3")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPlaceKeys(t *testing.T) {
	rules := KeyRules{
		Combo:   KeyRule{First: 1, Codes: map[string]string{"line": "15", "presence": "16"}},
		Feature: KeyRule{First: 2, Codes: map[string]string{"presence": "f16"}},
	}
	none := func(position int) lineKey { return lineKey{Position: position, Type: keyNone, Line: 1} }
	firstLine := lineKey{Position: 1, Type: "line", Code: "15", Line: 1, OfCode: 1}
	blf := func(number int) key {
		return key{Number: number, Type: "presence", Value: "1001", Label: "Ann", Line: 2}
	}
	tests := []struct {
		name             string
		combos, features []key
		count            int
		want             []lineKey
	}{
		{"nothing assigned", nil, nil, 3, []lineKey{firstLine, none(2), none(3)}},
		{"no keys at all", []key{blf(0)}, []key{blf(0)}, 0, []lineKey{}},
		{"combo keys", []key{blf(1)}, nil, 3, []lineKey{firstLine, {2, "presence", "16", "1001", "Ann", 1, 2, 1}, none(3)}},
		{"a combo key on the first", []key{blf(0)}, nil, 2, []lineKey{{1, "presence", "16", "1001", "Ann", 1, 2, 1}, none(2)}},
		{"feature keys", nil, []key{blf(0), blf(1)}, 3, []lineKey{firstLine, {2, "presence", "f16", "1001", "Ann", 1, 2, 1}, {3, "presence", "f16", "1001", "Ann", 2, 2, 2}}},
		{"combo wins", []key{{Number: 1, Type: "line", Line: 1}}, []key{blf(0), blf(1)}, 3, []lineKey{firstLine, {2, "line", "15", "", "", 0, 1, 2}, {3, "presence", "f16", "1001", "Ann", 1, 2, 1}}},
		{"beyond the last key", []key{blf(7)}, []key{blf(7)}, 2, []lineKey{firstLine, none(2)}},
		{"type without a code", []key{{Number: 1, Type: "parking", Value: "*33", Line: 1}}, nil, 2, []lineKey{firstLine, {2, "parking", "", "*33", "", 1, 1, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rules.placeKeys(tt.combos, tt.features, tt.count)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestKeyUsers(t *testing.T) {
	phone := newPhone(t, `{}`, `{"provision": {"combo_keys": {"1": {"type": "presence", "value": "`+annID+`"}}}}`,
		`{"provision": {"feature_keys": {"0": {"type": "personal_parking", "value": {"value": "`+bobID+`"}},
		  "1": {"type": "presence", "value": "`+bobID+`"}, "2": {"type": "speed_dial", "value": "`+annID+`"}, "3": {"type": "presence", "value": "no id"}}}}`)
	if diff := cmp.Diff([]string{annID, bobID}, namedUserIDs(phone)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Whatever keys a document holds: every key of the phone is there once, and no
// user's key shows without that user.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"0": {"type": "presence", "value": "`+annID+`"}, "01": {"type": "line"}, "9": null}`), 4)
	f.Add([]byte(`{"65535": {"type": "parking", "value": 3.5}, "-1": {"type": "x"}}`), 0)
	rules := KeyRules{Combo: KeyRule{First: 1}, Feature: KeyRule{First: 2}}
	f.Fuzz(func(t *testing.T, raw []byte, count int) {
		stored, err := models.ParseDocument(raw)
		if err != nil {
			return
		}
		count = max(0, min(count, maxLineKeys))
		resolved := resolveKeys(models.KeysOf(map[string]any(stored)), nil, "*3")
		placed := rules.placeKeys(resolved, resolved, count)
		if len(placed) != count {
			t.Fatalf("%d keys, want %d", len(placed), count)
		}
		for i, k := range placed {
			if k.Position != i+1 || k.Type == "" {
				t.Errorf("key %d is %+v", i+1, k)
			}
			if k.Type == models.KeyPresence || k.Type == models.KeyPersonalParking {
				t.Errorf("key %+v without its user", k)
			}
		}
	})
}

// Keys from before the API bounded them are cut: they must not make a file too large.
func TestLongKeys(t *testing.T) {
	long := strings.Repeat("\u00e4", 5<<20)
	phone := newPhone(t, `{"provision": {"combo_keys": {"1": {"type": "speed_dial", "value": {"label": "`+long+`", "value": "`+long+`"}}}}}`, "", `{}`)
	got := loadAcme(t, nil).brands["acme"].deriveSettings(phone, nil, "").combos
	if len(got) != 1 || got[0].Label != strings.Repeat("\u00e4", 128) || got[0].Value != strings.Repeat("\u00e4", 256) {
		t.Errorf("got %d keys", len(got))
	}
}
