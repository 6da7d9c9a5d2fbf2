package provisioner_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

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
	for _, list := range lists {
		brand := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(list), "not-reset-"), ".tsv")
		goldens, err := author.ReadGoldens(templates.FS, brand)
		if err != nil {
			t.Fatal(err)
		}
		kept, used := patterns(t, list), map[string]bool{}
		for key, text := range goldens {
			if key.Sample != "everything" || !strings.HasSuffix(key.File, ".cfg") {
				continue
			}
			key.Sample = "minimal"
			reset := iniKeys(goldens[key])
			for name := range iniKeys(text) {
				pattern := matching(kept, name)
				used[pattern] = true
				if !reset[name] && pattern == "" {
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

func iniKeys(text string) map[string]bool {
	keys := map[string]bool{}
	for line := range strings.Lines(text) {
		if key, _, ok := strings.Cut(line, "="); ok && line[0] != '#' {
			keys[strings.TrimSpace(key)] = true
		}
	}
	return keys
}
