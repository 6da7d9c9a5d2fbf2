package provisioner

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/flosch/pongo2/v6"
)

// The engine evaluates by reflection, which was two fifths of the time that a
// large file took. Most of what templates say is simple: a variable, whether
// two are the same, a sum. That is evaluated here, to the same result; what is
// not understood here is left to the engine.

// An expression is one of a template.
type expression struct {
	simple simple // nil: it is not simple
	engine pongo2.IEvaluator
}

// A simple expression has a value of one of the kinds that a view is made of;
// false when only the engine can tell. It has no effects, so both may be asked.
type simple interface {
	value(ctx *pongo2.ExecutionContext) (any, bool)
}

// parseExpression takes all that a tag has left.
func parseExpression(arguments *pongo2.Parser) (expression, *pongo2.Error) {
	e, err := parseNextExpression(arguments)
	if err == nil && arguments.Remaining() > 0 {
		return expression{}, arguments.Error("the expression goes on where it should end", nil)
	}
	return e, err
}

// parseNextExpression takes as much as the engine would.
func parseNextExpression(arguments *pongo2.Parser) (expression, *pongo2.Error) {
	reader := &expressionReader{}
	for i := range arguments.Remaining() {
		reader.tokens = append(reader.tokens, arguments.GetR(i))
	}
	engine, err := arguments.ParseExpression()
	if err != nil {
		return expression{}, err
	}
	reader.tokens = reader.tokens[:len(reader.tokens)-arguments.Remaining()]
	return expression{reader.whole(), engine}, nil
}

// evaluate is the value of an expression: as a view has it, or as the engine
// made it.
func (e expression) evaluate(ctx *pongo2.ExecutionContext) (any, *pongo2.Error) {
	if e.simple != nil {
		if v, ok := e.simple.value(ctx); ok {
			return v, nil
		}
	}
	return e.evaluateByEngine(ctx)
}

// evaluateByEngine makes an error of a panic, for the engine divides by zero
// without a look.
func (e expression) evaluateByEngine(ctx *pongo2.ExecutionContext) (v *pongo2.Value, err *pongo2.Error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, ctx.OrigError(fmt.Errorf("panic: %v", p), e.engine.GetPositionToken())
		}
	}()
	return e.engine.Evaluate(ctx)
}

// truth is whether a value counts as true in conditions; false when only the
// engine can tell.
func truth(v any) (isTrue, ok bool) {
	switch v := v.(type) {
	case nil:
		return false, true
	case bool:
		return v, true
	case int:
		return v != 0, true
	case string:
		return v != "", true
	case []any:
		return len(v) > 0, true
	case map[string]any:
		return len(v) > 0, true
	}
	return false, false
}

// A constant is written in the template.
type constant struct{ v any }

func (c constant) value(*pongo2.ExecutionContext) (any, bool) { return c.v, true }

// A reading is a variable with members: strings, or ints for those of lists.
type reading struct {
	name    string
	members []any
}

func (x reading) value(ctx *pongo2.ExecutionContext) (any, bool) {
	v, found := ctx.Private[x.name]
	if !found {
		v = ctx.Public[x.name]
	}
	v = unwrapped(v)
	for _, name := range x.members {
		switch at := v.(type) {
		case nil:
			return nil, true
		case map[string]any:
			member, isName := name.(string)
			if !isName {
				return nil, false
			}
			v = at[member]
		case []any:
			i, isIndex := name.(int)
			if !isIndex {
				return nil, false
			}
			if v = nil; i < len(at) {
				v = at[i]
			}
		case *loopState:
			var known bool
			if v, known = at.member(name); !known {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	switch v.(type) {
	case nil, bool, int, string, []any, map[string]any:
		return v, true
	}
	return nil, false
}

// unwrapped is what the engine put into a value of its own.
func unwrapped(v any) any {
	if wrapped, is := v.(*pongo2.Value); is {
		return wrapped.Interface()
	}
	return v
}

// A negation is "not x", which is a number of a number.
type negation struct{ of simple }

func (n negation) value(ctx *pongo2.ExecutionContext) (any, bool) {
	v, ok := n.of.value(ctx)
	if !ok {
		return nil, false
	}
	isTrue, ok := truth(v)
	if _, number := v.(int); !number {
		return !isTrue, ok
	}
	if isTrue {
		return 0, true
	}
	return 1, true
}

// A fallback is "x|default:y".
type fallback struct{ of, other simple }

func (f fallback) value(ctx *pongo2.ExecutionContext) (any, bool) {
	v, ok := f.of.value(ctx)
	other, both := f.other.value(ctx)
	if !ok || !both {
		return nil, false
	}
	if isTrue, ok := truth(v); isTrue || !ok {
		return v, ok
	}
	return other, true
}

// A junction is "a and b" or "a or b".
type junction struct {
	or   bool
	a, b simple
}

func (j junction) value(ctx *pongo2.ExecutionContext) (any, bool) {
	isTrue, ok := truthOf(j.a, ctx)
	if !ok || isTrue == j.or {
		return isTrue, ok
	}
	return truthOf(j.b, ctx)
}

// An operation is a sum, a product or a comparison.
type operation struct {
	onNumbers func(m, n int) any
	onOthers  func(a, b any) any // nil: only the engine can tell
	a, b      simple
}

func (o operation) value(ctx *pongo2.ExecutionContext) (any, bool) {
	a, ok := o.a.value(ctx)
	if !ok {
		return nil, false
	}
	b, ok := o.b.value(ctx)
	if !ok {
		return nil, false
	}
	m, isNumber := a.(int)
	n, areNumbers := b.(int)
	switch {
	case isNumber && areNumbers:
		return o.onNumbers(m, n), true
	case o.onOthers != nil && isPlain(a) && isPlain(b):
		return o.onOthers(a, b), true
	}
	return nil, false
}

func truthOf(s simple, ctx *pongo2.ExecutionContext) (isTrue, ok bool) {
	v, ok := s.value(ctx)
	if !ok {
		return false, false
	}
	return truth(v)
}

// isPlain reports whether a value is no list or object.
func isPlain(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return false
	}
	return true
}

// operations by their operators.
var operations = map[string]operation{
	"==": {onNumbers: func(m, n int) any { return m == n }, onOthers: func(a, b any) any { return a == b }},
	"!=": {onNumbers: func(m, n int) any { return m != n }, onOthers: func(a, b any) any { return a != b }},
	"<":  {onNumbers: func(m, n int) any { return m < n }},
	"<=": {onNumbers: func(m, n int) any { return m <= n }},
	">":  {onNumbers: func(m, n int) any { return m > n }},
	">=": {onNumbers: func(m, n int) any { return m >= n }},
	"+":  {onNumbers: func(m, n int) any { return m + n }},
	"-":  {onNumbers: func(m, n int) any { return m - n }},
	"*":  {onNumbers: func(m, n int) any { return m * n }},
}

func operate(operator string, a, b simple) simple {
	o := operations[operator]
	o.a, o.b = a, b
	return o
}

// An expressionReader reads a simple expression by the engine's grammar.
type expressionReader struct {
	tokens []*pongo2.Token
	next   int
}

// whole is all the tokens as an expression; nil when that is not simple.
func (r *expressionReader) whole() simple {
	s, ok := r.conditions()
	if !ok || r.next < len(r.tokens) {
		return nil
	}
	return s
}

// is takes the next token when it is one of these words or symbols.
func (r *expressionReader) is(kind pongo2.TokenType, words ...string) (string, bool) {
	if r.next == len(r.tokens) {
		return "", false
	}
	t := r.tokens[r.next]
	if t.Typ != kind || len(words) > 0 && !slices.Contains(words, t.Val) {
		return "", false
	}
	r.next++
	return t.Val, true
}

// conditions are comparisons joined by "and" and "or", which bind alike, to the
// right.
func (r *expressionReader) conditions() (simple, bool) {
	a, ok := r.comparison()
	if !ok {
		return nil, false
	}
	operator, more := r.is(pongo2.TokenKeyword, "and", "or")
	if !more {
		return a, true
	}
	b, ok := r.conditions()
	return junction{operator == "or", a, b}, ok
}

func (r *expressionReader) comparison() (simple, bool) {
	a, ok := r.sum()
	if !ok {
		return nil, false
	}
	operator, more := r.is(pongo2.TokenSymbol, "==", "!=", "<", "<=", ">", ">=")
	if !more {
		return a, true
	}
	b, ok := r.sum()
	return operate(operator, a, b), ok
}

func (r *expressionReader) sum() (simple, bool) {
	_, negated := r.is(pongo2.TokenKeyword, "not")
	a, ok := r.product()
	if ok && negated {
		a = negation{a}
	}
	for ok {
		operator, more := r.is(pongo2.TokenSymbol, "+", "-")
		if !more {
			break
		}
		var b simple
		b, ok = r.product()
		a = operate(operator, a, b)
	}
	return a, ok
}

func (r *expressionReader) product() (simple, bool) {
	a, ok := r.factor()
	for ok {
		if _, more := r.is(pongo2.TokenSymbol, "*"); !more {
			break
		}
		var b simple
		b, ok = r.factor()
		a = operate("*", a, b)
	}
	return a, ok
}

func (r *expressionReader) factor() (simple, bool) {
	if _, open := r.is(pongo2.TokenSymbol, "("); open {
		s, ok := r.conditions()
		_, closed := r.is(pongo2.TokenSymbol, ")")
		return s, ok && closed
	}
	s, ok := r.operand()
	for ok {
		if _, filtered := r.is(pongo2.TokenSymbol, "|"); !filtered {
			break
		}
		_, known := r.is(pongo2.TokenIdentifier, "default")
		_, with := r.is(pongo2.TokenSymbol, ":")
		var other simple
		other, ok = r.operand()
		s, ok = fallback{s, other}, ok && known && with
	}
	return s, ok
}

// operand is a variable or a constant.
func (r *expressionReader) operand() (simple, bool) {
	if text, is := r.is(pongo2.TokenString); is {
		return constant{text}, true
	}
	if word, is := r.is(pongo2.TokenKeyword, "true", "false"); is {
		return constant{word == "true"}, true
	}
	if digits, is := r.is(pongo2.TokenNumber); is {
		n, err := strconv.Atoi(digits)
		return constant{n}, err == nil && !r.fraction()
	}
	return r.reading()
}

// fraction reports whether a number goes on behind a point.
func (r *expressionReader) fraction() bool {
	_, is := r.is(pongo2.TokenSymbol, ".")
	return is
}

func (r *expressionReader) reading() (simple, bool) {
	name, ok := r.is(pongo2.TokenIdentifier)
	x := reading{name: name}
	for ok {
		if _, more := r.is(pongo2.TokenSymbol, "."); !more {
			break
		}
		if member, is := r.is(pongo2.TokenIdentifier); is {
			x.members = append(x.members, member)
			continue
		}
		var digits string
		digits, ok = r.is(pongo2.TokenNumber)
		i, err := strconv.Atoi(digits)
		x.members, ok = append(x.members, i), ok && err == nil
	}
	return x, ok
}
