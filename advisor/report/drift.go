package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// DriftResults are the results of a look for drift.
func DriftResults(d advisor.Drift, set rules.Set, version string) Results {
	return Results{Command: "drift", Version: version, Subject: driftHeading(d), Rules: set,
		Findings: d.Findings, Inconclusive: d.Inconclusive, Passed: d.Passed}
}

func driftHeading(d advisor.Drift) string {
	where := "network namespace " + d.Namespace.ID
	switch {
	case d.Namespace.Initial:
		where = "the host's network namespace"
	case d.Namespace.ID == "":
		where = "network namespace not known"
	}
	return "Linux " + d.Kernel.String() + " · " + where
}

// Drift writes what becomes of each parameter, what sets parameters at boot, and
// what is wrong with it.
func (t Text) Drift(w io.Writer, d advisor.Drift) error {
	p := t.printer(w)
	p.line("%s", driftHeading(d))
	next := "after next boot"
	if !d.Namespace.Initial {
		next = "in a new one"
		p.line("Files are applied to the host's first network namespace only, and this is another: it is compared with what a new one starts with.")
	}
	note := fmt.Sprintf("%s without a difference", count(d.Agree, "parameter"))
	if !d.All && d.Agree > 0 {
		note += ", not shown (--all shows them)"
	}
	p.section("PARAMETERS", note)
	p.drifts(d, next)
	p.boot(d.Boot)
	p.managers(d)
	p.section("FINDINGS", count(len(d.Findings), "finding"))
	hidden := 0
	for _, f := range d.Findings {
		if f.Severity.AtLeast(t.MinSeverity) {
			p.finding(f)
		} else {
			hidden++
		}
	}
	if hidden > 0 {
		p.line("%s below %s not shown.", count(hidden, "finding"), t.MinSeverity)
	}
	for _, i := range d.Inconclusive {
		p.field("unknown", i.Rule+": "+strings.Join(i.Missing, "; "))
	}
	return p.err
}

func (p *printer) drifts(d advisor.Drift, next string) {
	if len(d.Parameters) == 0 {
		return
	}
	head := table.Row{"parameter", "running", next}
	if d.Profile != "" {
		head = append(head, d.Profile)
	}
	rows := []table.Row{}
	for _, row := range d.Parameters {
		cells := table.Row{short(string(row.Key)), spaced(row.Running), known(row.Next)}
		if d.Profile != "" {
			cells = append(cells, row.Wanted)
		}
		from := row.From
		switch {
		case row.Next == nil:
			from = row.Doubt
		case from == facts.KernelDefault:
			from = "" // the column before tells
		}
		rows = append(rows, append(cells, known(row.Default), from))
	}
	p.table(append(head, "kernel default", "from"), rows)
}

// known is a value that may not be.
func known(v *sysctl.Value) string {
	if v == nil {
		return "unknown"
	}
	return spaced(*v)
}

func (p *printer) boot(b *facts.Boot) {
	p.section("AT BOOT", "")
	switch {
	case b == nil:
		p.field("loader", "not known")
		return
	case b.Loader == "":
		p.field("loader", "none is known")
	default:
		p.field("loader", b.Loader)
	}
	p.field("for", b.Evidence)
}

// shownHolds is how many lines of a manager the text names.
const shownHolds = 8

func (p *printer) managers(d advisor.Drift) {
	p.section("OTHER MANAGERS", managersFound(d))
	for _, m := range d.Managers {
		p.raw("")
		p.raw("  " + p.bold(m.Name))
		when := m.When
		if !m.Active {
			when = "never: it does not run, and nothing starts it at boot"
		}
		p.field("acts", when)
		for _, e := range m.Evidence {
			p.field("seen", e)
		}
		for i, hold := range m.Sets {
			if i == shownHolds {
				p.field("", fmt.Sprintf("and %d more (--format json has all)", len(m.Sets)-i))
				break
			}
			p.field("sets", holdText(hold))
		}
		if m.Also != "" {
			p.field("also", m.Also)
		}
	}
	for _, reason := range d.Unseen {
		p.field("unseen", reason)
	}
}

func managersFound(d advisor.Drift) string {
	switch {
	case len(d.Managers) > 0:
		return fmt.Sprintf("%d found", len(d.Managers))
	case !d.Namespace.Initial:
		return "not looked for: they act on the host's first network namespace"
	case len(d.Unseen) > 0:
		return "none found where they could be looked for"
	}
	return "none found"
}

// holdText is what a manager does to one parameter, and where that stands.
func holdText(h facts.Hold) string {
	text := string(h.Key)
	if h.Value != "" {
		text += " = " + strings.TrimSpace(h.Bound+" "+spaced(h.Value))
	}
	if h.Container {
		text += " in containers"
	}
	if h.Place.File != "" {
		text += " (" + h.Place.String() + ")"
	}
	if h.Doubt != "" {
		text += "; " + h.Doubt
	}
	return text
}
