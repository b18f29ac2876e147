package facts

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// A Template is a sentence with facts in it: "{sockets.time_wait} of
// {net.ipv4.tcp_max_tw_buckets} are in use". Between braces stands an [Expr].
type Template struct {
	source string
	parts  func() parts
}

// parts are what stands outside and between the braces of a template.
type parts struct {
	texts []string // one more than exprs
	exprs []Expr
}

// CompileTemplate reads a template and checks its expressions.
func CompileTemplate(source string) (Template, error) {
	p, err := splitTemplate(source)
	return Template{source, func() parts { return p }}, err
}

// CheckedTemplate is a template that [CompileTemplate] has found to be one before
// the program was built. It is compiled when it is first used.
func CheckedTemplate(source string) Template {
	return Template{source, sync.OnceValue(func() parts {
		p, err := splitTemplate(source)
		if err != nil {
			return parts{texts: []string{source}}
		}
		return p
	})}
}

func splitTemplate(source string) (parts, error) {
	t := parts{}
	for rest := source; ; {
		text, after, found := strings.Cut(rest, "{")
		t.texts = append(t.texts, text)
		if !found {
			return t, nil
		}
		inside, behind, closed := strings.Cut(after, "}")
		if !closed {
			return parts{}, fmt.Errorf("%q: a brace is opened and not closed", source)
		}
		e, err := Compile(inside)
		if err != nil {
			return parts{}, err
		}
		t.exprs = append(t.exprs, e)
		rest = behind
	}
}

// Needs are the facts that the template mentions.
func (t Template) Needs() []Name {
	var needs []Name
	for _, e := range t.parts().exprs {
		needs = append(needs, e.Needs()...)
	}
	return needs
}

// Render fills in the facts. One that is missing shows as "unknown".
func (t Template) Render(f Facts) string { return strings.Join(t.Parts(f), "") }

// Parts are what Render joins: text and facts by turns, text first and last.
func (t Template) Parts(f Facts) []string {
	p := t.parts()
	joined := make([]string, 0, 2*len(p.texts))
	for i, text := range p.texts {
		joined = append(joined, text)
		if i == len(p.exprs) {
			break
		}
		answer, missing := p.exprs[i].Eval(f)
		fraction, _ := answer.(float64)
		if missing != nil || math.IsNaN(fraction) || math.IsInf(fraction, 0) {
			joined = append(joined, "unknown")
		} else {
			joined = append(joined, Format(answer))
		}
	}
	return joined
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
