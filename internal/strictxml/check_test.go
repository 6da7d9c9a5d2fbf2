package strictxml_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"dialtone/internal/strictxml"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name, body string
		line       int
		reason     string // "" = well-formed
	}{
		{"an element", "<a/>", 0, ""},
		{"a declaration", "<?xml version=\"1.0\" encoding='utf-8' standalone=\"no\" ?>\n<a/>\n", 0, ""},
		{"everything allowed", "<!-- < & -->\n<a:b c='\"&#39;&#x1F600;' d = \">]]>'\" ><![CDATA[<&]]&gt;]]>ü &lt;&amp;]]<c.d-e_1/></a:b >\r\n\t<!----> ", 0, ""},

		{"nothing", "", 1, "0 root elements"},
		{"no root", "<!-- -->\n", 2, "0 root elements"},
		{"two roots", "<a/>\n<b/>", 2, "2 root elements"},
		{"text before", "\n \nx<a/>", 3, "text outside"},
		{"text behind", "<a/>\n&amp;", 2, "text outside"},
		{"CDATA behind", "<a/>\n<![CDATA[ ]]>", 2, "CDATA"},
		{"byte order mark", "\ufeff<a/>", 1, "text outside"},

		{"not closed", "<a>\n<b>\n", 2, "element b is not closed"},
		{"closed crosswise", "<a>\n<b>\n</a></b>", 3, "</a> closes"},
		{"closed twice", "<a/>\n</a>", 2, "</a> closes"},
		{"end tag with an attribute", "<a>\n</a b='1'>", 2, "end tag does not end"},
		{"end tag without an end", "<a>\n</a", 2, "end tag does not end"},

		{"no name", "<a>\n< b/></a>", 2, "does not begin an element"},
		{"a digit first", "<a>\n<1/></a>", 2, "does not begin an element"},
		{"another script", "<a>\n<ü/></a>", 2, "does not begin an element"},
		{"two colons", "<a>\n<a:b:c/></a>", 2, "does not begin an element"},
		{"tag without an end", "<a>\n<b", 2, "the tag of element b"},
		{"slash inside", "<a>\n<b/ ></a>", 2, "the tag of element b"},
		{"attribute twice", "<a>\n<b x='1'\n y='2'\n x='3'/></a>", 4, "attribute x is there twice"},
		{"attributes side by side", "<a x='1'y='2'/>", 1, "the tag of element a"},
		{"attribute without a value", "<a\n x/>", 2, "want attribute"},
		{"attribute without quotes", "<a\n x=1/>", 2, "want attribute"},
		{"attribute without a name", "<a\n =\"1\"/>", 2, "want attribute"},
		{"attribute that does not end", "<a\n x='1/>\n", 2, "value of attribute x does not end"},
		{"element in an attribute", "<a x='\n<b/>'/>", 2, "in the value of attribute x"},

		{"entity of nobody", "<a>\n&nbsp;</a>", 2, `"&" does not begin`},
		{"entity without an end", "<a>\n&amp</a>;", 2, `"&" does not begin`},
		{"entity in an attribute", "<a b='1'\n c='&'/>", 2, `"&" does not begin`},
		{"number of no character", "<a>&#0;</a>", 1, `"&" does not begin`},
		{"number of half a character", "<a>&#xD800;</a>", 1, `"&" does not begin`},
		{"number of none", "<a>&#;</a>", 1, `"&" does not begin`},
		{"number with a sign", "<a>&#+65;</a>", 1, `"&" does not begin`},
		{"number beyond all", "<a>&#x110000;</a>", 1, `"&" does not begin`},
		{"end of CDATA", "<a>\n]]></a>", 2, `"]]>" in text`},
		{"CDATA that does not end", "<a>\n<![CDATA[</a>", 2, "CDATA"},
		{"comment that does not end", "<a>\n<!-- </a>", 2, "comment"},
		{"dashes in a comment", "<a>\n<!-- -- --></a>", 2, "comment"},

		{"control character", "<a>\n\x01</a>", 2, "a character that XML does not have"},
		{"broken UTF-8", "<a>\n\xc3</a>", 2, "a character that XML does not have"},
		{"no character", "<a b='\uffff'/>", 1, "a character that XML does not have"},
		{"declaration of XML 1.1", "<?xml version=\"1.1\"?><a/>", 1, "declaration"},
		{"declaration of another encoding", "<?xml version=\"1.0\" encoding=\"latin1\"?><a/>", 1, "declaration"},
		{"declaration after a line", "\n<?xml version=\"1.0\"?><a/>", 2, "declaration"},
		{"declaration twice", "<?xml version=\"1.0\"?>\n<?xml version=\"1.0\"?><a/>", 2, "declaration"},
		{"processing instruction", "<a>\n<?b?></a>", 2, `"<?" begins`},
		{"document type", "\n<!DOCTYPE a>\n<a/>", 2, `"<!" begins`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := strictxml.Check([]byte(tt.body))
			if tt.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var mistake *strictxml.Error
			if !errors.As(err, &mistake) || mistake.Line != tt.line || !strings.Contains(mistake.Reason, tt.reason) {
				t.Errorf("got %v, want line %d: %s", err, tt.line, tt.reason)
			}
		})
	}
}

// FuzzCheck holds Check to encoding/xml: nothing passes that it refuses, and
// what it takes is refused only where Check says that it is stricter.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"1\" c='&lt;'>t<!-- c --><d/><![CDATA[x]]></a>\n",
		"<a x:b='1' b='2'></a >", "<a>&#65;&#x41;&apos;]]&gt;</a>", "<a b='1' b='2'/>", "<a><b></a></b>", "<?p q?><!DOCTYPE a><a/>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err, reference := strictxml.Check(body), checkByDecoder(body)
		switch {
		case err == nil && reference != nil:
			t.Errorf("%q passes, but: %v", body, reference)
		case err != nil && reference == nil && !stricter.Match(body):
			t.Errorf("%q is well-formed, but: %v", body, err)
		}
	})
}

// stricter is what a text has in it where Check may refuse what the decoder
// takes: processing instructions and declarations, document types and CDATA
// outside of the root, illegal characters in comments, names that are not
// ASCII, numbers of surrogates, attributes side by side.
var stricter = regexp.MustCompile(`(?s)<\?|<![^-]|<!--.*[^\t\r\n -~]|<[^<>]*[^\t\r\n -~]|&#0*5[5-7]|&#x0*[dD]|["'][a-zA-Z_:]`)

// checkByDecoder is Check by the strict decoder of encoding/xml.
func checkByDecoder(body []byte) error {
	depth, roots := 0, 0
	err := tokens(body, (*xml.Decoder).Token, func(token xml.Token) error {
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(token)) > 0 {
				return errors.New("text outside")
			}
		}
		return nil
	})
	if err == nil && roots != 1 {
		err = errors.New("not one root")
	}
	if err != nil {
		return err
	}
	return tokens(body, (*xml.Decoder).RawToken, func(token xml.Token) error {
		element, _ := token.(xml.StartElement)
		seen := map[xml.Name]bool{}
		for _, attribute := range element.Attr {
			if seen[attribute.Name] {
				return errors.New("attribute twice")
			}
			seen[attribute.Name] = true
		}
		return nil
	})
}

func tokens(body []byte, next func(*xml.Decoder) (xml.Token, error), visit func(xml.Token) error) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := next(dec)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(token); err != nil {
			return err
		}
	}
}
