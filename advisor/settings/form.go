package settings

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A reader reads one form. Its errors are of ErrNothing and ErrNotUnderstood.
type reader func(name string, s *source) (File, error)

// Read reads the parameters that a file sets. The name helps to decide on the
// form and is not opened; "-" and names that tell nothing are fine. In this
// order:
//
//  1. What is larger than [MaxSize], or binary, is refused.
//  2. A name that has one meaning decides: sysctl.conf and *.conf in a folder
//     sysctl.d (unless the content is a whole dump), tuned.conf, *.toml, *.yaml,
//     *.yml and *.json, Dockerfile and Containerfile, Makefile and *.mk, units of
//     systemd and Podman, *.sh. Which of its forms a YAML file has is told by
//     its content.
//  3. Else the content decides: what a "#!" names; lines "name = value" with the
//     names of parameters, which make a dump if sysctl(8) must have printed them,
//     and a sysctl.conf if they are more than half; headings such as [sysctl],
//     [[want]] and [Service]; a FROM; targets with recipes; what looks like
//     YAML; and last whether it is a shell script with a command that sets
//     parameters.
//
// The error is ErrNothing or ErrNotUnderstood, wrapped with the reason.
func Read(name string, content []byte) (File, error) {
	if len(content) > MaxSize {
		return File{}, fmt.Errorf("%w: it is larger than %d MiB", ErrNotUnderstood, MaxSize>>20)
	}
	text := string(content)
	if binary(text) {
		return File{}, fmt.Errorf("%w: it is binary", ErrNotUnderstood)
	}
	read := byName(name, text)
	if read == nil {
		read = byContent(text)
	}
	file, err := read(name, newSource(text))
	if err != nil {
		return File{}, err
	}
	order := func(a, b Place) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) }
	slices.SortStableFunc(file.Settings, func(a, b Setting) int { return order(a.Place, b.Place) })
	slices.SortStableFunc(file.Faults, func(a, b Fault) int { return order(a.Place, b.Place) })
	slices.SortStableFunc(file.Skipped, func(a, b Skipped) int { return order(a.Place, b.Place) })
	return file, nil
}

// binary reports whether a text is none: it holds NUL, or other bytes that no
// text begins with.
func binary(text string) bool {
	head := text[:min(len(text), 512)]
	return strings.IndexByte(text, 0) >= 0 ||
		strings.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r) })
}

// Candidate reports whether a walk through a directory should read a file of
// this path. Many candidates then turn out to hold no parameters.
func Candidate(file string) bool {
	if namedReader(file) != nil {
		return true
	}
	base := strings.ToLower(filepath.Base(file))
	switch path.Ext(base) {
	case ".conf":
		return true
	case ".sysctl":
		return !strings.HasPrefix(base, "readme") // which Debian has in /etc/sysctl.d
	case "", ".txt", ".out", ".log", ".dump", ".j2", ".tmpl", ".tpl", ".erb", ".epp", ".in":
		return strings.Contains(base, "sysctl")
	}
	return false
}

// byName is the reader for a name that decides, or nil.
func byName(name, text string) reader {
	if namedSysctlConf(name) {
		if strings.Count(text, "\n") >= wholeDump && shapeOf(text).dump() {
			return readDump
		}
		return readSysctlConf
	}
	return namedReader(name)
}

func namedSysctlConf(name string) bool {
	base := filepath.Base(name)
	return base == "sysctl.conf" || filepath.Ext(base) == ".conf" && filepath.Base(filepath.Dir(name)) == "sysctl.d"
}

func namedReader(name string) reader {
	if namedSysctlConf(name) {
		return readSysctlConf
	}
	base := strings.ToLower(filepath.Base(name))
	switch base {
	case "tuned.conf":
		return readTuned
	case "dockerfile", "containerfile":
		return readDockerfile
	case "makefile", "gnumakefile":
		return readMakefile
	}
	switch path.Ext(base) {
	case ".toml":
		return readProfile
	case ".yaml", ".yml", ".json":
		return readYAML
	case ".dockerfile", ".containerfile":
		return readDockerfile
	case ".mk":
		return readMakefile
	case ".service", ".socket", ".mount", ".swap", ".container", ".pod":
		return readUnit
	case ".sh", ".bash", ".ksh":
		return readShell
	}
	if strings.HasPrefix(base, "dockerfile.") || strings.HasPrefix(base, "containerfile.") {
		return readDockerfile
	}
	return nil
}

// byContent is the reader for a text whose name tells nothing.
func byContent(text string) reader {
	if interpreter, found := strings.CutPrefix(text, "#!"); found {
		program, _, _ := strings.Cut(interpreter, "\n")
		for _, word := range strings.Fields(program) {
			switch strings.TrimRight(path.Base(word), "0123456789.") {
			case "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh":
				return readShell
			case "make":
				return readMakefile
			case "sysctl":
				return readSysctlConf
			case "python", "perl", "ruby", "node":
				return readUnknown
			}
		}
	}
	shape := shapeOf(text)
	switch {
	case shape.dump():
		return readDump
	case shape.assignments == 0 && shape.others == 0 && shape.headings == nil:
		return readEmpty
	case slices.Contains(shape.headings, "[sysctl]"):
		return readTuned
	case 2*shape.assignments > shape.assignments+shape.others+len(shape.headings):
		return readSysctlConf
	case slices.Contains(shape.headings, "[[want]]"):
		return readProfile
	case slices.ContainsFunc(shape.headings, func(h string) bool { return slices.Contains(unitHeadings, h) }):
		return readUnit
	case shape.from:
		return readDockerfile
	case shape.recipes:
		return readMakefile
	case shape.yaml:
		return readYAML
	}
	return readUnknown
}

var unitHeadings = []string{"[Unit]", "[Service]", "[Container]", "[Pod]"}

// readEmpty answers for a file that could be of any form.
func readEmpty(string, *source) (File, error) {
	return File{}, fmt.Errorf("%w: it is empty, or comments", ErrNothing)
}

// readUnknown reads what has no mark of any form: a shell script, if that makes
// sense.
func readUnknown(name string, s *source) (File, error) {
	if strings.HasPrefix(s.text, "#!") {
		if strings.Contains(s.text, "sysctl") {
			return File{}, fmt.Errorf("%w: scripts are read only if a shell runs them", ErrNotUnderstood)
		}
		return File{}, fmt.Errorf("%w: it is a script that does not mention sysctl", ErrNothing)
	}
	file, err := readShell(name, s)
	if err == nil && len(file.Settings) > 0 {
		return file, nil
	}
	shape := shapeOf(s.text)
	if shape.assignments+shape.named == 0 && !strings.Contains(s.text, "sysctl") {
		return File{}, fmt.Errorf("%w: no line assigns to a parameter, and it does not mention sysctl", ErrNothing)
	}
	why := "no command in it sets a parameter"
	if err != nil && !errors.Is(err, ErrNothing) {
		why = "it is no shell script"
	}
	return File{}, fmt.Errorf("%w: %d of %d lines assign to a parameter, too few for a sysctl.conf; it has no heading of another form, and %s",
		ErrNotUnderstood, shape.assignments, shape.assignments+shape.others+len(shape.headings), why)
}

// noMention is the answer of the forms in which parameters cannot be set
// without the word or their folder.
func noMention(s *source) error {
	if strings.Contains(s.text, "sysctl") || strings.Contains(s.text, procSys) {
		return nil
	}
	return fmt.Errorf("%w: it does not mention sysctl", ErrNothing)
}
