package advisor

import (
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// NamespacesSchema is the version of the form of [Namespaces] in JSON
// (docs/namespaces.schema.json).
const NamespacesSchema = 1

// Namespaces is what tcptune has to say about all network namespaces of a host:
// of the others only what differs from the host's first.
type Namespaces struct {
	Schema int    `json:"schema"`
	Host   Report `json:"host"`
	// HostWide are the parameters that this kernel has only one of.
	HostWide   []sysctl.Key             `json:"host_wide"`
	Namespaces []NamespaceReport        `json:"namespaces"`
	Skipped    []facts.SkippedNamespace `json:"skipped"`
	// UnseenProcesses are those whose namespace could not be told, for lack of
	// permission: it may be one that is missing here.
	UnseenProcesses int64 `json:"unseen_processes"`
}

// NamespaceReport is how a network namespace differs from the host's first.
type NamespaceReport struct {
	Name string `json:"name"`
	ID   string `json:"id"` // as in /proc/self/ns/net
	// Processes is how many run in it, of those that could be seen.
	Processes int   `json:"processes"`
	Sockets   int64 `json:"sockets"` // TCP sockets of all states; 0 if they could not be counted
	// Differs are the parameters that have another value there.
	Differs []NamespaceDifference `json:"differs"`
	// Findings are those that the host has not got in the same words.
	Findings []Finding `json:"findings"`
	// Inconclusive rules are those that the host could be judged by.
	Inconclusive []Inconclusive `json:"inconclusive"`
}

// NamespaceDifference is a parameter of a namespace that is not as the host's.
type NamespaceDifference struct {
	Key   sysctl.Key   `json:"key"`
	Value sysctl.Value `json:"value"`
	Host  sysctl.Value `json:"host"`
}

// Compare judges the host by every rule and compares it with the profile, if one
// is given, and puts the other namespaces beside it.
func Compare(survey *facts.Survey, set rules.Set, profile *profiles.Profile) Namespaces {
	host := survey.Host()
	n := Namespaces{Schema: NamespacesSchema, Host: Advise(host, set, profile),
		HostWide: []sysctl.Key{}, Namespaces: []NamespaceReport{}, Skipped: append([]facts.SkippedNamespace{}, survey.Skipped...)}
	if host.Everywhere != nil {
		n.UnseenProcesses = host.Everywhere.UnseenProcesses
	}
	for _, p := range sysctl.Catalogue() {
		if r, read := host.Sysctls[p.Key]; read && r.Absent == "" && !p.IsNamespaced(host.Kernel) {
			n.HostWide = append(n.HostWide, p.Key)
		}
	}
	for _, other := range survey.Namespaces[1:] {
		n.add(other.Snapshot, host, set, other.Processes)
	}
	return n
}

// add judges a namespace by every rule and keeps what differs from the host.
func (n *Namespaces) add(s, host *facts.Snapshot, set rules.Set, processes int) {
	r := Advise(s, set, nil)
	report := NamespaceReport{Name: s.Namespace.Name, ID: s.Namespace.ID, Processes: processes,
		Differs: []NamespaceDifference{}, Findings: []Finding{}, Inconclusive: []Inconclusive{}}
	for _, state := range r.States {
		report.Sockets += state.All()
	}
	for _, p := range sysctl.Catalogue() {
		here, there := s.Sysctls[p.Key], host.Sysctls[p.Key]
		if here.Absent == "" && there.Absent == "" && !p.ReadOnly && p.IsNamespaced(s.Kernel) && !p.Type.Equal(here.Value, there.Value) {
			report.Differs = append(report.Differs, NamespaceDifference{p.Key, here.Value, there.Value})
		}
	}
	report.Findings = append(report.Findings, r.Beside(n.Host).Findings...)
	for _, i := range r.Inconclusive {
		if !isHostWide(i) && !slices.ContainsFunc(n.Host.Inconclusive, func(of Inconclusive) bool { return of.Rule == i.Rule }) {
			report.Inconclusive = append(report.Inconclusive, i)
		}
	}
	n.Namespaces = append(n.Namespaces, report)
}

// Beside is the report without the findings that the host has in the same words.
func (r Report) Beside(host Report) Report {
	r.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool {
		return slices.ContainsFunc(host.Findings, func(of Finding) bool { return of.Rule == f.Rule && of.Message == f.Message })
	})
	return r
}

// isHostWide reports whether a rule wants what only the host's first namespace
// shows; there it was judged.
func isHostWide(i Inconclusive) bool {
	return slices.ContainsFunc(i.Missing, func(m string) bool { return strings.Contains(m, string(sysctl.HostWide)) })
}

// Worst is the gravest severity among the findings of all namespaces, "" if there
// are none.
func (n Namespaces) Worst() rules.Severity {
	worst := n.Host.Worst()
	for _, report := range n.Namespaces {
		for _, f := range report.Findings {
			if f.Severity.AtLeast(worst) {
				worst = f.Severity
			}
		}
	}
	return worst
}
