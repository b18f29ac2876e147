package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// A NagiosStatus is the answer of a monitoring plugin, and its exit code.
// https://www.monitoring-plugins.org/doc/guidelines.html
type NagiosStatus int

const (
	NagiosOK NagiosStatus = iota
	NagiosWarning
	NagiosCritical
	NagiosUnknown
)

func (s NagiosStatus) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s]
}

// NagiosStatus is the status of the gravest finding; without one it is unknown
// where nothing at all could be judged.
func (r Results) NagiosStatus() NagiosStatus {
	switch {
	case r.Count(rules.Error) > 0:
		return NagiosCritical
	case r.Count(rules.Warning) > 0:
		return NagiosWarning
	case len(r.Findings)+len(r.Suppressed)+len(r.Passed) == 0:
		return NagiosUnknown
	}
	return NagiosOK
}

// Nagios writes the output of a monitoring plugin: the status with performance
// data on the first line, then a line for each error and warning.
func Nagios(w io.Writer, r Results) error {
	var counts, names, lines []string
	for _, s := range []rules.Severity{rules.Error, rules.Warning} {
		if n := r.Count(s); n > 0 {
			counts = append(counts, count(n, string(s)))
		}
		for _, f := range r.Findings {
			if f.Severity != s {
				continue
			}
			lines = append(lines, r.nagiosLine(f))
			if !slices.Contains(names, f.Rule) {
				names = append(names, f.Rule)
			}
		}
	}
	summary := strings.Join(counts, ", ") + ": " + strings.Join(names, ", ")
	switch r.NagiosStatus() {
	case NagiosUnknown:
		summary = "nothing could be judged"
	case NagiosOK:
		summary = "nothing is wrong"
	}
	var b strings.Builder
	// A range such as "0" raises the alarm on whatever is above it.
	fmt.Fprintf(&b, "TCPTUNE %s - %s|errors=%d;;0;0 warnings=%d;0;;0 infos=%d;;;0 suppressed=%d;;;0 inconclusive=%d;;;0\n",
		r.NagiosStatus(), nagiosText(summary), r.Count(rules.Error), r.Count(rules.Warning), r.Count(rules.Info), len(r.Suppressed), len(r.Inconclusive))
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// NagiosFailure writes the output of a plugin that could not look.
func NagiosFailure(w io.Writer, reason error) error {
	_, err := fmt.Fprintf(w, "TCPTUNE %s - %s\n", NagiosUnknown, nagiosText(strings.Join(strings.Fields(reason.Error()), " ")))
	return err
}

func (r Results) nagiosLine(f advisor.Finding) string {
	place := ""
	if len(f.Places) > 0 {
		place = f.Places[0].String() + ": "
	}
	return nagiosText(fmt.Sprintf("%s: %s: %s%s", f.Severity, f.Rule, place, r.message(f)))
}

// nagiosText is text without the mark that begins performance data.
func nagiosText(text string) string { return strings.ReplaceAll(printable.Text(text), "|", "¦") }
