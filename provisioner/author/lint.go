package author

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"dialtone/provisioner"
)

// A Finding is something wrong with a template tree.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1, 0 = not known
	Column  int    `json:"column,omitempty"` // from 1, in characters, 0 = not known
	Rule    string `json:"rule"`             // one of the Rule constants
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// What lint looks for.
const (
	RuleLoad      = "load"      // a manifest or a template that cannot be read
	RuleSample    = "sample"    // a sample that cannot be read, a model without one
	RuleGolden    = "golden"    // a model without a golden
	RuleMalformed = "malformed" // output that is not of its format
	RuleParameter = "parameter" // not in the brand's dictionary
	RuleValue     = "value"     // not one that the dictionary allows
	RuleDuplicate = "duplicate" // a parameter that is set twice in a file
	RuleShadowed  = "shadowed"  // a parameter that another file makes void
	RuleUnstable  = "unstable"  // output that differs from one rendering to the next
	RuleSecret    = "secret"    // in a file that many may read
)

func (f Finding) String() string {
	at := provisioner.FileError{File: f.File, Line: f.Line, Column: f.Column, Reason: f.Message, Hint: f.Hint}
	return at.Error() + " [" + f.Rule + "]"
}

func (f Finding) compare(g Finding) int {
	return cmp.Or(strings.Compare(f.File, g.File), f.Line-g.Line, f.Column-g.Column, strings.Compare(f.Rule, g.Rule), strings.Compare(f.Message, g.Message))
}

// Lint finds mistakes in a template tree: in those of its brands that are
// named, in all when none is. An error means that it could not look.
func Lint(ctx context.Context, fsys fs.FS, brands []string) ([]Finding, error) {
	catalog, err := provisioner.Parse(fsys)
	if err != nil {
		mistakes := mistakesOf(err, RuleLoad)
		slices.SortFunc(mistakes, Finding.compare)
		return mistakes, nil
	}
	if err := CheckBrands(catalog, brands...); err != nil {
		return nil, err
	}
	if len(brands) == 0 {
		brands = catalog.Brands()
	}
	var all []Finding
	for _, brand := range brands {
		manifest, _ := catalog.Manifest(brand)
		l := &linter{fsys: fsys, catalog: catalog, brand: brand, manifest: manifest, seen: map[string]bool{}, traced: map[string]provisioner.Rendering{}}
		if err := l.run(ctx); err != nil {
			return nil, err
		}
		all = append(all, l.findings...)
	}
	slices.SortFunc(all, Finding.compare)
	return all, nil
}

// mistakesOf are the mistakes that errors.Join joined.
func mistakesOf(err error, rule string) []Finding {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []Finding
		for _, e := range joined.Unwrap() {
			all = append(all, mistakesOf(e, rule)...)
		}
		return all
	}
	at := &provisioner.FileError{File: ".", Reason: err.Error()}
	errors.As(err, &at)
	return []Finding{{at.File, at.Line, at.Column, rule, at.Reason, at.Hint}}
}

// linter looks at one brand.
type linter struct {
	fsys       fs.FS
	catalog    *provisioner.Catalog
	brand      string
	manifest   *provisioner.Manifest
	dictionary *Dictionary
	findings   []Finding
	seen       map[string]bool                  // what was looked at or found
	traced     map[string]provisioner.Rendering // by template and ETag
}

// once reports whether something is new.
func (l *linter) once(parts ...any) bool {
	key := fmt.Sprintln(parts...)
	if l.seen[key] {
		return false
	}
	l.seen[key] = true
	return true
}

func (l *linter) add(f Finding, same string) {
	if l.once("finding", f.File, f.Line, f.Column, f.Rule, same) {
		l.findings = append(l.findings, f)
	}
}

func (l *linter) run(ctx context.Context) error {
	var err error
	if l.dictionary, err = LoadDictionary(l.fsys, l.brand); err != nil {
		l.findings = append(l.findings, mistakesOf(err, RuleLoad)...)
		l.dictionary = nil
	}
	for _, place := range l.catalog.ValuesInComments(l.brand) {
		l.findings = append(l.findings, mistakesOf(&place, RuleMalformed)...)
	}
	trials, err := l.catalog.Trials(l.fsys, l.brand)
	if err != nil {
		l.findings = append(l.findings, mistakesOf(err, RuleSample)...)
		return nil
	}
	for i := range trials {
		if err := l.trial(ctx, &trials[i]); err != nil {
			return err
		}
	}
	l.coverage(trials)
	return nil
}

// trial looks at all files of a sample as a model.
func (l *linter) trial(ctx context.Context, t *provisioner.Trial) error {
	var files []provisioner.Rendering
	for _, file := range t.Service.FilesOf(t.Phone) {
		r, isNew, err := l.trace(ctx, t, file)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			for _, f := range mistakesOf(err, RuleMalformed) {
				f.Message += trialOf(t, file.Name)
				l.add(f, "")
			}
			continue
		}
		files = append(files, r)
		if isNew {
			if err := l.file(ctx, t, &r); err != nil {
				return err
			}
		}
	}
	if l.once("phone", etags(files)) {
		l.shadowed(t, files)
	}
	return nil
}

func etags(files []provisioner.Rendering) string {
	all := ""
	for _, r := range files {
		all += r.Rule.Path + r.ETag
	}
	return all
}

// trace renders a file. One of the same text by the same template is the same:
// most models give what another has given.
func (l *linter) trace(ctx context.Context, t *provisioner.Trial, file provisioner.PhoneFile) (r provisioner.Rendering, isNew bool, err error) {
	f, err := t.Service.DeviceFile(ctx, t.Phone, file.Name)
	key := l.catalog.TemplateFor(t.Model, t.ID, file.Rule) + f.ETag
	r, known := l.traced[key]
	if err != nil || !known {
		r, err = t.Service.Trace(ctx, t.Phone, file.Name)
		key, isNew = r.Template+r.ETag, l.once("file", r.Template, r.ETag)
		l.traced[key] = r
	}
	r.Name, r.Rule = file.Name, file.Rule
	return r, isNew, err
}

func trialOf(t *provisioner.Trial, file string) string {
	return fmt.Sprintf(" (file %s, model %s, sample %s)", file, cmp.Or(t.Model.Name, t.ID), t.Sample)
}

// file looks at one file whose text is new.
func (l *linter) file(ctx context.Context, t *provisioner.Trial, r *provisioner.Rendering) error {
	if r.Mistake != "" {
		l.at(r, r.Line, "", Finding{Rule: RuleMalformed, Message: fmt.Sprintf("made a broken %s file: %s", r.Rule.Format, r.Mistake) + trialOf(t, r.Name)}, "")
	}
	l.parameters(r)
	return errors.Join(l.unstable(ctx, t, r), l.secrets(ctx, t, r))
}

// parameters looks them up in the dictionary.
func (l *linter) parameters(r *provisioner.Rendering) {
	first := map[string]int{}
	for _, s := range settingsOf(r.Body, r.Rule, l.manifest.Parameters) {
		if line, twice := first[s.name]; twice && r.Mistake == "" && !slices.Contains(r.Rule.Repeatable, s.name) {
			l.at(r, s.line, s.name, Finding{Rule: RuleDuplicate, Message: fmt.Sprintf("parameter %s is set twice in %s, also in its line %d", s.name, r.Name, line)}, "")
		} else {
			first[s.name] = s.line
		}
		if l.dictionary == nil {
			continue
		}
		p := l.dictionary.Lookup(s.name)
		if p == nil {
			f := Finding{Rule: RuleParameter, Message: fmt.Sprintf("unknown parameter %s", s.name)}
			if best := l.dictionary.Nearest(s.name); best != "" {
				f.Hint = "did you mean " + best + "?"
			}
			l.at(r, s.line, s.name, f, digits.ReplaceAllString(s.name, "N"))
			continue
		}
		if reason := p.Check(s.value); reason != "" && !slices.Contains(l.manifest.Parameters.Clear, s.value) {
			l.at(r, s.line, s.name, Finding{Rule: RuleValue, Message: fmt.Sprintf("%s = %q: %s", s.name, s.value, reason)}, p.Name)
		}
	}
}

// renderings is how often a file is rendered to see whether it is stable: two
// members of an object change places in every second one.
const renderings = 8

// unstable renders a file again and again.
func (l *linter) unstable(ctx context.Context, t *provisioner.Trial, r *provisioner.Rendering) error {
	if r.Mistake != "" || !l.once("stable", r.Template, t.Sample) {
		return nil // it is not rendered at all, or was as another model
	}
	for range renderings {
		again, err := t.Service.DeviceFile(ctx, t.Phone, r.Name)
		if err != nil {
			return err
		}
		if again.ETag == r.ETag {
			continue
		}
		lines := append(provisioner.ChangedLines(string(r.Body), string(again.Body)), -1)
		l.at(r, lines[0]+1, "", Finding{Rule: RuleUnstable, Message: "the output differs from one rendering to the next",
			Hint: "a loop over an object needs the word sorted"}, "")
		return nil
	}
	return nil
}

// secrets looks where a secret, or what a template makes of it, comes out in a
// file that is not one device's own: where lines differ when only the secrets do.
func (l *linter) secrets(ctx context.Context, t *provisioner.Trial, r *provisioner.Rendering) error {
	if r.Rule.PerDevice() {
		return nil
	}
	var variants []provisioner.Rendering
	for _, replace := range []func(string) string{
		func(string) string { return "Zq7" },
		func(string) string { return "b8Y-longer-than-that-1" },
		func(s string) string { return "0" + s },
	} {
		other, err := t.WithSecrets(replace)
		if err != nil {
			return err
		}
		variant, err := other.Service.Trace(ctx, other.Phone, r.Name)
		if err != nil {
			return err
		}
		variants = append(variants, variant)
	}
	first := &variants[0]
	for _, variant := range variants[1:] {
		for _, line := range provisioner.ChangedLines(string(first.Body), string(variant.Body)) {
			l.at(first, line+1, "", Finding{Rule: RuleSecret, Message: fmt.Sprintf("writes a secret, or something made of one, into %s, which every phone of the account may read", r.Rule.Path),
				Hint: "a file with {mac} in its path is one phone's own"}, "")
		}
	}
	return nil
}

// shadowed finds parameters of a device's own file that another file makes
// void, and those that two such files set. That a device's file beats a common
// one is what common files are for.
func (l *linter) shadowed(t *provisioner.Trial, files []provisioner.Rendering) {
	ordered := readingOrder(l.manifest, t, files)
	if l.manifest.Phone.Precedence == "last" {
		slices.Reverse(ordered)
	}
	winner := map[string]*provisioner.Rendering{}
	for _, r := range ordered {
		for _, s := range settingsOf(r.Body, r.Rule, l.manifest.Parameters) {
			wins := winner[s.name]
			switch {
			case wins == nil:
				winner[s.name] = r
			case wins != r && r.Rule.PerDevice() && !slices.Contains(r.Rule.Repeatable, s.name):
				l.at(r, s.line, s.name, Finding{Rule: RuleShadowed,
					Message: fmt.Sprintf("parameter %s of %s never counts: %s sets it too", s.name, r.Rule.Path, wins.Rule.Path)}, digits.ReplaceAllString(s.name, "N"))
			}
		}
	}
}

// at adds a finding at the template line that wrote a line of a file, or at
// the one of several that has the name. Findings that are the same but for the
// model and the place in a loop are told once.
func (l *linter) at(r *provisioner.Rendering, line int, name string, f Finding, same string) {
	f.File = r.Template
	if line > 0 && line <= len(r.Lines) {
		source, column := placeOf(l.catalog, r.Lines[line-1], name)
		f.File, f.Line, f.Column = source.File, source.Line, column
	}
	l.add(f, same)
}

// placeOf is where in the templates a name of an output line is written, else
// the beginning of the line that wrote it.
func placeOf(catalog *provisioner.Catalog, line provisioner.TracedLine, name string) (provisioner.Source, int) {
	for _, part := range literals(name) {
		for _, source := range line.Sources {
			text := catalog.TemplateLine(source)
			if i := strings.Index(text, part); i >= 0 {
				return source, 1 + utf8.RuneCountInString(text[:wordStart(text, i)])
			}
		}
	}
	source := line.Sources[0]
	text := catalog.TemplateLine(source)
	return source, 1 + len(text) - len(strings.TrimLeft(text, " \t"))
}

// wordStart is where the word around a byte begins; variables are part of it.
func wordStart(text string, i int) int {
	for i > 0 {
		before := text[:i]
		switch open := strings.LastIndex(before, "{{"); {
		case strings.HasSuffix(before, "}}") && open >= 0:
			i = open
		case strings.HasSuffix(before, "%}"), strings.ContainsRune(" \t\"'<(,", rune(text[i-1])):
			return i
		default:
			i--
		}
	}
	return 0
}

// literals are the name, its parts between numbers, the longest first, since a
// template writes numbers by variables, and the last word of a path.
func literals(name string) []string {
	if name == "" {
		return nil
	}
	parts := digits.Split(name, -1)
	slices.SortStableFunc(parts, func(a, b string) int { return len(b) - len(a) })
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(p) < 3 })
	return slices.Concat([]string{name}, parts, []string{name[strings.LastIndexByte(name, '.')+1:]})
}

// coverage finds models that no sample or golden covers.
func (l *linter) coverage(trials []provisioner.Trial) {
	goldens, err := ReadGoldens(l.fsys, l.brand)
	if err != nil {
		l.findings = append(l.findings, mistakesOf(err, RuleGolden)...)
		return
	}
	tried, missing := map[string]bool{}, map[string][]string{}
	for i := range trials {
		t := &trials[i]
		if t.Override {
			continue
		}
		tried[t.Model.Name] = true
		for _, file := range t.Service.FilesOf(t.Phone) {
			if _, ok := goldens[GoldenKey{t.Sample, t.Model.Name, file.Name}]; !ok {
				missing[t.Model.Name] = append(missing[t.Model.Name], t.Sample)
				break
			}
		}
	}
	for _, family := range l.manifest.Families {
		for model := range family.Models {
			if !tried[model] {
				l.manifestFinding(model, Finding{Rule: RuleSample, Message: fmt.Sprintf("no sample is rendered as model %s", model)})
			}
		}
	}
	for model, samples := range missing {
		l.manifestFinding(model, Finding{Rule: RuleGolden, Message: fmt.Sprintf("model %s has no golden of sample %s", model, strings.Join(samples, ", ")),
			Hint: "dialtone template test -update writes them"})
	}
}

// manifestFinding is one about a model, at its line of the manifest.
func (l *linter) manifestFinding(model string, f Finding) {
	f.File = path.Join(l.brand, "manifest.yaml")
	raw, _ := fs.ReadFile(l.fsys, f.File) // was read before
	f.Line = 1
	if at := regexp.MustCompile(`[ \t{]["']?(` + regexp.QuoteMeta(model) + `)["']?:`).FindSubmatchIndex(raw); at != nil {
		before := raw[:at[2]]
		f.Line = 1 + bytes.Count(before, []byte("\n"))
		f.Column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	}
	l.add(f, f.Message)
}
