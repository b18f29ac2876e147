package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// shownListeners is how many of them the text of a plan names; hosts may have
// thousands.
const shownListeners = 12

// Plan writes what a plan would change.
func (t Text) Plan(w io.Writer, plan advisor.Plan) error {
	p := t.printer(w)
	p.raw(p.bold("PLAN") + "  " + printable.Text(fmt.Sprintf("profile %s: %s, %d as wanted already, %d not to be had here", plan.Profile, count(len(plan.Steps), "change"), plan.Met, len(plan.Skipped))))
	for _, s := range plan.Steps {
		p.raw("")
		p.raw("  " + p.bold(string(s.Key)) + "  " + printable.Text(spaced(s.From)+" -> "+spaced(s.To)))
		p.field("because", s.Because)
		acts := s.Acts
		if n := len(s.Listeners); n > 0 {
			acts += "; until then these keep their limit: " + strings.Join(s.Listeners[:min(n, shownListeners)], ", ")
			if n > shownListeners {
				acts += fmt.Sprintf(" and %d more", n-shownListeners)
			}
		}
		p.field("acts", acts)
	}
	if len(plan.Steps) > 0 && len(plan.Cautions) > 0 {
		p.raw("")
		for _, caution := range plan.Cautions {
			p.field("caution", caution)
		}
	}
	p.skipped(plan.Skipped)
	if len(plan.Worse) > 0 {
		p.section("THIS WOULD BRING IN", count(len(plan.Worse), "finding"))
	}
	for _, f := range plan.Worse {
		p.finding(f)
	}
	p.dropIn(plan.DropIn)
	if f, forbidden := plan.Forbidden(); forbidden {
		p.raw("")
		p.line("'tcptune apply' refuses this plan for %s.", f.Rule)
	}
	return p.err
}

// PlanDiff writes a plan as unified diffs: of the values that run, and of the
// drop-in.
func (t Text) PlanDiff(w io.Writer, plan advisor.Plan) error {
	var now, then strings.Builder
	for _, goal := range plan.Goals {
		if goal.Skip == nil {
			fmt.Fprintf(&now, "%s = %s\n", goal.Key, spaced(goal.Current))
			fmt.Fprintf(&then, "%s = %s\n", goal.Key, spaced(goal.Target()))
		}
	}
	text := udiff.Unified("running", plan.Profile, now.String(), then.String())
	if d := plan.DropIn; d != nil {
		from, before := d.Path, ""
		if d.Before == nil {
			from = "/dev/null"
		} else {
			before = *d.Before
		}
		text += udiff.Unified(from, d.Path, before, d.After)
	}
	_, err := io.WriteString(w, printable.Lines(text))
	return err
}

// dropIn tells what a plan writes for the next boot, and what of it will hold.
func (p *printer) dropIn(d *advisor.PlannedDropIn) {
	switch {
	case d == nil:
		return
	case d.Before != nil && *d.Before == d.After:
		p.section("DROP-IN", d.Path+" is as wanted already")
	default:
		p.section("DROP-IN", d.Path)
		p.raw(printable.Lines(strings.TrimSpace(d.After)))
		p.raw("")
	}
	p.atBoot(d.AtBoot)
}

// atBoot tells whether a drop-in's values will hold at the next boot.
func (p *printer) atBoot(b advisor.AtBoot) {
	switch {
	case b.Unread != "":
		p.line("Nothing reads the drop-in at boot: %s.", b.Unread)
	case len(b.Beaten) > 0:
		for _, beaten := range b.Beaten {
			p.line("%s.", beaten)
		}
	case b.Loader == "":
		p.line("At boot all its values would hold, whichever program reads it; which one does is not known: %s.", b.Evidence)
	default:
		p.line("At boot all its values will hold: %s.", b.Evidence)
	}
	if len(b.Unseen) > 0 {
		p.line("That could not be told of %s, which could not be read.", strings.Join(b.Unseen, ", "))
	}
}

func (p *printer) skipped(skipped []advisor.SkippedWant) {
	if len(skipped) == 0 {
		return
	}
	p.section("NOT TO BE HAD HERE", "")
	for _, s := range skipped {
		p.field(string(s.Key), s.Reason)
	}
}

// Profile writes a profile and what it comes to on a host.
func (t Text) Profile(w io.Writer, profile profiles.Profile, goals []profiles.Goal) error {
	p := t.printer(w)
	p.raw(p.bold(profile.Name) + "  (" + printable.Text(profile.Origin) + ")")
	p.field("for", profile.Summary)
	if profile.Extends != "" {
		p.field("extends", profile.Extends)
	}
	if len(profile.Suits) > 0 {
		p.field("suits", strings.Join(profile.Suits, ", "))
	}
	for _, caution := range profile.Cautions {
		p.field("caution", caution)
	}
	for _, g := range goals {
		p.raw("")
		p.raw("  " + p.bold(string(g.Key)) + "  " + printable.Text(g.Want.String()))
		p.field("why", g.Why)
		switch {
		case g.Skip != nil:
			p.field("here", "not to be had: "+g.Skip.String())
		case g.Met:
			p.field("here", spaced(g.Current)+", as wanted")
		default:
			p.field("here", spaced(g.Current)+" -> "+spaced(g.Value))
		}
	}
	return p.err
}

// Applied writes what an apply did.
func (t Text) Applied(w io.Writer, r advisor.Applied) error {
	p := t.printer(w)
	p.raw("")
	if r.ID == "" {
		p.line("Nothing to change: everything that can be had here is as wanted.")
		if r.AtBoot != nil {
			p.atBoot(*r.AtBoot)
		}
		return p.err
	}
	p.line("Applied: %s written and read back.", count(len(r.Written), "parameter"))
	for _, c := range r.Same {
		p.field("same", fmt.Sprintf("%s = %s already", c.Key, spaced(c.To)))
	}
	p.file(r.DropIn)
	if r.AtBoot != nil {
		p.atBoot(*r.AtBoot)
	}
	p.line("'tcptune rollback' takes this back (transaction %s).", r.ID)
	return p.err
}

// RolledBack writes what a rollback did.
func (t Text) RolledBack(w io.Writer, r change.Result) error {
	p := t.printer(w)
	if r.Rebooted {
		p.line("Transaction %s is of an earlier boot: its values ended with it.", r.ID)
	} else {
		p.line("Rolled back transaction %s: %s restored.", r.ID, count(len(r.Restored), "parameter"))
	}
	for _, c := range r.Restored {
		p.field("restored", fmt.Sprintf("%s = %s (was %s)", c.Key, spaced(c.From), spaced(c.To)))
	}
	for _, c := range r.Same {
		p.field("same", fmt.Sprintf("%s = %s already", c.Key, spaced(c.From)))
	}
	for _, l := range r.Left {
		p.field("left", fmt.Sprintf("%s = %s, not put back to %s: %s", l.Key, spaced(l.Found), spaced(l.Wanted), l.Why))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Covered)) {
		p.field("kept", fmt.Sprintf("%s: the newer transaction %s set it, and puts it back", k, r.Covered[k]))
	}
	p.file(r.DropIn)
	return p.err
}

func (p *printer) file(f *change.FileResult) {
	if f == nil {
		return
	}
	text := fmt.Sprintf("Drop-in %s: %s", f.Path, f.Outcome)
	if f.Why != "" {
		text += ", " + f.Why
	}
	p.line("%s.", text)
}

// History writes the journal, newest first. Here tells which transactions are of
// this boot and network namespace.
func (t Text) History(w io.Writer, records []change.Record, here change.Identity) error {
	p := t.printer(w)
	if len(records) == 0 {
		p.line("Nothing was applied so far.")
		return p.err
	}
	rows := [][]string{{"transaction", "state", "profile", "by", "where", "what"}}
	for _, r := range records {
		if r.Damaged != nil {
			rows = append(rows, []string{r.ID, "damaged", "", "", "", r.Damaged.Error()})
			continue
		}
		by := r.By.Login
		if by == "" {
			by = r.By.Sudo
		}
		if by == "" {
			by = fmt.Sprintf("uid %d", r.By.UID)
		}
		what := count(len(r.Changes), "change")
		switch {
		case r.Layer != nil:
			what += ", drop-in " + r.Layer.Path
		case r.DropIn != nil:
			what += ", drop-in " + r.DropIn.Path
		}
		if r.Reason != "" {
			what += ": " + r.Reason
		}
		where := "here"
		if r.Boot != here.Boot {
			where = "earlier boot"
		} else if !r.Namespace.Same(here.Namespace) {
			where = r.Namespace.String()
		}
		rows = append(rows, []string{r.ID, string(r.State), r.Profile, by, where, what})
	}
	return t.Table(w, rows)
}

// spaced prints a value with single blanks, or says that it is empty.
func spaced(v sysctl.Value) string {
	if len(v.Fields()) == 0 {
		return "(empty)"
	}
	return strings.Join(v.Fields(), " ")
}
