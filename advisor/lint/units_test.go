package lint_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/advisor/settings"
)

// read does all the reading that paths make, in their order.
func read(paths ...string) (all []lint.Unit) {
	for work := range lint.Units(paths, strings.NewReader("net.ipv4.tcp_syncookies = 0\n")) {
		all = append(all, work())
	}
	return all
}

func TestDirectoriesGiveTheFilesThatMaySetParameters(t *testing.T) {
	t.Chdir(t.TempDir())
	const line = "net.ipv4.tcp_syncookies = 0\n"
	for _, name := range []string{"sysctl.conf", "b/sysctl.conf", "a/x.conf", "a/sysctl.d/20.conf", "a/sysctl.d/10.conf", "a/sysctl.d/10.conf.rpmsave", "a/sysctl.d/notes",
		"a/main.go", "a/binary", ".git/sysctl.conf", ".hg/sysctl.conf", "z/tuned.conf", "README.md"} {
		write(t, name, line)
	}
	write(t, "a/sysctl.d/README", "what the files here are for\n")
	if err := os.Symlink("../b", "a/link"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo("a/fifo.conf", 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, unit := range read(".") {
		var names []string
		for _, file := range unit.Files {
			names = append(names, file.Name)
		}
		for _, file := range unit.Beside {
			names = append(names, "not read: "+file.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	want := []string{"a/sysctl.d/10.conf a/sysctl.d/20.conf not read: a/sysctl.d/notes", "a/x.conf", "b/sysctl.conf", "sysctl.conf", "z/tuned.conf"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whatever is named is read, and what cannot be read is said, without waiting.
func TestWhatCannotBeReadIsSaid(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := unix.Mkfifo("fifo.conf", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere.conf", "dangling.conf"); err != nil {
		t.Fatal(err)
	}
	write(t, "binary.conf", "net.ipv4.tcp_syncookies = 0\n\x00")
	write(t, "huge.conf", strings.Repeat("#\n", settings.MaxSize/2+1))
	write(t, "prose.md", "nothing of the kind\n")
	write(t, "secret/sysctl.conf", "net.ipv4.tcp_syncookies = 0\n")
	l := newLinter(t, targets(t, "6.12"), lint.Options{Today: today})
	for path, want := range map[string]string{
		"fifo.conf": "is no regular file", "/dev/zero": "is no regular file", "dangling.conf": "no such file", "absent": "no such file",
		"binary.conf": "it is binary", "huge.conf": "larger than 8 MiB", "prose.md": "holds no parameters",
	} {
		r := resultOf(t, l, path)
		if len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, want) || strings.Contains(r.Unread[0].Reason, path) || len(r.Findings) > 0 || r.Files != 0 {
			t.Errorf("%s: %+v; want %q", path, r.Unread, want)
		}
		if wantFailed := want != "holds no parameters"; r.Failed != wantFailed {
			t.Errorf("%s: failed is %v", path, r.Failed)
		}
	}
	if os.Geteuid() == 0 {
		return // root enters every directory
	}
	for _, path := range []string{"secret", "secret/sysctl.conf"} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		r := resultOf(t, l, path)
		if !r.Failed || len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "permission denied") {
			t.Errorf("%s: %+v", path, r.Unread)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// A directory that cannot be read is a unit that says so, and the walk goes on.
func TestTheWalkGoesOnBehindAnUnreadableDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a/sysctl.conf", "vm.swappiness = 1\n")
	write(t, "b/sysctl.conf", "vm.swappiness = 1\n")
	units := lint.Units([]string{"a", "gone", "b"}, nil)
	var names []string
	for work := range units {
		unit := work()
		names = append(names, unit.Files[0].Name)
		if unit.Files[0].Name == "gone" && !errors.Is(unit.Files[0].Err, fs.ErrNotExist) {
			t.Errorf("gone: %v", unit.Files[0].Err)
		}
	}
	if diff := cmp.Diff([]string{"a/sysctl.conf", "gone", "b/sysctl.conf"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestStandardInputIsReadOnceAndNamed(t *testing.T) {
	units := read("-")
	if len(units) != 1 || units[0].Files[0].Name != lint.StandardInput || units[0].Files[0].Err != nil || !units[0].Files[0].Asked {
		t.Fatalf("standard input is %+v", units)
	}
	r := newLinter(t, targets(t, "6.12"), lint.Options{}).Judge(units[0])
	if len(r.Findings) != 1 || r.Findings[0].Places[0].String() != "<stdin>:1" {
		t.Errorf("the result is %+v", r)
	}
}

// The drop-ins of a folder take effect together; two folders do not.
func TestDropInsAreJudgedTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	write(t, "one/sysctl.d/10-a.conf", "net.ipv4.tcp_tw_reuse = 1\n")
	write(t, "one/sysctl.d/20-b.conf", "net.ipv4.tcp_timestamps = 0\n")
	write(t, "two/a/10-a.conf", "net.ipv4.tcp_tw_reuse = 1\n")
	write(t, "two/b/20-b.conf", "net.ipv4.tcp_timestamps = 0\n")
	rulesOf := func(dir string) (names []string) {
		for _, f := range lintAll(t, l, dir).Findings {
			names = append(names, f.Rule)
		}
		slices.Sort(names)
		return names
	}
	if got := rulesOf("one"); !slices.Contains(got, "timewait/reuse-without-timestamps") {
		t.Errorf("drop-ins of one folder: %q", got)
	}
	if got := rulesOf("two"); slices.Contains(got, "timewait/reuse-without-timestamps") || !slices.Contains(got, "timestamps/off") {
		t.Errorf("files of two folders: %q", got)
	}
}

// A comment speaks of its own file, though another's finding is on a line of the
// same number.
func TestCommentsSpeakOfTheirOwnFile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "sysctl.d/10-a.conf", "# tcptune: ignore timestamps/off: here\nvm.swappiness = 1\n")
	write(t, "sysctl.d/20-b.conf", "# nothing\nnet.ipv4.tcp_timestamps = 0\n")
	report := lintAll(t, newLinter(t, targets(t, "6.12"), lint.Options{Today: today}), "sysctl.d")
	var got []string
	for _, f := range report.Findings {
		got = append(got, f.Places[0].String()+" "+f.Rule)
	}
	if diff := cmp.Diff([]string{"sysctl.d/10-a.conf:1 files/ignore-unused", "sysctl.d/20-b.conf:2 timestamps/off"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Each pod and each dictionary is for a host of its own.
func TestPodsAndDictionariesAreJudgedApart(t *testing.T) {
	t.Chdir(t.TempDir())
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	for name, content := range map[string]string{
		"vars.yml":     "web_sysctls:\n  net.ipv4.tcp_tw_reuse: 1\ndb_sysctls:\n  net.ipv4.tcp_timestamps: 0\n  net.core.somaxconn: 1024\ncache_sysctls:\n  net.core.somaxconn: 2048\n",
		"compose.yaml": "services:\n  web:\n    sysctls:\n      net.ipv4.tcp_tw_reuse: 1\n      net.core.somaxconn: 1024\n  db:\n    sysctls:\n      net.ipv4.tcp_timestamps: 0\n      net.core.somaxconn: 2048\n",
	} {
		write(t, name, content)
		var got []string
		for _, f := range resultOf(t, l, name).Findings {
			got = append(got, f.Rule)
		}
		if diff := cmp.Diff([]string{"timewait/reuse-everywhere", "timestamps/off"}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestBeatenAndReachedLines(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"the last line holds":             {"net.ipv4.tcp_syncookies = 0\nnet.ipv4.tcp_syncookies = 1\n", []string{"1 files/lines-disagree"}},
		"the same twice":                  {"net.ipv4.tcp_syncookies = 1\nnet.ipv4.tcp_syncookies = 1\n", []string{"1 files/line-loses"}},
		"a pattern reaches":               {"net.ipv4.tcp_timestamp* = 0\n", []string{"1 timestamps/off"}},
		"a pattern reaches what there is": {"net.ipv4.tcp_tw_re[cu]* = 0\n", []string{}},
		"a name outranks a pattern":       {"net.ipv4.tcp_timestamps = 1\nnet.ipv4.tcp_timestamp* = 0\n", []string{}},
		"malformed lines beat none":       {"net.ipv4.tcp_syncookies\nnet.ipv4.tcp_timestamps\nvm.swappiness = 1\n", []string{"1 files/not-an-assignment", "2 files/not-an-assignment"}},
		"a malformed line beats no other": {"net.ipv4.tcp_syncookies = 0\nnet.ipv4.tcp_syncookies\n", []string{"1 synrecv/cookies-off", "2 files/not-an-assignment"}},
		"an order that matters":           {"net.ipv4.ip_unprivileged_port_start = 0\nnet.ipv4.ip_local_port_range = 500 65535\n", []string{"2 ports/below-1024", "2 ports/covers-services"}},
		"and the wrong one":               {"net.ipv4.ip_local_port_range = 500 65535\nnet.ipv4.ip_unprivileged_port_start = 0\n", []string{"1 files/value-refused"}},
		"let fail where it is not":        {"-net.ipv4.tcp_tw_reuse_delay = 0\n", []string{}},
		"let fail":                        {"-net.ipv4.tcp_tw_recycle = 1\n-net.ipv4.tcp_fin_timout = 1\n", []string{"1 timewait/recycle-no-longer-exists"}},
		"refused values change nothing":   {"net.ipv4.tcp_timestamps = zero\n", []string{"1 files/value-refused"}},
		"two names of one number":         {"net.nf_conntrack_max = 0\n", []string{"1 conntrack/unlimited"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, said(t, lint.Options{}, "sysctl.conf", test.content)); diff != "" {
				t.Errorf("(-want +said)\n%s", diff)
			}
		})
	}
}
