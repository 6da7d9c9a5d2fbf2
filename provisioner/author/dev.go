package author

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"dialtone/provisioner"
)

// devSettle is how long a folder must be quiet before it is read: editors
// write a file in several steps.
const devSettle = 15 * time.Millisecond

// An Update is what came of a change.
type Update struct {
	Mistakes []Finding // why nothing was rendered, or what was not
	Groups   *Groups   // how files differ from before
	Rendered int       // files that were rendered anew
	Took     time.Duration
}

// Dev renders the samples of brands whenever a file in dir, which lies over
// base, changes, and shows what differs from before. The first time there is
// nothing to differ from.
func Dev(ctx context.Context, base fs.FS, dir string, brands []string, show func(Update)) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("template folder: %w", err)
	}
	defer func() { _ = root.Close() }() // opened for reading
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer func() { _ = notify.Close() }()
	d := &dev{tree: provisioner.Overlay(base, root.FS()), brands: brands, kept: map[string]rendered{}, trials: map[string][]provisioner.Trial{}}
	settled := time.NewTimer(0)
	defer settled.Stop()
	changed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-notify.Errors:
			return err
		case <-notify.Events:
			changed = time.Now()
			settled.Reset(devSettle)
		case <-settled.C:
			if err := watchFolders(notify, dir); err != nil {
				return err
			}
			update := d.update(ctx)
			update.Took = time.Since(changed)
			if ctx.Err() == nil {
				show(update)
			}
		}
	}
}

// watchFolders watches every folder; again does no harm.
func watchFolders(notify *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // went away meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		return notify.Add(name)
	})
}

// dev is what is known of the tree from the time before.
type dev struct {
	tree   fs.FS
	brands []string
	kept   map[string]rendered            // by trial and file
	trials map[string][]provisioner.Trial // by brand, manifest and samples
}

// rendered is a file, and what it was made of.
type rendered struct{ source, text string }

func (d *dev) update(ctx context.Context) Update {
	catalog, err := provisioner.Parse(d.tree)
	if err != nil {
		return Update{Mistakes: mistakesOf(err, RuleLoad)}
	}
	brands := d.brands
	if len(brands) == 0 {
		brands = catalog.Brands()
	}
	u := Update{Groups: &Groups{}}
	r := &devRound{dev: d, catalog: catalog, fingerprints: map[string]string{}, now: map[string]rendered{}, trials: map[string][]provisioner.Trial{}, update: &u}
	for _, brand := range brands {
		r.brand(ctx, brand)
	}
	for _, name := range slices.Sorted(maps.Keys(r.now)) {
		if before, ok := d.kept[name]; ok && before.text != r.now[name].text {
			u.Groups.Add(Difference{name, unified(before.text, r.now[name].text)})
		}
	}
	d.kept, d.trials = r.now, r.trials
	return u
}

// devRound is one update.
type devRound struct {
	dev          *dev
	catalog      *provisioner.Catalog
	fingerprints map[string]string // of templates
	now          map[string]rendered
	trials       map[string][]provisioner.Trial
	update       *Update
}

func (r *devRound) brand(ctx context.Context, brand string) {
	facts := r.facts(brand)
	trials, same := r.dev.trials[facts]
	if !same {
		var err error
		if trials, err = r.catalog.Trials(r.dev.tree, brand); err != nil {
			r.update.Mistakes = append(r.update.Mistakes, mistakesOf(err, RuleSample)...)
			return
		}
	}
	r.trials[facts] = trials
	for i := range trials {
		t := trials[i]
		t.Service = t.Service.With(r.catalog)
		for _, file := range t.Service.FilesOf(t.Phone) {
			r.file(ctx, &t, file, facts)
		}
	}
}

// facts names a brand's manifest and samples.
func (r *devRound) facts(brand string) string {
	h := sha256.New()
	samples, _ := fs.Glob(r.dev.tree, path.Join(brand, "samples", "*.json")) // the pattern is well-formed
	for _, file := range append(samples, path.Join(brand, "manifest.yaml")) {
		raw, _ := fs.ReadFile(r.dev.tree, file) // a failure is told when the file is read in earnest
		_, _ = fmt.Fprintf(h, "%q %q\n", file, raw)
	}
	return fmt.Sprintf("%s %x", brand, h.Sum(nil))
}

// file renders a file, if anything that it is made of has changed.
func (r *devRound) file(ctx context.Context, t *provisioner.Trial, file provisioner.PhoneFile, facts string) {
	name := path.Join(t.Model.Brand, t.Sample, t.ID, t.Model.Family, t.Model.Name, file.Name)
	template := r.catalog.TemplateFor(t.Model, t.ID, file.Rule)
	if r.fingerprints[template] == "" {
		r.fingerprints[template] = r.catalog.Fingerprint(template)
	}
	source := facts + r.fingerprints[template]
	if before, ok := r.dev.kept[name]; ok && before.source == source {
		r.now[name] = before
		return
	}
	f, err := t.Service.DeviceFile(ctx, t.Phone, file.Name)
	r.update.Rendered++
	if err != nil {
		for _, m := range mistakesOf(err, RuleMalformed) {
			if !slices.Contains(r.update.Mistakes, m) {
				r.update.Mistakes = append(r.update.Mistakes, m)
			}
		}
		if before, ok := r.dev.kept[name]; ok {
			r.now[name] = rendered{text: before.text} // what to compare with when it is mended
		}
		return
	}
	r.now[name] = rendered{source, string(f.Body)}
}
