package lint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/lint"
)

// today is the day on which the tests' suppressions are judged.
var today = time.Date(2026, 11, 20, 15, 4, 0, 0, time.Local)

// said is what there is to say about files of a folder of their own, one
// "line rule" each, suppressed ones in brackets.
func said(t *testing.T, options lint.Options, name, content string) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, name, content)
	if options.Today.IsZero() {
		options.Today = today
	}
	report := lintAll(t, newLinter(t, targets(t, "6.12"), options), name)
	if len(report.Unread) > 0 {
		t.Fatalf("not judged: %v", report.Unread)
	}
	all := []string{}
	line := func(place string) string { return strings.TrimPrefix(place, name+":") }
	for _, f := range report.Findings {
		all = append(all, line(f.Places[0].String())+" "+f.Rule)
	}
	for _, s := range report.Suppressed {
		all = append(all, line(s.Places[0].String())+" ("+s.Rule+": "+s.Reason+")")
	}
	slices.Sort(all)
	return all
}

func TestSuppressions(t *testing.T) {
	const off = "net.ipv4.tcp_timestamps = 0\n"
	for name, test := range map[string]struct {
		file, content string
		want          []string
	}{
		"on the line above": {content: "# tcptune: ignore timestamps/off: an old router\n" + off,
			want: []string{"2 (timestamps/off: an old router)"}},
		"above, with lines between": {content: "; tcptune: ignore timestamps/off: an old router\n\n# and a comment\n" + off,
			want: []string{"4 (timestamps/off: an old router)"}},
		"CRLF": {content: "# tcptune: ignore timestamps/off: an old router\r\nnet.ipv4.tcp_timestamps = 0\r\n",
			want: []string{"2 (timestamps/off: an old router)"}},
		"the line after is another's": {content: "# tcptune: ignore timestamps/off: an old router\nvm.swappiness = 1\n" + off,
			want: []string{"1 files/ignore-unused", "3 timestamps/off"}},
		"a pattern":      {content: "# tcptune: ignore timestamps/*: an old router\n" + off, want: []string{"2 (timestamps/off: an old router)"}},
		"another rule":   {content: "# tcptune: ignore timewait/*: an old router\n" + off, want: []string{"1 files/ignore-unused", "2 timestamps/off"}},
		"one of several": {content: "# tcptune: ignore timewait/recycle, timestamps/off: both\n" + off, want: []string{"2 (timestamps/off: both)"}},
		"a colon in the reason": {content: "# tcptune: ignore timestamps/off: see https://example.org/1: router\n" + off,
			want: []string{"2 (timestamps/off: see https://example.org/1: router)"}},
		"until its last day": {content: "# tcptune: ignore timestamps/off until 2026-11-20: a router\n" + off, want: []string{"2 (timestamps/off: a router)"}},
		"over since yesterday": {content: "# tcptune: ignore timestamps/off until 2026-11-19: a router\n" + off,
			want: []string{"1 files/ignore-expired", "2 timestamps/off"}},
		"no day": {content: "# tcptune: ignore timestamps/off until summer: a router\n" + off,
			want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"no such day": {content: "# tcptune: ignore timestamps/off until 2027-02-30: a router\n" + off,
			want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"no reason":            {content: "# tcptune: ignore timestamps/off\n" + off, want: []string{"1 files/ignore-without-reason", "2 timestamps/off"}},
		"an empty reason":      {content: "# tcptune: ignore timestamps/off:  \n" + off, want: []string{"1 files/ignore-without-reason", "2 timestamps/off"}},
		"no rule":              {content: "# tcptune: ignore: a router\n" + off, want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"no rule, but a blank": {content: "# tcptune: ignore : a router\n" + off, want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"no rule until a day":  {content: "# tcptune: ignore until 2027-01-31: a router\n" + off, want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"no pattern":           {content: "# tcptune: ignore timestamps/[: a router\n" + off, want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"another word":         {content: "# tcptune: ignored timestamps/off: a router\n" + off, want: []string{"1 files/ignore-malformed", "2 timestamps/off"}},
		"nothing to ignore":    {content: "vm.swappiness = 1\n# tcptune: ignore timestamps/off: a router\n", want: []string{"2 files/ignore-unused"}},
		"two on one line": {content: "# tcptune: ignore timestamps/off: one\n# tcptune: ignore timestamps/*: another\n" + off,
			want: []string{"2 files/ignore-unused", "3 (timestamps/off: one)"}},
		"on the line itself, in YAML": {file: "vars.yml", content: "---\nsysctl_config:\n  net.ipv4.tcp_timestamps: 0 # tcptune: ignore timestamps/off: a router\n",
			want: []string{"3 (timestamps/off: a router)"}},
		"above, in YAML": {file: "vars.yml", content: "---\nsysctl_config:\n  # tcptune: ignore timestamps/off: a router\n  net.ipv4.tcp_timestamps: 0\n",
			want: []string{"4 (timestamps/off: a router)"}},
		"in a profile of TuneD": {file: "tuned.conf", content: "[main]\nsummary=x\n[sysctl]\n# tcptune: ignore timestamps/off: a router\nnet.ipv4.tcp_timestamps=0\n",
			want: []string{"5 (timestamps/off: a router)"}},
		"in a script": {file: "tune.sh", content: "#!/bin/sh\nsysctl -w net.ipv4.tcp_timestamps=0 # tcptune: ignore timestamps/off: a router\n",
			want: []string{"2 (timestamps/off: a router)"}},
		"in a profile": {file: "ours.toml", content: "summary = \"x\"\n\n[[want]]\nkey = \"net.ipv4.tcp_timestamps\" # tcptune: ignore timestamps/off: a router\nexactly = 0\nwhy = \"x\"\n",
			want: []string{"4 (timestamps/off: a router)"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := test.file
			if file == "" {
				file = "sysctl.conf"
			}
			if diff := cmp.Diff(test.want, said(t, lint.Options{}, file, test.content)); diff != "" {
				t.Errorf("(-want +said)\n%s", diff)
			}
		})
	}
}

func TestAuditorsSeeWhatCommentsSuppress(t *testing.T) {
	content := "# tcptune: ignore timestamps/off until 2020-01-01\nnet.ipv4.tcp_timestamps = 0\n"
	if diff := cmp.Diff([]string{"2 timestamps/off"}, said(t, lint.Options{NoIgnores: true}, "sysctl.conf", content)); diff != "" {
		t.Errorf("(-want +said)\n%s", diff)
	}
}
