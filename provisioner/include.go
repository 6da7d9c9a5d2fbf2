package provisioner

import (
	"maps"
	"slices"
	"strings"

	"github.com/flosch/pongo2/v6"
)

// The engine's include copies every variable, checks each name, and writes to a
// buffer of its own. Here a file without blocks is written in the place where it
// is included: it sees the variables that are there, and leaves none behind.

// A file that is whole stands between {% file %} and {% endfile %}, and is
// included by {% insert "acme/part.tpl" with x=1 only %}. Authors can write
// none of them.
const (
	fileTag   = "file"
	insertTag = "insert"

	openFile  = "{% " + fileTag + " %}"
	closeFile = "{% end" + fileTag + " %}"
)

// A parsedTemplate is a template file.
type parsedTemplate struct {
	template *pongo2.Template
	body     *pongo2.NodeWrapper // of a whole file
}

// wholeFiles are those without blocks: what a block is depends on the file that
// is rendered, and the engine alone knows which.
func wholeFiles(codes map[string][]code) map[string]bool {
	whole := map[string]bool{}
	for file, of := range codes {
		whole[file] = !slices.ContainsFunc(of, func(c code) bool { return c.begins("block") || c.begins("extends") })
	}
	return whole
}

// closed is the text of a file, marked as one when it is whole.
func (t *templateTree) closed(file, text string) string {
	if !t.whole[file] {
		return text
	}
	return openFile + text + closeFile
}

// fileNode is {% file %}{% endfile %}.
type fileNode struct{ body *pongo2.NodeWrapper }

func parseFile(doc *pongo2.Parser, _ *pongo2.Token, _ *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	body, _, err := doc.WrapUntilTag("end" + fileTag)
	return fileNode{body}, err
}

// bodyName is the variable that takes a file's body instead of its text.
const bodyName = "file_body"

func (n fileNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	if wanted, is := ctx.Public[bodyName].(*parsedTemplate); is {
		wanted.body = n.body
		return nil
	}
	return n.body.Execute(ctx, w)
}

// bodyOf is what a whole file consists of. The engine hands it to nobody but
// the file's own node.
func bodyOf(template *pongo2.Template, text string) *pongo2.NodeWrapper {
	wanted := &parsedTemplate{}
	if strings.HasPrefix(text, openFile) {
		_, _ = template.ExecuteBytes(pongo2.Context{bodyName: wanted}) // cannot fail: nothing is rendered
	}
	return wanted.body
}

// insertNode is {% insert "acme/part.tpl" with x=1 only %}.
type insertNode struct {
	token *pongo2.Token
	file  string
	with  []assignment
	only  bool
}

// An assignment is "x=1".
type assignment struct {
	name  string
	value expression
}

func parseInsert(_ *pongo2.Parser, start *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	node := &insertNode{token: start, file: arguments.MatchType(pongo2.TokenString).Val}
	arguments.Match(pongo2.TokenIdentifier, "if_exists") // it does, or the tree would not be parsed
	if arguments.Match(pongo2.TokenIdentifier, "with") != nil {
		if err := node.parseWith(arguments); err != nil {
			return nil, err
		}
	}
	if arguments.Remaining() > 0 {
		return nil, arguments.Error("an include takes with, variables that get a value, and only", nil)
	}
	return node, nil
}

func (n *insertNode) parseWith(arguments *pongo2.Parser) *pongo2.Error {
	for arguments.Remaining() > 0 && !n.only {
		name := arguments.MatchType(pongo2.TokenIdentifier)
		if name == nil {
			return arguments.Error("want the name of a variable", nil)
		}
		if arguments.Match(pongo2.TokenSymbol, "=") == nil {
			return arguments.Error("want = after the name of a variable", nil)
		}
		value, err := parseNextExpression(arguments)
		if err != nil {
			return err
		}
		n.with = append(n.with, assignment{name.Val, value})
		n.only = arguments.Match(pongo2.TokenIdentifier, "only") != nil
	}
	return nil
}

func (n *insertNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	b := budgetOf(ctx)
	inner := n.context(ctx, b)
	for _, a := range n.with {
		v, err := a.value.evaluate(ctx)
		if err != nil {
			return err
		}
		if tooLarge(v) {
			return b.outgrown(a.name, n.token)
		}
		inner.Private[a.name] = v
	}
	return b.files[n.file].body.Execute(inner, w)
}

// context is what an included file sees before it is handed anything: the
// variables that are there, and the loop around it, which is not the parent of
// its own loops.
func (n *insertNode) context(ctx *pongo2.ExecutionContext, b *budget) *pongo2.ExecutionContext {
	inner := *ctx
	if n.only {
		inner.Public, inner.Private = pongo2.Context{budgetName: b}, pongo2.Context{}
		return &inner
	}
	inner.Private = maps.Clone(ctx.Private)
	if loop, inLoop := inner.Private[loopName].(*loopState); inLoop {
		inner.Private[loopName] = pongo2.AsValue(loop)
	}
	return &inner
}
