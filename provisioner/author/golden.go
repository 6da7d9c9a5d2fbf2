package author

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

// Compare groups what differs: goldens that are not rendered any more, what is
// rendered and has no golden, and what changed.
func (g Goldens) Compare(rendered Goldens) *Groups {
	groups := &Groups{}
	all := maps.Clone(g)
	maps.Copy(all, rendered)
	for _, key := range all.keys() {
		want, isGolden := g[key]
		got, isRendered := rendered[key]
		switch {
		case !isGolden:
			groups.Add(Difference{key.String(), "has no golden\n"})
		case !isRendered:
			groups.Add(Difference{key.String(), "is not rendered any more\n"})
		case want != got:
			groups.Add(Difference{key.String(), unified(want, got)})
		}
	}
	return groups
}

// A Difference is how one file differs.
type Difference struct {
	Name string // of the file, with what it belongs to
	Text string // unified difference, or what else there is to say, in lines
}

// A Group is what differs in the same way.
type Group struct {
	Count int      `json:"count"`
	Names []string `json:"names"` // the first few
	Text  string   `json:"difference"`
}

const (
	maxNames     = 5        // of a group
	maxGroups    = 1000     // that are kept
	maxTextBytes = 16 << 20 // of all of them
)

// Groups collects differences by their text, in the order of their first.
type Groups struct {
	List  []*Group
	Rest  int // differences in groups that there was no room for
	at    map[string]*Group
	bytes int // of texts
}

// Add adds a difference.
func (g *Groups) Add(d Difference) {
	group := g.at[d.Text]
	switch {
	case group == nil && (len(g.List) == maxGroups || g.bytes+len(d.Text) > maxTextBytes):
		g.Rest++
		return
	case group == nil:
		group = &Group{Text: d.Text}
		g.bytes += len(d.Text)
		g.List = append(g.List, group)
		if g.at == nil {
			g.at = map[string]*Group{}
		}
		g.at[d.Text] = group
	}
	group.Count++
	if len(group.Names) < maxNames {
		group.Names = append(group.Names, d.Name)
	}
}

// String is the names and the text.
func (g *Group) String() string {
	names := strings.Join(g.Names, ", ")
	if more := g.Count - len(g.Names); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names + "\n" + g.Text
}

// unified is the difference of two texts, without the names of files.
func unified(before, after string) string {
	_, text, _ := strings.Cut(udiff.Unified("", "", before, after), "\n")
	_, text, _ = strings.Cut(text, "\n")
	return text
}
