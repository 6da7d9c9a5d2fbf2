package strictxml

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Check wants exactly one well-formed element without text around it. It reads
// what phones are sent, each time that a file is made, so it makes one pass
// over the text and keeps nothing. What is wrong is an *Error. It is stricter
// than the letter of XML where a file for phones has no need: a declaration is
// that of XML 1.0 in UTF-8, names are ASCII, and there are neither processing
// instructions nor document types.
func Check(body []byte) error {
	s := &scanner{text: string(body)}
	if pos := illegalCharacter(s.text); pos >= 0 {
		return s.bad(pos, "a character that XML does not have")
	}
	s.pos = len(declarationForm.FindString(s.text))
	for s.pos < len(s.text) {
		if err := s.next(); err != nil {
			return err
		}
	}
	return s.end()
}

var declarationForm = regexp.MustCompile(`^<\?xml[ \t\r\n]+version=(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding=(?i:"utf-8"|'utf-8'))?(?:[ \t\r\n]+standalone=(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)

// illegalCharacter is where the first one stands, -1 when there is none.
func illegalCharacter(text string) int {
	for pos := 0; pos < len(text); {
		if c := text[pos]; c < utf8.RuneSelf {
			if c < ' ' && !blank(c) {
				return pos
			}
			pos++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[pos:])
		if r == utf8.RuneError && size == 1 || !legal(r) {
			return pos
		}
		pos += size
	}
	return -1
}

// legal reports whether XML has a character (XML 1.0, section 2.2).
func legal(r rune) bool {
	return r >= ' ' && r <= 0xD7FF || r == '\t' || r == '\r' || r == '\n' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// scanner goes through a text.
type scanner struct {
	text       string
	pos        int
	open       []mark // elements that have begun
	attributes []mark // of the element at hand
	roots      int
}

// A mark is a name and where it stands.
type mark struct {
	name string
	pos  int
}

func (s *scanner) bad(pos int, format string, args ...any) error {
	return &Error{Line: 1 + strings.Count(s.text[:pos], "\n"), Reason: fmt.Sprintf(format, args...)}
}

// next goes over a tag, a comment or the text before the next of them.
func (s *scanner) next() error {
	rest := s.text[s.pos:]
	switch {
	case rest[0] != '<':
		return s.characters()
	case strings.HasPrefix(rest, "</"):
		return s.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return s.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return s.cdata()
	case strings.HasPrefix(rest, "<?xml"):
		return s.bad(s.pos, `the declaration is not that of XML 1.0 in UTF-8, or not at the very beginning`)
	case strings.HasPrefix(rest, "<?"), strings.HasPrefix(rest, "<!"):
		return s.bad(s.pos, "%q begins neither an element nor a comment", rest[:2])
	}
	return s.startTag()
}

// end wants that everything is closed.
func (s *scanner) end() error {
	if len(s.open) > 0 {
		last := s.open[len(s.open)-1]
		return s.bad(last.pos, "element %s is not closed", last.name)
	}
	if s.roots != 1 {
		return s.bad(len(s.text), "%d root elements, want one", s.roots)
	}
	return nil
}

func (s *scanner) characters() error {
	begin := s.pos
	s.pos = s.find(begin, "<")
	text := s.text[begin:s.pos]
	if len(s.open) == 0 {
		if outside := strings.TrimLeft(text, " \t\r\n"); outside != "" {
			return s.bad(s.pos-len(outside), "text outside of the root element")
		}
		return nil
	}
	if i := strings.Index(text, "]]>"); i >= 0 {
		return s.bad(begin+i, `"]]>" in text`)
	}
	return s.references(begin, s.pos)
}

// find is where the next such text begins, or the end.
func (s *scanner) find(from int, text string) int {
	if i := strings.Index(s.text[from:], text); i >= 0 {
		return from + i
	}
	return len(s.text)
}

// references wants that every "&" begins a character by its name or number.
func (s *scanner) references(begin, end int) error {
	for pos := begin; ; pos++ {
		i := strings.IndexByte(s.text[pos:end], '&')
		if i < 0 {
			return nil
		}
		pos += i
		if name, _, ended := strings.Cut(s.text[pos+1:end], ";"); !ended || !character(name) {
			return s.bad(pos, `"&" does not begin a character's name or number`)
		}
	}
}

// character reports whether a reference stands for a character: "amp", "#39".
func character(name string) bool {
	digits, numeric := strings.CutPrefix(name, "#")
	if !numeric {
		return name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "apos"
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 31)
	return err == nil && legal(rune(n))
}

func (s *scanner) comment() error {
	begin := s.pos
	end := s.find(begin+len("<!--"), "--")
	if !strings.HasPrefix(s.text[end:], "-->") {
		return s.bad(begin, `the comment does not end, or has "--" in it`)
	}
	s.pos = end + len("-->")
	return nil
}

func (s *scanner) cdata() error {
	begin := s.pos
	end := s.find(begin, "]]>")
	if end == len(s.text) || len(s.open) == 0 {
		return s.bad(begin, "the CDATA section does not end, or is outside of the root element")
	}
	s.pos = end + len("]]>")
	return nil
}

func (s *scanner) endTag() error {
	begin := s.pos
	s.pos += len("</")
	name := s.name()
	s.blanks()
	if !s.take(">") {
		return s.bad(begin, "the end tag does not end")
	}
	if len(s.open) == 0 || s.open[len(s.open)-1].name != name {
		return s.bad(begin, "</%s> closes an element that is not open", name)
	}
	s.open = s.open[:len(s.open)-1]
	return nil
}

func (s *scanner) startTag() error {
	element := mark{pos: s.pos}
	s.pos++
	if element.name = s.name(); element.name == "" {
		return s.bad(element.pos, `"<" does not begin an element`)
	}
	if len(s.open) == 0 {
		s.roots++
	}
	s.attributes = s.attributes[:0]
	for {
		apart := s.blanks()
		switch {
		case s.take("/>"):
			return s.unique()
		case s.take(">"):
			s.open = append(s.open, element)
			return s.unique()
		case !apart:
			return s.bad(s.pos, "the tag of element %s does not end", element.name)
		}
		if err := s.attribute(); err != nil {
			return err
		}
	}
}

func (s *scanner) attribute() error {
	begin := s.pos
	name := s.name()
	s.blanks()
	equals := s.take("=")
	s.blanks()
	if name == "" || !equals || s.pos == len(s.text) || s.text[s.pos] != '"' && s.text[s.pos] != '\'' {
		return s.bad(begin, `want attribute="value"`)
	}
	quote := s.text[s.pos : s.pos+1]
	end := s.find(s.pos+1, quote)
	if end == len(s.text) {
		return s.bad(begin, "the value of attribute %s does not end", name)
	}
	if i := strings.IndexByte(s.text[s.pos:end], '<'); i >= 0 {
		return s.bad(s.pos+i, `"<" in the value of attribute %s`, name)
	}
	err := s.references(s.pos, end)
	s.pos = end + 1
	s.attributes = append(s.attributes, mark{name, begin})
	return err
}

// unique wants that no attribute is there twice.
func (s *scanner) unique() error {
	slices.SortFunc(s.attributes, func(a, b mark) int { return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.pos, b.pos)) })
	for i := 1; i < len(s.attributes); i++ {
		if again := s.attributes[i]; again.name == s.attributes[i-1].name {
			return s.bad(again.pos, "attribute %s is there twice", again.name)
		}
	}
	return nil
}

// name reads a name, "" when there is none. It has at most one colon.
func (s *scanner) name() string {
	end, colons := s.pos, 0
	for end < len(s.text) && nameBytes[s.text[end]] {
		if s.text[end] == ':' {
			colons++
		}
		end++
	}
	if end == s.pos || colons > 1 || strings.IndexByte("-.0123456789", s.text[s.pos]) >= 0 {
		return ""
	}
	name := s.text[s.pos:end]
	s.pos = end
	return name
}

// nameBytes are those that names are made of; the first is no digit, dash or dot.
var nameBytes = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:-.") {
		table[c] = true
	}
	return table
}()

// blanks goes over white space and reports whether there was any.
func (s *scanner) blanks() bool {
	begin := s.pos
	for s.pos < len(s.text) && blank(s.text[s.pos]) {
		s.pos++
	}
	return s.pos > begin
}

// take goes over a text that stands here.
func (s *scanner) take(text string) bool {
	if !strings.HasPrefix(s.text[s.pos:], text) {
		return false
	}
	s.pos += len(text)
	return true
}
