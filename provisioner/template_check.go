package provisioner

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// checkTemplates finds, before the engine sees anything, what would kill the
// process (cycles) and what the engine would silently ignore (unknown names).
// It gives the codes of every file.
func checkTemplates(files map[string]string) (map[string][]code, error) {
	g := &graph{units: map[string]*unit{}, locals: map[string]bool{}}
	scanned := map[string][]code{}
	var problems []error
	for _, file := range sortedKeys(files) {
		codes, err := scanTemplate(file, files[file])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		scanned[file] = codes
		problems = append(problems, g.addFile(file, codes)...)
	}
	if len(problems) == 0 {
		problems = append(problems, g.checkNames(files)...)
		problems = append(problems, g.checkCycles()...)
	}
	return scanned, errors.Join(problems...)
}

// A unit is a template file or one of its macros: what can call itself.
type unit struct {
	name string // "acme/a.tpl" or "acme/a.tpl#macro"
	file string
	line int
	uses []use
}

// A use is an include, extends, import or macro call.
type use struct {
	unit string
	line int
}

// graph is who uses whom.
type graph struct {
	units  map[string]*unit
	locals map[string]bool // names that templates define, over all files: an include sees its includer's
	reads  []read
}

// A read is a variable with the members behind it: "time.start.month".
type read struct {
	file string
	path []string
	line int
}

// fileScan walks the codes of one file.
type fileScan struct {
	graph    *graph
	file     string
	unit     *unit
	macros   map[string]string // name in this file -> unit
	comments int
	problems []error
}

func (g *graph) addFile(file string, codes []code) []error {
	s := &fileScan{graph: g, file: file, macros: map[string]string{}}
	s.unit = g.addUnit(file, file, 1)
	for _, c := range codes { // macros may be called above their definition
		s.declare(c)
	}
	for _, c := range codes {
		s.code(c)
	}
	return s.problems
}

func (g *graph) addUnit(name, file string, line int) *unit {
	u := &unit{name: name, file: file, line: line}
	g.units[name] = u
	return u
}

func (s *fileScan) bad(line int, format string, args ...any) {
	s.problems = append(s.problems, &FileError{File: s.file, Line: line, Reason: fmt.Sprintf(format, args...)})
}

// declare notes macros and the names a tag defines.
func (s *fileScan) declare(c code) {
	switch c.name() {
	case "macro":
		s.declareMacro(c)
	case "import":
		s.declareImport(c)
	}
	for _, name := range c.defines() {
		s.graph.locals[name] = true
		if name == budgetName {
			s.bad(c.line, "the name %q is taken", name)
		}
	}
}

// defines are the variables that a code gives a value.
func (c code) defines() []string {
	var names []string
	for i := 1; i < len(c.tokens); i++ {
		if c.tokens[i].kind == tokenWord && c.definesAt(i) {
			names = append(names, c.tokens[i].text)
		}
	}
	return names
}

func (c code) definesAt(i int) bool {
	switch c.name() {
	case "for":
		return i == 1 || i == 3 && c.is(2, ",")
	case "set", "include":
		return c.is(i+1, "=")
	case "with":
		return c.is(i+1, "=") || c.is(i-1, "as")
	case "macro":
		return i > 2 && (c.is(i-1, "(") || c.is(i-1, ","))
	}
	return false
}

func (s *fileScan) declareMacro(c code) {
	if len(c.tokens) < 2 {
		return // the engine explains it
	}
	name := c.tokens[1].text
	if _, twice := s.macros[name]; twice {
		s.bad(c.line, "macro %q is defined or imported twice", name)
	}
	s.macros[name] = s.file + "#" + name
	s.graph.addUnit(s.macros[name], s.file, c.line)
}

func (s *fileScan) declareImport(c code) {
	if len(c.tokens) < 2 || c.tokens[1].kind != tokenString {
		return
	}
	from := c.tokens[1].text
	for i := 2; i < len(c.tokens); i++ {
		name := c.tokens[i].text
		local := name
		if c.is(i+1, "as") && i+2 < len(c.tokens) {
			local = c.tokens[i+2].text
			i += 2
		}
		if _, twice := s.macros[local]; twice {
			s.bad(c.line, "macro %q is defined or imported twice", local)
		}
		s.macros[local] = from + "#" + name
		if c.is(i+1, ",") {
			i++
		}
	}
}

func (s *fileScan) code(c code) {
	tag := c.name()
	if c.tag && !slices.Contains(allowedTags, tag) {
		s.bad(c.line, "tag %q is not part of the template language", tag)
		return
	}
	switch tag {
	case "comment":
		s.comments++
	case "endcomment":
		s.comments--
	}
	if s.comments > 0 {
		return // not parsed by the engine
	}
	switch tag {
	case "include", "extends", "import":
		s.useFile(c)
	case "macro":
		s.enterMacro(c)
	case "endmacro":
		s.unit = s.graph.units[s.file]
	}
	if tag != "import" {
		s.expressions(c)
	}
}

func (s *fileScan) useFile(c code) {
	if len(c.tokens) < 2 || c.tokens[1].kind != tokenString {
		s.bad(c.line, "%s needs the name of a file in quotes", c.name())
		return
	}
	name := c.tokens[1].text
	if !fs.ValidPath(name) {
		s.bad(c.line, "%s %q: want a path from the root of the template tree", c.name(), name)
		return
	}
	s.unit.uses = append(s.unit.uses, use{unit: name, line: c.line})
}

func (s *fileScan) enterMacro(c code) {
	file := s.graph.units[s.file]
	if s.unit != file {
		s.bad(c.line, "a macro within a macro")
		return
	}
	if len(c.tokens) < 2 {
		s.bad(c.line, "a macro needs a name")
		return
	}
	s.unit = s.graph.units[s.macros[c.tokens[1].text]]
	file.uses = append(file.uses, use{unit: s.unit.name, line: c.line}) // what it includes is parsed with the file
}

// expressions notes macro calls and variables. Only macros can be called, and
// a macro can only be called: it is no value, so nothing can call itself by
// another name.
func (s *fileScan) expressions(c code) {
	start := 0
	if c.tag {
		start = 1
	}
	for i := start; i < len(c.tokens); i++ {
		t := c.tokens[i]
		if t.kind != tokenWord || c.is(i-1, "|") || c.tag && c.name() == "macro" && i == 1 {
			continue
		}
		target, isMacro := s.macros[t.text]
		called := c.is(i+1, "(")
		switch {
		case c.is(i-1, "."):
			if called {
				s.bad(t.line, "%q cannot be called", t.text)
			}
		case called && isMacro:
			s.unit.uses = append(s.unit.uses, use{unit: target, line: t.line})
		case called && !slices.Contains(operators, t.text):
			s.bad(t.line, "%q is no macro of this file", t.text)
		case isMacro:
			s.bad(t.line, "macro %q must be called: %s(...)", t.text, t.text)
		default:
			s.readVariable(c, i)
		}
	}
}

// operators may stand before a parenthesis without calling anything.
var operators = []string{"in", "and", "or", "not"}

// plainWords are words in tags that name no variable.
var plainWords = append([]string{"as", "export", "true", "false", "with", "only", "if_exists", "reversed", "sorted",
	"forloop", "block"}, operators...)

func (s *fileScan) readVariable(c code, i int) {
	t := c.tokens[i]
	switch {
	case c.name() == "block", c.name() == "endblock", c.is(i+1, "=") && c.tag && c.name() != "if" && c.name() != "elif",
		t.text[0] >= '0' && t.text[0] <= '9', slices.Contains(plainWords, t.text):
		return
	}
	r := read{file: s.file, path: []string{t.text}, line: t.line}
	for ; c.is(i+1, ".") && i+2 < len(c.tokens); i += 2 {
		r.path = append(r.path, c.tokens[i+2].text)
	}
	s.graph.reads = append(s.graph.reads, r)
}

// checkNames finds variables that no view has: the engine prints nothing for
// them, and a phone would get a setting without its value.
func (g *graph) checkNames(files map[string]string) []error {
	var problems []error
	for _, r := range g.reads {
		if unknown := g.unknown(r.path); unknown != "" {
			problems = append(problems, &FileError{File: r.file, Line: r.line, Reason: fmt.Sprintf("unknown variable %q", unknown)})
		}
	}
	for _, name := range sortedKeys(g.units) {
		for _, use := range g.units[name].uses {
			if _, ok := g.units[use.unit]; ok {
				continue
			}
			problems = append(problems, &FileError{File: g.units[name].file, Line: use.line, Reason: missingUnit(use.unit, files)})
		}
	}
	return problems
}

// unknown is how much of a path it takes to name something that no view has;
// "" when it is all there.
func (g *graph) unknown(path []string) string {
	if g.locals[path[0]] {
		return ""
	}
	at := viewShape
	for i, name := range path {
		if at = at.member(name); at == nil {
			return strings.Join(path[:i+1], ".")
		}
	}
	return ""
}

// member is what a template reads behind a dot; nil when there is nothing.
func (s *shape) member(name string) *shape {
	switch s.Type {
	case typeList:
		if strings.Trim(name, "0123456789") == "" {
			return s.Element
		}
	case typeObject, typeOpen, typeDocument:
		if known := s.Members[name]; known != nil || s.Type == typeObject {
			return known
		}
		return &shape{Type: typeDocument} // of which nothing is known
	}
	return nil
}

func missingUnit(name string, files map[string]string) string {
	file, macro, isMacro := strings.Cut(name, "#")
	if _, ok := files[file]; ok && isMacro {
		return fmt.Sprintf("%s has no macro %q", file, macro)
	}
	return fmt.Sprintf("there is no template %q", file)
}

// checkCycles finds units that lead back to themselves.
func (g *graph) checkCycles() []error {
	w := &cycleWalk{graph: g, done: map[string]bool{}, open: map[string]bool{}}
	for _, name := range sortedKeys(g.units) {
		w.visit(name)
	}
	return w.problems
}

type cycleWalk struct {
	graph    *graph
	done     map[string]bool
	open     map[string]bool
	problems []error
}

// visit follows everything that a unit uses.
func (w *cycleWalk) visit(name string) {
	u := w.graph.units[name]
	if u == nil || w.done[name] {
		return
	}
	w.open[name] = true
	for _, use := range u.uses {
		if w.open[use.unit] {
			w.problems = append(w.problems, &FileError{File: u.file, Line: use.line,
				Reason: fmt.Sprintf("%s leads back to itself", use.unit)})
			continue
		}
		w.visit(use.unit)
	}
	w.open[name], w.done[name] = false, true
}
