package author

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"dialtone/provisioner"
)

// A brand's goldens are what its samples must give, as each model they are
// meant for:
//
//	<brand>/goldens/<sample>/<model>/<file>   a text
//	<brand>/goldens/<sample>/index.tsv        model, file and, when the same text is
//	                                          there already, where: <model>/<file>
const (
	goldensFolder = "goldens"
	goldenIndex   = "index.tsv"
)

// Goldens are texts by sample, model and file.
type Goldens map[GoldenKey]string

// A GoldenKey names one file of a sample as a model.
type GoldenKey struct{ Sample, Model, File string }

func (k GoldenKey) String() string { return path.Join(k.Sample, k.Model, k.File) }

func (k GoldenKey) compare(other GoldenKey) int {
	return cmp.Or(strings.Compare(k.Sample, other.Sample), strings.Compare(k.Model, other.Model), strings.Compare(k.File, other.File))
}

// keys are in order.
func (g Goldens) keys() []GoldenKey {
	var keys []GoldenKey
	for key := range g {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, GoldenKey.compare)
	return keys
}

// RenderGoldens renders what a brand's goldens should be.
func RenderGoldens(ctx context.Context, catalog *provisioner.Catalog, fsys fs.FS, brand string) (Goldens, error) {
	trials, err := catalog.Trials(fsys, brand)
	if err != nil {
		return nil, err
	}
	goldens := Goldens{}
	for _, trial := range trials {
		if trial.Override {
			continue
		}
		files, err := trial.Files(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			goldens[GoldenKey{trial.Sample, trial.Model.Name, f.Name}] = string(f.Body)
		}
	}
	return goldens, nil
}

// ReadGoldens reads a brand's goldens; a brand without any has none.
func ReadGoldens(fsys fs.FS, brand string) (Goldens, error) {
	goldens := Goldens{}
	folders, err := fs.ReadDir(fsys, path.Join(brand, goldensFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return goldens, nil
	}
	for _, folder := range folders {
		if folder.IsDir() {
			err = errors.Join(err, goldens.read(fsys, path.Join(brand, goldensFolder, folder.Name())))
		}
	}
	return goldens, err
}

func (g Goldens) read(fsys fs.FS, folder string) error {
	index := path.Join(folder, goldenIndex)
	raw, err := fs.ReadFile(fsys, index)
	if err != nil {
		return &provisioner.FileError{File: index, Reason: err.Error()}
	}
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) < 2 || len(fields) > 3 {
			return &provisioner.FileError{File: index, Line: number, Reason: "want model, file and perhaps the place of the text, with a tab between them"}
		}
		place := path.Join(fields[0], fields[1])
		if len(fields) == 3 {
			place = fields[2]
		}
		text, err := fs.ReadFile(fsys, path.Join(folder, place))
		if err != nil {
			return &provisioner.FileError{File: index, Line: number, Reason: err.Error()}
		}
		g[GoldenKey{path.Base(folder), fields[0], fields[1]}] = string(text)
	}
	return nil
}

// WriteGoldens replaces a brand's goldens below dir, a template tree.
func WriteGoldens(dir, brand string, goldens Goldens) error {
	root := filepath.Join(dir, brand, goldensFolder)
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	for name, text := range goldens.layout() {
		if err := writeFile(filepath.Join(root, filepath.FromSlash(name)), text); err != nil {
			return err
		}
	}
	return nil
}

// layout is the files that hold the goldens, each text of a sample once.
func (g Goldens) layout() map[string]string {
	files := map[string]string{}
	places := map[[2]string]string{} // sample and text -> where it is
	for _, key := range g.keys() {
		index, own := path.Join(key.Sample, goldenIndex), path.Join(key.Model, key.File)
		entry := key.Model + "\t" + key.File
		text := [2]string{key.Sample, g[key]}
		if place, known := places[text]; known {
			entry += "\t" + place
		} else {
			places[text] = own
			files[path.Join(key.Sample, own)] = g[key]
		}
		files[index] += entry + "\n"
	}
	return files
}

func writeFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // templates are no secrets
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644) //nolint:gosec // templates are no secrets
}

// Compare lists what differs: golden texts that are not rendered any more,
// rendered ones that no golden has, and those that changed.
func (g Goldens) Compare(rendered Goldens) []Difference {
	var out []Difference
	all := Goldens{}
	for _, texts := range []Goldens{g, rendered} {
		for key := range texts {
			all[key] = ""
		}
	}
	for _, key := range all.keys() {
		want, isGolden := g[key]
		got, isRendered := rendered[key]
		switch {
		case want == got && isGolden == isRendered:
		case !isGolden:
			out = append(out, Difference{Name: key.String(), Text: "has no golden\n"})
		case !isRendered:
			out = append(out, Difference{Name: key.String(), Text: "is not rendered any more\n"})
		default:
			out = append(out, Difference{Name: key.String(), Text: unified(want, got)})
		}
	}
	return out
}

// A Difference is how one file differs.
type Difference struct {
	Name string // of the file, with what it belongs to
	Text string // unified difference, or what else there is to say, in lines
}

// A Group is files that differ in the same way.
type Group struct {
	Names []string
	Text  string
}

// GroupByText joins differences of the same text, in the order of their first.
func GroupByText(differences []Difference) []Group {
	var groups []Group
	at := map[string]int{}
	for _, d := range differences {
		i, known := at[d.Text]
		if !known {
			i = len(groups)
			at[d.Text] = i
			groups = append(groups, Group{Text: d.Text})
		}
		groups[i].Names = append(groups[i].Names, d.Name)
	}
	return groups
}

// unified is the difference of two texts, without the names of files.
func unified(before, after string) string {
	_, text, _ := strings.Cut(udiff.Unified("", "", before, after), "\n")
	_, text, _ = strings.Cut(text, "\n")
	return text
}

// String is the names, the first few when there are many, and the text.
func (g Group) String() string {
	const shown = 5
	names := strings.Join(g.Names[:min(shown, len(g.Names))], ", ")
	if more := len(g.Names) - shown; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names + "\n" + g.Text
}
