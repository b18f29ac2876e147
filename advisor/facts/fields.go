package facts

import (
	"fmt"
	"math"
	"reflect"
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
		e, err := compile(source, "a parameter's value must be a number", reflect.Int, reflect.Float64)
		if err != nil {
			return nil, err
		}
		fields = append(fields, e)
	}
	return fields, nil
}

// EvalFields computes a parameter's value from fields of [CompileFields].
// Fractions are cut off. There is none if facts are missing or a result is too
// large, as after a division by zero.
func EvalFields(fields []Expr, f Facts) (sysctl.Value, []Missing) {
	words := make([]string, len(fields))
	for i, e := range fields {
		answer, missing := e.Eval(f)
		if missing != nil {
			return "", missing
		}
		fraction, isFraction := answer.(float64)
		switch {
		case !isFraction:
			words[i] = fmt.Sprint(answer)
		case math.Abs(fraction) <= 1<<53: // which neither NaN nor an infinity is
			words[i] = strconv.FormatInt(int64(fraction), 10)
		default:
			return "", []Missing{{Name: Name(e.String()), Gap: Gap{Cause: sysctl.Failed, Detail: fmt.Sprintf("comes to %v", fraction)}}}
		}
	}
	return sysctl.Value(strings.Join(words, " ")), nil
}
