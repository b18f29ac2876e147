package managers

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/pattern"
	"github.com/tcptune/tcptune/sysctl"
)

// Where TuneD looks for profiles, first match first: newer releases in the
// folders "profiles", older ones beside them.
var tunedProfiles = []string{"/etc/tuned/profiles", "/etc/tuned", "/usr/lib/tuned/profiles", "/usr/lib/tuned"}

// tuned finds what TuneD's active profile sets. TuneD starts later than
// systemd-sysctl; with reapply_sysctl, its default, it then writes the lines of
// /run/sysctl.d, /etc/sysctl.d and /etc/sysctl.conf once more, over its own
// values (TuneD, tuned/plugins/plugin_sysctl.py, _apply_system_sysctl). Files of
// packages, in /usr/lib/sysctl.d, lose against it.
func (f *finder) tuned() (facts.Manager, bool) {
	const activeFile = "/etc/tuned/active_profile"
	m := f.service("TuneD", "tuned", "tuned", "when it starts, is reloaded or changes its profile")
	text, known := f.read(activeFile)
	names := strings.Fields(text)
	if !m.Active && len(names) == 0 {
		return m, false
	}
	if len(names) == 0 {
		m.Also = "it chooses a profile by itself, and what that sets is not known: " + activeFile + " names none"
		if !known {
			m.Also = "which profile is active is not known: " + activeFile + " cannot be read"
		}
		return m, true
	}
	m.Evidence = append(m.Evidence, fmt.Sprintf("%s:1: %s", activeFile, strings.Join(names, " ")))
	merged := &tunedUnits{finder: f}
	if fault := merged.load(names, 0); fault != "" {
		m.Also = fault
		return m, true
	}
	m.Evidence = append(m.Evidence, merged.files...)
	applied := false
	for _, unit := range merged.units {
		if unit.kind == "sysctl" && unit.enabled {
			applied = true
			m.Sets = append(m.Sets, unit.holds()...)
		}
	}
	if rereads, but := f.tunedRereads(); applied && rereads {
		m.Rereads = but == ""
		for _, hold := range f.reread() {
			hold.Doubt = but
			m.Sets = append(m.Sets, hold)
		}
	}
	return m, true
}

// A tunedUnit is a section of a profile, merged with those of its name that are
// included (TuneD, tuned/profiles/unit.py and merger.py).
type tunedUnit struct {
	name, kind string
	enabled    bool
	condition  string // on which machines it is for
	drop       []string
	replace    bool
	options    []entry
}

type tunedUnits struct {
	*finder
	files []string
	units []*tunedUnit
}

// maxIncludes bounds chains of profiles that include each other under ever new
// names.
const maxIncludes = 32

var includeSeparator = pattern.Lazy(`\s*[,;]\s*`)

// load reads profiles, each after those it includes. A file is read once. It
// returns why TuneD would refuse them, or "".
func (t *tunedUnits) load(names []string, depth int) (fault string) {
	for _, name := range names {
		optional := strings.HasPrefix(name, "-")
		file, text := t.profile(path.Base(strings.TrimPrefix(name, "-")))
		switch {
		case file == "" && optional, slices.Contains(t.files, file):
			continue
		case file == "":
			return "its profile " + quoted(name) + " is not there or cannot be read, so that what it sets is not known"
		case depth > maxIncludes:
			return fmt.Sprintf("its profile includes others more than %d deep", maxIncludes)
		}
		t.files = append(t.files, file)
		all := sections(file, text, true)
		for _, section := range all {
			for _, e := range section.entries {
				if section.name != "main" || e.name != "include" {
					continue
				}
				if strings.Contains(e.value, "${") {
					return fmt.Sprintf("%s includes %s, which only TuneD can tell, so that what it sets is not known", e.place, quoted(e.value))
				}
				if fault := t.load(includeSeparator().Split(e.value, -1), depth+1); fault != "" {
					return fault
				}
			}
		}
		for _, section := range all[1:] {
			if section.name != "main" && section.name != "variables" {
				t.merge(newTunedUnit(section))
			}
		}
	}
	return ""
}

// profile finds the file of a profile.
func (t *tunedUnits) profile(name string) (file, text string) {
	for _, dir := range tunedProfiles {
		file := path.Join(dir, name, "tuned.conf")
		if text, ok := t.read(file); ok {
			return file, text
		}
	}
	return "", ""
}

func newTunedUnit(s section) *tunedUnit {
	unit := &tunedUnit{name: s.name, kind: s.name, enabled: true}
	yes := func(text string) bool { return slices.Contains([]string{"True", "true", "1"}, text) }
	for _, e := range s.entries {
		// TuneD knows only =; another sign before it belongs to the value.
		if at := strings.IndexByte(e.operator, '='); at >= 0 {
			e.value = e.operator[at+1:] + e.value
		} else {
			continue
		}
		switch e.name {
		case "type":
			unit.kind = e.value
		case "enabled":
			unit.enabled = yes(e.value)
		case "replace":
			unit.replace = yes(e.value)
		case "drop":
			unit.drop = includeSeparator().Split(e.value, -1)
		case "uname_regex", "cpuinfo_regex":
			unit.condition = fmt.Sprintf("only on machines that %s (%s) fits", e.name, e.place)
		default:
			unit.set(e)
		}
	}
	return unit
}

func (u *tunedUnit) set(e entry) {
	if i := slices.IndexFunc(u.options, func(o entry) bool { return o.name == e.name }); i >= 0 {
		u.options[i] = e
		return
	}
	u.options = append(u.options, e)
}

func (t *tunedUnits) merge(newer *tunedUnit) {
	i := slices.IndexFunc(t.units, func(u *tunedUnit) bool { return u.name == newer.name })
	switch {
	case i < 0:
		t.units = append(t.units, newer)
		return
	case newer.replace:
		t.units[i] = newer
		return
	}
	older := t.units[i]
	older.kind, older.enabled = newer.kind, newer.enabled
	if newer.condition != "" {
		older.condition = newer.condition
	}
	older.options = slices.DeleteFunc(older.options, func(o entry) bool { return slices.Contains(newer.drop, o.name) })
	for _, o := range newer.options {
		older.set(o)
	}
}

// holds are the parameters that a unit sets.
func (u *tunedUnit) holds() []facts.Hold {
	var holds []facts.Hold
	for _, o := range u.options {
		key, err := sysctl.ParseKey(o.name)
		if err != nil || !concerned(key) {
			continue
		}
		hold := facts.Hold{Key: key, Value: sysctl.Value(unquoted(o.value)), Doubt: u.condition, Place: o.place}
		// tuned/plugins/base.py, _process_assignment_modifiers
		if text := string(hold.Value); len(text) > 1 && (text[0] == '>' || text[0] == '<') {
			hold.Bound = map[byte]string{'>': "at least", '<': "at most"}[text[0]]
			hold.Value = sysctl.Value(strings.TrimSpace(text[1:]))
			if _, err := strconv.Atoi(string(hold.Value)); err != nil {
				hold.Bound, hold.Value = "", sysctl.Value(text)
			}
		}
		if strings.Contains(string(hold.Value), "${") {
			hold.Value, hold.Doubt = "", "its value is a variable of TuneD"
		}
		holds = append(holds, hold)
	}
	return holds
}

// tunedRereads reports whether reapply_sysctl is on, and what speaks against it
// for single parameters: an option of TuneD 2.27 leaves some out.
func (f *finder) tunedRereads() (is bool, but string) {
	const file = "/etc/tuned/tuned-main.conf"
	text, _ := f.read(file)
	options := sections(file, text, false)
	if exclude, is := value(options, "reapply_sysctl_exclude"); is && exclude.value != "" {
		but = "reapply_sysctl_exclude (" + exclude.place.String() + ") may leave it out"
	}
	option, given := value(options, "reapply_sysctl")
	return !given || slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(option.value)), but
}

// reread are the lines that TuneD applies after its own, in its own order: of
// two files of one name that of /run, and names that begin with "-" are files
// that it does not find.
func (f *finder) reread() []facts.Hold {
	byName := map[string]string{}
	for _, dir := range []string{"/run/sysctl.d", "/etc/sysctl.d"} {
		for _, file := range f.list(dir) {
			if base := path.Base(file); path.Ext(base) == ".conf" && byName[base] == "" {
				byName[base] = file
			}
		}
	}
	var bases []string
	for base := range byName {
		bases = append(bases, base)
	}
	slices.Sort(bases)
	var holds []facts.Hold
	apply := func(file string) {
		text, _ := f.read(file)
		number := 0
		for line := range strings.Lines(text) {
			number++
			trimmed := strings.TrimSpace(line)
			name, content, assigns := strings.Cut(trimmed, "=")
			if !assigns || trimmed[0] == '#' || trimmed[0] == ';' {
				continue
			}
			key, err := sysctl.ParseKey(name)
			if err == nil && concerned(key) && !key.IsPattern() {
				holds = append(holds, facts.Hold{Key: key, Value: sysctl.Value(strings.TrimSpace(content)),
					Place: facts.Place{File: file, Line: number, Text: strings.TrimRight(line, "\r\n")}})
			}
		}
	}
	for _, base := range bases {
		apply(byName[base])
	}
	apply("/etc/sysctl.conf")
	return holds
}
