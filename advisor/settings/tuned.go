package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// pluginOptions are those that a section of a TuneD profile may have beside the
// plug-in's own (TuneD, tuned/profiles/unit.py).
var pluginOptions = []string{
	"type", "enabled", "replace", "drop", "priority", "devices", "devices_udev_regex",
	"cpuinfo_regex", "uname_regex", "script_pre", "script_post", "prepend", "append",
}

// readTuned reads the sections of a TuneD profile that its plug-in "sysctl"
// takes: those of that name and those of that type. A value that begins with
// ">" or "<" is a floor or a ceiling, and quotes around a value are taken off
// (TuneD, tuned/plugins/plugin_sysctl.py).
func readTuned(_ string, s *source) (File, error) {
	type option struct {
		name, value string
		number      int
	}
	type section struct {
		name    string
		options []option
	}
	var sections []section
	file := File{Form: Tuned, Comments: s.comments("#;", false)}
	for number := range s.lineStarts() {
		number++
		text, _ := s.line(number)
		trimmed := strings.TrimSpace(uncommented(text))
		switch {
		case trimmed == "":
		case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']':
			sections = append(sections, section{name: trimmed[1 : len(trimmed)-1]})
		case sections == nil:
			file.Faults = append(file.Faults, Fault{Place: s.whole(number), Reason: "it stands before the first section"})
		default:
			name, value, found := strings.Cut(trimmed, "=")
			current := &sections[len(sections)-1]
			if !found {
				if current.name == "sysctl" {
					file.Faults = append(file.Faults, Fault{Place: s.whole(number), Reason: `it is not of the form "name=value"`})
				}
				continue
			}
			current.options = append(current.options, option{strings.TrimSpace(name), strings.TrimSpace(value), number})
		}
	}
	for _, section := range sections {
		kind, enabled := section.name, true
		for _, o := range section.options {
			switch o.name {
			case "include":
				file.Skipped = append(file.Skipped, Skipped{Place: s.whole(o.number), Reason: fmt.Sprintf("it includes %s, which is read on its own", o.value)})
			case "type":
				kind = o.value
			case "enabled":
				enabled = !slices.Contains([]string{"0", "n", "no", "f", "false", "off"}, strings.ToLower(o.value))
			}
		}
		if kind != "sysctl" || !enabled {
			continue
		}
		for _, o := range section.options {
			if slices.Contains(pluginOptions, o.name) {
				continue
			}
			text, start := s.line(o.number)
			keyPlace, _ := s.assignment(o.number)
			valuePlace := s.trimmed(start+strings.IndexByte(text, '=')+1, start+len(uncommented(text)))
			setting := Setting{Place: joined(keyPlace, valuePlace), ValuePlace: valuePlace, At: "[" + section.name + "]"}
			key, err := sysctl.ParseKey(o.name)
			if why := template(o.name + "=" + o.value); why != "" {
				file.Skipped = append(file.Skipped, Skipped{setting.Place, knownKey(key), why})
				continue
			}
			if err != nil {
				file.Faults = append(file.Faults, Fault{Place: setting.Place, Reason: err.Error()})
				continue
			}
			setting.Key = key
			value := o.value
			if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
				value = value[1 : n-1]
			}
			if len(value) > 1 && (value[0] == '>' || value[0] == '<') {
				setting.Bound = map[byte]string{'>': "at least", '<': "at most"}[value[0]]
				value = value[1:]
			}
			if value != o.value {
				setting.Raw = o.value
			}
			setting.Value = sysctl.Value(value)
			file.Settings = append(file.Settings, setting)
		}
	}
	if len(file.Settings)+len(file.Faults)+len(file.Skipped) == 0 {
		return File{}, fmt.Errorf("%w: it is a TuneD profile without a section for sysctl", ErrNothing)
	}
	return file, nil
}

// uncommented is a line without its comment, which begins with a "#" behind a
// blank, or with "#" or ";" as the first character.
func uncommented(line string) string {
	trimmed := strings.TrimSpace(line)
	if trimmed != "" && (trimmed[0] == '#' || trimmed[0] == ';') {
		return ""
	}
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}
