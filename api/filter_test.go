package api

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"dialtone/models"
)

// Whatever is asked about whatever document: a filter and its opposite never
// agree where they may look, and a secret changes nothing.
func FuzzFilters(f *testing.F) {
	all, err := loadSchemas()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][3]string{
		{`{"name":"x","sip":{"password":"a"}}`, "sip.password", "a"},
		{`{"a":{"b":[1,null]},"":""}`, "a.b", `[1,"x"]`},
		{`{"mac_address":"0004f2ab7efd"}`, "mac_address", "00:04:F2:AB:7E:FD"},
		{`{"n":0e5,"hotdesk":{"pin":"1"}}`, "n", "0e5"},
		{`{}`, "pvt_created", "62167219200"},
		{`{"a":null}`, "a", ""},
		{`{"password":"x"}`, "not_password", "[[[[["},
	} {
		f.Add([]byte(seed[0]), seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, raw []byte, path, value string) {
		doc, err := parseData(raw)
		if err != nil {
			return
		}
		meta := models.Meta{ID: models.NewID(), Revision: "1-a", Created: time.Unix(0, 0), Modified: time.Unix(1, 0)}
		stored := record{"device", "b", meta, doc, all["devices"].completing(doc)}
		changed := withOtherSecrets(doc)
		other := record{"device", "b", meta, changed, all["devices"].completing(changed)}
		keeps := func(r record, name, value string) bool {
			conditions, err := parseFilters(url.Values{name: {value}})
			if err != nil {
				t.Fatal(err)
			}
			return conditions.keep(r)
		}
		pairs := [][4]string{
			{"filter_" + path, value, "filter_not_" + path, value},
			{"has_key", path, "key_missing", path},
			{"has_value", path, "value_missing", path},
			{"has_value", path, "missing_value", path},
		}
		for _, p := range pairs {
			if strings.HasPrefix(p[0], "filter_not_") {
				continue // the path itself starts with "not_"
			}
			yes, no := keeps(stored, p[0], p[1]), keeps(stored, p[2], p[3])
			if reachable(path) && yes == no {
				t.Errorf("%s=%q and %s=%q both give %t", p[0], p[1], p[2], p[3], yes)
			}
			if !reachable(path) && (yes || no) {
				t.Errorf("%s=%q looks where it may not", p[0], p[1])
			}
			if keeps(other, p[0], p[1]) != yes || keeps(other, p[2], p[3]) != no {
				t.Errorf("%s=%q depends on a secret", p[0], p[1])
			}
		}
		for _, name := range []string{"created_from", "created_to", "modified_from", "modified_to"} {
			keeps(stored, name, value)
		}
	})
}

// withOtherSecrets is a copy in which every secret that is there is another.
func withOtherSecrets(doc models.Document) models.Document {
	return doc.WithSecrets(func(any) any { return "something else" })
}
