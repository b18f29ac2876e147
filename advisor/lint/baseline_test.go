package lint_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/lint"
)

const adopted = "net.ipv4.tcp_timestamps = 0\nvm.swappiness = 1\nnet.ipv4.tcp_syncookies = 0\n"

// baselineOf is what a fleet of one file is adopted with, through its encoding.
func baselineOf(t *testing.T, name, content string) lint.Baseline {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, name, content)
	report := lintAll(t, newLinter(t, targets(t, "6.12"), lint.Options{Today: today}), name)
	var encoded bytes.Buffer
	if err := lint.NewBaseline(report.Findings).Encode(&encoded); err != nil {
		t.Fatal(err)
	}
	b, err := lint.DecodeBaseline(&encoded)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBaselineLetsPassWhatWasThere(t *testing.T) {
	const known = "known when the baseline was written"
	baseline := baselineOf(t, "sysctl.conf", adopted)
	for name, test := range map[string]struct {
		file, content string
		want          []string
	}{
		"unchanged":       {"sysctl.conf", adopted, []string{"1 (timestamps/off: " + known + ")", "3 (synrecv/cookies-off: " + known + ")"}},
		"moved":           {"sysctl.conf", "\n\n# new\n" + adopted, []string{"4 (timestamps/off: " + known + ")", "6 (synrecv/cookies-off: " + known + ")"}},
		"indented":        {"sysctl.conf", "  net.ipv4.tcp_timestamps = 0\n", []string{"1 (timestamps/off: " + known + ")"}},
		"another value":   {"sysctl.conf", "net.ipv4.tcp_syncookies = 2\n", []string{"1 synrecv/cookies-for-every-syn"}},
		"another finding": {"sysctl.conf", adopted + "net.ipv4.tcp_retries2 = 3\n", []string{"1 (timestamps/off: " + known + ")", "3 (synrecv/cookies-off: " + known + ")", "4 retries/established-gives-up-early"}},
		"another file":    {"etc/sysctl.conf", "net.ipv4.tcp_timestamps = 0\n", []string{"1 timestamps/off"}},
		"gone":            {"sysctl.conf", "vm.swappiness = 1\n", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, said(t, lint.Options{Baseline: baseline}, test.file, test.content)); diff != "" {
				t.Errorf("(-want +said)\n%s", diff)
			}
		})
	}
}

// Of equal lines with a finding each as many pass as were there.
func TestOneMoreEqualLineIsNew(t *testing.T) {
	const line = "net.ipv4.tcp_fin_timout = 30\n"
	baseline := baselineOf(t, "sysctl.conf", line+line)
	got := said(t, lint.Options{Baseline: baseline}, "sysctl.conf", line+line+line)
	news := 0
	for _, finding := range got {
		if strings.Contains(finding, "files/key-unknown") && !strings.Contains(finding, "(") {
			news++
		}
	}
	if news != 1 {
		t.Errorf("%d findings of unknown keys are new; one is: %q", news, got)
	}
}

func TestBaselineIsTheSameForTheSameFindings(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "b.conf", adopted)
	write(t, "a.conf", adopted)
	l := newLinter(t, targets(t, "6.12"), lint.Options{Today: today})
	encode := func(paths ...string) string {
		var b bytes.Buffer
		if err := lint.NewBaseline(lintAll(t, l, paths...).Findings).Encode(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if diff := cmp.Diff(encode("a.conf", "b.conf"), encode("b.conf", "a.conf")); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedBaselinesAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		"":                                "not a baseline",
		"{":                               "not a baseline",
		`[]`:                              "not a baseline",
		`{"schema": 1, "findngs": []}`:    "not a baseline",
		`{"findings": []}`:                "no \"schema\"",
		`{"schema": 99, "findings": []}`:  "reads up to 1",
		`{"schema": "1", "findings": []}`: "not a baseline",
	} {
		if _, err := lint.DecodeBaseline(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v; want %q in it", content, err, want)
		}
	}
}
