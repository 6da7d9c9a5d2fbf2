package provisioner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flosch/pongo2/v6"

	"dialtone/models"
)

// To know which line of which template wrote a line of output, templates are
// parsed a second time with marks in their text: control characters, which
// neither a template nor a value can hold, around the number of a file and a
// line. They are taken out again, and what is left must be what the template
// writes without them.
const (
	markOpen  = '\x02'
	markClose = '\x03'
	markTag   = "mark"
)

func init() {
	if err := pongo2.RegisterTag(markTag, parseMark); err != nil {
		panic(err) // two of the same name in this program
	}
}

// A Rendering is a file with what is known about how it came to be.
type Rendering struct {
	File
	Rule     *FileRule
	Template string       // that was chosen: "acme/settings.tpl"
	Lines    []TracedLine // of the body
	Mistake  string       // why the output is malformed, "" when it is not
	Line     int          // of the mistake, 0 = not known
}

// A TracedLine is a line of output.
type TracedLine struct {
	Text    string   // without the line break
	Sources []Source // that wrote it, first the one its text begins with
}

// A Source is a line of a template.
type Source struct {
	File string
	Line int
}

func (s Source) String() string { return fmt.Sprintf("%s:%d", s.File, s.Line) }

// Trace renders a file as DeviceFile does and tells where its lines come from.
// Malformed output is told in the Rendering, it is no error.
func (s *Service) Trace(ctx context.Context, phone *models.Phone, name string) (Rendering, error) {
	var r Rendering
	tracing := s.With(s.Catalog())
	tracing.render = func(c *Catalog, name string, rule *FileRule, in viewInput) (File, error) {
		var err error
		r, err = c.traceFile(name, rule, in)
		return r.File, err
	}
	_, err := tracing.DeviceFile(ctx, phone, name)
	return r, err
}

func (c *Catalog) traceFile(name string, rule *FileRule, in viewInput) (Rendering, error) {
	template, v, err := c.templateAndView(rule, in)
	if err != nil {
		return Rendering{}, err
	}
	body, err := c.templates.render(template, v)
	if err != nil {
		return Rendering{}, err
	}
	marked, err := c.templates.renderMarked(template, v)
	if err != nil {
		return Rendering{}, err
	}
	lines, stripped := c.templates.readMarks(marked)
	if stripped != string(body) {
		stable, err := c.templates.stable(template, v, string(body))
		switch {
		case err != nil:
			return Rendering{}, err
		case stable: // the template looked at what a macro wrote
			lines = unmarked(template, string(body))
		default: // it is never the same: this is one of them
			body = []byte(stripped)
		}
	}
	r := Rendering{File: newFile(name, rule, body, c.templates.reveals(template, in, body)), Rule: rule, Template: template, Lines: lines}
	if err := formats[rule.Format].check(rule, body); err != nil {
		r.Mistake = err.Error()
		if located := (&lineError{}); errors.As(err, &located) {
			r.Mistake, r.Line = located.reason, located.line
		}
	}
	return r, nil
}

// stable reports whether a template gives the same again and again.
func (t *templateTree) stable(file string, v view, body string) (bool, error) {
	for range 8 {
		if again, err := t.render(file, v); err != nil || string(again) != body {
			return false, err
		}
	}
	return true, nil
}

// TemplateLine is a line of a template's text, from 1.
func (c *Catalog) TemplateLine(s Source) string {
	lines := strings.Split(c.templates.files[s.File], "\n")
	if s.Line < 1 || s.Line > len(lines) {
		return ""
	}
	return lines[s.Line-1]
}

// renderMarked renders with marks. The templates with marks are parsed when
// they are first needed.
func (t *templateTree) renderMarked(file string, v view) ([]byte, error) {
	t.marking.Do(func() {
		texts := map[string]string{}
		for i, name := range sortedKeys(t.files) {
			text := t.files[name]
			texts[name] = t.closed(name, insert(text, markedText(i, text, t.codes[name], t.whole)))
		}
		t.marked, t.markErr = parseTemplates(texts)
	})
	if t.markErr != nil {
		return nil, t.markErr
	}
	return (&templateTree{parsed: t.marked}).render(file, v)
}

// markedText is the steps of a template and its marks: one before the first
// character that is no blank of each line outside of codes, so that it does
// not come between a code and the white space that the code removes, and one
// before each variable.
func markedText(file int, src string, codes []code, whole map[string]bool) []insertion {
	out := steps(codes, whole)
	line, pos, comment := 1, 0, false
	for _, c := range codes {
		if !comment {
			out = append(out, markLiteral(file, line, src, pos, c.start)...)
		}
		line += strings.Count(src[pos:c.start], "\n")
		if !c.tag {
			out = append(out, insertion{c.start, markBefore(c, file, line), 0})
		}
		comment = c.begins("comment")
		pos = c.end
	}
	out = append(out, markLiteral(file, line, src, pos, len(src))...)
	slices.SortStableFunc(out, func(a, b insertion) int {
		return cmp.Or(cmp.Compare(a.pos, b.pos), cmp.Compare(a.bytes, b.bytes)) // what replaces a code goes after its mark
	})
	return out
}

// markLiteral marks a text between codes, which begins on the given line.
func markLiteral(file, line int, src string, pos, end int) []insertion {
	var out []insertion
	marked := false
	for ; pos < end; pos++ {
		switch {
		case src[pos] == '\n':
			line++
			marked = false
		case strings.HasPrefix(src[pos:end], "{#"):
			pos += strings.Index(src[pos:end], "#}") + 1
			marked = false
		case !marked && src[pos] != ' ' && src[pos] != '\t':
			out = append(out, insertion{pos, mark(file, line), 0})
			marked = true
		}
	}
	return out
}

func mark(file, line int) string {
	return fmt.Sprintf("%c%d:%d%c", markOpen, file, line, markClose)
}

// markBefore is a mark as a tag, which removes white space as its code does.
func markBefore(c code, file, line int) string {
	dash := ""
	if c.trimsLeft {
		dash = "-"
	}
	return fmt.Sprintf("{%%%s %s %d %d %%}", dash, markTag, file, line)
}

// markNode writes a mark.
type markNode string

func parseMark(_ *pongo2.Parser, _ *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	var place [2]int
	for i := range place {
		number := arguments.MatchType(pongo2.TokenNumber)
		if number == nil {
			return nil, arguments.Error("want the numbers of a file and a line", nil)
		}
		place[i], _ = strconv.Atoi(number.Val)
	}
	return markNode(mark(place[0], place[1])), nil
}

func (n markNode) Execute(_ *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	_, _ = w.WriteString(string(n)) // a budget's writer panics, others cannot fail
	return nil
}

// readMarks takes the marks out of an output.
func (t *templateTree) readMarks(marked []byte) ([]TracedLine, string) {
	names := sortedKeys(t.files)
	var lines []TracedLine
	var all strings.Builder
	last := []Source(nil)
	for text := range strings.Lines(string(marked)) {
		var line TracedLine
		var plain strings.Builder
		for text != "" {
			before, rest, found := strings.Cut(text, string(markOpen))
			plain.WriteString(before)
			if !found {
				break
			}
			var place string
			place, text, _ = strings.Cut(rest, string(markClose))
			file, number, _ := strings.Cut(place, ":")
			i, _ := strconv.Atoi(file)
			n, _ := strconv.Atoi(number)
			source := Source{names[i], n}
			if len(line.Sources) == 0 || line.Sources[len(line.Sources)-1] != source {
				line.Sources = append(line.Sources, source)
			}
		}
		if len(line.Sources) == 0 {
			line.Sources = last
		}
		last = line.Sources
		all.WriteString(plain.String())
		line.Text = strings.TrimSuffix(plain.String(), "\n")
		lines = append(lines, line)
	}
	return lines, all.String()
}

// unmarked is an output of which only the template is known.
func unmarked(template, body string) []TracedLine {
	var lines []TracedLine
	for text := range strings.Lines(body) {
		lines = append(lines, TracedLine{Text: strings.TrimSuffix(text, "\n"), Sources: []Source{{File: template}}})
	}
	return lines
}
