package lint_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

var adviceKernels = []string{"2.6.32", "3.10", "4.4", "4.11", "4.18", "5.4", "5.10", "6.1", "6.12", "7.2"}

// Each line of advice is judged as it is on every kernel, in sentences that need
// no host.
func TestAdviceIsJudgedWithoutAHost(t *testing.T) {
	file, err := os.Open("testdata/advice.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kernels := targets(t, adviceKernels...)
	l := newLinter(t, kernels, lint.Options{})
	line, want, judged := "", []string{}, 0
	judge := func() {
		if line == "" {
			return
		}
		judged++
		path := filepath.Join(t.TempDir(), "sysctl.conf")
		write(t, path, line+"\n")
		got := []string{}
		for _, f := range lintAll(t, l, path).Findings {
			got = append(got, f.Rule+" on "+strings.Join(f.Kernels, " "))
			if strings.Contains(f.Message, "unknown") {
				t.Errorf("%s: %s", line, f.Message)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", line, diff)
		}
		want = []string{}
	}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text := lines.Text()
		expected, isRule := strings.CutPrefix(text, "    ")
		switch {
		case text == "" || text[0] == '#':
		case !isRule:
			judge()
			line = text
		default:
			rule, span, _ := strings.Cut(expected, " ")
			holds, err := sysctl.ParseReleases(span)
			if err != nil {
				t.Fatal(err)
			}
			var on []string
			for _, target := range kernels {
				if holds.Contains(target.Kernel) {
					on = append(on, target.Name)
				}
			}
			want = append(want, rule+" on "+strings.Join(on, " "))
		}
	}
	judge()
	if judged < 80 {
		t.Errorf("only %d lines of advice", judged)
	}
}

// What a kernel has by itself, as sysctl -a prints it, is right for that kernel.
func TestListingsOfUntouchedHostsAreClean(t *testing.T) {
	content, err := os.ReadFile("../../sysctl/testdata/defaults.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var table [][]string
	for line := range strings.Lines(string(content)) {
		if line[0] != '#' {
			table = append(table, strings.Split(strings.TrimRight(line, "\n"), "\t"))
		}
	}
	for column := 1; column < len(table[0]); column++ {
		release := table[0][column]
		var listing strings.Builder
		listing.WriteString("fs.file-nr = 1024\t0\t9223372036854775807\nkernel.osrelease = " + release + "\nkernel.ostype = Linux\n")
		for _, row := range table[2:] {
			if value := row[column]; value != "-" {
				listing.WriteString(row[0] + " = " + strings.Trim(value, `"`) + "\n")
			}
		}
		path := filepath.Join(t.TempDir(), "sysctl-a.txt")
		write(t, path, listing.String())
		report := lintAll(t, newLinter(t, targets(t, release), lint.Options{}), path)
		if report.Files != 1 {
			t.Fatalf("Linux %s: not judged: %v", release, report.Unread)
		}
		for _, f := range report.Findings {
			t.Errorf("Linux %s: %v: %s [%s]", release, f.Places[0], f.Message, f.Rule)
		}
	}
}

// The profiles that come with the program pass its own check.
func TestBuiltInProfilesAreLintedWithoutWarnings(t *testing.T) {
	sources, err := filepath.Glob("../../profiles/*.toml")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no profiles: %v", err)
	}
	l := newLinter(t, targets(t, adviceKernels...), lint.Options{})
	report := lintAll(t, l, sources...)
	if report.Files != len(sources) {
		t.Errorf("%d of %d profiles were judged: %v", report.Files, len(sources), report.Unread)
	}
	for _, f := range report.Findings {
		if f.Severity.AtLeast(rules.Warning) {
			t.Errorf("%v: %s [%s]", f.Places[0], f.Message, f.Rule)
		}
	}
}
