package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

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
	sums, order := map[string]int64{}, []string{}
	for _, r := range all {
		for _, s := range r.States {
			if _, listed := sums[s.State]; !listed {
				order = append(order, s.State)
			}
			sums[s.State] += s.All()
		}
	}
	order = slices.DeleteFunc(order, func(state string) bool { return sums[state] == 0 })
	heading := []string{"in " + plural(len(all), "network namespace", "network namespaces")}
	for _, r := range all {
		if len(r.States) > 0 && !slices.Contains(heading, r.From) {
			heading = append(heading, r.From)
		}
	}
	p.section("SOCKETS", strings.Join(heading, "; "))
	states, folded := order, []string{}
	head, rows, room := p.namespaceRows(all, states, folded)
	for room < p.roomForNames(rows) && len(states) > 1 {
		rarest := slices.MinFunc(states, func(a, b string) int { return cmp.Compare(sums[a], sums[b]) })
		states = slices.DeleteFunc(slices.Clone(states), func(state string) bool { return state == rarest })
		folded = slices.DeleteFunc(slices.Clone(order), func(state string) bool { return slices.Contains(states, state) })
		head, rows, room = p.namespaceRows(all, states, folded)
	}
	numbers := make([]int, len(head)-1)
	for i := range numbers {
		numbers[i] = i
	}
	for _, line := range rendered(head, rows, room, numbers) {
		p.raw("  " + line)
	}
	if len(folded) > 0 {
		p.line("Others: %s. In a pipe each has a column of its own.", strings.Join(folded, ", "))
	}
}

// namespaceRows are the rows for some states, with the others together, and the
// width that is left for names; 0 if it has no end.
func (p *printer) namespaceRows(all []advisor.States, states, folded []string) (head table.Row, rows []table.Row, room int) {
	head = table.Row{"all"}
	for _, state := range states {
		if !p.Piped {
			state = stacked.Replace(state)
		}
		head = append(head, state)
	}
	if len(folded) > 0 {
		head = append(head, "others")
	}
	sums := make([]int64, len(head))
	names := namesOf(all)
	for i, r := range all {
		of := map[string]int64{}
		for _, s := range r.States {
			of[s.State] = s.All()
		}
		numbers := []int64{r.Total()}
		for _, state := range states {
			numbers = append(numbers, of[state])
		}
		if len(folded) > 0 {
			others := int64(0)
			for _, state := range folded {
				others += of[state]
			}
			numbers = append(numbers, others)
		}
		row := table.Row{}
		for i, n := range numbers {
			sums[i] += n
			if len(r.States) == 0 {
				row = append(row, "?")
			} else {
				row = append(row, n)
			}
		}
		if len(r.States) == 0 {
			names[i] += ": " + r.From
		}
		rows = append(rows, append(row, names[i]))
	}
	if len(all) > 1 {
		row := table.Row{}
		for _, n := range sums {
			row = append(row, n)
		}
		rows = append(rows, append(row, "all of these"))
	}
	shown(rows)
	if p.Piped {
		return append(head, "namespace"), rows, 0
	}
	room = p.Width - 2
	for _, width := range widths(head, rows) {
		room -= width + 2
	}
	return append(head, "namespace"), rows, max(1, room)
}

// stacked are the names of states on two lines, which makes columns narrow.
var stacked = strings.NewReplacer("ESTABLISHED", "ESTAB-\nLISHED", "SYN-", "SYN-\n", "FIN-", "FIN-\n", "CLOSE-", "CLOSE-\n", "LAST-", "LAST-\n", "TIME-", "TIME-\n")

// roomForNames is the width that names are to have before states get a column:
// what the longest needs, within a third of the line.
func (p *printer) roomForNames(rows []table.Row) int {
	if p.Piped {
		return 0
	}
	longest := len("namespace")
	for _, row := range rows {
		longest = max(longest, text.StringWidth(fmt.Sprint(row[len(row)-1])))
	}
	return min(longest, p.Width/3)
}

// namesOf are the names of namespaces, with what tells them apart where several
// have the same.
func namesOf(all []advisor.States) []string {
	count := map[string]int{}
	for _, r := range all {
		count[r.Namespace.Name]++
	}
	names := make([]string, len(all))
	for i, r := range all {
		if names[i] = namespaceOf(r); !r.Namespace.Initial && r.Namespace.Name != "" && count[r.Namespace.Name] == 1 {
			names[i] = r.Namespace.Name
		}
	}
	return names
}
