package provisioner

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flosch/pongo2/v6"
)

// The engine cannot be stopped from outside, so templates count for
// themselves: wherever work can repeat or pile up, a step tag that no author
// can write is added to their text before it is parsed. It ends a rendering
// that goes beyond one of these bounds.
// A {% set %} looks at its value by itself.
const (
	maxSteps      = 100_000 // of one rendering: a loop's round, a call, a file
	maxValueBytes = 64 << 10
	stepEvery     = 32 // codes that may follow each other without a step
)

const (
	stepTag    = "step"
	budgetName = "render_budget" // the variable that holds the budget; templates can neither read nor define it
)

func init() {
	err := errors.Join(
		pongo2.RegisterTag(stepTag, parseStep),
		pongo2.RegisterTag(writeTag, parseWrite),
		pongo2.RegisterTag(defineTag, parseMacro),
		pongo2.ReplaceTag("set", parseSet),
		pongo2.ReplaceTag("if", parseIf),
		pongo2.ReplaceTag("for", parseFor),
		pongo2.RegisterTag(fileTag, parseFile),
		pongo2.RegisterTag(insertTag, parseInsert),
	)
	if err != nil {
		panic(err) // two of the same name in this program
	}
}

// A budget is what one rendering has used.
type budget struct {
	steps int
	at    *pongo2.Token // of the last step
	spent error         // what ended the rendering: through macros the engine hands on no more than its text
	space []byte        // to write to, until it is lent
	files map[string]parsedTemplate
}

// lend gives the engine's buffer, which is still empty, the space.
func (b *budget) lend(w pongo2.TemplateWriter) {
	if buffer, ok := w.(*bytes.Buffer); ok && b.space != nil {
		*buffer = *bytes.NewBuffer(b.space)
	}
	b.space = nil
}

var tooMuchOutput = fmt.Sprintf("more than %d bytes of output", maxFileBytes)

// stepNode is a step: {% step a b %}. a and b are variables that just got a
// value, which must not be too large. {% step in %} begins a file, and
// looks at all that an include hands it.
type stepNode struct {
	token  *pongo2.Token
	begins bool
	names  []string
}

func parseStep(_ *pongo2.Parser, start *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	node := &stepNode{token: start, begins: arguments.Match(pongo2.TokenKeyword, "in") != nil}
	for name := arguments.MatchType(pongo2.TokenIdentifier); name != nil; name = arguments.MatchType(pongo2.TokenIdentifier) {
		node.names = append(node.names, name.Val)
	}
	return node, nil
}

func (n *stepNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	b := budgetOf(ctx)
	b.steps++
	b.at = n.token
	switch {
	case b.steps > maxSteps:
		return b.end("rendering does not end: more than %d steps", maxSteps)
	case bufferedBytes(w) > maxFileBytes:
		return b.end("%s", tooMuchOutput)
	}
	if n.begins {
		b.lend(w)
		for name, v := range ctx.Public {
			if tooLarge(v) {
				return b.outgrown(name, n.token)
			}
		}
		return nil
	}
	for _, name := range n.names {
		if tooLarge(ctx.Private[name]) {
			return b.outgrown(name, n.token)
		}
	}
	return nil
}

// tooLarge reports whether a variable must not have this value.
func tooLarge(v any) bool {
	text, _ := unwrapped(v).(string)
	return len(text) > maxValueBytes
}

// outgrown ends a rendering because of a variable.
func (b *budget) outgrown(name string, at *pongo2.Token) *pongo2.Error {
	b.at = at
	return b.end("%q grows beyond %d bytes", name, maxValueBytes)
}

// end makes the error that ends a rendering at its last step.
func (b *budget) end(format string, args ...any) *pongo2.Error {
	b.spent = &FileError{File: b.at.Filename, Line: b.at.Line, Reason: fmt.Sprintf(format, args...)}
	return &pongo2.Error{Sender: "tag:" + stepTag, OrigError: b.spent}
}

// panicked is a panic of the engine in a tag that does not tell its place: all
// that is known is the step before.
func (b *budget) panicked(file string, p any) *FileError {
	if b.at == nil {
		return &FileError{File: file, Reason: fmt.Sprint("panic: ", p)}
	}
	return &FileError{File: b.at.Filename, Line: b.at.Line, Reason: fmt.Sprintf("panic: %v, here or further down", p)}
}

func budgetOf(ctx *pongo2.ExecutionContext) *budget {
	switch v := ctx.Public[budgetName].(type) {
	case *budget:
		return v
	case *pongo2.Value: // handed to an include
		return v.Interface().(*budget)
	}
	panic("a rendering without a budget")
}

// bufferedBytes is what a file, a macro or an included file has written so far.
func bufferedBytes(w pongo2.TemplateWriter) int {
	if buffer, ok := w.(*bytes.Buffer); ok {
		return buffer.Len()
	}
	return 0
}

// An insertion is text that goes into a template before a byte of it, or in
// place of some.
type insertion struct {
	pos   int
	text  string
	bytes int // that it replaces
}

func insert(src string, insertions []insertion) string {
	var b strings.Builder
	done := 0
	for _, in := range insertions {
		b.WriteString(src[done:in.pos])
		b.WriteString(in.text)
		done = in.pos + in.bytes
	}
	b.WriteString(src[done:])
	return b.String()
}

// steps are the steps of a template's text, in its order. They stand on the
// lines of the author, and beside a code that removes white space they remove
// it too, so that they change no byte of the output. What includes one of the
// whole files does so without the engine.
func steps(codes []code, whole map[string]bool) []insertion {
	out := []insertion{{0, "{% " + stepTag + " in %}", 0}}
	since, exported := 0, false
	for _, c := range codes {
		if c.begins("comment") {
			continue // a step after it would be in the comment
		}
		since++
		if !c.tag {
			out = append(out, writes(c)...)
		}
		if c.begins("endmacro") {
			out = append(out, insertion{c.start, stepBefore(c), 0})
		}
		if c.begins("macro") {
			exported = c.is(len(c.tokens)-1, "export")
		}
		if name := c.name(); !exported && (name == "macro" || name == "endmacro") {
			out = append(out, insertion{c.tokens[0].pos, strings.Replace(name, "macro", defineTag, 1), len(name)})
		}
		switch name := c.name(); {
		case name == "include" && whole[c.tokens[1].text]:
			out = append(out, insertion{c.tokens[0].pos, insertTag, len("include")})
		case name == "include" && c.is(len(c.tokens)-1, "only"):
			out = append(out, insertion{c.tokens[len(c.tokens)-1].pos, budgetName + "=" + budgetName + " ", 0})
		case slices.Contains([]string{"for", "macro", "block", "with"}, name), since >= stepEvery:
			out = append(out, insertion{c.end, stepAfter(c), 0})
			since = 0
		}
	}
	return out
}

// writes make a {% write %} of {{ }}.
func writes(c code) []insertion {
	begin := insertion{c.start, "{% " + writeTag + " ", len("{{")}
	if c.trimsLeft {
		begin = insertion{c.start, "{%- " + writeTag + " ", len("{{-")}
	}
	return []insertion{begin, {c.end - len("}}"), "%}", len("}}")}}
}

// stepBefore goes before a code, stepAfter after it.
func stepBefore(c code) string {
	if c.trimsLeft {
		return "{%- " + stepTag + " %}"
	}
	return "{% " + stepTag + " %}"
}

func stepAfter(c code) string {
	names := ""
	for _, name := range c.defines() {
		names += " " + name
	}
	if c.trimsRight {
		return "{% " + stepTag + names + " -%}"
	}
	return "{% " + stepTag + names + " %}"
}
