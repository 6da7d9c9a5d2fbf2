package provisioner

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"dialtone/internal/nearest"
	"dialtone/models"
)

// checkedTemplates are templates that can be parsed.
type checkedTemplates struct {
	codes map[string][]code // by file
	graph *graph
}

// checkTemplates finds, before the engine sees anything, what would kill the
// process (cycles) and what the engine would silently ignore (unknown names).
func checkTemplates(files map[string]string) (checkedTemplates, error) {
	g := &graph{files: files, units: map[string]*unit{}, locals: map[string]bool{}}
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
	complete := len(problems) == 0
	problems = append(problems, g.checkReads()...)
	if complete {
		problems = append(problems, g.checkUses()...)
		problems = append(problems, g.checkCycles()...)
	}
	return checkedTemplates{scanned, g}, errors.Join(problems...)
}

// A unit is a template file or one of its macros: what can call itself.
type unit struct {
	name string // "acme/a.tpl" or "acme/a.tpl#macro"
	file string
	uses []use
}

// A use is an include, extends, import or macro call.
type use struct {
	unit string
	pos  int
}

// graph is who uses whom.
type graph struct {
	files  map[string]string
	units  map[string]*unit
	locals map[string]bool // names that templates define, over all files: an include sees its includer's
	reads  []read
}

// A read is a variable with the members behind it: "time.start.month".
type read struct {
	file string
	path []string
	pos  int
	in   *shape // of what a loop around it gives the first name; nil: not known
}

// A loop is a for tag whose list is a variable of the view.
type loop struct {
	name    string
	element *shape // nil: not known
}

// fileScan walks the codes of one file.
type fileScan struct {
	graph    *graph
	file     string
	unit     *unit
	macros   map[string]string // name in this file -> unit
	assigned map[string]bool   // names in this file that other tags than for define
	loops    []loop            // around the code
	problems []error
}

func (g *graph) addFile(file string, codes []code) []error {
	s := &fileScan{graph: g, file: file, macros: map[string]string{}, assigned: map[string]bool{}}
	s.unit = g.addUnit(file, file)
	for _, c := range codes { // macros may be called above their definition
		s.declare(c)
	}
	for _, c := range codes {
		s.code(c)
	}
	return s.problems
}

func (g *graph) addUnit(name, file string) *unit {
	u := &unit{name: name, file: file}
	g.units[name] = u
	return u
}

func (s *fileScan) bad(pos int, format string, args ...any) {
	s.badHint(pos, "", format, args...)
}

func (s *fileScan) badHint(pos int, hint, format string, args ...any) {
	s.problems = append(s.problems, s.graph.mistake(s.file, pos, hint, fmt.Sprintf(format, args...)))
}

// mistake is one at a byte of a template.
func (g *graph) mistake(file string, pos int, hint, reason string) error {
	text := g.files[file]
	return &FileError{File: file, Line: 1 + strings.Count(text[:pos], "\n"), Column: column(text, pos), Reason: reason, Hint: hint}
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
		s.assigned[name] = s.assigned[name] || c.name() != "for"
		if name == budgetName || name == "block" {
			s.bad(c.start, "the name %q is taken", name)
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
		s.bad(c.start, "macro %q is defined or imported twice", name)
	}
	s.macros[name] = s.file + "#" + name
	s.graph.addUnit(s.macros[name], s.file)
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
			s.bad(c.start, "macro %q is defined or imported twice", local)
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
		s.badHint(c.start, nearest.Hint(tag, allowedTags), "tag %q is not part of the template language", tag)
		return
	}
	switch tag {
	case "endcomment":
		if len(c.tokens) > 1 { // the engine would look for the end forever
			s.bad(c.start, "endcomment takes no arguments")
		}
	case "include", "extends", "import":
		s.useFile(c)
	case "macro":
		s.enterMacro(c)
	case "endmacro":
		s.unit = s.graph.units[s.file]
	case "endfor":
		s.loops = s.loops[:max(len(s.loops)-1, 0)]
	}
	if tag != "import" {
		s.expressions(c)
	}
	if tag == "for" {
		s.loops = append(s.loops, s.loopOf(c))
	}
}

func (s *fileScan) useFile(c code) {
	if len(c.tokens) < 2 || c.tokens[1].kind != tokenString {
		s.bad(c.start, "%s needs the name of a file in quotes", c.name())
		return
	}
	name := c.tokens[1].text
	if !fs.ValidPath(name) {
		s.bad(c.start, "%s %q: want a path from the root of the template tree", c.name(), name)
		return
	}
	s.unit.uses = append(s.unit.uses, use{unit: name, pos: c.start})
}

func (s *fileScan) enterMacro(c code) {
	file := s.graph.units[s.file]
	if s.unit != file {
		s.bad(c.start, "a macro within a macro")
		return
	}
	if len(c.tokens) < 2 {
		s.bad(c.start, "a macro needs a name")
		return
	}
	s.unit = s.graph.units[s.macros[c.tokens[1].text]]
	file.uses = append(file.uses, use{unit: s.unit.name, pos: c.start}) // what it includes is parsed with the file
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
		if c.is(i-1, "|") {
			s.filter(t)
			continue
		}
		if t.kind != tokenWord || c.tag && c.name() == "macro" && i == 1 {
			continue
		}
		target, isMacro := s.macros[t.text]
		called := c.is(i+1, "(")
		switch {
		case c.is(i-1, "."):
			if called {
				s.bad(t.pos, "%q cannot be called", t.text)
			}
		case called && isMacro:
			s.unit.uses = append(s.unit.uses, use{unit: target, pos: t.pos})
		case called && !slices.Contains(operators, t.text):
			s.bad(t.pos, "%q is no macro of this file", t.text)
		case isMacro:
			s.bad(t.pos, "macro %q must be called: %s(...)", t.text, t.text)
		default:
			s.readVariable(c, i)
		}
	}
}

// operators may stand before a parenthesis without calling anything.
var operators = []string{"in", "and", "or", "not"}

// plainWords are words in tags that name no variable.
var plainWords = append([]string{"as", "export", "true", "false", "with", "only", "if_exists", "reversed", "sorted",
	"forloop"}, operators...)

func (s *fileScan) readVariable(c code, i int) {
	t := c.tokens[i]
	switch {
	case c.name() == "block", c.name() == "endblock", c.is(i+1, "=") && c.tag && c.name() != "if" && c.name() != "elif",
		t.text[0] >= '0' && t.text[0] <= '9', slices.Contains(plainWords, t.text):
		return
	}
	path := c.path(i)
	s.graph.reads = append(s.graph.reads, read{file: s.file, path: path, pos: t.pos, in: s.elementOf(path[0])})
}

// path is the variable that begins at a token, with the members behind it.
func (c code) path(i int) []string {
	path := []string{c.tokens[i].text}
	for ; c.is(i+1, ".") && i+2 < len(c.tokens); i += 2 {
		path = append(path, c.tokens[i+2].text)
	}
	return path
}

func (s *fileScan) filter(t token) {
	if !slices.Contains(allowedFilters, t.text) {
		s.badHint(t.pos, nearest.Hint(t.text, allowedFilters), "filter %q is not part of the template language", t.text)
	}
}

// elementOf is the shape of a name that the innermost loop of that name gives
// a value; nil when it is not known.
func (s *fileScan) elementOf(name string) *shape {
	for _, l := range slices.Backward(s.loops) {
		if l.name == name && !s.assigned[name] {
			return l.element
		}
	}
	return nil
}

// loopOf reads {% for name in variable %}: of any other form nothing is known.
func (s *fileScan) loopOf(c code) loop {
	if len(c.tokens) < 4 || !c.is(2, "in") {
		return loop{}
	}
	path := c.path(3)
	for _, t := range c.tokens[3+2*len(path)-1:] {
		if t.text != "reversed" && t.text != "sorted" {
			return loop{}
		}
	}
	at := viewShape
	if in := s.elementOf(path[0]); in != nil {
		at, path = in, path[1:]
	} else if s.graph.locals[path[0]] {
		return loop{}
	}
	for _, name := range path {
		if at = at.member(name); at == nil {
			return loop{}
		}
	}
	return loop{name: c.tokens[1].text, element: at.Element}
}

// checkReads finds variables that no view has: the engine prints nothing for
// them, and a phone would get a setting without its value.
func (g *graph) checkReads() []error {
	var problems []error
	for _, r := range g.reads {
		if unknown, known := g.unknown(r); unknown != "" {
			last := unknown[strings.LastIndexByte(unknown, '.')+1:]
			problems = append(problems, g.mistake(r.file, r.pos, nearest.Hint(last, known), fmt.Sprintf("unknown variable %q", unknown)))
		}
	}
	return problems
}

// needs are what of the view each file reads, and all that it includes,
// extends and imports: "time.zone".
func (g *graph) needs() map[string][]string {
	return g.readsOf(func(path []string) (string, bool) { return strings.Join(path, "."), viewParts[path[0]] != nil })
}

// secrets are the variables with secrets that each file reads, and all that it
// includes, extends and imports.
func (g *graph) secrets() map[string][]string {
	return g.readsOf(func(path []string) (string, bool) { return strings.Join(path, "."), readsSecret(path) })
}

// secretVariables end in one of these, whatever a loop calls what is in front.
var secretVariables = []string{"password", "admin_password", "user_password"}

// readsSecret reports whether a variable holds a secret: one of the view's, or
// a member of a document that has the name of one.
func readsSecret(path []string) bool {
	members := path[1:]
	if slices.Contains([]string{LayerAccount, LayerOwner, LayerDevice}, path[0]) && slices.ContainsFunc(members, models.IsSecretName) {
		return true
	}
	return len(members) > 0 && slices.Contains(secretVariables, members[len(members)-1])
}

// readsOf is what each file reads, and all that it includes, extends and
// imports, as name calls it; false = it does not matter.
func (g *graph) readsOf(name func(path []string) (string, bool)) map[string][]string {
	own, uses := map[string][]string{}, map[string][]string{}
	for _, r := range g.reads {
		if called, matters := name(r.path); matters {
			own[r.file] = append(own[r.file], called)
		}
	}
	for _, u := range g.units {
		for _, use := range u.uses {
			file, _, _ := strings.Cut(use.unit, "#")
			uses[u.file] = append(uses[u.file], file)
		}
	}
	all := map[string][]string{}
	for file := range g.files {
		seen := []string{file}
		for i := 0; i < len(seen); i++ {
			all[file] = append(all[file], own[seen[i]]...)
			for _, used := range uses[seen[i]] {
				if !slices.Contains(seen, used) {
					seen = append(seen, used)
				}
			}
		}
		slices.Sort(all[file])
		all[file] = slices.Compact(all[file])
	}
	return all
}

// checkUses finds what is included, imported or called and is not there.
func (g *graph) checkUses() []error {
	var problems []error
	for _, name := range sortedKeys(g.units) {
		for _, use := range g.units[name].uses {
			if _, ok := g.units[use.unit]; ok {
				continue
			}
			problems = append(problems, g.missingUnit(g.units[name].file, use))
		}
	}
	return problems
}

// unknown is how much of a read it takes to name something that no view has,
// and what could stand there; "" when it is all there.
func (g *graph) unknown(r read) (unknown string, known []string) {
	at, path := viewShape, r.path
	switch {
	case r.in != nil:
		at, path = r.in, path[1:]
	case g.locals[path[0]]:
		return "", nil
	}
	for i, name := range path {
		known = sortedKeys(at.Members)
		if at = at.member(name); at == nil {
			return strings.Join(r.path[:len(r.path)-len(path)+i+1], "."), known
		}
	}
	return "", nil
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

func (g *graph) missingUnit(by string, use use) error {
	file, macro, isMacro := strings.Cut(use.unit, "#")
	if _, ok := g.files[file]; ok && isMacro {
		return g.mistake(by, use.pos, "", fmt.Sprintf("%s has no macro %q", file, macro))
	}
	return g.mistake(by, use.pos, nearest.Hint(file, sortedKeys(g.files)), fmt.Sprintf("there is no template %q", file))
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
			w.problems = append(w.problems, w.graph.mistake(u.file, use.pos, "", fmt.Sprintf("%s leads back to itself", use.unit)))
			continue
		}
		w.visit(use.unit)
	}
	w.open[name], w.done[name] = false, true
}
