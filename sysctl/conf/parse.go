package conf

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tcptune/tcptune/sysctl"
)

// A Line is one line that a loader understands.
type Line struct {
	Key       sysctl.Key // a glob if Key.IsPattern()
	Value     sysctl.Value
	Lenient   bool   // a leading "-": failure to set it is ignored
	Exclusion bool   // "-key" without "=": keeps globs from the key and sets nothing
	File      string // as the caller named it, or as seen from the root
	Number    int    // from 1
	Column    int    // where the name or its "-" begins, in characters from 1
	Text      string // as written, without line end
}

// String is the line in its plainest spelling, which reads back as the same.
func (l Line) String() string {
	switch {
	case l.Exclusion:
		return "-" + string(l.Key)
	case l.Lenient:
		return fmt.Sprintf("-%s = %s", l.Key, l.Value)
	}
	return fmt.Sprintf("%s = %s", l.Key, l.Value)
}

// A Fault is a line that the loader does not understand, or takes to name what
// cannot be a parameter. It sets nothing.
type Fault struct {
	File           string
	Number, Column int // as in [Line]
	Text           string
	Reason         string
}

func (f Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Number, f.Reason) }

// maxFile bounds what is read of one file; the loaders know no bound.
const maxFile = 16 << 20

// maxSystemdLine is LONG_LINE_MAX of systemd's src/basic/fileio.h: at a line as
// long as this it gives up on the file.
const maxSystemdLine = 1 << 20

// Parse reads one file as the loader does, or for loader "" as both do: a line
// that they read differently is then a fault. The error is of reading; with it
// come the lines before.
func Parse(r io.Reader, file string, loader Loader) ([]Line, []Fault, error) {
	var lines []Line
	var faults []Fault
	err := scan(r, file, loader, func(l Line, _ string) { lines = append(lines, l) }, func(f Fault) { faults = append(faults, f) })
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return lines, faults, err
}

// scan hands on each line together with the name under which the loader keeps
// it: a path relative to /proc/sys in the loader's own spelling.
func scan(r io.Reader, file string, loader Loader, line func(Line, string), fault func(Fault)) error {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		data, err = data[:maxFile], fmt.Errorf("longer than %d MiB, of which no more is read", maxFile>>20)
	}
	rest := string(data)
	for n := 1; rest != ""; n++ {
		var text string
		if text, rest = loader.cut(rest); loader != Procps && len(text) >= maxSystemdLine {
			err = errors.Join(fmt.Errorf("line %d is longer than 1 MiB, at which systemd-sysctl stops reading", n), err)
			break
		}
		found, ok, reason := loader.read(text)
		column := 1 + utf8.RuneCountInString(text[:found.indent])
		switch {
		case reason != "":
			fault(Fault{File: file, Number: n, Column: column, Text: text, Reason: reason})
		case ok:
			line(Line{Key: found.key, Value: found.value, Lenient: found.lenient, Exclusion: found.exclusion, File: file, Number: n, Column: column, Text: text}, found.name)
		}
	}
	return err
}

// cut takes the first line off a text.
func (l Loader) cut(text string) (line, rest string) {
	if l != Systemd {
		line, rest, _ = strings.Cut(text, "\n")
		return strings.TrimSuffix(line, "\r"), rest
	}
	end := strings.IndexAny(text, "\n\r\x00")
	if end < 0 {
		return text, ""
	}
	// Of the bytes that end a line one of each kind makes one end, and a NUL
	// completes it (systemd src/basic/fileio.c, read_line_full).
	next, seen := end, ""
	for next < len(text) && strings.IndexByte("\n\r\x00", text[next]) >= 0 && strings.IndexByte(seen, text[next]) < 0 && !strings.HasSuffix(seen, "\x00") {
		seen += text[next : next+1]
		next++
	}
	return text[:end], text[next:]
}

// blanks are what each loader strips from names, values and lines.
func (l Loader) blanks() string {
	if l == Procps {
		return " \t\n\v\f\r"
	}
	return " \t\n\r"
}

// A found is what stands in one line.
type found struct {
	key                sysctl.Key
	name               string // what the loader makes of the key, relative to /proc/sys
	value              sysctl.Value
	lenient, exclusion bool
	indent             int // in bytes
}

// read understands one line. Blank lines and comments are neither ok nor have a
// reason why not.
func (l Loader) read(text string) (f found, ok bool, reason string) {
	if l == "" {
		return readByBoth(text)
	}
	if l == Procps {
		text, _, _ = strings.Cut(text, "\x00")
	}
	blanks := l.blanks()
	body := strings.TrimLeft(text, blanks)
	f.indent = len(text) - len(body)
	body = strings.TrimRight(body, blanks)
	if body == "" || body[0] == '#' || body[0] == ';' {
		return f, false, ""
	}
	name, value, assigns := strings.Cut(body, "=")
	name, dash := strings.CutPrefix(name, "-")
	switch {
	case !assigns && !dash:
		return f, false, "not an assignment: there is no ="
	case l == Systemd:
		name = strings.TrimLeft(name, blanks)
	case dash:
		name = strings.TrimPrefix(name, "-") // procps takes two
	}
	name = strings.TrimRight(name, blanks)
	f.lenient, f.exclusion = dash && assigns, !assigns
	f.value = sysctl.Value(strings.Trim(value, blanks))
	f.name, f.key, reason = l.resolveName(name)
	return f, reason == "", reason
}

func readByBoth(text string) (found, bool, string) {
	if i := strings.IndexAny(text, "\r\x00"); i >= 0 {
		return found{}, false, fmt.Sprintf("systemd-sysctl ends the line at the character %q, procps does not", text[i])
	}
	f, ok, reason := Systemd.read(text)
	other, otherOK, otherReason := Procps.read(text)
	switch {
	case ok && otherOK:
		if f.name = other.name; f == other {
			return f, true, ""
		}
		return f, false, "systemd-sysctl and procps read the line differently"
	case ok:
		return f, false, "procps does not understand it: " + otherReason
	case otherOK:
		return other, false, "systemd-sysctl does not understand it: " + reason
	}
	return f, false, reason
}

// resolveName turns a name as written into the loader's spelling of its path,
// and into the key that this leads to.
func (l Loader) resolveName(written string) (name string, key sysctl.Key, reason string) {
	name = written
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		name = sysctl.Key(name).Path()
	}
	path, ok := l.clean(name)
	if !ok {
		return "", "", fmt.Sprintf("%q leads out of its directory", written)
	}
	if l == Systemd {
		name = path
	}
	switch i := strings.IndexAny(path, "./"); {
	case path == "":
		return "", "", "it names no parameter"
	case strings.HasSuffix(name, "/"):
		return "", "", fmt.Sprintf("%q ends in a separator, which makes it a directory to procps", written)
	case strings.HasPrefix(path, "\ufeff"):
		return "", "", "a byte order mark stands before the name and is taken for part of it"
	case i >= 0 && path[i] == '.', strings.IndexByte("#;-", path[0]) >= 0, strings.TrimSpace(path) != path:
		// A key could not spell the first, a line could not name the second, and
		// ParseKey would mend the third.
		return "", "", fmt.Sprintf("no parameter is called %q", written)
	case isGlob(path): // may hold anything, as in "[ a]*"
		return name, sysctl.Key(sysctl.Key(path).Path()), ""
	}
	key, err := sysctl.ParseKey(path)
	if err != nil {
		return "", "", err.Error()
	}
	return name, key, ""
}

// clean is a path without empty elements and dots. Only procps follows "..",
// and of globs tcptune does not.
func (l Loader) clean(name string) (path string, ok bool) {
	plain := true
	for element := range strings.SplitSeq(name, "/") {
		plain = plain && element != "" && element != "." && element != ".."
	}
	if plain {
		return name, true
	}
	var elements []string
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case element == "" || element == ".":
		case element != "..":
			elements = append(elements, element)
		case l == Procps && len(elements) > 0 && !isGlob(name):
			elements = elements[:len(elements)-1]
		default:
			return "", false
		}
	}
	return strings.Join(elements, "/"), true
}

func isGlob(name string) bool { return sysctl.Key(name).IsPattern() }
