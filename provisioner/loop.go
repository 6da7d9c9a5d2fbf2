package provisioner

import (
	"slices"

	"github.com/flosch/pongo2/v6"
)

// forNode is {% for x in list %}{% empty %}{% endfor %}. A list of a view is
// walked over as it is; whatever else, and what is sorted, the engine goes
// through.
type forNode struct {
	list             expression
	name, value      string // the second is that of {% for name, value in object %}
	reversed, sorted bool
	body, empty      *pongo2.NodeWrapper // empty is nil without {% empty %}
}

// loopState is what a template sees as forloop. The engine reads its members by
// reflection.
type loopState struct {
	Counter, Counter0, Revcounter, Revcounter0 int
	First, Last                                bool
	Parentloop                                 *loopState
}

// member is one of those that are plain values; false for all else.
func (l *loopState) member(name string) (any, bool) {
	switch name {
	case "Counter":
		return l.Counter, true
	case "Counter0":
		return l.Counter0, true
	case "First":
		return l.First, true
	case "Last":
		return l.Last, true
	}
	return nil, false
}

// loopName is the variable that holds the innermost loopState.
const loopName = "forloop"

func parseFor(doc *pongo2.Parser, _ *pongo2.Token, arguments *pongo2.Parser) (pongo2.INodeTag, *pongo2.Error) {
	node := &forNode{}
	if err := node.parseHead(arguments); err != nil {
		return nil, err
	}
	body, rest, err := doc.WrapUntilTag("empty", "endfor")
	if err != nil {
		return nil, err
	}
	node.body = body
	if body.Endtag == "empty" && rest.Count() == 0 {
		if node.empty, rest, err = doc.WrapUntilTag("endfor"); err != nil {
			return nil, err
		}
	}
	if rest.Count() > 0 {
		return nil, rest.Error("the end of a loop takes no arguments", nil)
	}
	return node, nil
}

func (n *forNode) parseHead(arguments *pongo2.Parser) (err *pongo2.Error) {
	name := arguments.MatchType(pongo2.TokenIdentifier)
	if name == nil {
		return arguments.Error("want the name of a variable", nil)
	}
	n.name = name.Val
	if arguments.Match(pongo2.TokenSymbol, ",") != nil {
		value := arguments.MatchType(pongo2.TokenIdentifier)
		if value == nil {
			return arguments.Error("want the name of a variable after the comma", nil)
		}
		n.value = value.Val
	}
	if arguments.Match(pongo2.TokenKeyword, "in") == nil {
		return arguments.Error("want in after the name of a variable", nil)
	}
	if n.list, err = parseNextExpression(arguments); err != nil {
		return err
	}
	n.reversed = arguments.Match(pongo2.TokenIdentifier, "reversed") != nil
	n.sorted = arguments.Match(pongo2.TokenIdentifier, "sorted") != nil
	if arguments.Remaining() > 0 {
		return arguments.Error("a loop takes no more than reversed and sorted", nil)
	}
	return nil
}

func (n *forNode) Execute(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	inner := pongo2.NewChildExecutionContext(ctx)
	loop := &loopState{First: true}
	loop.Parentloop, _ = ctx.Private[loopName].(*loopState)
	inner.Private[loopName] = loop
	v, err := n.list.evaluate(inner)
	if err != nil {
		return err
	}
	if list, plain := v.([]any); plain && !n.sorted {
		return n.walk(list, loop, inner, w)
	}
	return n.walkByEngine(v, loop, inner, w)
}

// walk goes through a list of a view.
func (n *forNode) walk(list []any, loop *loopState, ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	if n.reversed {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	for i, element := range list {
		ctx.Private[n.name] = element
		loop.turn(i, len(list))
		if err := n.body.Execute(ctx, w); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return n.executeEmpty(ctx, w)
	}
	return nil
}

// walkByEngine goes through anything, in the engine's order.
func (n *forNode) walkByEngine(v any, loop *loopState, ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) (err *pongo2.Error) {
	list, wrapped := v.(*pongo2.Value)
	if !wrapped {
		list = pongo2.AsValue(v)
	}
	list.IterateOrder(func(i, count int, key, value *pongo2.Value) bool {
		ctx.Private[n.name] = key
		if value != nil {
			ctx.Private[n.value] = value
		}
		loop.turn(i, count)
		err = n.body.Execute(ctx, w)
		return err == nil
	}, func() { err = n.executeEmpty(ctx, w) }, n.reversed, n.sorted)
	return err
}

func (n *forNode) executeEmpty(ctx *pongo2.ExecutionContext, w pongo2.TemplateWriter) *pongo2.Error {
	if n.empty == nil {
		return nil
	}
	return n.empty.Execute(ctx, w)
}

// turn is the state of element i, from 0. As in the engine, the first two
// elements and the last decide, also where it goes through a text from its end.
func (l *loopState) turn(i, count int) {
	l.Counter, l.Counter0 = i+1, i
	l.Revcounter, l.Revcounter0 = count-i, count-i-1
	l.First = l.First && i != 1
	l.Last = l.Last || i == count-1
}
