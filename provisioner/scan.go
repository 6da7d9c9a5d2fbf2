package provisioner

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A token is one word, string or symbol inside {{ }} or {% %}.
type token struct {
	kind tokenKind
	text string // of a string: what is between the quotes
	line int
	pos  int // byte in the text
}

type tokenKind int

const (
	tokenWord   tokenKind = iota // identifier, keyword or number
	tokenString                  // quoted
	tokenSymbol                  // anything else
)

// A code is one {{ }} or {% %} of a template.
type code struct {
	tag        bool // {% %}
	tokens     []token
	line       int
	start, end int  // bytes in the text, braces included
	trimsLeft  bool // begins with "-"
	trimsRight bool
}

// name is a tag's first word.
func (c code) name() string {
	if !c.tag || len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[0].text
}

// begins reports whether it is a tag of that name.
func (c code) begins(tag string) bool { return c.tag && c.is(0, tag) }

// is reports whether token i is the given symbol or word.
func (c code) is(i int, text string) bool {
	return i >= 0 && i < len(c.tokens) && c.tokens[i].kind != tokenString && c.tokens[i].text == text
}

// scanner splits a template as pongo2's lexer does. It exists because pongo2
// dies of a stack overflow on templates that include themselves, so they must
// be found before it parses anything. Where the two could differ, the scanner
// refuses the template.
type scanner struct {
	file string
	src  string
	pos  int
	line int
}

// Of what is within {% comment %} the engine sees nothing, whatever stands
// there, up to the first {% endcomment %}: nor does anyone see its codes.
func scanTemplate(file, src string) ([]code, error) {
	s := &scanner{file: file, src: src, line: 1}
	if !utf8.ValidString(src) {
		return nil, &FileError{File: file, Reason: "not UTF-8"}
	}
	var codes []code
	comment := false
	for s.pos < len(s.src) {
		rest := s.src[s.pos:]
		switch {
		case strings.HasPrefix(rest, "{#"):
			if err := s.comment(); err != nil {
				return nil, err
			}
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "{%"):
			c, err := s.code()
			if err != nil {
				return nil, err
			}
			if comment = comment && !c.begins("endcomment"); !comment {
				codes = append(codes, c)
				comment = c.begins("comment")
			}
		case rest[0] < ' ' && rest[0] != '\n' && rest[0] != '\t':
			return nil, s.bad("a control character")
		default:
			s.text()
		}
	}
	return codes, nil
}

func (s *scanner) bad(format string, args ...any) error {
	return &FileError{File: s.file, Line: s.line, Column: column(s.src, s.pos), Reason: fmt.Sprintf(format, args...)}
}

// column is the place of a byte in its line, in characters from 1.
func column(src string, pos int) int {
	return 1 + utf8.RuneCountInString(src[strings.LastIndexByte(src[:pos], '\n')+1:pos])
}

// text skips one byte outside of any code.
func (s *scanner) text() {
	if s.src[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

// comment skips {# ... #}, which ends on its line.
func (s *scanner) comment() error {
	rest, _, _ := strings.Cut(s.src[s.pos:], "\n")
	end := strings.Index(rest[2:], "#}")
	if end < 0 {
		return s.bad("a comment {# must end with #} on its line")
	}
	s.pos += 2 + end + 2
	return nil
}

// code reads {{ ... }} or {% ... %}, which ends on its line.
func (s *scanner) code() (code, error) {
	c := code{tag: s.src[s.pos+1] == '%', line: s.line, start: s.pos}
	end := map[bool]string{true: "%}", false: "}}"}[c.tag]
	s.pos += 2
	if strings.HasPrefix(s.src[s.pos:], "-") {
		s.pos++
		c.trimsLeft = true
	}
	for {
		rest := strings.TrimLeft(s.src[s.pos:], " \t\r")
		s.pos = len(s.src) - len(rest)
		if strings.HasPrefix(rest, end) {
			s.pos += len(end)
			c.end = s.pos
			return c, nil
		}
		if strings.HasPrefix(rest, "-"+end) {
			s.pos += 1 + len(end)
			c.end, c.trimsRight = s.pos, true
			return c, nil
		}
		t, err := s.token(rest)
		if err != nil {
			return code{}, err
		}
		c.tokens = append(c.tokens, t)
	}
}

// codeSymbols are the symbols within code, longest first.
var codeSymbols = []string{"==", ">=", "<=", "&&", "||", "!=", "<>",
	"(", ")", "+", "-", "*", "<", ">", "/", "^", ",", ".", "!", "|", ":", "=", "%", "[", "]"}

func (s *scanner) token(rest string) (token, error) {
	if rest == "" || rest[0] == '\n' {
		return token{}, s.bad("a tag or variable must end on its line")
	}
	if rest[0] == '"' || rest[0] == '\'' {
		return s.quoted(rest)
	}
	word := 0
	for word < len(rest) && (alphanumeric(rest[word]) || rest[word] == '_') {
		word++
	}
	if word > 0 {
		s.pos += word
		return token{tokenWord, rest[:word], s.line, s.pos - word}, nil
	}
	for _, symbol := range codeSymbols {
		if strings.HasPrefix(rest, symbol) {
			s.pos += len(symbol)
			return token{tokenSymbol, symbol, s.line, s.pos - len(symbol)}, nil
		}
	}
	return token{}, s.bad("unexpected %q in a tag or variable", firstRune(rest))
}

func (s *scanner) quoted(rest string) (token, error) {
	end := strings.IndexByte(rest[1:], rest[0])
	text, _, broken := strings.Cut(rest[1:max(end, 0)+1], "\n")
	if end < 0 || broken {
		return token{}, s.bad("a string is not closed on its line")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r < ' ' }) {
		return token{}, s.bad(`a string must not contain "\" or a control character`)
	}
	s.pos += end + 2
	return token{tokenString, text, s.line, s.pos - end - 2}, nil
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
