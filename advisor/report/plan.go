package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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
	changes := count(len(plan.Steps), "change")
	if plan.FilesOnly {
		changes = "the drop-in alone"
	}
	p.raw(p.bold("PLAN") + "  " + printable.Text(fmt.Sprintf("profile %s: %s, %d as wanted already, %d not to be had here", plan.Profile, changes, plan.Met, len(plan.Skipped))))
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
		p.proof(r)
		return p.err
	}
	p.line("Applied: %s written and read back.", count(len(r.Written), "parameter"))
	for _, c := range r.Same {
		p.field("same", fmt.Sprintf("%s = %s already", c.Key, spaced(c.To)))
	}
	p.file(r.DropIn)
	p.proof(r)
	switch {
	case r.Window == nil:
		p.line("'tcptune rollback' takes this back (transaction %s).", r.ID)
	case r.Watched:
		p.line("This stays from %s on if it is healthy until then, and else is taken back at once; 'tcptune rollback' takes it back now (transaction %s).", clock(r.Window.Deadline), r.ID)
	default:
		p.line("This is taken back at %s unless 'tcptune confirm' keeps it; 'tcptune extend 5m' gives it more time (transaction %s).", clock(r.Window.Deadline), r.ID)
	}
	return p.err
}

// Confirmed writes what a confirmation did.
func (t Text) Confirmed(w io.Writer, r advisor.Applied) error {
	p := t.printer(w)
	p.line("Confirmed: transaction %s stays. 'tcptune rollback' takes it back.", r.ID)
	for _, l := range r.Left {
		p.field("moved", fmt.Sprintf("%s = %s, and not %s: %s", l.Key, spaced(l.Found), spaced(l.Wanted), l.Why))
	}
	p.file(r.DropIn)
	p.proof(r)
	return p.err
}

// Extended writes how long a transaction waits now.
func (t Text) Extended(w io.Writer, e change.Entry) error {
	p := t.printer(w)
	p.line("Transaction %s is taken back at %s unless it is confirmed.", e.ID, clock(e.Window.Deadline))
	return p.err
}

// Unpersisted writes what became of the drop-in.
func (t Text) Unpersisted(w io.Writer, r advisor.Applied) error {
	p := t.printer(w)
	if r.ID == "" {
		p.line("Nothing to remove: there is no drop-in.")
		return p.err
	}
	p.file(r.DropIn)
	p.line("'tcptune rollback' brings it back (transaction %s).", r.ID)
	return p.err
}

func (p *printer) proof(r advisor.Applied) {
	if r.AtBoot != nil {
		p.atBoot(*r.AtBoot)
	}
}

// clock is a time as a clock on the wall here shows it.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// Remaining is how much time there is, without fractions of a second.
func Remaining(d time.Duration) string { return d.Round(time.Second).String() }

// RolledBack writes what a rollback did or, if it was only tried, would do.
func (t Text) RolledBack(w io.Writer, r change.Result) error {
	p := t.printer(w)
	restored, was, left, kept := "restored", "was", "left", "kept"
	if r.DryRun {
		restored, was, left, kept = "restore", "is", "leave", "keep"
	}
	switch {
	case r.State == change.Applied: // what was cut off is completed
		p.line("Completed transaction %s: %s written.", r.ID, count(len(r.Written), "parameter"))
	case r.Rebooted:
		p.line("Transaction %s is of an earlier boot: its values ended with it.", r.ID)
	case r.DryRun:
		p.line("Dry run: of transaction %s %s would be restored.", r.ID, count(len(r.Restored), "parameter"))
	default:
		p.line("Rolled back transaction %s: %s restored.", r.ID, count(len(r.Restored), "parameter"))
	}
	for _, c := range r.Written {
		p.field("written", fmt.Sprintf("%s = %s (was %s)", c.Key, spaced(c.To), spaced(c.From)))
	}
	for _, c := range r.Restored {
		p.field(restored, fmt.Sprintf("%s = %s (%s %s)", c.Key, spaced(c.From), was, spaced(c.To)))
	}
	for _, c := range r.Same {
		value := c.From
		if r.State == change.Applied {
			value = c.To
		}
		p.field("same", fmt.Sprintf("%s = %s already", c.Key, spaced(value)))
	}
	for _, l := range r.Left {
		p.field(left, fmt.Sprintf("%s = %s, not put back to %s: %s", l.Key, spaced(l.Found), spaced(l.Wanted), l.Why))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Covered)) {
		p.field(kept, fmt.Sprintf("%s: the newer transaction %s set it, and puts it back", k, r.Covered[k]))
	}
	if f := r.DropIn; f != nil && r.DryRun {
		p.line("Drop-in %s: it %s.", f.Path, wouldBe(f))
		return p.err
	}
	p.file(r.DropIn)
	return p.err
}

// wouldBe is what would happen to a drop-in.
func wouldBe(f *change.FileResult) string {
	switch {
	case f.Outcome == change.FileSame:
		return "would stay as it is"
	case f.Why != "":
		return fmt.Sprintf("would be %s, %s", f.Outcome, f.Why)
	}
	return fmt.Sprintf("would be %s", f.Outcome)
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
	rows := [][]string{{"transaction", "state", "now", "profile", "by", "where", "what"}}
	for _, r := range records {
		if r.Damaged != nil {
			rows = append(rows, []string{r.ID, "damaged", "", "", "", "", r.Damaged.Error()})
			continue
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
		if r.Failure != "" {
			what += "; " + r.Failure
		}
		for _, l := range r.Left {
			what += fmt.Sprintf("; left %s = %s", l.Key, spaced(l.Found))
		}
		where := "here"
		if r.Boot != here.Boot {
			where = "earlier boot"
		} else if !r.Namespace.Same(here.Namespace) {
			where = r.Namespace.String()
		}
		rows = append(rows, []string{r.ID, string(r.State), now(r, here), r.Profile, who(r.By), where, what})
	}
	return t.Table(w, rows)
}

// who asked for a transaction: who logged in, and who called sudo if that is
// somebody else.
func who(by change.Author) string {
	switch {
	case by.Login == "" && by.Sudo == "":
		return fmt.Sprintf("uid %d", by.UID)
	case by.Login == "":
		return by.Sudo
	case by.Sudo == "" || by.Sudo == by.Login:
		return by.Login
	}
	return by.Login + " (sudo: " + by.Sudo + ")"
}

// now is what of a transaction is still in effect.
func now(r change.Record, here change.Identity) string {
	switch {
	case r.EndedByReboot(here):
		return "ended by a reboot"
	case r.Now == nil:
		return ""
	case r.Now.Left == nil:
		return fmt.Sprintf("all %d hold", r.Now.Hold)
	}
	return fmt.Sprintf("%d of %d hold", r.Now.Hold, r.Now.Hold+len(r.Now.Left))
}

// spaced prints a value with single blanks, or says that it is empty.
func spaced(v sysctl.Value) string {
	if len(v.Fields()) == 0 {
		return "(empty)"
	}
	return strings.Join(v.Fields(), " ")
}
