// Package pattern holds regular expressions that cost nothing until they are
// used. Compiling all of them would take a noticeable part of a short command.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy is a regular expression that is compiled when it is first asked for. It
// panics then if it is none.
func Lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
