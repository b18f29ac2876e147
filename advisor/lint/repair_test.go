package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/rules"
)

// repaired lints a file and gives what the repair makes of it.
func repaired(t *testing.T, l *lint.Linter, name, content string) (after string, lines []int) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, name, content)
	result := resultOf(t, l, name)
	bytes, lines, err := l.Repair(name, []byte(content), result)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes), lines
}

// resultOf is that of the one unit of a path.
func resultOf(t *testing.T, l *lint.Linter, path string) lint.Result {
	t.Helper()
	var results []lint.Result
	if err := l.Run(t.Context(), units(path), func(r lint.Result) error { results = append(results, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("%s makes %d units", path, len(results))
	}
	return results[0]
}

func TestRepair(t *testing.T) {
	const why = "# tcptune lint: timewait/recycle-no-longer-exists: net.ipv4.tcp_tw_recycle = 1 sets nothing on Linux 6.12: 4.12 removed the parameter"
	for name, test := range map[string]struct{ file, before, after string }{
		"one line":       {"sysctl.conf", "net.ipv4.tcp_tw_recycle = 1\n", why + "\n# net.ipv4.tcp_tw_recycle = 1\n"},
		"no final end":   {"sysctl.conf", "vm.swappiness = 1\nnet.ipv4.tcp_tw_recycle = 1", "vm.swappiness = 1\n" + why + "\n# net.ipv4.tcp_tw_recycle = 1"},
		"CRLF":           {"sysctl.conf", "# a\r\nnet.ipv4.tcp_tw_recycle = 1\r\nvm.swappiness = 1\r\n", "# a\r\n" + why + "\r\n# net.ipv4.tcp_tw_recycle = 1\r\nvm.swappiness = 1\r\n"},
		"indented":       {"sysctl.conf", "\t net.ipv4.tcp_tw_recycle = 1 \n", "\t " + why + "\n\t # net.ipv4.tcp_tw_recycle = 1 \n"},
		"tabs inside":    {"sysctl.conf", "net.ipv4.tcp_tw_recycle\t=\t1\n", why + "\n# net.ipv4.tcp_tw_recycle\t=\t1\n"},
		"what surrounds": {"sysctl.conf", "# head\n\n; x\nnet.ipv4.tcp_tw_recycle = 1\n\n\n# tail", "# head\n\n; x\n" + why + "\n# net.ipv4.tcp_tw_recycle = 1\n\n\n# tail"},
		"TuneD":          {"tuned.conf", "[sysctl]\nnet.ipv4.tcp_tw_recycle = 1\nvm.swappiness = 1\n", "[sysctl]\n" + why + "\n# net.ipv4.tcp_tw_recycle = 1\nvm.swappiness = 1\n"},
		"the loser of two": {"sysctl.conf", "net.core.somaxconn = 1024\nnet.core.somaxconn = 4096\n",
			"# tcptune lint: files/lines-disagree: net.core.somaxconn = 1024 never holds: line 2 sets another value\n# net.core.somaxconn = 1024\nnet.core.somaxconn = 4096\n"},
		"a byte order mark, which spoils the first line": {"sysctl.conf", "\ufeffnet.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_tw_recycle = 1\n",
			"\ufeffnet.ipv4.tcp_tw_recycle = 1\n" + why + "\n# net.ipv4.tcp_tw_recycle = 1\n"},
		"nothing to do":     {"sysctl.conf", "net.ipv4.tcp_timestamps = 0\n", "net.ipv4.tcp_timestamps = 0\n"},
		"no form for it":    {"vars.yml", "sysctl_config:\n  net.ipv4.tcp_tw_recycle: 1\n", "sysctl_config:\n  net.ipv4.tcp_tw_recycle: 1\n"},
		"a suppressed line": {"sysctl.conf", "# tcptune: ignore timewait/*: kept\nnet.ipv4.tcp_tw_recycle = 1\n", "# tcptune: ignore timewait/*: kept\nnet.ipv4.tcp_tw_recycle = 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLinter(t, targets(t, "6.12"), lint.Options{Today: today})
			after, lines := repaired(t, l, test.file, test.before)
			if diff := cmp.Diff(test.after, after); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (len(lines) > 0) != (test.before != test.after) {
				t.Errorf("lines %v were taken out", lines)
			}
			again, lines := repaired(t, l, test.file, after)
			if again != after || len(lines) > 0 {
				t.Errorf("a second repair changes lines %v: %q", lines, again)
			}
		})
	}
}

// What a repair takes out is no longer found, and everything else still is.
func TestRepairedFilesAreCleanOfWhatWasRepaired(t *testing.T) {
	l := newLinter(t, maintained(t), lint.Options{Today: today})
	extractFleet(t)
	repairedLines := 0
	_ = filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before := resultOf(t, l, path)
		after, lines, err := l.Repair(path, content, before)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(lines) == 0 {
			if string(after) != string(content) {
				t.Errorf("%s: changed, and no line is named", path)
			}
			return nil
		}
		repairedLines += len(lines)
		write(t, path, string(after))
		again := resultOf(t, l, path)
		want := 0
		for _, f := range before.Findings {
			gone := false
			for _, line := range lines {
				gone = gone || f.Places[0].Line == line
			}
			if !gone {
				want++
			}
		}
		if len(again.Findings) != want {
			t.Errorf("%s: %d findings are left of %d; %d were to be", path, len(again.Findings), len(before.Findings), want)
		}
		if third, lines, _ := l.Repair(path, after, again); len(lines) > 0 || string(third) != string(after) {
			t.Errorf("%s: a second repair takes out lines %v", path, lines)
		}
		return nil
	})
	if repairedLines < 5 {
		t.Errorf("only %d lines of the fleet were repaired", repairedLines)
	}
}

// A line that one of the kernels wants is not taken out.
func TestRepairNeedsAllKernelsToAgree(t *testing.T) {
	const line = "net.ipv4.tcp_fack = 0\nnet.ipv4.ip_conntrack_max = 65536\n"
	for _, test := range []struct {
		kernels []string
		repairs bool
	}{{[]string{"4.11", "6.12"}, true}, {[]string{"4.4", "6.12"}, false}, {[]string{"4.4"}, false}} {
		_, lines := repaired(t, newLinter(t, targets(t, test.kernels...), lint.Options{}), "sysctl.conf", line)
		if (len(lines) > 0) != test.repairs {
			t.Errorf("Linux %v: lines %v were taken out", test.kernels, lines)
		}
	}
	// Two rules that say so of kernels apart from each other are as good as one.
	_, lines := repaired(t, newLinter(t, targets(t, "3.10", "6.12"), lint.Options{}), "sysctl.conf", "net.ipv4.tcp_tw_recycle = 1\n")
	if diff := cmp.Diff([]int{1}, lines); diff != "" {
		t.Errorf("tcp_tw_recycle on 3.10 and 6.12:\n%s", diff)
	}
}

// Of drop-ins that were judged together each is repaired by itself.
func TestRepairOfDropIns(t *testing.T) {
	t.Chdir(t.TempDir())
	const old, clean = "net.ipv4.tcp_tw_recycle = 1\n", "vm.swappiness = 1\n"
	write(t, "sysctl.d/10-a.conf", old)
	write(t, "sysctl.d/20-b.conf", clean)
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	result := resultOf(t, l, "sysctl.d")
	for name, content := range map[string]string{"sysctl.d/10-a.conf": old, "sysctl.d/20-b.conf": clean} {
		_, lines, err := l.Repair(name, []byte(content), result)
		if err != nil || (len(lines) == 1) != (content == old) {
			t.Errorf("%s: lines %v, %v", name, lines, err)
		}
	}
}

func TestRepairRefusesAFileThatChanged(t *testing.T) {
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	t.Chdir(t.TempDir())
	write(t, "sysctl.conf", "net.ipv4.tcp_tw_recycle = 1\n")
	result := resultOf(t, l, "sysctl.conf")
	_, _, err := l.Repair("sysctl.conf", []byte("vm.swappiness = 1\nnet.ipv4.tcp_tw_recycle = 1\n"), result)
	if err == nil || !strings.Contains(err.Error(), "sysctl.conf:1: the file changed") {
		t.Errorf("the error is %v", err)
	}
}

// Rules that may take lines out say so of lines that do nothing, or did harm.
func TestRepairsAreOfFewRules(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, rule := range set.All() {
		if rule.Repair == rules.CommentOut {
			names = append(names, rule.Name)
		}
	}
	want := []string{"files/key-removed", "files/lines-disagree", "obsolete/conntrack-names", "obsolete/ipv6-tcp", "obsolete/tcp-fack", "obsolete/tcp-low-latency",
		"timewait/recycle", "timewait/recycle-behind-nat", "timewait/recycle-breaks-every-client", "timewait/recycle-drops-clients", "timewait/recycle-no-longer-exists"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
