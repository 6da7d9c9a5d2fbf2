package provisioner

import (
	"bytes"
	"fmt"
	"maps"

	"github.com/flosch/pongo2/v6"
)

// The engine calls a macro by reflection, copies every variable, and makes a text
// of what it writes. A macro that no other file imports is called here: it
// writes where it is called. The engine can call it too.

// defineTag stands for {% macro %} of a macro without export. Authors cannot
// write it.
const (
	defineTag    = "define"
	endDefineTag = "end" + defineTag
)

// macroNode is {% macro name(a, b=1) %}{% endmacro %}.
type macroNode struct {
	token      *pongo2.Token
	name       string
	parameters []parameter
	body       *pongo2.NodeWrapper
}

type parameter struct {
	name     string
	fallback *expression // nil: none
}

func parseMacro(doc *pongo2.Parser, start *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	node := &macroNode{token: start}
	if err := node.parseHead(arguments); err != nil {
		return nil, err
	}
	body, rest, err := doc.WrapUntilTag(endDefineTag)
	if err != nil {
		return nil, err
	}
	if rest.Count() > 0 {
		return nil, rest.Error("the end of a macro takes no arguments", nil)
	}
	node.body = body
	return node, nil
}

func (n *macroNode) parseHead(arguments *pongo2.Parser) *pongo2.Error {
	name := arguments.MatchType(pongo2.TokenIdentifier)
	if name == nil || arguments.Match(pongo2.TokenSymbol, "(") == nil {
		return arguments.Error("want the name of a macro and (", nil)
	}
	n.name = name.Val
	for arguments.Match(pongo2.TokenSymbol, ")") == nil {
		if err := n.parseParameter(arguments); err != nil {
			return err
		}
		if arguments.Match(pongo2.TokenSymbol, ",") == nil && arguments.Peek(pongo2.TokenSymbol, ")") == nil {
			return arguments.Error("want , or ) after a parameter", nil)
		}
	}
	if arguments.Remaining() > 0 {
		return arguments.Error("a macro takes no more than its parameters and export", nil)
	}
	return nil
}

func (n *macroNode) parseParameter(arguments *pongo2.Parser) *pongo2.Error {
	name := arguments.MatchType(pongo2.TokenIdentifier)
	if name == nil {
		return arguments.Error("want the name of a parameter", nil)
	}
	p := parameter{name: name.Val}
	if arguments.Match(pongo2.TokenSymbol, "=") != nil {
		fallback, err := parseNextExpression(arguments)
		if err != nil {
			return err
		}
		p.fallback = &fallback
	}
	n.parameters = append(n.parameters, p)
	return nil
}

// A macroFunc is a macro as the engine calls it: with its arguments. Handed a
// macroCall alone, it carries that out.
type macroFunc func(arguments ...*pongo2.Value) (*pongo2.Value, error)

// A macroCall is a call without the engine.
type macroCall struct {
	arguments []any
	w         pongo2.TemplateWriter
	err       *pongo2.Error
}

// Execute makes the macro a variable. It sees the variables of the place where
// it was defined.
func (n *macroNode) Execute(ctx *pongo2.ExecutionContext, _ pongo2.TemplateWriter) *pongo2.Error {
	ctx.Private[n.name] = macroFunc(func(arguments ...*pongo2.Value) (*pongo2.Value, error) {
		values := make([]any, len(arguments))
		for i, argument := range arguments {
			values[i] = argument.Interface()
		}
		if len(values) == 1 {
			if call, is := values[0].(*macroCall); is {
				call.err = n.call(ctx, call.arguments, call.w)
				return pongo2.AsValue(nil), nil
			}
		}
		var b bytes.Buffer
		if err := n.call(ctx, values, &b); err != nil {
			return nil, err
		}
		return pongo2.AsValue(b.String()), nil
	})
	return nil
}

func (n *macroNode) call(ctx *pongo2.ExecutionContext, arguments []any, w pongo2.TemplateWriter) *pongo2.Error {
	if len(arguments) > len(n.parameters) {
		return ctx.OrigError(fmt.Errorf("macro %q takes %d arguments, not %d", n.name, len(n.parameters), len(arguments)), n.token)
	}
	inner := *ctx
	inner.Private = maps.Clone(ctx.Private)
	for i, p := range n.parameters {
		switch {
		case i < len(arguments):
			inner.Private[p.name] = arguments[i]
		case p.fallback != nil:
			v, err := p.fallback.evaluate(ctx)
			if err != nil {
				return err
			}
			inner.Private[p.name] = v
		default:
			inner.Private[p.name] = nil
		}
	}
	return n.body.Execute(&inner, w)
}

// A call is "macro(x, 1)".
type call struct {
	macro     string
	arguments []simple
}

// value is what the macro writes. When that fails, the engine calls again, and
// tells of it.
func (c *call) value(ctx *pongo2.ExecutionContext) (any, bool) {
	var b bytes.Buffer
	done, err := c.write(ctx, &b)
	return b.String(), done && err == nil
}

// write has the macro write in place; false when only the engine can tell what
// is called.
func (c *call) write(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) (done bool, err *pongo2.Error) {
	macro, ok := valueOf(ctx, c.macro).(macroFunc)
	if !ok {
		return false, nil
	}
	made := macroCall{w: w, arguments: make([]any, len(c.arguments))}
	for i, argument := range c.arguments {
		if made.arguments[i], ok = argument.value(ctx); !ok {
			return false, nil
		}
	}
	_, _ = macro(pongo2.AsValue(&made)) // which holds the error
	return true, made.err
}
