package provisioner

import (
	"bytes"
	"strconv"

	"github.com/flosch/pongo2/v6"
)

// The tags here are the engine's, but evaluate simple expressions without it.

// writeTag is what {{ }} becomes: {% write x %}. Authors cannot write it.
const writeTag = "write"

type writeNode struct{ expression }

func parseWrite(_ *pongo2.Parser, _ *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	e, err := parseExpression(arguments)
	return writeNode{e}, err
}

func (n writeNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	switch simple := n.simple.(type) {
	case *calculation:
		if number, ok := simple.number(ctx); ok {
			writeNumber(w, number)
			return nil
		}
	case *call:
		if done, err := simple.write(ctx, w); done {
			return err
		}
	}
	v, err := n.evaluate(ctx)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		_, _ = w.WriteString(v) // a buffer cannot fail
	case int:
		writeNumber(w, v)
	case *pongo2.Value:
		_, _ = w.WriteString(v.String())
	default:
		_, _ = w.WriteString(pongo2.AsValue(v).String())
	}
	return nil
}

func writeNumber(w pongo2.TemplateWriter, n int) {
	if buffer, ok := w.(*bytes.Buffer); ok {
		_, _ = buffer.Write(strconv.AppendInt(buffer.AvailableBuffer(), int64(n), 10))
		return
	}
	_, _ = w.WriteString(strconv.Itoa(n))
}

// setNode is {% set x = y %}. It ends a rendering when the value is too large.
type setNode struct {
	expression
	token *pongo2.Token
	name  string
}

func parseSet(_ *pongo2.Parser, start *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	name := arguments.MatchType(pongo2.TokenIdentifier)
	if name == nil {
		return nil, arguments.Error("want the name of a variable", nil)
	}
	if arguments.Match(pongo2.TokenSymbol, "=") == nil {
		return nil, arguments.Error("want = after the name of a variable", nil)
	}
	e, err := parseExpression(arguments)
	return &setNode{e, start, name.Val}, err
}

func (n *setNode) Execute(ctx *pongo2.ExecutionContext, _ pongo2.TemplateWriter) *pongo2.Error {
	v, err := n.evaluate(ctx)
	if err != nil {
		return err
	}
	ctx.Private[n.name] = v
	if tooLarge(v) {
		return budgetOf(ctx).outgrown(n.name, n.token)
	}
	return nil
}

// ifNode is {% if a %}{% elif b %}{% else %}{% endif %}.
type ifNode struct {
	conditions []expression
	bodies     []*pongo2.NodeWrapper // one more than conditions when there is an else
}

func parseIf(doc *pongo2.Parser, _ *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	node := &ifNode{}
	for end := "elif"; end != "endif"; {
		ends := []string{"endif"}
		if end == "elif" {
			condition, err := parseExpression(arguments)
			if err != nil {
				return nil, err
			}
			node.conditions = append(node.conditions, condition)
			ends = []string{"elif", "else", "endif"}
		}
		body, next, err := doc.WrapUntilTag(ends...)
		if err != nil {
			return nil, err
		}
		node.bodies = append(node.bodies, body)
		end, arguments = body.Endtag, next
		if end != "elif" && arguments.Remaining() > 0 {
			return nil, arguments.Error(end+" takes no arguments", nil)
		}
	}
	return node, nil
}

func (n *ifNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	for i, condition := range n.conditions {
		v, err := condition.evaluate(ctx)
		if err != nil {
			return err
		}
		if isTrue(v) {
			return n.bodies[i].Execute(ctx, w)
		}
	}
	if len(n.bodies) > len(n.conditions) {
		return n.bodies[len(n.conditions)].Execute(ctx, w)
	}
	return nil
}

func isTrue(v any) bool {
	if v, is := v.(*pongo2.Value); is {
		return v.IsTrue()
	}
	is, _ := truth(v)
	return is
}
