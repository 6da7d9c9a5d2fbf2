package author

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"dialtone/provisioner"
)

//go:embed skeleton
var skeleton embed.FS

// skeletonBrand stands for the brand's name in the skeleton.
const skeletonBrand = "BRAND"

var brandName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Init begins a brand: a folder dir/<brand> with a manifest, templates,
// samples, a dictionary and goldens that lint clean over base. It gives the
// files it wrote.
func Init(ctx context.Context, base fs.FS, dir, brand string) ([]string, error) {
	if !brandName.MatchString(brand) {
		return nil, fmt.Errorf("brand %q: want a-z, 0-9, - and _, beginning with a letter", brand)
	}
	if _, err := fs.Stat(base, brand); err == nil {
		return nil, fmt.Errorf("brand %s is there already", brand)
	}
	folder := filepath.Join(dir, brand)
	if _, err := os.Lstat(folder); err == nil {
		return nil, fmt.Errorf("%s is there already", folder)
	}
	files, err := begin(ctx, base, dir, brand)
	if err != nil {
		_ = os.RemoveAll(folder) // it was not there before
	}
	return files, err
}

func begin(ctx context.Context, base fs.FS, dir, brand string) ([]string, error) {
	folder := filepath.Join(dir, brand)
	if err := writeSkeleton(folder, brand); err != nil {
		return nil, err
	}
	tree := provisioner.Overlay(base, os.DirFS(dir))
	catalog, err := provisioner.Parse(tree)
	if err != nil {
		return nil, err
	}
	goldens, err := RenderGoldens(ctx, catalog, tree, brand)
	if err != nil {
		return nil, err
	}
	if err := WriteGoldens(dir, brand, goldens); err != nil {
		return nil, err
	}
	return filesBelow(folder)
}

func writeSkeleton(folder, brand string) error {
	return fs.WalkDir(skeleton, "skeleton", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(skeleton, name)
		if err != nil {
			return err
		}
		file := filepath.Join(folder, filepath.FromSlash(strings.TrimPrefix(name, "skeleton/")))
		return writeFile(file, strings.ReplaceAll(string(text), skeletonBrand, brand))
	})
}

func filesBelow(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}
