package author

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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

// An Update is what came of a change. What one model of each sample makes of
// it comes first, then what the others add to that.
type Update struct {
	Mistakes []Finding // why nothing was rendered, or what was not
	Groups   []*Group  // how files differ from before, but for what was shown already
	Done     bool      // nothing more comes of this change
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
			d.update(ctx, func(u Update) {
				u.Took = time.Since(changed)
				show(u)
			})
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

func (d *dev) update(ctx context.Context, show func(Update)) {
	catalog, err := provisioner.Parse(d.tree)
	if err != nil {
		show(Update{Mistakes: mistakesOf(err, RuleLoad), Done: true})
		return
	}
	r := &devRound{dev: d, catalog: catalog, now: map[string]rendered{}, trials: map[string][]provisioner.Trial{}, shown: map[string]bool{}}
	brands := d.brands
	if len(brands) == 0 {
		brands = catalog.Brands()
	}
	for _, brand := range brands {
		r.plan(brand)
	}
	first, others := r.split()
	if len(d.kept) > 0 {
		show(r.render(ctx, first))
	} else {
		others = append(first, others...)
	}
	update := r.render(ctx, others)
	update.Done, update.Rendered = true, len(r.jobs)
	d.kept, d.trials = r.now, r.trials
	if ctx.Err() == nil {
		show(update)
	}
}

// devRound is what follows from one change.
type devRound struct {
	dev      *dev
	catalog  *provisioner.Catalog
	now      map[string]rendered
	trials   map[string][]provisioner.Trial
	jobs     []devJob
	mistakes []Finding // of the plan
	shown    map[string]bool
}

// A devJob is a file to be rendered.
type devJob struct {
	trial                        *provisioner.Trial
	file, name, template, source string
}

// plan finds what of a brand has to be rendered.
func (r *devRound) plan(brand string) {
	facts := r.facts(brand)
	trials, same := r.dev.trials[facts]
	if !same {
		var err error
		if trials, err = r.catalog.Trials(r.dev.tree, brand); err != nil {
			r.mistakes = append(r.mistakes, mistakesOf(err, RuleSample)...)
			return
		}
	}
	r.trials[facts] = trials
	fingerprints := map[string]string{}
	for _, t := range trials {
		t.Service = t.Service.With(r.catalog)
		for _, file := range t.Service.FilesOf(t.Phone) {
			template := r.catalog.TemplateFor(t.Model, t.ID, file.Rule)
			if fingerprints[template] == "" {
				fingerprints[template] = r.catalog.Fingerprint(template)
			}
			name := path.Join(t.Model.Brand, t.Sample, t.ID, t.Model.Family, t.Model.Name, file.Name)
			source := facts + fingerprints[template]
			if before, ok := r.dev.kept[name]; ok && before.source == source {
				r.now[name] = before
				continue
			}
			r.jobs = append(r.jobs, devJob{&t, file.Name, name, template, source})
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

// split parts the jobs: one of each sample and template, and the others.
func (r *devRound) split() (first, others []devJob) {
	seen := map[[2]string]bool{}
	for _, j := range r.jobs {
		key := [2]string{j.trial.Sample, j.template}
		if seen[key] {
			others = append(others, j)
			continue
		}
		seen[key] = true
		first = append(first, j)
	}
	return first, others
}

// render does jobs, and tells what was not told before.
func (r *devRound) render(ctx context.Context, jobs []devJob) Update {
	update := Update{Mistakes: r.mistakes}
	groups := &Groups{}
	for _, j := range jobs {
		if ctx.Err() != nil {
			return update
		}
		before, known := r.dev.kept[j.name]
		f, err := j.trial.Service.DeviceFile(ctx, j.trial.Phone, j.file)
		if err != nil {
			update.Mistakes = append(update.Mistakes, r.unseen(mistakesOf(err, RuleMalformed))...)
			if known {
				r.now[j.name] = rendered{text: before.text} // what to compare with when it is mended
			}
			continue
		}
		r.now[j.name] = rendered{j.source, string(f.Body)}
		if known && before.text != string(f.Body) {
			groups.Add(Difference{j.name, changes(before.text, string(f.Body))})
		}
	}
	r.mistakes = nil
	for _, g := range groups.List {
		if !r.shown[g.Text] {
			r.shown[g.Text] = true
			update.Groups = append(update.Groups, g)
		}
	}
	return update
}

func (r *devRound) unseen(mistakes []Finding) []Finding {
	return slices.DeleteFunc(mistakes, func(f Finding) bool {
		seen := r.shown[f.String()]
		r.shown[f.String()] = true
		return seen
	})
}
