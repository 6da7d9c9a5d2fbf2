package author

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"dialtone/models"
	"dialtone/provisioner"
)

// DiffPhone tells how the files of a phone differ between two services, which
// have different templates: by the path of the file in the manifest, secrets
// masked, the phone's MAC written {mac}. "" when they do not.
func DiffPhone(ctx context.Context, before, after *provisioner.Service, phone *models.Phone) (string, error) {
	var names, paths []string
	for _, s := range []*provisioner.Service{before, after} {
		for _, file := range s.FilesOf(phone) {
			if !slices.Contains(names, file.Name) {
				names, paths = append(names, file.Name), append(paths, file.Rule.Path)
			}
		}
	}
	var all strings.Builder
	for i, name := range names {
		text, err := diffFile(ctx, before, after, phone, name)
		if err != nil {
			return "", err
		}
		if text != "" {
			fmt.Fprintf(&all, "%s\n%s", paths[i], text)
		}
	}
	if mac, ok := phone.Device.MAC(); ok {
		upper := strings.ToUpper(mac.String())
		return strings.NewReplacer(mac.String(), "{mac}", upper, "{MAC}").Replace(all.String()), nil
	}
	return all.String(), nil
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
