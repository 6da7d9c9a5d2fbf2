package provisioner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Overlay joins two trees: a file of top replaces base's file of the same
// path, folders merge.
func Overlay(base, top fs.FS) fs.FS { return overlayFS{base: base, top: top} }

type overlayFS struct{ base, top fs.FS }

// Open finds the file in top, else in base.
func (o overlayFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	top, err := o.top.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o.base.Open(name)
	}
	if err != nil {
		return nil, err
	}
	info, err := top.Stat()
	if err != nil || !info.IsDir() {
		return top, err
	}
	entries, err := o.readDir(name)
	if err != nil {
		_ = top.Close()
		return nil, err
	}
	return &overlayDir{File: top, entries: entries}, nil
}

// ReadDir lists a folder of both trees, by name.
func (o overlayFS) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.top, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadDir(o.base, name)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	return o.readDir(name)
}

// readDir merges the entries of a folder that top has.
func (o overlayFS) readDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.top, name)
	if err != nil {
		return nil, err
	}
	below, err := fs.ReadDir(o.base, name)
	if err != nil {
		return entries, nil // base has no such folder, or a file of that name
	}
	for _, entry := range below {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == entry.Name() }) {
			entries = append(entries, entry)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// overlayDir is an open folder of both trees.
type overlayDir struct {
	fs.File
	entries []fs.DirEntry
}

// ReadDir reads the next n entries, all that are left when n is not positive.
func (d *overlayDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		rest := d.entries
		d.entries = nil
		return rest, nil
	}
	if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	rest := d.entries[:n]
	d.entries = d.entries[n:]
	return rest, nil
}

// LoadOverlay loads the tree that results from laying a folder over base. It
// proves the brands that the folder changes: base is known to be good.
// Nothing outside of the folder is read, whatever its symbolic links say.
func LoadOverlay(base fs.FS, dir string) (*Catalog, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("template folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	tree := Overlay(base, root.FS())
	c, err := Parse(tree)
	if err != nil {
		return nil, err
	}
	if err := c.prove(tree, c.changedBy(root.FS())); err != nil {
		return nil, err
	}
	return c, nil
}

// changedBy are the brands that have a folder in top, or a template that names
// a file of such a brand.
func (c *Catalog) changedBy(top fs.FS) []string {
	inTop := func(brand string) bool { _, err := fs.Stat(top, brand); return err == nil }
	changed := slices.DeleteFunc(c.Brands(), func(brand string) bool { return !inTop(brand) })
	for file, text := range c.templates.files {
		brand, _, _ := strings.Cut(file, "/")
		names := func(other string) bool { return inTop(other) && strings.Contains(text, other+"/") }
		if !slices.Contains(changed, brand) && slices.ContainsFunc(c.Brands(), names) {
			changed = append(changed, brand)
		}
	}
	slices.Sort(changed)
	return changed
}
