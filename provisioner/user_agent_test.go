package provisioner

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dialtone/models"
)

// User-Agents that phones are known to send, by brand, tell brand, model,
// firmware and MAC; a MAC that is none is left out, and nothing else with it.
// "?" is before a model that no manifest lists.
func TestUserAgentsOfPhones(t *testing.T) {
	c := builtinCatalog(t)
	files, err := filepath.Glob("testdata/user-agents-*.tsv")
	if err != nil || len(files) == 0 {
		t.Fatal("no lists of User-Agents", err)
	}
	for _, name := range files {
		brand := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "user-agents-"), ".tsv")
		for _, row := range tabbed(t, name) {
			id, ua := c.Identify(row[0]), c.userAgent(row[0])
			model, unlisted := strings.CutPrefix(row[1], "?")
			model, firmware := told(model), told(row[2])
			if id.Brand != brand || id.Model != model || (id.Family == "") != (unlisted || model == "") || id.Firmware != firmware {
				t.Errorf("%s: identified as %+v", row[0], id)
			}
			mac := "-"
			if ua.MAC != (models.MAC{}) {
				mac = ua.MAC.String()
			}
			if ua.Firmware != firmware || mac != row[3] {
				t.Errorf("%s: read as %+v", row[0], ua)
			}
		}
	}
}

// told is a field of the lists; "-" is nothing.
func told(field string) string { return strings.TrimPrefix(field, "-") }

// tabbed reads a file of fields with tabs between them.
func tabbed(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.Comma, r.Comment, r.LazyQuotes, r.FieldsPerRecord = '\t', '#', true, 4
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Models by the names that people and older systems write.
func TestAliases(t *testing.T) {
	c := builtinCatalog(t)
	for alias, name := range map[string]string{
		"soundpoint 335": "spip335", "spip_335": "spip335", "IP335": "spip335", "ip_670": "spip670", "SoundStation IP 6000": "ssip6000", "450": "vvx450",
		"VVX 450": "vvx450", "vvx_1500": "vvx1500", "Trio 8800": "trio8800", "trio_c60": "trioc60", "CCX 500": "ccx500", "Edge_E350": "edge_e350", "e350": "edge_e350",
	} {
		if m := c.Model("polycom", "", alias); m.Name != name || m.Lines == 0 {
			t.Errorf("%s is %s with %d lines, want %s", alias, m.Name, m.Lines, name)
		}
	}
}
