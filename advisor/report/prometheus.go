package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// Prometheus writes gauges in the text format, fit for a textfile collector: all
// carry the command, so that several files do not collide, and no time.
// https://prometheus.io/docs/instrumenting/exposition_formats/
func Prometheus(w io.Writer, r Results) error {
	e := exposition{command: r.Command}
	e.gauge("tcptune_info", "Which tcptune wrote these metrics; always 1.")
	e.sample(1, "version", r.Version)

	e.gauge("tcptune_findings", "Findings by severity.")
	for _, s := range byGravity() {
		e.sample(r.Count(s), "severity", string(s))
	}

	type finding struct {
		rule     string
		severity rules.Severity
	}
	found := map[finding]int{}
	for _, f := range r.Findings {
		found[finding{f.Rule, f.Severity}]++
	}
	if len(found) > 0 {
		e.gauge("tcptune_rule_findings", "Findings of a rule; a rule without findings has no sample.")
		for _, f := range slices.SortedFunc(maps.Keys(found), func(a, b finding) int {
			return strings.Compare(a.rule+"\x00"+string(a.severity), b.rule+"\x00"+string(b.severity))
		}) {
			e.sample(found[f], "rule", f.rule, "severity", string(f.severity))
		}
	}

	e.gauge("tcptune_suppressed_findings", "Findings that somebody has decided to live with.")
	e.sample(len(r.Suppressed))
	e.gauge("tcptune_inconclusive_rules", "Rules that lacked evidence.")
	e.sample(len(r.Inconclusive))
	_, err := io.WriteString(w, e.text.String())
	return err
}

type exposition struct {
	command string
	text    strings.Builder
	metric  string // that was begun last
}

func (e *exposition) gauge(name, help string) {
	e.metric = name
	fmt.Fprintf(&e.text, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// sample writes a value of the metric begun last, with labels in pairs.
func (e *exposition) sample(value int, labels ...string) {
	fmt.Fprintf(&e.text, "%s{command=\"%s\"", e.metric, label(e.command))
	for pair := range slices.Chunk(labels, 2) {
		fmt.Fprintf(&e.text, ",%s=\"%s\"", pair[0], label(pair[1]))
	}
	fmt.Fprintf(&e.text, "} %d\n", value)
}

// label escapes a label's value. That of foreign bytes must be UTF-8 all the
// same, so what is no plain character becomes visible first.
func label(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable.Text(text))
}
