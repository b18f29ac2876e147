package conf

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// KeysOf is a [System.Keys] that looks for a glob's matches among these.
func KeysOf(keys []sysctl.Key) func(pattern sysctl.Key) []sysctl.Key {
	return func(pattern sysctl.Key) []sysctl.Key {
		matches := matcher(pattern)
		var found []sysctl.Key
		for _, key := range keys {
			if matches(key) {
				found = append(found, key)
			}
		}
		return found
	}
}

// matcher compares keys with a pattern element by element, as glob(7) does:
// a wildcard matches no slash, nor a dot at the beginning of an element.
func matcher(pattern sysctl.Key) func(sysctl.Key) bool {
	var elements []*regexp.Regexp
	var dotted []bool
	for element := range strings.SplitSeq(pattern.Path(), "/") {
		expression, err := regexp.Compile(`(?s)^` + translate(element) + `$`)
		if err != nil { // such as [z-a], which matches nothing
			return func(sysctl.Key) bool { return false }
		}
		elements = append(elements, expression)
		dotted = append(dotted, strings.HasPrefix(strings.TrimPrefix(element, `\`), "."))
	}
	return func(key sysctl.Key) bool {
		names := strings.Split(key.Path(), "/")
		if len(names) != len(elements) {
			return false
		}
		for i, name := range names {
			if strings.HasPrefix(name, ".") && !dotted[i] || !elements[i].MatchString(name) {
				return false
			}
		}
		return true
	}
}

// translate writes one element of a glob as a regular expression.
func translate(element string) string {
	var b strings.Builder
	for i := 0; i < len(element); i++ {
		switch c := element[i]; {
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteString(".")
		case c == '[' && bracketEnd(element[i:]) > 0:
			end := bracketEnd(element[i:])
			b.WriteString(translateBracket(element[i+1 : i+end]))
			i += end
		case c == '\\' && i+1 < len(element):
			i++
			b.WriteString(regexp.QuoteMeta(element[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(element[i : i+1]))
		}
	}
	return b.String()
}

// bracketEnd is the index of the ] that closes the bracket at the beginning, 0
// if none does and the bracket stands for itself.
func bracketEnd(s string) int {
	i := 1
	if i < len(s) && (s[i] == '!' || s[i] == '^') {
		i++
	}
	for first := i; i < len(s); i++ {
		switch {
		case s[i] == ']' && i > first:
			return i
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], "[:"):
			if end := strings.Index(s[i:], ":]"); end > 0 {
				i += end + 1
			}
		}
	}
	return 0
}

func translateBracket(inside string) string {
	var b strings.Builder
	b.WriteByte('[')
	if inside[0] == '!' || inside[0] == '^' {
		b.WriteByte('^')
		inside = inside[1:]
	}
	for i := 0; i < len(inside); i++ {
		switch c := inside[i]; {
		case strings.HasPrefix(inside[i:], "[:") && strings.Contains(inside[i:], ":]"):
			end := i + strings.Index(inside[i:], ":]") + 2
			b.WriteString(inside[i:end])
			i = end - 1
		case c == '\\' && i+1 < len(inside):
			i++
			b.WriteString(quoteInBracket(inside[i]))
		case c == '-':
			b.WriteByte('-')
		default:
			b.WriteString(quoteInBracket(c))
		}
	}
	b.WriteByte(']')
	return b.String()
}

func quoteInBracket(c byte) string {
	if strings.IndexByte(`\[]^-&~`, c) >= 0 {
		return `\` + string(rune(c))
	}
	return string([]byte{c})
}

// braces writes out the alternatives of {a,b}, which systemd-sysctl expands and
// procps does not.
func braces(pattern string) []string {
	open := strings.IndexByte(pattern, '{')
	if open < 0 {
		return []string{pattern}
	}
	var alternatives []string
	depth, from := 0, open+1
	for i := open; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '{':
			depth++
		case c == ',' && depth == 1:
			alternatives = append(alternatives, pattern[from:i])
			from = i + 1
		case c == '}' && depth > 1:
			depth--
		case c == '}':
			var all []string
			for _, alternative := range append(alternatives, pattern[from:i]) {
				all = append(all, braces(pattern[:open]+alternative+pattern[i+1:])...)
			}
			return all
		}
	}
	return []string{pattern}
}

// keysBelow are the parameters below a directory such as /proc/sys.
func keysBelow(root string) []sysctl.Key {
	var keys []sysctl.Key
	// What cannot be looked into cannot be matched by the loader's glob either.
	_ = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			keys = append(keys, sysctl.Key(sysctl.Key(strings.TrimPrefix(file, root+"/")).Path()))
		}
		return nil
	})
	return keys
}
