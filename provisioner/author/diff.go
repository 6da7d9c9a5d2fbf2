package author

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"dialtone/models"
	"dialtone/provisioner"
)

// A Differ compares the files of phones between two services, which have
// different templates.
type Differ struct {
	before, after *provisioner.Service
	manifests     map[string]bool // that are the same in both, by brand
	templates     map[string]bool // likewise, with all that they use

	account string            // of the last phone
	common  map[string]string // how its common files differ, by brand, name and what they depend on of a phone
}

// NewDiffer compares what two services render.
func NewDiffer(before, after *provisioner.Service) *Differ {
	return &Differ{before: before, after: after, manifests: map[string]bool{}, templates: map[string]bool{}}
}

// Phone tells how the files of a phone differ: by the path of the file in the
// manifest, secrets masked, the phone's MAC written {mac}. "" when they do not.
func (d *Differ) Phone(ctx context.Context, phone *models.Phone) (string, error) {
	var files []provisioner.PhoneFile
	for _, s := range []*provisioner.Service{d.before, d.after} {
		for _, file := range s.FilesOf(phone) {
			known := slices.ContainsFunc(files, func(f provisioner.PhoneFile) bool { return f.Name == file.Name })
			if !known && !d.unchanged(phone, file.Rule) {
				files = append(files, file)
			}
		}
	}
	var all strings.Builder
	for _, file := range files {
		text, err := d.file(ctx, phone, file)
		if err != nil {
			return "", err
		}
		if text != "" {
			fmt.Fprintf(&all, "%s\n%s", file.Rule.Path, text)
		}
	}
	if mac, ok := phone.Device.MAC(); ok {
		upper := strings.ToUpper(mac.String())
		return strings.NewReplacer(mac.String(), "{mac}", upper, "{MAC}").Replace(all.String()), nil
	}
	return all.String(), nil
}

// file compares one file. A common one is the same for all phones of a model in
// an account that have the same firmware.
func (d *Differ) file(ctx context.Context, phone *models.Phone, file provisioner.PhoneFile) (string, error) {
	if file.Rule.PerDevice() {
		return diffFile(ctx, d.before, d.after, phone, file.Name)
	}
	if d.account != phone.Account.ID {
		d.account, d.common = phone.Account.ID, map[string]string{}
	}
	p := phone.Device.Provision
	key := strings.Join([]string{p.Brand, p.Family, string(p.Model), phone.Firmware, file.Name}, "\n")
	if text, known := d.common[key]; known {
		return text, nil
	}
	text, err := diffFile(ctx, d.before, d.after, phone, file.Name)
	if err == nil {
		d.common[key] = text
	}
	return text, err
}

// unchanged reports whether a file cannot differ: nothing that makes it does.
// A common file may be made by templates of another model than the phone's.
func (d *Differ) unchanged(phone *models.Phone, rule *provisioner.FileRule) bool {
	p := phone.Device.Provision
	before, after := d.before.Catalog(), d.after.Catalog()
	if !remembered(d.manifests, p.Brand, func() bool {
		was, _ := before.Manifest(p.Brand)
		is, _ := after.Manifest(p.Brand)
		return reflect.DeepEqual(was, is)
	}) {
		return false
	}
	template := before.TemplateFor(before.Model(p.Brand, p.Family, string(p.Model)), p.ID, rule)
	return rule.PerDevice() && template == after.TemplateFor(after.Model(p.Brand, p.Family, string(p.Model)), p.ID, rule) &&
		remembered(d.templates, template, func() bool { return before.Fingerprint(template) == after.Fingerprint(template) })
}

func remembered(known map[string]bool, key string, find func() bool) bool {
	if answer, ok := known[key]; ok {
		return answer
	}
	known[key] = find()
	return known[key]
}

func diffFile(ctx context.Context, before, after *provisioner.Service, phone *models.Phone, name string) (string, error) {
	was, errWas := before.DeviceFile(ctx, phone, name)
	is, errIs := after.DeviceFile(ctx, phone, name)
	if err := unexpected(ctx, errWas, errIs); err != nil {
		return "", err
	}
	if errWas == nil && errIs == nil && was.ETag == is.ETag {
		return "", nil
	}
	old, err := masked(ctx, before, phone, name)
	if err != nil {
		return "", err
	}
	current, err := masked(ctx, after, phone, name)
	if err != nil {
		return "", err
	}
	switch {
	case old != current:
		return changes(old, current), nil
	case errWas == nil && errIs == nil:
		return "a secret changes\n", nil
	}
	return "", nil // the same mistake in both
}

// masked is a file without its secrets, or why there is none.
func masked(ctx context.Context, s *provisioner.Service, phone *models.Phone, name string) (string, error) {
	f, err := s.Preview(ctx, phone, name, false)
	mistake := &provisioner.FileError{}
	switch {
	case err == nil:
		return string(f.Body), nil
	case errors.Is(err, models.ErrNotFound):
		return "", nil
	case errors.As(err, &mistake):
		return "cannot be rendered: " + mistake.Error() + "\n", nil
	}
	return "", err
}

// unexpected is a failure that is neither a missing file nor a template's.
func unexpected(ctx context.Context, all ...error) error {
	for _, err := range all {
		mistake := &provisioner.FileError{}
		if err != nil && !errors.Is(err, models.ErrNotFound) && !errors.As(err, &mistake) {
			return err
		}
	}
	return ctx.Err()
}

var hunkPlace = regexp.MustCompile(`(?m)^@@ .* @@$`)

// changes are the lines that differ, without what is around them: they are the
// same for phones whose files are otherwise not.
func changes(before, after string) string {
	text, err := udiff.ToUnified("", "", before, udiff.Lines(before, after), 0)
	if err != nil {
		return unified(before, after)
	}
	_, text, _ = strings.Cut(text, "\n")
	_, text, _ = strings.Cut(text, "\n")
	return hunkPlace.ReplaceAllString(text, "@@")
}
