package facts

import (
	"github.com/tcptune/tcptune/sysctl"
)

// Facts is what is known about a host, by name.
type Facts struct {
	Kernel sysctl.Release
	values map[Name]Value
	// under holds what values does not.
	under *Facts
}

// SinceBoot is the source of a counter that was read once: the number tells that
// something happened, not that it still does.
const SinceBoot = "since boot"

// A Value is what is known about one fact: its content, or why there is none.
type Value struct {
	// Content is an int, a float64, a string or a bool; nil if missing.
	Content any
	// Source tells where it comes from, such as "sock_diag" or a file and line.
	Source string
	// Missing says why there is no content.
	Missing *Gap
	// Place is the line that gave it, if one did.
	Place *Place
}

// Get looks up a fact. One that nothing was said about is not measured.
func (f Facts) Get(name Name) Value {
	for layer := &f; layer != nil; layer = layer.under {
		if v, ok := layer.values[name]; ok {
			return v
		}
	}
	return Value{Missing: &Gap{Cause: sysctl.NotMeasured}}
}

// Saying is the facts with another content of one of them.
func (f Facts) Saying(name Name, content any) Facts {
	value := f.Get(name)
	value.Content = content
	return Facts{Kernel: f.Kernel, values: map[Name]Value{name: value}, under: &f}
}

// Int is a whole number's content, and whether it is known.
func (f Facts) Int(name Name) (int, bool) {
	n, ok := f.Get(name).Content.(int)
	return n, ok
}

// Given makes facts from values written down, as in the examples of rules. The
// contents must be of the kinds that the schema declares; see [Coerce].
func Given(kernel sysctl.Release, contents map[Name]any, missing map[Name]Gap) Facts {
	f := Facts{Kernel: kernel, values: map[Name]Value{}}
	for name, content := range contents {
		f.values[name] = Value{Content: content, Source: "example"}
	}
	for name, gap := range missing {
		f.values[name] = Value{Missing: &gap}
	}
	return f
}

// Coerce brings a decoded number to the kind that the schema declares for the
// name, and reports whether it fits.
func Coerce(def Def, content any) (any, bool) {
	switch c := content.(type) {
	case int64:
		if def.Kind == Decimal {
			return float64(c), true
		}
		return int(c), def.Kind == Whole
	case float64:
		return c, def.Kind == Decimal
	case string:
		return c, def.Kind == Text
	case bool:
		return c, def.Kind == YesNo
	}
	return nil, false
}
