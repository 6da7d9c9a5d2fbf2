package provisioner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	case []string:
		return len(v) > 0, true
	case map[string]any:
		return len(v) > 0, true
	}
	return false, false
}

// A constant is written in the template.
type constant struct{ v any }

func (c constant) value(*pongo2.ExecutionContext) (any, bool) { return c.v, true }

// A reading is a variable with members.
type reading struct {
	name    string
	members []pathMember
}

// A pathMember is one of an object, or of a list when it has no name.
type pathMember struct {
	name  string
	index int
}

func (x *reading) value(ctx *pongo2.ExecutionContext) (any, bool) {
	v := unwrapped(valueOf(ctx, x.name))
	for _, m := range x.members {
		switch at := v.(type) {
		case nil:
			return nil, true
		case map[string]any:
			if m.name == "" {
				return nil, false
			}
			v = at[m.name]
		case []any:
			if m.name != "" {
				return nil, false
			}
			if v = nil; m.index < len(at) {
				v = at[m.index]
			}
		case *loopState:
			var known bool
			if v, known = at.member(m.name); !known {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	switch v.(type) {
	case nil, bool, int, string, []any, []string, map[string]any:
		return v, true
	}
	return nil, false
}

func valueOf(ctx *pongo2.ExecutionContext, name string) any {
	if v, found := ctx.Private[name]; found {
		return v
	}
	return ctx.Public[name]
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

// A filtering is "x|filter:y".
type filtering struct {
	filter   func(v, argument any) (any, bool)
	of       simple
	argument simple // nil: none
}

func (f filtering) value(ctx *pongo2.ExecutionContext) (any, bool) {
	v, ok := f.of.value(ctx)
	if !ok || f.argument == nil {
		if !ok {
			return nil, false
		}
		return f.filter(v, nil)
	}
	argument, ok := f.argument.value(ctx)
	if !ok {
		return nil, false
	}
	return f.filter(v, argument)
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

func truthOf(of simple, ctx *pongo2.ExecutionContext) (isTrue, ok bool) {
	v, ok := of.value(ctx)
	if !ok {
		return false, false
	}
	return truth(v)
}

// A calculation is a sum, a product and the like.
type calculation struct {
	of   func(m, n int) int
	a, b simple

	divides bool
}

func (c *calculation) value(ctx *pongo2.ExecutionContext) (any, bool) {
	n, ok := c.number(ctx)
	return n, ok
}

// number is the value, without an interface around it.
func (c *calculation) number(ctx *pongo2.ExecutionContext) (int, bool) {
	m, ok := numberOf(c.a, ctx)
	if !ok {
		return 0, false
	}
	n, ok := numberOf(c.b, ctx)
	if !ok || c.divides && n == 0 {
		return 0, false
	}
	return c.of(m, n), true
}

func numberOf(of simple, ctx *pongo2.ExecutionContext) (int, bool) {
	if c, is := of.(*calculation); is {
		return c.number(ctx)
	}
	v, ok := of.value(ctx)
	n, is := v.(int)
	return n, ok && is
}

// calculations by their operators.
var calculations = map[string]func(m, n int) int{
	"+": func(m, n int) int { return m + n },
	"-": func(m, n int) int { return m - n },
	"*": func(m, n int) int { return m * n },
	"/": func(m, n int) int { return m / n },
	"%": func(m, n int) int { return m % n },
}

func calculate(operator string, a, b simple) simple {
	return &calculation{calculations[operator], a, b, operator == "/" || operator == "%"}
}

// A relation is "a == b" and the like.
type relation struct {
	ofNumbers func(m, n int) bool
	ofOthers  func(a, b any) (isTrue, ok bool) // nil: only the engine can tell
	a, b      simple
	numbers   bool // at least one of them is one
}

func (c *relation) value(ctx *pongo2.ExecutionContext) (any, bool) {
	if c.numbers {
		m, ok := numberOf(c.a, ctx)
		if !ok {
			return nil, false
		}
		n, ok := numberOf(c.b, ctx)
		return c.ofNumbers != nil && c.ofNumbers(m, n), ok && c.ofNumbers != nil
	}
	a, ok := c.a.value(ctx)
	if !ok {
		return nil, false
	}
	b, ok := c.b.value(ctx)
	if !ok {
		return nil, false
	}
	m, isNumber := a.(int)
	n, areNumbers := b.(int)
	switch {
	case isNumber && areNumbers && c.ofNumbers != nil:
		return c.ofNumbers(m, n), true
	case c.ofOthers != nil:
		return c.ofOthers(a, b)
	}
	return nil, false
}

// relations by their operators.
var relations = map[string]relation{
	"==": {ofNumbers: func(m, n int) bool { return m == n }, ofOthers: same},
	"!=": {ofNumbers: func(m, n int) bool { return m != n }, ofOthers: func(a, b any) (bool, bool) {
		is, ok := same(a, b)
		return !is, ok
	}},
	"<":  {ofNumbers: func(m, n int) bool { return m < n }},
	"<=": {ofNumbers: func(m, n int) bool { return m <= n }},
	">":  {ofNumbers: func(m, n int) bool { return m > n }},
	">=": {ofNumbers: func(m, n int) bool { return m >= n }},
	"in": {ofOthers: contained},
}

func same(a, b any) (is, ok bool) {
	if !isPlain(a) || !isPlain(b) {
		return false, false
	}
	return a == b, true
}

// contained is "a in b".
func contained(a, b any) (is, ok bool) {
	if !isPlain(a) {
		return false, false
	}
	switch b := b.(type) {
	case string:
		return strings.Contains(b, textOf(a)), true
	case []any:
		return slices.Contains(b, a), true
	case map[string]any:
		name, isName := a.(string)
		_, is := b[name]
		return is, isName
	}
	return false, false
}

// isPlain reports whether a value is no list or object.
func isPlain(v any) bool {
	switch v.(type) {
	case nil, bool, int, string:
		return true
	}
	return false
}

func compare(operator string, a, b simple) simple {
	c := relations[operator]
	_, first := a.(*calculation)
	_, second := b.(*calculation)
	c.a, c.b, c.numbers = a, b, first || second
	return &c
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

// conditions are relations joined by "and" and "or", which bind alike, to the
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
		operator, more = r.is(pongo2.TokenKeyword, "in")
	}
	if !more {
		return a, true
	}
	b, ok := r.sum()
	return compare(operator, a, b), ok
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
		a = calculate(operator, a, b)
	}
	return a, ok
}

func (r *expressionReader) product() (simple, bool) {
	a, ok := r.factor()
	for ok {
		operator, more := r.is(pongo2.TokenSymbol, "*", "/", "%")
		if !more {
			break
		}
		var b simple
		b, ok = r.factor()
		a = calculate(operator, a, b)
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
		s, ok = r.filter(s)
	}
	return s, ok
}

// filter is what goes on after "x|".
func (r *expressionReader) filter(of simple) (simple, bool) {
	name, _ := r.is(pongo2.TokenIdentifier)
	f := filtering{filter: simpleFilters[name], of: of}
	if _, with := r.is(pongo2.TokenSymbol, ":"); with {
		var ok bool
		if f.argument, ok = r.operand(); !ok {
			return nil, false
		}
	}
	return f, f.filter != nil
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

// reading is a variable with members, or the call of a macro.
func (r *expressionReader) reading() (simple, bool) {
	name, ok := r.is(pongo2.TokenIdentifier)
	if _, called := r.is(pongo2.TokenSymbol, "("); called {
		return r.call(name)
	}
	x := &reading{name: name}
	for ok {
		if _, more := r.is(pongo2.TokenSymbol, "."); !more {
			break
		}
		if name, is := r.is(pongo2.TokenIdentifier); is {
			x.members = append(x.members, pathMember{name: name})
			continue
		}
		var digits string
		digits, ok = r.is(pongo2.TokenNumber)
		i, err := strconv.Atoi(digits)
		x.members, ok = append(x.members, pathMember{index: i}), ok && err == nil
	}
	return x, ok
}

// call is what goes on after "macro(".
func (r *expressionReader) call(macro string) (simple, bool) {
	c := &call{macro: macro}
	for {
		if _, end := r.is(pongo2.TokenSymbol, ")"); end {
			return c, true
		}
		argument, ok := r.conditions()
		if !ok {
			return nil, false
		}
		c.arguments = append(c.arguments, argument)
		if _, more := r.is(pongo2.TokenSymbol, ","); more {
			continue
		}
		_, end := r.is(pongo2.TokenSymbol, ")")
		return c, end
	}
}
