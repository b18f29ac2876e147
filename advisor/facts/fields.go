package facts

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// Flatten joins the keys of nested tables with dots: TOML reads
// "sockets.time_wait = 1" as a table within a table.
func Flatten(tree map[string]any) map[Name]any {
	flat := map[Name]any{}
	flatten(tree, "", flat)
	return flat
}

func flatten(tree map[string]any, prefix string, flat map[Name]any) {
	for key, content := range tree {
		if table, ok := content.(map[string]any); ok {
			flatten(table, prefix+key+".", flat)
		} else {
			flat[Name(prefix+key)] = content
		}
	}
}

// CompileFields reads a parameter's value as rules and profiles write it: a
// number, an expression in a string, or a list of these.
func CompileFields(content any) ([]Expr, error) {
	items, isList := content.([]any)
	if !isList {
		items = []any{content}
	}
	var fields []Expr
	for _, item := range items {
		var source string
		switch item := item.(type) {
		case int64:
			source = strconv.FormatInt(item, 10)
		case string:
			source = item
		default:
			return nil, fmt.Errorf("want a number or an expression in a string, not %v", item)
		}
		e, err := Compile(source)
		if err != nil {
			return nil, err
		}
		fields = append(fields, e)
	}
	return fields, nil
}

// EvalFields computes a parameter's value. Fractions are cut off. It has none if
// facts are missing or the result is not a number.
func EvalFields(fields []Expr, f Facts) (sysctl.Value, []Missing) {
	words := make([]string, len(fields))
	for i, e := range fields {
		answer, missing := e.Eval(f)
		if missing != nil {
			return "", missing
		}
		switch n := answer.(type) {
		case int:
			words[i] = strconv.Itoa(n)
		case float64:
			if math.IsNaN(n) || math.Abs(n) > 1<<53 {
				return "", []Missing{{Name: Name(e.String()), Gap: Gap{Cause: sysctl.Failed, Detail: "not a number"}}}
			}
			words[i] = strconv.FormatInt(int64(n), 10)
		default:
			return "", []Missing{{Name: Name(e.String()), Gap: Gap{Cause: sysctl.Failed, Detail: "not a number"}}}
		}
	}
	return sysctl.Value(strings.Join(words, " ")), nil
}
