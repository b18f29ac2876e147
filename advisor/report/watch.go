package report

import (
	"io"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
)

// Event writes one line about a finding that came or went, and where, if that is
// not where the command runs. Lines are not wrapped:
// other programs may read them.
func (t Text) Event(w io.Writer, e advisor.Event) error {
	if !e.Finding.Severity.AtLeast(t.MinSeverity) {
		return nil
	}
	p := t.printer(w)
	what := e.Finding.Message
	if e.Change == advisor.Gone {
		what = e.Finding.Title
	}
	if e.Namespace.Name != "" {
		what = named(e.Namespace.Name, e.Namespace.ID) + ": " + what
	}
	p.raw(e.Time.Format(time.RFC3339) + " " + string(e.Change) + " " + p.severity(e.Finding.Severity) + " " + p.bold(e.Finding.Rule) + ": " + printable.Text(what))
	return p.err
}
