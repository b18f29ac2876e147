package facts

import (
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// Groups are the kinds of things of which there are many, and about which rules
// are asked one by one. A rule that names a fact of a group, such as "line.key",
// is about each of them.
var Groups = []string{"line", "file"}

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

// Subjects are the lines that set parameters at boot and the files that should
// and do not. host holds the facts of the snapshot.
func (s *Snapshot) Subjects(host Facts) []Subject {
	var all []Subject
	add := func(group string, place Place, values map[Name]any) {
		layer := Facts{Kernel: host.Kernel, values: make(map[Name]Value, len(values)), under: &host}
		for name, content := range values {
			layer.values[name] = Value{Content: content, Source: place.String(), Place: &place}
		}
		all = append(all, Subject{group, place, layer})
	}
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
		add("line", a.Place(), s.line(a, last[fileKey{a.File, a.Key}], set))
		set[a.Key] = a.Value
	}
	if s.Boot != nil {
		for _, file := range s.Boot.Ignored {
			add("file", Place{File: file.Path}, map[Name]any{
				"file.path": file.Path, "file.reason": file.Reason, "file.never_read": !file.Unreadable, "file.unreadable": file.Unreadable,
			})
		}
	}
	return all
}

// line computes what is to be said about a line, given the last one of its file
// on the same parameter, and what the lines before it set.
func (s *Snapshot) line(a, last Assignment, set map[sysctl.Key]sysctl.Value) map[Name]any {
	l := map[Name]any{"line.key": string(a.Key), "line.value": string(a.Value)}
	because := func(name Name, why string) {
		l[name], l[name+"_why"] = why != "", why
	}
	because("line.malformed", a.Malformed)
	because("line.loses", a.Loses)
	l["line.administrators"] = !strings.HasPrefix(a.File, "/usr/lib/") && !strings.HasPrefix(a.File, "/lib/")
	l["line.unmatched"] = a.Unmatched
	l["line.legacy_conntrack"], l["line.ipv6_tcp"] = isLegacyConntrack(a.Key), strings.HasPrefix(string(a.Key), "net.ipv6.tcp_")

	absence, why := s.absence(a)
	for _, name := range []Name{"line.removed", "line.not_yet", "line.unknown", "line.absent", "line.host_wide"} {
		l[name] = name == absence
	}
	l["line.absent_why"] = why

	var predicted sysctl.Prediction
	senseless := ""
	if param, known := sysctl.Lookup(a.Key); known && a.Malformed == "" && absence == "" {
		predicted = param.Predict(s.Kernel, a.Value, s.before(set))
		if err := param.CheckSane(a.Value); err != nil && predicted.Refused == "" && predicted.Swallowed == "" {
			senseless = err.Error()
		}
	}
	because("line.refused", predicted.Refused)
	because("line.swallowed", predicted.Swallowed)
	because("line.senseless", senseless)

	contradicted := a.Key != "" && last.Line != a.Line && !sameValue(a.Key, last.Value, a.Value)
	l["line.contradicted"], l["line.contradicted_by"] = contradicted, last.Place().String()
	return l
}

func sameValue(key sysctl.Key, a, b sysctl.Value) bool {
	param, _ := sysctl.Lookup(key)
	return param.Type.Equal(a, b)
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
		switch {
		case known && !exists && nearest != "":
			return "line.unknown", "; " + string(nearest) + " is a real name"
		case known && !exists:
			return "line.unknown", ""
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
	case a.container && !param.IsNamespaced(s.Kernel):
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
