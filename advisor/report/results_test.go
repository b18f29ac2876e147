package report

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// formats are the forms of results by the golden files' names.
var formats = map[string]func(io.Writer, Results) error{
	"lint.sarif": SARIF, "lint.junit.xml": JUnit, "lint.github": GitHub, "lint.prom": Prometheus, "lint.nagios": Nagios,
}

func builtin(t *testing.T) rules.Set {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// lintResults are of a lint of a few files, with one of everything.
func lintResults(t *testing.T) Results {
	t.Helper()
	set := builtin(t)
	finding := func(rule string, severity rules.Severity, message string, places ...facts.Place) advisor.Finding {
		return advisor.Finding{Rule: rule, Severity: severity, Confidence: advisor.Certain, Title: "The title of " + rule, Message: message,
			Places: places, Why: "What happens\nthen.", Fix: "What to do,\nand what *not*.", References: []string{"tcp(7)", "https://example.org/tcp_fin"}}
	}
	recycle := finding("timewait/recycle", rules.Error, "net.ipv4.tcp_tw_recycle = 1 drops SYNs",
		facts.Place{File: "etc/sysctl.conf", Line: 3, Column: 1, EndColumn: 28, Text: "net.ipv4.tcp_tw_recycle = 1"})
	recycle.Kernels = []string{"3.10", "4.4"}
	return Results{Command: "lint", Version: "1.2.3", Subject: "3 files", Kernels: []string{"3.10", "4.4", "6.1"}, Rules: set,
		Findings: []advisor.Finding{
			recycle,
			finding("files/lines-disagree", rules.Warning, "two lines set net.ipv4.tcp_fin_timeout",
				facts.Place{File: "etc/sysctl.conf", Line: 9, Column: 27, EndColumn: 29, Text: "net.ipv4.tcp_fin_timeout = 30"},
				facts.Place{File: "/etc/sysctl.d/50 old#1.conf", Line: 2}),
			finding("timewait/reuse-everywhere", rules.Info, "net.ipv4.tcp_tw_reuse = 1", facts.Place{File: "roles/web/defaults/main.yml", Line: 12}),
			finding("files/never-read", rules.Warning, "nothing reads the file", facts.Place{File: "../old.conf"}),
			finding("site/own", rules.Warning, "a finding about no file"),
		},
		Suppressed: []advisor.Suppressed{
			{Finding: finding("timewait/recycle", rules.Warning, "net.ipv4.tcp_tw_recycle = 1", facts.Place{File: "legacy.conf", Line: 1, Text: "net.ipv4.tcp_tw_recycle=1"}), By: "comment", Reason: "gone with the host"},
			{Finding: finding("ports/range-small", rules.Info, "few ports", facts.Place{File: "legacy.conf", Line: 2}), By: "baseline", Reason: "in the baseline"},
		},
		Inconclusive: []advisor.Inconclusive{{Rule: "timewait/near-limit", Severity: rules.Warning, Title: "TIME-WAIT table is nearly full", Missing: []string{"sockets.time_wait: not measured"}}},
		Passed:       []string{"clean.conf"},
	}
}

// hostileResults are of texts that each format could take for its own marks.
func hostileResults(command string) Results {
	nasty := "a\x1b]0;owned\a\r\n::error::x|y %0A %% \"q\" 'q' \\ ]]> <b>&amp; {0} [l](http://evil.example) `c` \u202e \ufffe \x00 \xff,:"
	f := advisor.Finding{Rule: "site/" + nasty, Severity: rules.Warning, Title: nasty, Message: nasty, Why: nasty, Fix: nasty, References: []string{nasty},
		Evidence: []advisor.Evidence{{Fact: "sockets.total", Value: nasty, Source: nasty}},
		Places:   []facts.Place{{File: "dir with blanks/#1 " + nasty, Line: 1, Column: 2, EndColumn: 4, Text: nasty}, {File: "C:/x?y=z", Line: 2}}}
	onHost := f
	onHost.Rule, onHost.Places, onHost.Severity = "site/host "+nasty, nil, rules.Error
	return Results{Command: command, Version: nasty, Subject: nasty, Findings: []advisor.Finding{f, onHost},
		Suppressed:   []advisor.Suppressed{{Finding: f, By: "comment", Reason: nasty}},
		Inconclusive: []advisor.Inconclusive{{Rule: nasty, Severity: rules.Info, Title: nasty, Missing: []string{nasty}}},
		Passed:       []string{"fine" + nasty}}
}

// allKinds are results of every shape, by what they are.
func allKinds(t *testing.T) map[string]Results {
	t.Helper()
	return map[string]Results{"lint": lintResults(t), "hostile lint": hostileResults("lint"), "hostile check": hostileResults("check"),
		"nothing": {Command: "drift"}, "every rule": everyRule(t)}
}

// everyRule is a finding of each built-in rule, from its own example.
func everyRule(t *testing.T) Results {
	t.Helper()
	r := Results{Command: "check", Version: "1.2.3", Rules: builtin(t)}
	for _, rule := range r.Rules.All() {
		examples, err := rule.Examples()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			if e.Verdict == rules.Fires {
				r.Findings = append(r.Findings, advisor.NewFinding(rule, rules.Opinion{Judgement: rule.Judge(e.Facts), Facts: e.Facts}))
				break
			}
		}
	}
	return r
}

func render(t *testing.T, format func(io.Writer, Results) error, r Results) string {
	t.Helper()
	var b bytes.Buffer
	if err := format(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormatsOfALint(t *testing.T) {
	for name, format := range formats {
		golden(t, "results/"+name, render(t, format, lintResults(t)))
	}
}

// Whatever stands in a file, a terminal that shows the result takes no command
// from it.
func TestFormatsCommandNoTerminal(t *testing.T) {
	for name, format := range formats {
		for _, command := range []string{"check", "lint"} {
			text := render(t, format, hostileResults(command))
			if !strings.Contains(text, "owned") {
				t.Errorf("%s of %s: the text is not there at all", name, command)
			}
			for _, r := range text {
				if r != '\n' && r < ' ' || r == 0x7f || r == '\u202e' || r == '\ufffd' {
					t.Errorf("%s of %s: has the character %q", name, command, r)
					break
				}
			}
		}
	}
}

// A writer that fails is told of.
func TestFormatsReportErrorsOfTheWriter(t *testing.T) {
	for name, format := range formats {
		if format(failing{}, lintResults(t)) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// consumer is a program that reads a format; it must be installed.
func consumer(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		sysctltest.RequireKernel(t, "needs "+name)
	}
	return exec.Command(name, args...)
}

// What differs from a profile is a finding of its own, since it fails a check.
func TestResultsOfACheckHoldTheProfile(t *testing.T) {
	seen := advisor.Finding{Rule: "timewait/recycle", Severity: rules.Info}
	r := advisor.Report{Findings: []advisor.Finding{seen}, Silent: []string{"timewait/overflow"}, Profile: &advisor.ProfileStatus{Name: "edge",
		Differs: []advisor.Difference{{Key: "net.ipv4.tcp_fin_timeout", Wanted: "at most 30", Value: "60", Why: "peers vanish"}}}}
	results := ResultsOf(r, builtin(t), "1")
	if len(results.Findings) != 2 || results.Findings[0].Rule != seen.Rule || results.Findings[1].Rule != "profile/edge" || results.NagiosStatus() != NagiosWarning {
		t.Fatalf("findings: %+v", results.Findings)
	}
	if got := results.Findings[1].Message; got != "net.ipv4.tcp_fin_timeout is 60, wanted at most 30" {
		t.Errorf("message: %s", got)
	}
	r.Profile.Differs = nil
	if results = ResultsOf(r, builtin(t), "1"); len(results.Findings) != 1 || !strings.Contains(render(t, JUnit, results), `name="profile/edge"`) {
		t.Errorf("a host that is as the profile wants: %+v", results)
	}
}

// That a finding holds for some kernels only is said, wherever one is shown.
func TestFormatsNameTheKernels(t *testing.T) {
	results := lintResults(t)
	for name, format := range formats {
		if said := strings.Contains(render(t, format, results), "drops SYNs (Linux 3.10, 4.4)"); said != (name != "lint.prom") {
			t.Errorf("%s: said: %v", name, said)
		}
	}
	results.Kernels = []string{"3.10", "4.4"} // it holds for all
	if text := render(t, GitHub, results); strings.Contains(text, "(Linux") {
		t.Errorf("kernels are named without need:\n%s", text)
	}
}
