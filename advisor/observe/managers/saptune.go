package managers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// saptune finds what the notes set that saptune is told to apply, in its order.
// A parameter without a value is left as it is, and a file of the same name in
// the folder "override" has the last word on each (saptune-note(5)).
func (f *finder) saptune() (facts.Manager, bool) {
	const config = "/etc/sysconfig/saptune"
	m := f.service("saptune", "saptune", "saptune", "when its service starts")
	text, _ := f.read(config)
	order, is := value(sections(config, text, false), "NOTE_APPLY_ORDER")
	notes := strings.Fields(order.value)
	if !is || len(notes) == 0 {
		return m, false
	}
	m.Evidence = append(m.Evidence, fmt.Sprintf("%s: %s", order.place, strings.Join(notes, " ")))
	for _, note := range notes {
		if strings.ContainsRune(note, '/') {
			continue
		}
		var holds []facts.Hold
		there := false
		for _, file := range []string{"/var/lib/saptune/working/notes/" + note, "/usr/share/saptune/notes/" + note, "/etc/saptune/extra/" + note + ".conf"} {
			if text, ok := f.read(file); ok {
				holds, there = noteHolds(file, text), true
				break
			}
		}
		if !there {
			m.Also = fmt.Sprintf("its note %s is not there or cannot be read", quoted(note))
		}
		override := "/etc/saptune/override/" + note
		text, _ := f.read(override)
		for _, hold := range noteHolds(override, text) {
			holds = slices.DeleteFunc(holds, func(h facts.Hold) bool { return h.Key == hold.Key })
			holds = append(holds, hold)
		}
		m.Sets = append(m.Sets, slices.DeleteFunc(holds, func(h facts.Hold) bool { return h.Value == "" })...)
	}
	return m, true
}

// noteHolds are the parameters of a note, those to be left as they are too.
func noteHolds(file, text string) []facts.Hold {
	var holds []facts.Hold
	for _, section := range sections(file, text, false) {
		name, condition, conditional := strings.Cut(section.name, ":")
		if name != "sysctl" {
			continue
		}
		for _, e := range section.entries {
			key, err := sysctl.ParseKey(e.name)
			if err != nil || !concerned(key) {
				continue
			}
			hold := facts.Hold{Key: key, Value: sysctl.Value(unquoted(e.value)), Place: e.place}
			switch e.operator[0] {
			case '>':
				hold.Bound = "at least"
			case '<':
				hold.Bound = "at most"
			}
			if conditional {
				hold.Doubt = "only where its condition holds: " + condition
			}
			holds = append(holds, hold)
		}
	}
	return holds
}
