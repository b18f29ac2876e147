package conf

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// A Line is one assignment.
type Line struct {
	Key   sysctl.Key
	Value sysctl.Value
	// Lenient: a leading "-" lets the loader ignore a failure.
	Lenient bool
	File    string
	Number  int // from 1
}

// Parse reads one file's assignments. Comments start with # or ; as the first
// character of a line; behind a value they are part of it, as both loaders have
// it. Lines that are not assignments are returned as faults, and the rest is
// read all the same; err is of reading.
func Parse(r io.Reader, file string) (assignments []Line, faults []error, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		name, value, found := strings.Cut(text, "=")
		name, lenient := strings.CutPrefix(strings.TrimSpace(name), "-")
		if !found {
			if !lenient { // "-key" alone excludes a key from a glob
				faults = append(faults, fmt.Errorf("%s:%d: %q is not an assignment", file, n, text))
			}
			continue
		}
		key, err := sysctl.ParseKey(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", file, n, err))
			continue
		}
		assignments = append(assignments, Line{Key: key, Value: sysctl.Value(strings.TrimSpace(value)), Lenient: lenient, File: file, Number: n})
	}
	if err := lines.Err(); err != nil {
		return assignments, faults, fmt.Errorf("%s: %w", file, err)
	}
	return assignments, faults, nil
}
