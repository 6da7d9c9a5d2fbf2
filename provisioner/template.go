package provisioner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/flosch/pongo2/v6"
)

// Values are escaped for the file's format before they reach a template, so
// the engine's own HTML escaping, a process-wide switch, stays off.
func init() { pongo2.SetAutoescape(false) }

const (
	maxTemplateBytes = 1 << 20
	maxParsedBytes   = 8 << 20 // of one template with all that it includes
	fileOverhead     = 4 << 10 // what an include counts besides its text
	maxFileBytes     = 4 << 20 // of a rendered file
)

// allowedTags is the template language: what else the engine knows is either
// dangerous, unstable from one rendering to the next, or a second way to say
// the same.
var allowedTags = []string{
	"if", "elif", "else", "endif", "for", "empty", "endfor", "set", "with", "endwith",
	"include", "extends", "block", "endblock", "macro", "endmacro", "import", "comment", "endcomment",
}

// allowedFilters are those that a setting can need. The others fill memory, put
// line breaks into values, or give another result each time.
var allowedFilters = []string{
	"add", "capfirst", "cut", "default", "default_if_none", "divisibleby", "escape", "first", "float", "get_digit", "integer", "join",
	"last", "length", "length_is", "limit", "lower", "make_list", "phone2numeric", "pluralize", "removetags", "safe", "slice", "split", "striptags",
	"title", "truncatechars", "truncatewords", "upper", "urlencode", "wordcount", "yesno",
}

// templateTree is the parsed templates of a tree.
type templateTree struct {
	files  map[string]string // path -> text of every template file
	codes  map[string][]code
	reads  [][]string          // every variable read, with its members
	needs  map[string][]string // what of the view a file reads, with all that it uses
	secret map[string][]string // variables with secrets that a file reads, likewise
	exact  bool                // phone.firmware is among them, not only its generation
	parsed map[string]parsedTemplate
	whole  map[string]bool // files without blocks

	marking sync.Once // of those below
	marked  map[string]parsedTemplate
	markErr error
}

// loadTemplates reads, checks and parses every template of the brands.
func loadTemplates(fsys fs.FS, brands []string) (*templateTree, error) {
	t := &templateTree{files: map[string]string{}}
	for _, brand := range brands {
		if err := t.read(fsys, brand); err != nil {
			return nil, err
		}
	}
	checked, err := checkTemplates(t.files)
	if err != nil {
		return nil, err
	}
	t.codes, t.needs, t.secret = checked.codes, checked.graph.needs(), checked.graph.secrets()
	for _, r := range checked.graph.reads {
		t.reads = append(t.reads, r.path)
	}
	t.exact = slices.ContainsFunc(t.reads, func(path []string) bool {
		return path[0] == "phone" && (len(path) < 2 || path[1] != "generation")
	})
	t.whole = wholeFiles(t.codes)
	texts := map[string]string{}
	for file, text := range t.files {
		texts[file] = t.closed(file, insert(text, steps(t.codes[file], t.whole)))
	}
	if t.parsed, err = parseTemplates(texts); err == nil {
		return t, nil
	}
	if _, plain := parseTemplates(t.files); plain != nil {
		err = plain // with the author's columns
	}
	return nil, err
}

// parseTemplates parses every one of the texts, which may name each other.
func parseTemplates(texts map[string]string) (map[string]parsedTemplate, error) {
	loader := &memoryLoader{texts: texts}
	set, err := newTemplateSet(loader)
	if err != nil {
		return nil, err
	}
	parsed := map[string]parsedTemplate{}
	var problems []error
	for _, file := range sortedKeys(texts) {
		loader.read = 0
		template, err := parseTemplate(set, file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		parsed[file] = parsedTemplate{template, bodyOf(template, texts[file])}
	}
	return parsed, errors.Join(problems...)
}

// read collects the template files below a brand's folder.
func (t *templateTree) read(fsys fs.FS, brand string) error {
	return fs.WalkDir(fsys, brand, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return &FileError{File: file, Reason: err.Error()}
		}
		hidden := strings.HasPrefix(entry.Name(), ".") // among others what editors leave while a file is open
		if entry.IsDir() && (hidden || entry.Name() == samplesFolder || entry.Name() == goldensFolder) {
			return fs.SkipDir
		}
		if entry.IsDir() || hidden || path.Ext(file) != templateSuffix {
			return nil
		}
		raw, err := fs.ReadFile(fsys, file)
		if err != nil {
			return &FileError{File: file, Reason: err.Error()}
		}
		if len(raw) > maxTemplateBytes {
			return &FileError{File: file, Reason: fmt.Sprintf("larger than %d bytes", maxTemplateBytes)}
		}
		t.files[file] = strings.ReplaceAll(string(stripBOM(raw)), "\r\n", "\n")
		return nil
	})
}

// newTemplateSet is an engine that knows only the loader's files.
func newTemplateSet(loader *memoryLoader) (*pongo2.TemplateSet, error) {
	set := pongo2.NewSet("templates", loader)
	for _, tag := range []string{"ssi", "cycle", "ifchanged", "lorem", "now", "autoescape", "filter"} {
		if err := set.BanTag(tag); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// memoryLoader resolves template names among the files read, by their path
// from the root of the tree. There is nothing else it could open.
type memoryLoader struct {
	texts map[string]string
	read  int // bytes since a template was begun: each include is parsed anew
}

func (*memoryLoader) Abs(_, name string) string { return name }

func (l *memoryLoader) Get(name string) (io.Reader, error) {
	text, ok := l.texts[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if l.read += fileOverhead + len(text); l.read > maxParsedBytes {
		panic(fmt.Sprintf("reads templates over and over, more than %d bytes", maxParsedBytes))
	}
	return strings.NewReader(text), nil
}

func parseTemplate(set *pongo2.TemplateSet, file string) (t *pongo2.Template, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, &FileError{File: file, Reason: fmt.Sprint("panic: ", p)}
		}
	}()
	t, err = set.FromFile(file)
	if err != nil {
		return nil, templateError(file, err)
	}
	return t, nil
}

// templateError keeps file, line and reason of an engine error.
func templateError(file string, err error) *FileError {
	located := &pongo2.Error{}
	if !errors.As(err, &located) {
		return &FileError{File: file, Reason: err.Error()}
	}
	line, column, reason := located.Line, located.Column, err.Error()
	for inner := located; ; { // the innermost error knows the place
		if inner.Line > 0 {
			line, column = inner.Line, inner.Column
		}
		if inner.Filename != "" {
			file = inner.Filename
		}
		if inner.OrigError != nil {
			reason = inner.OrigError.Error()
		}
		next := &pongo2.Error{}
		if !errors.As(inner.OrigError, &next) {
			break
		}
		inner = next
	}
	return &FileError{File: file, Line: line, Column: column, Reason: reason}
}

// render executes a template. The view holds only plain values; the budget is
// laid beside them.
func (t *templateTree) render(file string, view map[string]any) (body []byte, err error) {
	space := spaces.Get().(*[]byte)
	defer spaces.Put(space)
	b := &budget{space: *space, files: t.parsed}
	view[budgetName] = b
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, b.panicked(file, p)
		}
	}()
	body, err = t.parsed[file].template.ExecuteBytes(view)
	if err != nil && b.spent == nil {
		located := templateError(file, err)
		located.Column = 0 // counted in a text with steps
		return nil, located
	}
	if b.spent == nil && len(body) > maxFileBytes {
		_ = b.end("%s", tooMuchOutput)
	}
	if b.spent != nil {
		return nil, b.spent
	}
	*space = body[:0]
	return bytes.Clone(body), nil
}

// spaces are where files were rendered before: what they are written to need
// not grow from the length of a template to that of a file.
var spaces = sync.Pool{New: func() any { return new([]byte) }}
