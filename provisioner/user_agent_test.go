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
			if id.Brand != brand || id.Model != row[1] || id.Family == "" || id.Firmware != row[2] {
				t.Errorf("%s: identified as %+v", row[0], id)
			}
			mac := "-"
			if ua.MAC != (models.MAC{}) {
				mac = ua.MAC.String()
			}
			if ua.Firmware != row[2] || mac != row[3] {
				t.Errorf("%s: read as %+v", row[0], ua)
			}
		}
	}
}

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
