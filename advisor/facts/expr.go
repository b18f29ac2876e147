package facts

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/tcptune/tcptune/sysctl"
)

// An Expr is a question to [Facts]: arithmetic and comparisons over names of
// the schema, and nothing else. There are no functions and no loops, so it
// ends.
type Expr struct {
	source string
	needs  []Name
	// plain is the whole expression if it compares a fact with a number, as most
	// do; program is then nil.
	plain   *comparison
	program *vm.Program
	later   func() Expr // compiles it; nil if that is done
}

// Checked is an expression of which [Compile] has found, before the program was
// built, that it is one, and that it needs those names, sorted. It is compiled
// when it is first asked, and only if nothing that it needs is missing.
func Checked(source string, needs []Name) Expr {
	e := Expr{source: source, needs: needs}
	if e.plain = plainText(source, needs); e.plain == nil {
		e.later = sync.OnceValue(func() Expr {
			e, _ := Compile(source)
			return e
		})
	}
	return e
}

// plainText reads an expression that was checked if it is three words that are a
// comparison. A check asks a hundred such, and parsing them would take longer
// than asking.
func plainText(source string, needs []Name) *comparison {
	words := strings.Fields(source)
	if len(words) != 3 || len(needs) != 1 || words[0] != string(needs[0]) || !slices.Contains(comparisons, words[1]) {
		return nil
	}
	number, err := strconv.Atoi(words[2])
	if err != nil {
		return nil
	}
	return &comparison{needs[0], words[1], number}
}

var comparisons = []string{"<", "<=", ">", ">=", "==", "!="}

// A comparison is "fact operator number".
type comparison struct {
	fact     Name
	operator string
	number   int
}

// holds compares a fact's content, an int or a float64.
func (c comparison) holds(content any) bool {
	if n, whole := content.(int); whole {
		return compare(n, c.operator, c.number)
	}
	n, _ := content.(float64)
	return compare(n, c.operator, float64(c.number))
}

func compare[T int | float64](a T, operator string, b T) bool {
	switch operator {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "==":
		return a == b
	}
	return a != b
}

// plainly reads a syntax tree that is no more than a comparison of a number of
// the schema with one written down; nil if it is more, or something else.
func plainly(node ast.Node) *comparison {
	n, ok := node.(*ast.BinaryNode)
	if !ok || !slices.Contains(comparisons, n.Operator) {
		return nil
	}
	name, _, isName := dotted(n.Left)
	number, isNumber := n.Right.(*ast.IntegerNode)
	if kind := Schema()[Name(name)].Kind; !isName || !isNumber || kind != Whole && kind != Decimal {
		return nil
	}
	return &comparison{Name(name), n.Operator, number.Value}
}

// maxNodes bounds an expression's size; the longest that is built in has a
// dozen.
const maxNodes = 64

// maxSource bounds its text before it is parsed: nesting costs stack.
const maxSource = 1024

// Compile reads an expression and checks its names and types against the
// schema. The error shows the place.
func Compile(source string) (Expr, error) { return compile(source, "") }

// CompileCondition is Compile for an expression that must answer yes or no.
func CompileCondition(source string) (Expr, error) {
	return compile(source, "a condition must be true or false", reflect.Bool)
}

// compile wants an answer of one of the kinds, or of any if none is named.
func compile(source, want string, kinds ...reflect.Kind) (Expr, error) {
	if len(source) > maxSource {
		return Expr{}, fmt.Errorf("an expression of %d characters is too long; %d are allowed", len(source), maxSource)
	}
	// Not expr.Compile, which parses once more and fills and empties a table of
	// builtins for every expression; here there are none to begin with.
	config := &conf.Config{MaxNodes: maxNodes, ShortCircuit: true}
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return Expr{}, explainExpr(source, err)
	}
	// A condition on an infinity would hold; in a sentence it shows as unknown.
	c := collector{source: source, names: map[Name]bool{}, anyDivisor: want == ""}
	c.collect(tree.Node)
	if c.err != nil {
		return Expr{}, c.err
	}
	needs := slices.Sorted(maps.Keys(c.names))
	if plain := plainly(tree.Node); plain != nil && (len(kinds) == 0 || slices.Contains(kinds, reflect.Bool)) {
		return Expr{source: source, needs: needs, plain: plain}, nil
	}
	config.WithEnv(environment(needs))
	got, err := checker.Check(tree, config)
	if err != nil {
		return Expr{}, explainExpr(source, err)
	}
	if len(kinds) > 0 && !slices.Contains(kinds, got.Kind()) {
		return Expr{}, caret(source, 0, fmt.Sprintf("%s, and this is a %s", want, kindOf(got)))
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return Expr{}, explainExpr(source, err)
	}
	return Expr{source: source, needs: needs, program: program}, nil
}

// kindOf names a type as the schema does.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return string(Whole)
	case reflect.Float64:
		return string(Decimal)
	case reflect.String:
		return string(Text)
	}
	return t.String()
}

// Needs are the names of the facts that the expression asks for, sorted.
func (e Expr) Needs() []Name { return e.needs }

// Compiled reports whether the expression can be asked as it is.
func (e Expr) Compiled() bool { return e.later == nil }

// String is the expression as written.
func (e Expr) String() string { return e.source }

// Missing is why an expression has no answer.
type Missing struct {
	Name Name
	Gap
}

func (m Missing) String() string { return string(m.Name) + ": " + m.Gap.String() }

// Eval answers the question. Where facts are missing there is no answer but the
// list of them; those that are definitively absent come first.
func (e Expr) Eval(f Facts) (any, []Missing) {
	if len(e.needs) == 1 { // mostly a name, or one compared with a number: no need of the machine
		v := f.Get(e.needs[0])
		if v.Missing != nil {
			return nil, []Missing{{e.needs[0], *v.Missing}}
		}
		if e.source == string(e.needs[0]) {
			return v.Content, nil
		}
		if e.later != nil {
			e = e.later()
		}
		if e.plain != nil {
			return e.plain.holds(v.Content), nil
		}
	}
	var missing []Missing
	env := map[string]any{}
	for _, name := range e.needs {
		v := f.Get(name)
		if v.Missing != nil {
			missing = append(missing, Missing{name, *v.Missing})
			continue
		}
		path := strings.Split(string(name), ".")
		node := env
		for _, part := range path[:len(path)-1] {
			child, ok := node[part].(map[string]any)
			if !ok {
				child = map[string]any{}
				node[part] = child
			}
			node = child
		}
		node[path[len(path)-1]] = v.Content
	}
	if missing != nil {
		slices.SortStableFunc(missing, func(a, b Missing) int {
			return cmp.Compare(rank(a.Gap), rank(b.Gap))
		})
		return nil, missing
	}
	if e.later != nil {
		e = e.later()
	}
	answer, err := any(nil), errors.New("is no expression")
	if e.program != nil {
		answer, err = vm.Run(e.program, env)
	}
	if err != nil {
		// The types were checked and nothing is nil, so this is a fault of the
		// expression such as a comparison of two infinities; it must not pass for no.
		return nil, []Missing{{Name: Name(e.source), Gap: Gap{Cause: sysctl.Failed, Detail: err.Error()}}}
	}
	return answer, nil
}

func rank(g Gap) int {
	if g.Cause.Definitive() {
		return 0
	}
	return 1
}

// A collector gathers the names in a syntax tree and refuses whatever is not
// arithmetic, comparison or logic.
type collector struct {
	source string
	names  map[Name]bool
	err    error
	// anyDivisor lets facts be divided by, which may be zero.
	anyDivisor bool
}

// isDivisor reports whether a node is a number other than zero.
func isDivisor(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return n.Value != 0
	case *ast.FloatNode:
		return n.Value != 0
	}
	return false
}

func (c *collector) collect(node ast.Node) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		if n.Value > 1<<53 || n.Value < -1<<53 {
			c.fail(n.Location(), "the number is too large")
		}
	case *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
	case *ast.UnaryNode:
		c.collect(n.Node)
	case *ast.BinaryNode:
		switch n.Operator {
		case "/":
			if !c.anyDivisor && !isDivisor(n.Right) {
				c.fail(n.Right.Location(), "want a number other than 0 to divide by; what needs more is a fact")
			}
			c.collect(n.Left)
			c.collect(n.Right)
		case "+", "-", "*", "<", "<=", ">", ">=", "==", "!=", "and", "or", "&&", "||":
			c.collect(n.Left)
			c.collect(n.Right)
		default:
			c.fail(n.Location(), "operator %q is not available here", n.Operator)
		}
	case *ast.IdentifierNode, *ast.MemberNode:
		name, start, ok := dotted(node)
		if !ok {
			c.fail(node.Location(), "want a fact's name such as sockets.time_wait")
			return
		}
		if _, known := Schema()[Name(name)]; !known {
			c.fail(start, "no fact is called %s%s", name, didYouMean(Name(name)))
			return
		}
		c.names[Name(name)] = true
	default:
		c.fail(node.Location(), "only comparisons, arithmetic and logic over facts are available here")
	}
}

func (c *collector) fail(at file.Location, format string, args ...any) {
	if c.err == nil {
		c.err = caret(c.source, at.From, fmt.Sprintf(format, args...))
	}
}

// dotted joins a chain of members into a name and tells where it starts.
func dotted(node ast.Node) (name string, start file.Location, ok bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value, n.Location(), true
	case *ast.MemberNode:
		property, isName := n.Property.(*ast.StringNode)
		if !isName || n.Optional || n.Method {
			return "", start, false
		}
		name, start, ok = dotted(n.Node)
		return name + "." + property.Value, start, ok
	}
	return "", start, false
}

// environment declares the names as nested maps with plain leaves, the form in
// which the compiler is strict.
func environment(names []Name) types.Map {
	env := types.Map{}
	for _, name := range names {
		path := strings.Split(string(name), ".")
		node := env
		for _, part := range path[:len(path)-1] {
			child, ok := node[part].(types.Map)
			if !ok {
				child = types.Map{}
				node[part] = child
			}
			node = child
		}
		leaf := types.Type(types.Int)
		switch Schema()[name].Kind {
		case Decimal:
			leaf = types.Float
		case Text:
			leaf = types.String
		case YesNo:
			leaf = types.Bool
		}
		node[path[len(path)-1]] = leaf
	}
	return env
}

func explainExpr(source string, err error) error {
	if at := (*file.Error)(nil); errors.As(err, &at) {
		return caret(source, at.From, at.Message)
	}
	return fmt.Errorf("%s: %w", source, err)
}

func caret(source string, offset int, message string) error {
	return fmt.Errorf("%s\n  %s\n  %s^", message, source, strings.Repeat(" ", min(max(offset, 0), len(source))))
}

// didYouMean names the schema's nearest name, if one is near.
func didYouMean(name Name) string {
	nearest, ok := Nearest(string(name), func(yield func(string) bool) {
		for known := range Schema() {
			if !yield(string(known)) {
				return
			}
		}
	})
	if !ok {
		return ""
	}
	return "; did you mean " + nearest + "?"
}

// Nearest is the word that was probably meant, if one is near enough.
func Nearest(word string, words iter.Seq[string]) (nearest string, ok bool) {
	if len(word) > 100 {
		return "", false // no word is that long, and the distance costs time
	}
	best := 1 + len(word)/4
	for candidate := range words {
		d := levenshtein.ComputeDistance(word, candidate)
		if d < best || d == best && (!ok || candidate < nearest) {
			nearest, best, ok = candidate, d, true
		}
	}
	return nearest, ok
}
