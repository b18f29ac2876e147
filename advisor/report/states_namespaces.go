package report

import (
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
)

// StatesByNamespace writes the sockets of several network namespaces: by state in
// one table, a row for each namespace, and otherwise one after the other.
func (t Text) StatesByNamespace(w io.Writer, all []advisor.States) error {
	p := t.printer(w)
	if len(all) > 0 && all[0].By == facts.ByState {
		p.namespaceTable(all)
		return p.err
	}
	for _, r := range all {
		p.line("%s", namespaceOf(r))
		if err := t.States(w, r); err != nil {
			return err
		}
		p.line("")
	}
	return p.err
}

func namespaceOf(r advisor.States) string {
	if r.Namespace.Initial {
		return "the host"
	}
	return named(r.Namespace.Name, r.Namespace.ID)
}

// namespaceTable has a column for each state in which there is a socket at all,
// and the sums in the last row. The heading tells how they were counted.
func (p *printer) namespaceTable(all []advisor.States) {
	sums := map[string]int64{}
	head, numbers := table.Row{"all"}, []int{0}
	for _, r := range all {
		for _, s := range r.States {
			sums[s.State] += s.All()
		}
	}
	var shown []string
	for _, r := range all {
		for _, s := range r.States { // the order of states
			if sums[s.State] > 0 {
				shown = append(shown, s.State)
				head = append(head, s.State)
				numbers = append(numbers, len(shown))
			}
		}
		if len(shown) > 0 {
			break
		}
	}
	heading := []string{"in " + plural(len(all), "network namespace", "network namespaces")}
	rows, total := []table.Row{}, int64(0)
	for _, r := range all {
		total += r.Total()
		of := map[string]int64{}
		for _, s := range r.States {
			of[s.State] = s.All()
		}
		row, name := table.Row{r.Total()}, namespaceOf(r)
		for _, state := range shown {
			row = append(row, of[state])
		}
		switch {
		case len(r.States) == 0:
			for i := range row {
				row[i] = "?"
			}
			name += ": " + r.From
		case !slices.Contains(heading, r.From):
			heading = append(heading, r.From)
		}
		rows = append(rows, append(row, name))
	}
	if len(all) > 1 {
		row := table.Row{total}
		for _, state := range shown {
			row = append(row, sums[state])
		}
		rows = append(rows, append(row, "all of these"))
	}
	p.section("SOCKETS", strings.Join(heading, "; "))
	p.table(append(head, "namespace"), rows, numbers...)
}
