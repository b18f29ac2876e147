package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// GitHub writes workflow commands, which GitHub Actions shows as annotations of
// the lines: one line of text for each finding, and a notice that names the rules
// that lacked evidence.
// https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
func GitHub(w io.Writer, r Results) error {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(r.annotation(f))
	}
	if n := len(r.Inconclusive); n > 0 {
		var names []string
		for _, i := range r.Inconclusive {
			names = append(names, i.Rule)
		}
		fmt.Fprintf(&b, "::notice title=%s::%s\n", property("tcptune "+r.Command+": "+count(n, "rule")+" lacked evidence"), data(strings.Join(names, ", ")))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Results) annotation(f advisor.Finding) string {
	command := string(f.Severity)
	if f.Severity == rules.Info {
		command = "notice"
	}
	var properties []string
	if len(f.Places) > 0 {
		place := f.Places[0]
		properties = append(properties, "file="+property(place.File))
		for _, number := range []struct {
			name  string
			value int
		}{{"line", place.Line}, {"col", place.Column}, {"endColumn", place.EndColumn}} {
			if number.value > 0 {
				properties = append(properties, fmt.Sprintf("%s=%d", number.name, number.value))
			}
		}
	}
	properties = append(properties, "title="+property(f.Rule+": "+f.Title))
	text := data(r.message(f))
	if f.Fix != "" {
		text += "%0A" + data("fix: "+paragraph(f.Fix))
	}
	return fmt.Sprintf("::%s %s::%s\n", command, strings.Join(properties, ","), text)
}

// data escapes text behind a command. The runner's log is a terminal's, so what
// is no plain character becomes visible first.
func data(text string) string { return strings.ReplaceAll(printable.Text(text), "%", "%25") }

// property escapes text inside a command.
func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(text))
}
