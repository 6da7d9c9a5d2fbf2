package author

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"dialtone/internal/nearest"
	"dialtone/provisioner"
)

// dictionaryFile lists a brand's parameters, in its folder.
const dictionaryFile = "parameters.tsv"

// The types of a parameter's values.
const (
	typeUnknown = ""
	typeBool    = "bool" // 0 or 1
	typeInt     = "int"
	typeString  = "string"
	typeEnum    = "enum"
)

// A Parameter is what a dictionary knows of one.
type Parameter struct {
	Name string // index positions are written N: "line.N.user"
	Type string // one of the type constants
	Note string

	low, high *int     // of the number, or of the text's length; nil = open
	words     []string // of an enum; none = not known
}

// A Dictionary is all that is known of a brand's parameters.
type Dictionary struct {
	byName map[string]*Parameter
	names  []string // sorted
}

// LoadDictionary reads <brand>/parameters.tsv: name, type, values and note
// between tabs, # begins a comment line. Without the file it is nil. The error
// joins a provisioner.FileError per mistake.
func LoadDictionary(fsys fs.FS, brand string) (*Dictionary, error) {
	file := path.Join(brand, dictionaryFile)
	raw, err := fs.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a brand need not have one
	}
	if err != nil {
		return nil, err
	}
	d := &Dictionary{byName: map[string]*Parameter{}}
	var problems []error
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if err := d.add(line); err != nil {
			problems = append(problems, &provisioner.FileError{File: file, Line: number, Reason: err.Error()})
		}
	}
	slices.Sort(d.names)
	return d, errors.Join(problems...)
}

func (d *Dictionary) add(line string) error {
	if !utf8.ValidString(line) {
		return errors.New("not UTF-8")
	}
	fields := append(strings.Split(line, "\t"), "", "", "")
	if len(fields) > 7 {
		return errors.New("want name, type, values and note with a tab between them")
	}
	p := &Parameter{Name: fields[0], Type: fields[1], Note: fields[3]}
	if p.Name == "" || strings.ContainsAny(p.Name, " ") {
		return fmt.Errorf("name %q: want one without blanks", p.Name)
	}
	if d.byName[p.Name] != nil {
		return fmt.Errorf("parameter %s is there twice", p.Name)
	}
	if err := p.setValues(fields[2]); err != nil {
		return fmt.Errorf("parameter %s: %w", p.Name, err)
	}
	d.byName[p.Name] = p
	d.names = append(d.names, p.Name)
	return nil
}

var boundsForm = regexp.MustCompile(`^(-?[0-9]+)?\.\.(-?[0-9]+)?$`)

func (p *Parameter) setValues(values string) error {
	switch p.Type {
	case typeUnknown, typeBool:
		if values != "" {
			return fmt.Errorf("values %q: type %q has none", values, p.Type)
		}
	case typeEnum:
		if values != "" {
			p.words = strings.Split(values, ",")
		}
	case typeInt, typeString:
		if values == "" {
			return nil
		}
		match := boundsForm.FindStringSubmatch(values)
		if match == nil {
			return fmt.Errorf("values %q: want 1..9, 1.. or ..9", values)
		}
		p.low, p.high = bound(match[1]), bound(match[2])
	default:
		return fmt.Errorf("type %q: want bool, int, string, enum or nothing", p.Type)
	}
	return nil
}

func bound(text string) *int {
	if n, err := strconv.Atoi(text); err == nil {
		return &n
	}
	return nil
}

// Lookup finds a parameter by its name in a file: a number in it may be an
// index. Nil when there is none.
func (d *Dictionary) Lookup(name string) *Parameter {
	runs := digits.FindAllStringIndex(name, maxIndexes+1)
	if len(runs) > maxIndexes {
		return nil
	}
	for set := range 1 << len(runs) { // every choice of numbers that are indexes
		if p := d.byName[withIndexes(name, runs, set)]; p != nil {
			return p
		}
	}
	return nil
}

const maxIndexes = 8

var digits = regexp.MustCompile(`[0-9]+`)

// withIndexes writes N for those of the numbers that are in the set of bits.
func withIndexes(name string, runs [][]int, set int) string {
	var b strings.Builder
	done := 0
	for i, run := range runs {
		if set&(1<<i) == 0 {
			continue
		}
		b.WriteString(name[done:run[0]])
		b.WriteByte('N')
		done = run[1]
	}
	b.WriteString(name[done:])
	return b.String()
}

// Nearest is the parameter that a misspelt name may mean, with the name's own
// numbers where they fit; "" when none is much like it.
func (d *Dictionary) Nearest(name string) string {
	best := nearest.Of(digits.ReplaceAllString(name, "N"), d.names)
	numbers := digits.FindAllString(name, -1)
	if strings.Count(best, "N") != len(numbers) {
		return best
	}
	for _, n := range numbers {
		best = strings.Replace(best, "N", n, 1)
	}
	return best
}

// Check tells what is wrong with a value, "" when nothing is. An empty value
// asks for the parameter's default.
func (p *Parameter) Check(value string) string {
	if value == "" {
		return ""
	}
	switch p.Type {
	case typeBool:
		if value != "0" && value != "1" {
			return "want 0 or 1"
		}
	case typeInt:
		n, err := strconv.Atoi(value)
		if err != nil {
			return "want a number"
		}
		return p.checkBounds(n, "")
	case typeString:
		return p.checkBounds(utf8.RuneCountInString(value), " characters")
	case typeEnum:
		if len(p.words) > 0 && !slices.Contains(p.words, value) {
			return "want one of " + strings.Join(p.words, ", ")
		}
	}
	return ""
}

func (p *Parameter) checkBounds(n int, unit string) string {
	switch {
	case p.low != nil && n < *p.low:
		return fmt.Sprintf("want at least %d%s", *p.low, unit)
	case p.high != nil && n > *p.high:
		return fmt.Sprintf("want at most %d%s", *p.high, unit)
	}
	return ""
}
