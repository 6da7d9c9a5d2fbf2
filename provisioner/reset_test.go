package provisioner_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"dialtone/provisioner"
	"dialtone/provisioner/author"
	"dialtone/templates"
)

// Phones of brands that keep what no file names any more are told everything
// each time: whatever the goldens of the sample "everything" set, those of
// "minimal" set as well, but for a list of exceptions.
func TestSettingsAreReset(t *testing.T) {
	lists, err := filepath.Glob("testdata/not-reset-*.tsv")
	if err != nil || len(lists) == 0 {
		t.Fatal("no lists of exceptions", err)
	}
	catalog, err := provisioner.Parse(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		brand := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(list), "not-reset-"), ".tsv")
		set := parametersOfGoldens(t, catalog, brand)
		kept, used := patterns(t, list), map[string]bool{}
		for key, names := range set {
			if key.Sample != "everything" {
				continue
			}
			key.Sample = "minimal"
			for name := range names {
				pattern := matching(kept, name)
				used[pattern] = true
				if !set[key][name] && pattern == "" {
					t.Errorf("%s %s: %s stays as it was", brand, key.Model, name)
				}
			}
		}
		for _, pattern := range kept {
			if !used[pattern] {
				t.Errorf("%s: nothing is named %s", list, pattern)
			}
		}
	}
}

// parametersOfGoldens are the names of what each golden of a brand sets.
func parametersOfGoldens(t *testing.T, catalog *provisioner.Catalog, brand string) map[author.GoldenKey]map[string]bool {
	t.Helper()
	goldens, err := author.ReadGoldens(templates.FS, brand)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := catalog.Trials(templates.FS, brand)
	if err != nil {
		t.Fatal(err)
	}
	manifest, _ := catalog.Manifest(brand)
	set := map[author.GoldenKey]map[string]bool{}
	for _, trial := range trials {
		for _, file := range trial.Service.FilesOf(trial.Phone) {
			key := author.GoldenKey{Sample: trial.Sample, Model: trial.Model.Name, File: file.Name}
			set[key] = map[string]bool{}
			for _, name := range author.Parameters([]byte(goldens[key]), file.Rule, manifest.Parameters) {
				set[key][name] = true
			}
		}
	}
	return set
}

func patterns(t *testing.T, list string) []string {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if pattern, _, ok := strings.Cut(line, "\t"); ok && pattern[0] != '#' {
			out = append(out, pattern)
		}
	}
	return out
}

// matching is the first of the patterns that a name fits, "" when none does.
func matching(patterns []string, name string) string {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return pattern
		}
	}
	return ""
}
