package sqlstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/models"
	"dialtone/models/sqlstore"
)

func TestListDevices(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a, other := newAccount(t, s, "acme.example.com"), newAccount(t, s, "other.example.com")
		createDevice(t, s, other.ID, `{"name":"not ours","enabled":false}`)
		owner := strings.Repeat("a", 32)
		ids, byName := []string{}, map[string]string{}
		for i, doc := range []string{
			`{"name":"a","mac_address":"001565aabb01","owner_id":"` + owner + `","provision":{"endpoint_brand":"acme"}}`,
			`{"name":"b","enabled":false,"sip":{"username":"Bob"},"provision":{"endpoint_brand":"acme"}}`,
			`{"name":"c","enabled":false,"owner_id":"` + owner + `"}`,
		} {
			d := createDevice(t, s, a.ID, doc)
			ids = append(ids, d.ID)
			byName[string(rune('a'+i))] = d.ID
		}
		slices.Sort(ids)
		list := func(l models.Listing) []string {
			t.Helper()
			found, err := s.ListDevices(t.Context(), a.ID, l)
			if err != nil {
				t.Fatal(err)
			}
			out := []string{}
			for _, d := range found {
				out = append(out, d.ID)
			}
			return out
		}
		for _, tt := range []struct {
			name string
			l    models.Listing
			want []string
		}{
			{"all", models.Listing{Limit: 9}, ids},
			{"first", models.Listing{Limit: 1}, ids[:1]},
			{"after", models.Listing{Limit: 9, After: ids[0]}, ids[1:]},
			{"last", models.Listing{Limit: 1, Descending: true}, ids[2:]},
			{"before", models.Listing{Limit: 9, Descending: true, After: ids[1]}, ids[:1]},
		} {
			if diff := cmp.Diff(tt.want, list(tt.l)); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
		}
		for _, tt := range []struct {
			where []models.Match
			want  string // names
		}{
			{[]models.Match{{Path: "mac_address", Text: "00:15:65:AA:BB:01"}}, "a"},
			{[]models.Match{{Path: "mac_address", Text: "001565aabb0"}}, ""},
			{[]models.Match{{Path: "mac_address", Text: "no hex: zz"}}, ""}, // "e" is hex
			{[]models.Match{{Path: "mac_address", Text: "zz"}}, "abc"},
			{[]models.Match{{Path: "sip.username", Text: "bob"}}, "b"},
			{[]models.Match{{Path: "sip.username", Text: "\xff"}}, ""},
			{[]models.Match{{Path: "owner_id", Text: owner}}, "ac"},
			{[]models.Match{{Path: "provision.endpoint_brand", Text: "acme"}}, "ab"},
			{[]models.Match{{Path: "enabled", Text: "false"}}, "bc"},
			{[]models.Match{{Path: "enabled", Text: "true"}}, "abc"},
			{[]models.Match{{Path: "custom", Text: "x"}}, "abc"},
			{[]models.Match{{Path: "id", Text: byName["c"]}}, "c"},
			{[]models.Match{{Path: "id", Text: "nonsense"}}, ""},
			{[]models.Match{{Path: "enabled", Text: "false"}, {Path: "mac_address", Text: "001565aabb01"}}, "a"}, // the MAC alone counts
		} {
			want := []string{}
			for _, name := range strings.Split(tt.want, "") {
				want = append(want, byName[name])
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, list(models.Listing{Limit: 9, Where: tt.where})); diff != "" {
				t.Errorf("%v: %s", tt.where, diff)
			}
		}
	})
}

func TestListUsers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *sqlstore.Store) {
		a := newAccount(t, s, "acme.example.com")
		var ids []string
		for i := range 3 {
			ids = append(ids, createUser(t, s, a.ID, fmt.Sprintf(`{"first_name":"x","username":"User%d"}`, i)).ID)
		}
		one, err := s.ListUsers(t.Context(), a.ID, models.Listing{Limit: 9, Where: []models.Match{{Path: "username", Text: "user1"}}})
		if err != nil || len(one) != 1 || one[0].ID != ids[1] {
			t.Errorf("by username: %v, %v", one, err)
		}
		slices.Sort(ids)
		down, err := s.ListUsers(t.Context(), a.ID, models.Listing{Limit: 2, Descending: true})
		if err != nil || len(down) != 2 || down[0].ID != ids[2] || down[1].ID != ids[1] {
			t.Errorf("descending: %v, %v", down, err)
		}
	})
}
