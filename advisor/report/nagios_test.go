package report

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/rules"
)

// The first line of a plugin's output, and its performance data: a label without
// quotes, a number, and up to four thresholds, of which the first two are ranges.
var (
	pluginLine = regexp.MustCompile(`^TCPTUNE (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+)\|([^|\n]+)$`)
	perfdata   = regexp.MustCompile(`^[a-z]+=-?\d+(\.\d+)?(us|ms|s|%|[KMGT]?B|c)?(;(@?(-?\d+|~)?:?-?\d*)){0,2}(;-?\d*){0,2}$`)
)

func TestNagiosOutputIsAPlugins(t *testing.T) {
	for name, results := range allKinds(t) {
		lines := strings.Split(strings.TrimSuffix(render(t, Nagios, results), "\n"), "\n")
		parts := pluginLine.FindStringSubmatch(lines[0])
		if parts == nil {
			t.Errorf("%s: %q", name, lines[0])
			continue
		}
		if parts[1] != results.NagiosStatus().String() {
			t.Errorf("%s: says %s and exits as %s", name, parts[1], results.NagiosStatus())
		}
		values := strings.Fields(parts[3])
		if len(values) != 5 {
			t.Errorf("%s: performance data %q", name, parts[3])
		}
		for _, value := range values {
			if !perfdata.MatchString(value) {
				t.Errorf("%s: %q is no performance data", name, value)
			}
		}
		if want := 1 + results.Count(rules.Error) + results.Count(rules.Warning); len(lines) != want {
			t.Errorf("%s: %d lines, want %d", name, len(lines), want)
		}
		for _, line := range lines[1:] {
			if strings.Contains(line, "|") {
				t.Errorf("%s: performance data begins in %q", name, line)
			}
		}
	}
}

func TestNagiosStatus(t *testing.T) {
	finding := func(s rules.Severity) advisor.Finding {
		return advisor.Finding{Rule: "a/" + string(s), Severity: s, Message: "m"}
	}
	for _, c := range []struct {
		results Results
		status  NagiosStatus
		line    string
	}{
		{Results{Passed: []string{"a/b"}}, NagiosOK, "TCPTUNE OK - nothing is wrong|errors=0;;0;0 warnings=0;0;;0 infos=0;;;0 suppressed=0;;;0 inconclusive=0;;;0"},
		{Results{Findings: []advisor.Finding{finding(rules.Info)}}, NagiosOK, "TCPTUNE OK - nothing is wrong|errors=0;;0;0 warnings=0;0;;0 infos=1;;;0 suppressed=0;;;0 inconclusive=0;;;0"},
		{Results{Findings: []advisor.Finding{finding(rules.Warning), finding(rules.Warning)}}, NagiosWarning, "TCPTUNE WARNING - 2 warnings: a/warning|errors=0;;0;0 warnings=2;0;;0 infos=0;;;0 suppressed=0;;;0 inconclusive=0;;;0"},
		{Results{Findings: []advisor.Finding{finding(rules.Warning), finding(rules.Error)}}, NagiosCritical, "TCPTUNE CRITICAL - 1 error, 1 warning: a/error, a/warning|errors=1;;0;0 warnings=1;0;;0 infos=0;;;0 suppressed=0;;;0 inconclusive=0;;;0"},
		{Results{Inconclusive: []advisor.Inconclusive{{Rule: "a/b"}}}, NagiosUnknown, "TCPTUNE UNKNOWN - nothing could be judged|errors=0;;0;0 warnings=0;0;;0 infos=0;;;0 suppressed=0;;;0 inconclusive=1;;;0"},
		{Results{Suppressed: []advisor.Suppressed{{Finding: finding(rules.Error)}}}, NagiosOK, "TCPTUNE OK - nothing is wrong|errors=0;;0;0 warnings=0;0;;0 infos=0;;;0 suppressed=1;;;0 inconclusive=0;;;0"},
	} {
		if got := c.results.NagiosStatus(); got != c.status {
			t.Errorf("%s: status %s", c.line, got)
		}
		if got, _, _ := strings.Cut(render(t, Nagios, c.results), "\n"); got != c.line {
			t.Errorf("%s, want %s", got, c.line)
		}
	}
	if NagiosOK != 0 || NagiosWarning != 1 || NagiosCritical != 2 || NagiosUnknown != 3 {
		t.Error("the statuses are not a plugin's exit codes")
	}
}

func TestNagiosFailureIsOneLine(t *testing.T) {
	var b bytes.Buffer
	if err := NagiosFailure(&b, errors.New("open a|b:\n  \x1b[31mno")); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "TCPTUNE UNKNOWN - open a¦b: \\u001b[31mno\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
