package report

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
)

// Namespaces writes the report of a host in full, and then how its other network
// namespaces differ: those that differ in the same way together.
func (t Text) Namespaces(w io.Writer, n advisor.Namespaces) error {
	if err := t.Report(w, n.Host); err != nil {
		return err
	}
	p := t.printer(w)
	p.section("OTHER NAMESPACES", fmt.Sprintf("%d looked at, %d skipped", len(n.Namespaces), len(n.Skipped)))
	keys := make([]string, len(n.HostWide))
	for i, key := range n.HostWide {
		keys[i] = string(key)
	}
	p.line("One value for the whole host: %s", strings.Join(keys, ", "))
	if n.UnseenProcesses > 0 {
		p.line("There may be others: the namespace of %s could not be told, not permitted.", plural(int(n.UnseenProcesses), "process", "processes"))
	}
	rest := slices.Clone(n.Namespaces)
	for len(rest) > 0 {
		var alike, others []advisor.NamespaceReport
		for _, of := range rest {
			if reflect.DeepEqual(of.Differs, rest[0].Differs) && reflect.DeepEqual(of.Findings, rest[0].Findings) && reflect.DeepEqual(of.Inconclusive, rest[0].Inconclusive) {
				alike = append(alike, of)
			} else {
				others = append(others, of)
			}
		}
		p.namespaces(alike)
		rest = others
	}
	for _, skipped := range Skipped(n.Skipped) {
		p.line("")
		p.line("%s", skipped)
	}
	return p.err
}

// Skipped tells of namespaces that could not be looked at, a line for each reason.
// Names are not yet fit to be shown.
func Skipped(skipped []facts.SkippedNamespace) []string {
	var reasons, lines []string
	names := map[string][]string{}
	for _, n := range skipped {
		if names[n.Reason] == nil {
			reasons = append(reasons, n.Reason)
		}
		names[n.Reason] = append(names[n.Reason], named(n.Name, n.ID))
	}
	for _, reason := range reasons {
		lines = append(lines, enumerated(names[reason])+" skipped: "+reason)
	}
	return lines
}

// named is the name of a namespace and what tells it from others of that name.
func named(name, id string) string {
	if name == id || name == "" {
		return id
	}
	return name + " (" + id + ")"
}

// namedAlike is how many namespaces that are alike are named.
const namedAlike = 12

// enumerated are the first of some names, and how many more there are.
func enumerated(names []string) string {
	if more := len(names) - namedAlike; more > 0 {
		names = append(slices.Clone(names[:namedAlike]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// namespaces writes about namespaces that differ from the host in the same way.
func (p *printer) namespaces(alike []advisor.NamespaceReport) {
	first, names := alike[0], make([]string, len(alike))
	processes, sockets := 0, int64(0)
	for i, of := range alike {
		names[i] = named(of.Name, of.ID)
		processes += max(0, of.Processes)
		sockets += of.Sockets
	}
	p.line("")
	p.line("%s · %s · %s", enumerated(names), plural(processes, "process", "processes"), count(int(sockets), "socket"))
	if len(first.Differs) > 0 {
		rows := []table.Row{}
		for _, d := range first.Differs {
			rows = append(rows, table.Row{string(d.Key), string(spaced(d.Value)), string(spaced(d.Host))})
		}
		p.table(table.Row{"parameter", "there", "on the host"}, rows)
	}
	for _, f := range first.Findings {
		if f.Severity.AtLeast(p.MinSeverity) {
			p.finding(f)
		}
	}
	for _, i := range first.Inconclusive {
		p.field("unknown", i.Rule+": "+strings.Join(i.Missing, "; "))
	}
	if len(first.Differs)+len(first.Findings)+len(first.Inconclusive) == 0 {
		p.line("  as the host")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// NamespacesResults are the results of a check of all network namespaces. What is
// said of another than the host's begins with its name.
func NamespacesResults(n advisor.Namespaces, set rules.Set, version string) Results {
	results := ResultsOf(n.Host, set, version)
	for _, of := range n.Namespaces {
		for _, f := range of.Findings {
			f.Message = named(of.Name, of.ID) + ": " + f.Message
			results.Findings = append(results.Findings, f)
			results.Passed = slices.DeleteFunc(slices.Clone(results.Passed), func(rule string) bool { return rule == f.Rule })
		}
	}
	slices.SortStableFunc(results.Findings, func(a, b advisor.Finding) int {
		return slices.Index(rules.Severities, b.Severity) - slices.Index(rules.Severities, a.Severity)
	})
	return results
}
