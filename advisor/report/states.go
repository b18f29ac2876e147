package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// States writes the sockets of a namespace, broken down one way.
func (t Text) States(w io.Writer, r advisor.States) error {
	p := t.printer(w)
	switch r.By {
	case facts.ByListener:
		p.queues(r)
	case facts.ByDestination:
		p.destinations(r)
	case facts.ByProgram:
		p.programs(r)
	default:
		p.states(r.States, r.From, true)
		if len(r.States) > 0 {
			p.besideStates(r)
		}
		p.unseen(r)
	}
	return p.err
}

// none says that there is nothing, if that is known.
func (p *printer) none(r advisor.States, text string) {
	if r.Unseen == "" {
		p.line("%s", text)
	}
	p.unseen(r)
}

func (p *printer) unseen(r advisor.States) {
	if r.Unseen != "" && r.Unseen != r.From { // which the heading says
		p.field("unseen", r.Unseen)
	}
}

// besideStates is what the table of states does not tell.
func (p *printer) besideStates(r advisor.States) {
	p.field("in all", fmt.Sprint(r.Total()))
	var unsided []string
	for _, s := range r.States {
		if s.Server == nil && s.All() > 0 && s.State != tcpstate.Listen.Info().Name {
			unsided = append(unsided, s.State)
		}
	}
	if len(unsided) > 0 {
		p.field("no side", strings.Join(unsided, ", ")+": computed, not looked at one by one (--by destination tells how many were made from here)")
	}
	if r.Orphans+r.FinWait2Orphans > 0 {
		p.field("orphans", fmt.Sprintf("%d full sockets without a program; in FIN-WAIT-2 %d without one, mini-sockets included", r.Orphans, r.FinWait2Orphans))
	}
	if r.SynSent != nil {
		p.field("SYN-SENT", unanswered(*r.SynSent))
	}
}

// unanswered tells one dead destination from many.
func unanswered(s facts.Spread) string {
	const named = 3
	var parts []string
	for _, t := range s.Top[:min(named, len(s.Top))] {
		parts = append(parts, fmt.Sprintf("%d to %s", t.Sockets, t))
	}
	if more := s.Distinct - int64(len(parts)); more > 0 {
		parts = append(parts, fmt.Sprintf("the others to %s%s", atLeast(s.Exact), plural(int(more), "more destination", "more destinations")))
	}
	return strings.Join(parts, ", ")
}

// atLeast stands before a number of destinations that may be too low.
func atLeast(exact bool) string {
	if exact {
		return ""
	}
	return "at least "
}

func (p *printer) queues(r advisor.States) {
	p.section("LISTENERS", r.From)
	if len(r.Listeners) == 0 {
		if r.Unseen != r.From { // else they were not looked at
			p.line("Nothing listens.")
		}
		return
	}
	rows := []table.Row{}
	for _, row := range r.Listeners {
		l := row.Listener
		limit, fill, synRecv := any("?"), any(""), "?"
		if row.Percent != nil {
			limit, fill = l.Limit, p.fill(*row.Percent)
		}
		if l.SynRecv != nil {
			synRecv = fmt.Sprint(*l.SynRecv)
		}
		rows = append(rows, table.Row{l.Endpoint(), l.Queue, limit, fill, synRecv, cmp.Or(l.Holder(), "?"), row.LimitedBy})
	}
	p.table(table.Row{"listener", "queue", "limit", "", "SYN-RECV", "program", "limited by"}, rows, 1, 2, 3, 4)
	p.unseen(r)
}

func (p *printer) destinations(r advisor.States) {
	p.section("DESTINATIONS", r.From)
	d := r.Destinations
	if len(d.Top) == 0 {
		p.none(r, "No connection was made from here.")
		p.sides(d)
		return
	}
	rows := []table.Row{}
	for _, row := range d.Top {
		t := row.Target
		last := fmt.Sprintf("%.0f more connections a second", row.PerSecond)
		if row.PerSecond < 10 { // few are not none
			last = fmt.Sprintf("%.2g more connections a second", row.PerSecond)
		}
		if row.Unknown != "" {
			last = "unknown: " + row.Unknown
		}
		rows = append(rows, table.Row{t.String(), t.Sockets, row.Size, p.fill(row.Percent), t.TimeWait, last})
	}
	p.table(table.Row{"destination", "ports", "of", "", "TIME-WAIT", "the rest carries"}, rows, 1, 2, 3, 4)
	if more := d.Distinct - int64(len(d.Top)); more > 0 {
		p.line("And %s%d more.", atLeast(d.Exact), more)
	}
	p.sides(d)
	switch {
	case d.Sample != nil:
		p.line("Estimated from %d sockets of about %d: give or take %d, and small destinations may be missing.", d.Sample.Looked, d.Sample.Of, d.Error)
	case !d.Exact:
		p.line("There are more destinations than are told apart: numbers may be too high by up to %d.", d.Error)
	}
}

// sides tells the client's side from the server's.
func (p *printer) sides(d advisor.DestinationRows) {
	if d.Of > 0 {
		p.line("Made from here, with a port of the range: about %d of %d. The others were accepted here, or their program chose the port.", d.Sockets, d.Of)
	}
}

func (p *printer) programs(r advisor.States) {
	p.section("PROGRAMS", r.From)
	if len(r.Programs) == 0 {
		p.none(r, "No socket waits for its program to close it, and none is without one.")
	}
	for _, ownership := range r.Programs {
		note := fmt.Sprint(ownership.Sockets)
		if ownership.Estimated {
			note += "; by program, an estimate from some of the descriptors"
		}
		p.section(advisor.NameOf(ownership.State), note)
		rows := []table.Row{}
		for _, o := range ownership.Top {
			processes := any(o.Processes)
			switch {
			case ownership.State == facts.OwnedOrphan:
				processes = "" // by what an orphan is
			case o.Processes == 0:
				processes = "?"
			}
			rows = append(rows, table.Row{o.Sockets, processes, owner(ownership.State, o)})
		}
		if len(rows) > 0 {
			p.table(table.Row{"sockets", "processes", "program"}, rows, 0, 1)
		}
		if ownership.More > 0 {
			p.line("And %d more.", ownership.More)
		}
		if ownership.Reason != "" {
			p.field("unnamed", ownership.Reason)
		}
	}
}

// owner names a program without how many processes it has, for which there is a
// column.
func owner(state facts.OwnedState, o facts.Owner) string {
	if state == facts.OwnedOrphan && o.Unit+o.User == "" {
		return "made in no unit or container that is known"
	}
	most := ""
	if o.Processes > 1 && o.PID != 0 {
		most = fmt.Sprintf(", most by %d", o.PID)
		o.PID = 0
	}
	o.Processes = 0
	return o.String() + most
}
