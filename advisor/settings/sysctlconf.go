package settings

import (
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// readSysctlConf reads a file as both loaders read it.
func readSysctlConf(_ string, s *source) (File, error) {
	file := File{Form: SysctlConf, Comments: s.comments("#;", true)}
	if err := s.sysctlConf(s.text, 1, &file, Setting{}); err != nil {
		return File{}, err
	}
	return file, nil
}

// sysctlConf adds what the lines of a sysctl.conf set, of which the first has
// this number. The settings are like the one given.
func (s *source) sysctlConf(text string, first int, file *File, like Setting) error {
	lines, faults, err := conf.Parse(strings.NewReader(text), "", "")
	if err != nil {
		return fmt.Errorf("%w: %s", ErrNotUnderstood, strings.TrimPrefix(err.Error(), ": "))
	}
	for _, line := range lines {
		key, value := s.assignment(first - 1 + line.Number)
		setting := like
		setting.Place, setting.ValuePlace = joined(key, value), value
		setting.Key, setting.Value, setting.Lenient = line.Key, line.Value, line.Lenient
		switch {
		case line.Exclusion:
			file.Exclusions = append(file.Exclusions, setting)
		case template(string(line.Key)) != "" || template(string(line.Value)) != "":
			file.Skipped = append(file.Skipped, Skipped{setting.Place, knownKey(line.Key), template(line.Text)})
		default:
			file.Settings = append(file.Settings, setting)
		}
	}
	for _, fault := range faults {
		place := s.whole(first - 1 + fault.Number)
		if why := template(place.Text); why != "" {
			file.Skipped = append(file.Skipped, Skipped{Place: place, Reason: why})
		} else {
			file.Faults = append(file.Faults, Fault{Place: place, Reason: fault.Reason})
		}
	}
	return nil
}

// assignment is where the two sides of a line "key = value" are. If there is no
// value, its place is empty, at the line's end.
func (s *source) assignment(number int) (key, value Place) {
	text, start := s.line(number)
	name, content, _ := strings.Cut(text, "=")
	key = s.trimmed(start, start+len(name))
	return key, s.trimmed(start+len(text)-len(content), start+len(text))
}

// trimmed is the place from one offset to another without the blanks at its
// ends.
func (s *source) trimmed(from, to int) Place {
	text := s.text[from:to]
	left := strings.TrimLeft(text, " \t\r")
	if left == "" {
		return s.span(to, to)
	}
	from += len(text) - len(left)
	return s.span(from, from+len(strings.TrimRight(left, " \t\r")))
}

// template says why a text is not what it will be, or is empty.
func template(text string) string {
	switch {
	case !strings.ContainsAny(text, "{<$"):
		return ""
	case strings.Contains(text, "{{"), strings.Contains(text, "{%"), strings.Contains(text, "<%"):
		return "it is a template"
	}
	for i := range len(text) - 1 {
		if next := text[i+1]; text[i] == '$' && (next == '{' || next == '(' || next == '_' || 'A' <= next && next <= 'Z' || 'a' <= next && next <= 'z') {
			return "it has a variable in it"
		}
	}
	return ""
}

// knownKey is a key without a template in it, or empty.
func knownKey(key sysctl.Key) sysctl.Key {
	if template(string(key)) != "" {
		return ""
	}
	return key
}

// readDump reads what "sysctl -a" printed.
func readDump(_ string, s *source) (File, error) {
	file := File{Form: Dump, Comments: s.comments("#;", true)}
	var last sysctl.Key
	for number := range s.lineStarts() {
		number++
		text, _ := s.line(number)
		trimmed := strings.TrimSpace(text)
		if strings.HasPrefix(trimmed, "sysctl: ") {
			file.Skipped = append(file.Skipped, Skipped{Place: s.whole(number), Reason: "sysctl(8) could not read it"})
			continue
		}
		name, content, found := strings.Cut(trimmed, "=")
		if !found || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		key, err := sysctl.ParseKey(name)
		if err != nil || key == last { // a value of several lines, printed as so many assignments
			continue
		}
		last = key
		keyPlace, value := s.assignment(number)
		file.Settings = append(file.Settings, Setting{Place: joined(keyPlace, value), ValuePlace: value, Key: key, Value: sysctl.Value(strings.TrimSpace(content))})
		if key == "kernel.osrelease" {
			file.Kernel = strings.TrimSpace(content)
		}
	}
	return file, nil
}
