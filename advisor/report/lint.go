package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// Lint writes what there is to say about one unit. Each finding begins with a
// line of its own, "file:line:column: severity: message [rule]", which is not
// wrapped, for editors and grep.
// kernels is how many were judged: one finding that holds for all does not name
// them.
func (t Text) Lint(w io.Writer, r lint.Result, kernels int) error {
	p := t.printer(w)
	for _, remark := range r.Unread {
		p.raw(printable.Text(remark.File + ": not judged: " + remark.Reason))
	}
	for _, f := range r.Findings {
		if f.Severity.AtLeast(t.MinSeverity) {
			p.lintFinding(f, kernels)
		}
	}
	if t.Verbose {
		for _, s := range r.Suppressed {
			p.raw(fmt.Sprintf("%s: suppressed by %s: %s [%s]", position(s.Places[0]), s.By, printable.Text(s.Reason), s.Rule))
		}
		for _, remark := range r.Skipped {
			p.raw(fmt.Sprintf("%s: not judged: %s", position(remark.Place), printable.Text(remark.Reason)))
		}
	}
	return p.err
}

// position is a place as compilers print it.
func position(place facts.Place) string {
	text := place.String()
	if place.Line > 0 && place.Column > 0 {
		text += fmt.Sprintf(":%d", place.Column)
	}
	return printable.Text(text)
}

func (p *printer) lintFinding(f advisor.Finding, kernels int) {
	place := f.Places[0]
	holds := ""
	if len(f.Kernels) < kernels && len(f.Kernels) > 0 {
		holds = "; Linux " + strings.Join(f.Kernels, ", ")
	}
	p.raw(fmt.Sprintf("%s: %s: %s [%s]", p.paint(position(place), color.Bold), p.severity(f.Severity), printable.Text(f.Message), printable.Text(f.Rule+holds)))
	p.caret(place)
	for _, other := range f.Places[1:] {
		p.raw("    see also " + position(other) + ": " + printable.Text(strings.TrimSpace(other.Text)))
	}
	fields := [][2]string{{"fix", f.Fix}}
	if p.Verbose {
		fields = [][2]string{{"why", f.Why}, {"fix", f.Fix}, {"source", strings.Join(f.References, "; ")}}
	}
	for _, field := range fields {
		lead := "    " + text.Pad(field[0]+":", 8, ' ')
		for line := range strings.SplitSeq(text.WrapSoft(printable.Text(paragraph(field[1])), p.Width-len(lead)), "\n") {
			p.raw(lead + strings.TrimSpace(line))
			lead = strings.Repeat(" ", len(lead))
		}
	}
}

// mostShown is how much of a line is shown, in characters.
const mostShown = 160

// caret shows the line and marks what is meant.
func (p *printer) caret(place facts.Place) {
	line := []rune(place.Text)
	if place.Line == 0 || strings.TrimSpace(place.Text) == "" {
		return
	}
	p.raw("    " + printable.Text(strings.ReplaceAll(string(line[:min(len(line), mostShown)]), "\t", " ")))
	from, to := place.Column-1, min(place.EndColumn-1, len(line), mostShown)
	if from < 0 || from >= to {
		return
	}
	width := func(part []rune) int { return text.StringWidthWithoutEscSequences(printable.Text(string(part))) }
	mark := "^" + strings.Repeat("~", max(0, width(line[from:to])-1))
	p.raw("    " + strings.Repeat(" ", width(line[:from])) + p.paint(mark, color.FgGreen))
}

// LintSummary writes the last lines: how much was judged, for which kernels, and
// what was found.
func (t Text) LintSummary(w io.Writer, s LintTotals) error {
	p := t.printer(w)
	if s.Errors+s.Warnings+s.Infos+s.Unread > 0 {
		p.raw("")
	}
	p.line("%s judged for Linux %s: %s, %s, %s.", count(s.Files, "file"), strings.Join(s.Kernels, ", "), count(s.Errors, "error"), count(s.Warnings, "warning"), count(s.Infos, "info"))
	for _, more := range []struct {
		n          int
		noun, text string
	}{
		{s.Hidden, "finding", "below %s not shown (--min-severity info shows all)"},
		{s.Suppressed, "finding", "suppressed (--verbose shows them)"},
		{s.Skipped, "value", "not judged: templates and variables (--verbose shows them)"},
		{s.Unread, "file", "not judged"},
	} {
		if more.n > 0 {
			p.line("%s", count(more.n, more.noun)+" "+strings.Replace(more.text, "%s", string(t.MinSeverity), 1)+".")
		}
	}
	return p.err
}

// LintTotals are the numbers of a lint.
type LintTotals struct {
	Kernels                             []string
	Files                               int
	Errors, Warnings, Infos             int
	Hidden, Suppressed, Skipped, Unread int
}

// Add counts the results of one more unit; what is below the least severity
// shown is hidden.
func (s *LintTotals) Add(r lint.Result, least rules.Severity) {
	s.Files += r.Files
	s.Errors += lint.Count(r.Findings, rules.Error)
	s.Warnings += lint.Count(r.Findings, rules.Warning)
	s.Infos += lint.Count(r.Findings, rules.Info)
	for _, f := range r.Findings {
		if !f.Severity.AtLeast(least) {
			s.Hidden++
		}
	}
	s.Suppressed += len(r.Suppressed)
	s.Skipped += len(r.Skipped)
	s.Unread += len(r.Unread)
}
