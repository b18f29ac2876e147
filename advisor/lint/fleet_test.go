package lint_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/sysctl"
)

// fleetKernels has one on either side of most releases at which a verdict
// changes.
var fleetKernels = []string{"3.10", "4.4", "4.11", "4.19", "5.4", "6.1", "6.12", "7.2"}

// Some hundred files of every form, most of them clean, and in them what guides
// recommend: every fault is found, on the kernels where it is one, and nothing
// else is said.
func TestFleetIsJudgedAsItsAnswerSheetSays(t *testing.T) {
	want := answers(t, "testdata/fleet/answers.txt")
	files := extractFleet(t)
	if files < 300 {
		t.Fatalf("the fleet has %d files; a few hundred are meant", files)
	}
	l := newLinter(t, targets(t, fleetKernels...), lint.Options{Today: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)})
	first := lintAll(t, l, ".")
	if diff := cmp.Diff(want, spoken(first)); diff != "" {
		t.Errorf("(-sheet +said)\n%s", diff)
	}
	for range 3 {
		if diff := cmp.Diff(messages(first), messages(lintAll(t, l, "."))); diff != "" {
			t.Fatalf("another run says otherwise, or in another order:\n%s", diff)
		}
	}
}

// answers reads the sheet: one line for each kernel on which something is wrong.
func answers(t *testing.T, sheet string) []string {
	t.Helper()
	file, err := os.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			place, rest, _ := strings.Cut(line, " ")
			rule, span, _ := strings.Cut(rest, " ")
			holds, err := sysctl.ParseReleases(span)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			var on []string
			for _, target := range targets(t, fleetKernels...) {
				if holds.Contains(target.Kernel) {
					on = append(on, target.Name)
				}
			}
			all = append(all, answer(place, rule, on))
		}
	}
	slices.Sort(all)
	return all
}

// answer is a finding as the sheet has it. A finding about a comment or a file
// that is not read is true on every kernel and names none.
func answer(place, rule string, kernels []string) string {
	if len(kernels) == 0 || len(kernels) == len(fleetKernels) {
		return place + " " + rule
	}
	return place + " " + rule + " on " + strings.Join(kernels, " ")
}

func spoken(r *lint.Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, answer(f.Places[0].String(), f.Rule, f.Kernels))
	}
	slices.Sort(all)
	return all
}

func messages(r *lint.Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%v: %s: %s", f.Places[0], f.Rule, f.Message))
	}
	return all
}

// extractFleet lays the archives out in a new working directory, with some files
// that no archive can hold, and gives their number.
func extractFleet(t *testing.T) (files int) {
	t.Helper()
	archives, err := filepath.Glob("testdata/fleet/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	top := t.TempDir()
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			write(t, filepath.Join(top, file.Name), string(file.Data))
			files++
		}
	}
	t.Chdir(top)
	write(t, "web/logo.png", "\x89PNG\r\n\x1a\n\x00\x00net.ipv4.tcp_syncookies = 0\n")
	write(t, "images/core.conf", "\x7fELF\x02\x01\x00net.ipv4.tcp_syncookies = 0\n")
	write(t, ".git/sysctl.conf", "net.ipv4.tcp_syncookies = 0\n")
	if err := unix.Mkfifo("images/fifo.conf", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../inventory", "images/loop"); err != nil {
		t.Fatal(err)
	}
	return files
}

// write makes a file and the folders that it needs.
func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lintAll lints paths.
func lintAll(t testing.TB, l *lint.Linter, paths ...string) *lint.Report {
	t.Helper()
	report := l.NewReport()
	err := l.Run(context.Background(), units(paths...), func(r lint.Result) error {
		report.Add(r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}
