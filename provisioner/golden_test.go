package provisioner

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dialtone/templates"
)

var update = flag.Bool("update", false, "rewrite the goldens under templates/")

// Every file of every model of every brand with every sample is what its
// golden says: templates/<brand>/goldens/<sample>/<model>/<file>.
func TestGoldens(t *testing.T) {
	c := builtinCatalog(t)
	for _, name := range c.Brands() {
		t.Run(name, func(t *testing.T) {
			want := renderGoldens(t, c, name)
			folder := path.Join(name, goldensFolder)
			if *update {
				writeGoldens(t, folder, want)
				return
			}
			if diff := cmp.Diff(readGoldens(t, folder), want); diff != "" {
				t.Errorf("go test ./provisioner -run Goldens -update rewrites the goldens (-golden +rendered):\n%s", diff)
			}
		})
	}
}

// renderGoldens renders a brand: path under the goldens' folder -> text.
func renderGoldens(t *testing.T, c *Catalog, name string) map[string]string {
	t.Helper()
	b := c.brands[name]
	samples, err := loadSamples(templates.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, s := range samples {
		for _, target := range b.targets(s) {
			files, err := c.renderSample(b, s, target)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				texts[path.Join(s.name, target.model.Name, f.Name)] = string(f.Body)
			}
		}
	}
	return texts
}

func readGoldens(t *testing.T, folder string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := fs.WalkDir(templates.FS, folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(templates.FS, file)
		texts[file[len(folder)+1:]] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func writeGoldens(t *testing.T, folder string, texts map[string]string) {
	t.Helper()
	root := filepath.Join("..", "templates", filepath.FromSlash(folder))
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(fmt.Errorf("golden %s: %w", name, err))
		}
	}
}
