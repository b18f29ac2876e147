package settings

import (
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// readSysctlConf reads a file as both loaders read it.
func readSysctlConf(name string, s *source) (File, error) {
	file := File{Form: SysctlConf, Comments: s.comments("#;", true)}
	lines, faults, err := conf.Parse(strings.NewReader(s.text), name, "")
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrNotUnderstood, err)
	}
	for _, line := range lines {
		key, value := s.assignment(line.Number)
		setting := Setting{Place: joined(key, value), ValuePlace: value, Key: line.Key, Value: line.Value, Lenient: line.Lenient}
		switch {
		case line.Exclusion:
			file.Exclusions = append(file.Exclusions, setting)
		case template(string(line.Key)) != "" || template(string(line.Value)) != "":
			file.Skipped = append(file.Skipped, Skipped{setting.Place, template(line.Text)})
		default:
			file.Settings = append(file.Settings, setting)
		}
	}
	for _, fault := range faults {
		place := s.whole(fault.Number)
		if why := template(place.Text); why != "" {
			file.Skipped = append(file.Skipped, Skipped{place, why})
		} else {
			file.Faults = append(file.Faults, Fault{place, fault.Reason})
		}
	}
	return file, nil
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
	case strings.Contains(text, "${"), strings.Contains(text, "$("):
		return "it has a variable in it"
	}
	return ""
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
			file.Skipped = append(file.Skipped, Skipped{s.whole(number), "sysctl(8) could not read it"})
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
