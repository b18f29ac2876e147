package facts

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tcptune/tcptune/sysctl"
)

// Groups are the kinds of things of which there are many, and about which rules
// are asked one by one. A rule that names a fact of a group, such as "line.key",
// is about each of them.
var Groups = []string{"line", "file", "drift"}

// Group is the group to which a fact belongs, or "" if it is one of the host.
func (n Name) Group() string {
	first, _, _ := strings.Cut(string(n), ".")
	if slices.Contains(Groups, first) {
		return first
	}
	return ""
}

// A Subject is one of many things of a group: what is known about it, on top of
// what is known about the host, and where it stands.
type Subject struct {
	Group string
	Place Place
	Facts Facts
}

// NewSubject is what is known about one thing, on top of the host's facts.
func NewSubject(group string, place Place, values map[Name]any, host Facts) Subject {
	layer := Facts{Kernel: host.Kernel, values: make(map[Name]Value, len(values)), under: &host}
	source := place.String()
	for name, content := range values {
		layer.values[name] = Value{Content: content, Source: source, Place: &place}
	}
	return Subject{group, place, layer}
}

// Subjects are the lines that set parameters at boot, the files that should and
// do not, and the parameters with what becomes of them. host holds the facts of
// the snapshot.
func (s *Snapshot) Subjects(host Facts) []Subject {
	all := make([]Subject, 0, len(s.Asked))
	lines := Facts{Kernel: host.Kernel, values: flawless(), under: &host}
	type fileKey struct {
		file string
		key  sysctl.Key
	}
	last := map[fileKey]Assignment{}
	for _, a := range s.Asked {
		last[fileKey{a.File, a.Key}] = a
	}
	set := map[sysctl.Key]sysctl.Value{} // by the lines so far
	for _, a := range s.Asked {
		all = append(all, NewSubject("line", a.Place(), s.line(a, last[fileKey{a.File, a.Key}], set), lines))
		set[a.Key] = a.Value
	}
	if s.Boot != nil {
		for _, file := range s.Boot.Ignored {
			all = append(all, file.Subject(host))
		}
	}
	return append(all, s.drifts(host)...)
}

// Subject is the file as a thing that rules are asked about.
func (f BootFile) Subject(host Facts) Subject {
	return NewSubject("file", Place{File: f.Path}, map[Name]any{
		"file.path": f.Path, "file.reason": f.Reason, "file.never_read": !f.Unreadable, "file.unreadable": f.Unreadable,
	}, host)
}

// flawless is what is said of a line as far as it is not said otherwise.
var flawless = sync.OnceValue(func() map[Name]Value {
	values := map[Name]Value{}
	for _, name := range []Name{"line.malformed", "line.loses", "line.administrators", "line.unmatched", "line.legacy_conntrack", "line.ipv6_tcp",
		"line.removed", "line.not_yet", "line.unknown", "line.absent", "line.host_wide", "line.refused", "line.swallowed", "line.senseless", "line.contradicted"} {
		values[name] = Value{Content: false}
	}
	for _, name := range []Name{"line.malformed_why", "line.loses_why", "line.absent_why", "line.refused_why", "line.swallowed_why", "line.senseless_why",
		"line.contradicted_by"} {
		values[name] = Value{Content: ""}
	}
	return values
})

// line computes what is to be said about a line besides that it is flawless,
// given the last one of its file on the same parameter, and what the lines before
// it set.
func (s *Snapshot) line(a, last Assignment, set map[sysctl.Key]sysctl.Value) map[Name]any {
	l := map[Name]any{"line.key": string(a.Key), "line.value": string(a.Value)}
	holds := func(name Name, does bool) {
		if does {
			l[name] = true
		}
	}
	because := func(name Name, why string) {
		if why != "" {
			l[name], l[name+"_why"] = true, why
		}
	}
	because("line.malformed", a.Malformed)
	// Where the kernel refuses the later line of a file, or reads less from it than
	// stands in it, the earlier one has its effect with procps, which writes both.
	loses := a.Loses != "" && !a.sparesOne() && (last.Line == a.Line || s.takes(last, set))
	if loses {
		because("line.loses", a.Loses)
	}
	holds("line.administrators", !isPackaged(a.File))
	holds("line.unmatched", a.Unmatched)
	holds("line.legacy_conntrack", isLegacyConntrack(a.Key))
	holds("line.ipv6_tcp", strings.HasPrefix(string(a.Key), "net.ipv6.tcp_"))

	absence, why := s.absence(a)
	if absence != "" {
		l[absence], l["line.absent_why"] = true, why
	}

	var predicted sysctl.Prediction
	senseless := ""
	if param, known := sysctl.Lookup(a.Key); known && a.Malformed == "" && absence == "" && !s.lacks(a.Key) {
		predicted = param.Predict(s.Kernel, a.Value, s.before(set))
		if predicted.Refused == "" && predicted.Swallowed == "" {
			if err := param.CheckSane(predicted.Kept); err != nil {
				senseless = err.Error()
			}
		}
	}
	because("line.refused", predicted.Refused)
	because("line.swallowed", predicted.Swallowed)
	because("line.senseless", senseless)

	if a.Key != "" && loses && last.Line != a.Line && !sameValue(a.Key, last.Value, a.Value) {
		l["line.contradicted"], l["line.contradicted_by"] = true, fmt.Sprintf("line %d", last.Line)
	}
	return l
}

// isPackaged reports whether a file, below whatever root, is a package's.
func isPackaged(file string) bool {
	file = "/" + file
	return strings.Contains(file, "/usr/lib/") || strings.Contains(file, "/lib/sysctl.d/") && !strings.Contains(file, "/usr/local/lib/")
}

// takes reports whether the kernel takes a line for what it says.
func (s *Snapshot) takes(a Assignment, set map[sysctl.Key]sysctl.Value) bool {
	param, known := sysctl.Lookup(a.Key)
	if !known {
		return true
	}
	predicted := param.Predict(s.Kernel, a.Value, s.before(set))
	return predicted.Refused == "" && predicted.Swallowed == ""
}

// sparesOne reports whether a pattern leaves a parameter to a line that names it
// or to another pattern. The line has not lost thereby: it sets the others.
func (a Assignment) sparesOne() bool {
	name := a.writtenName()
	return sysctl.Key(name).IsPattern() && a.LosesTo != nil && Assignment{Text: a.LosesTo.Text}.writtenName() != name
}

// writtenName is the left side of the line as it stands in its file, which may be
// a pattern where Key is a parameter that it matches.
func (a Assignment) writtenName() string {
	name, _, _ := strings.Cut(a.Text, "=")
	return strings.TrimPrefix(strings.TrimSpace(name), "-")
}

func sameValue(key sysctl.Key, a, b sysctl.Value) bool {
	param, _ := sysctl.Lookup(key)
	return param.Type.Equal(a, b)
}

// lacks reports whether the kernel does not have a parameter at all.
func (s *Snapshot) lacks(key sysctl.Key) bool {
	cause := s.Sysctls[key].Absent
	return cause == sysctl.Removed || cause == sysctl.NotYet || cause == sysctl.NotBuilt
}

// absence is the fact that holds if the kernel does not have the parameter that
// a line sets, or "", and what is to be said of it. A line that may fail by its
// author's will is let pass.
func (s *Snapshot) absence(a Assignment) (Name, string) {
	if a.Key == "" || a.Key.IsPattern() || a.Lenient {
		return "", ""
	}
	param, catalogued := sysctl.Lookup(a.Key)
	if !catalogued {
		exists, known, nearest := sysctl.Exists(a.Key)
		gone := sysctl.GoneBy(a.Key)
		switch {
		case known && !exists && nearest != "":
			return "line.unknown", "; " + string(nearest) + " is a real name"
		case known && !exists:
			return "line.unknown", ""
		case !gone.IsZero() && !s.Kernel.Before(gone):
			return "line.removed", fmt.Sprintf("gone by Linux %v", gone)
		case a.NoFile:
			return "line.absent", ""
		}
		return "", ""
	}
	reading := s.Sysctls[a.Key]
	switch {
	case reading.Absent == sysctl.Removed:
		return "line.removed", reading.Detail
	case reading.Absent == sysctl.NotYet:
		return "line.not_yet", reading.Detail
	case reading.Absent == sysctl.NotBuilt:
		return "line.absent", reading.Detail
	case a.Container && !param.IsNamespaced(s.Kernel):
		return "line.host_wide", ""
	}
	return "", ""
}

// before gives the values that parameters have when a line is applied: what
// lines before it set, or else the default; on a live host the running value
// stands in for a default that is not known.
func (s *Snapshot) before(set map[sysctl.Key]sysctl.Value) func(sysctl.Key) sysctl.Value {
	return func(key sysctl.Key) sysctl.Value {
		if value, is := set[key]; is {
			return value
		}
		if param, known := sysctl.Lookup(key); known {
			if value, known := param.Default(s.SizingHost()); known {
				return value
			}
		}
		return s.Sysctls[key].Value
	}
}

// isLegacyConntrack picks the names from when connection tracking was for IPv4
// only, of which the catalogue holds those about TCP.
func isLegacyConntrack(k sysctl.Key) bool {
	return strings.HasPrefix(string(k), "net.ipv4.ip_conntrack_") || strings.HasPrefix(string(k), "net.ipv4.netfilter.ip_conntrack_")
}
