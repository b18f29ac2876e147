package report

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJUnitIsValid(t *testing.T) {
	validate := func(text string) (string, error) {
		cmd := consumer(t, "xmllint", "--noout", "--nonet", "--schema", "testdata/results/junit.xsd", "-")
		cmd.Stdin = strings.NewReader(text)
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	for name, results := range allKinds(t) {
		if said, err := validate(render(t, JUnit, results)); err != nil {
			t.Errorf("%s: %v: %s", name, err, said)
		}
	}
	text := render(t, JUnit, lintResults(t))
	for old, wrong := range map[string]string{`tests="7"`: `tests="six"`, `<skipped `: `<failure message=""/><skipped `, ` name="clean.conf"`: ``} {
		spoiled := strings.Replace(text, old, wrong, 1)
		if _, err := validate(spoiled); spoiled == text || err == nil {
			t.Errorf("%s in place of %s passes", wrong, old)
		}
	}
}

// Readers take a test for the same if its names are, and of two the first.
func TestJUnitCounts(t *testing.T) {
	for name, results := range allKinds(t) {
		var got junitSuites
		if err := xml.Unmarshal([]byte(render(t, JUnit, results)), &got); err != nil {
			t.Fatal(err)
		}
		suite := got.Suites[0]
		failures, skipped, names := 0, 0, map[string]bool{}
		for _, c := range suite.Cases {
			if c.Failure != nil {
				failures++
			}
			if c.Skipped != nil {
				skipped++
			}
			if names[c.Classname+" "+c.Name] {
				t.Errorf("%s: two tests are called %s %s", name, c.Classname, c.Name)
			}
			names[c.Classname+" "+c.Name] = true
		}
		if suite.Tests != len(suite.Cases) || suite.Failures != failures || suite.Skipped != skipped || suite.Errors != 0 ||
			got.Tests != suite.Tests || got.Failures != failures || got.Errors != 0 {
			t.Errorf("%s: %d tests, %d failures, %d skipped; counted %+v", name, len(suite.Cases), failures, skipped, suite)
		}
	}
}

// A test of a lint is a file, with all that is wrong with it; of a check, a rule.
func TestJUnitOutcomes(t *testing.T) {
	outcomes := func(command string) map[string]string {
		results := lintResults(t)
		results.Command = command
		var got junitSuites
		if err := xml.Unmarshal([]byte(render(t, JUnit, results)), &got); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, c := range got.Suites[0].Cases {
			outcome := "passed"
			switch {
			case c.Failure != nil:
				outcome = string(c.Failure.Type) + ": " + c.Failure.Message
			case c.Skipped != nil:
				outcome = "skipped: " + c.Skipped.Message
			}
			all[c.Classname+" "+c.Name] = outcome
		}
		return all
	}
	if diff := cmp.Diff(map[string]string{
		"tcptune.lint etc/sysctl.conf":             "error: net.ipv4.tcp_tw_recycle = 1 drops SYNs (Linux 3.10, 4.4) (and 1 more)",
		"tcptune.lint ../old.conf":                 "warning: nothing reads the file",
		"tcptune.lint roles/web/defaults/main.yml": "passed",
		"tcptune.lint legacy.conf":                 "skipped: suppressed by comment: gone with the host; suppressed by baseline: in the baseline",
		"tcptune.lint clean.conf":                  "passed",
		"tcptune.site site/own":                    "warning: a finding about no file",
		"tcptune.timewait timewait/near-limit":     "skipped: evidence is missing: sockets.time_wait: not measured",
	}, outcomes("lint")); diff != "" {
		t.Errorf("lint:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"tcptune.timewait timewait/recycle":          "error: net.ipv4.tcp_tw_recycle = 1 drops SYNs (Linux 3.10, 4.4)",
		"tcptune.files files/lines-disagree":         "warning: two lines set net.ipv4.tcp_fin_timeout",
		"tcptune.files files/never-read":             "warning: nothing reads the file",
		"tcptune.timewait timewait/reuse-everywhere": "passed",
		"tcptune.ports ports/range-small":            "skipped: suppressed by baseline: in the baseline",
		"tcptune.site site/own":                      "warning: a finding about no file",
		"tcptune.timewait timewait/near-limit":       "skipped: evidence is missing: sockets.time_wait: not measured",
		"tcptune.clean.conf clean.conf":              "passed",
	}, outcomes("check")); diff != "" {
		t.Errorf("check:\n%s", diff)
	}
}
