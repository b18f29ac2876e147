package facts

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Template is a sentence with facts in it: "{sockets.time_wait} of
// {net.ipv4.tcp_max_tw_buckets} are in use". Between braces stands an [Expr].
type Template struct {
	source string
	texts  []string // one more than exprs
	exprs  []Expr
}

// CompileTemplate reads a template and checks its expressions.
func CompileTemplate(source string) (Template, error) {
	t := Template{source: source}
	for rest := source; ; {
		text, after, found := strings.Cut(rest, "{")
		t.texts = append(t.texts, text)
		if !found {
			return t, nil
		}
		inside, behind, closed := strings.Cut(after, "}")
		if !closed {
			return Template{}, fmt.Errorf("%q: a brace is opened and not closed", source)
		}
		e, err := Compile(inside)
		if err != nil {
			return Template{}, err
		}
		t.exprs = append(t.exprs, e)
		rest = behind
	}
}

// Needs are the facts that the template mentions.
func (t Template) Needs() []Name {
	var needs []Name
	for _, e := range t.exprs {
		needs = append(needs, e.Needs()...)
	}
	return needs
}

// Render fills in the facts. One that is missing shows as "unknown".
func (t Template) Render(f Facts) string { return strings.Join(t.Parts(f), "") }

// Parts are what Render joins: text and facts by turns, text first and last.
func (t Template) Parts(f Facts) []string {
	parts := make([]string, 0, 2*len(t.texts))
	for i, text := range t.texts {
		parts = append(parts, text)
		if i == len(t.exprs) {
			break
		}
		answer, missing := t.exprs[i].Eval(f)
		fraction, _ := answer.(float64)
		if missing != nil || math.IsNaN(fraction) || math.IsInf(fraction, 0) {
			parts = append(parts, "unknown")
		} else {
			parts = append(parts, Format(answer))
		}
	}
	return parts
}

// String is the template as written.
func (t Template) String() string { return t.source }

// Format prints a fact's content: whole numbers as they are, others with at
// most one decimal.
func Format(content any) string {
	switch c := content.(type) {
	case float64:
		return strings.TrimSuffix(strconv.FormatFloat(c, 'f', 1, 64), ".0")
	case bool:
		if c {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(content)
}
