package change

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

func TestDropInComesAndGoesWithTheTransaction(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	first := mustApply(t, p, j, Request{Changes: three(), Persist: d})
	info, err := os.Stat(d.Path)
	if err != nil || info.Mode() != 0o644 || first.DropIn.Outcome != FileWritten {
		t.Fatalf("%v, %v, %+v", info, err, first.DropIn)
	}
	d.Settings = settings(string(keep), "600", string(fin), "20")
	mustApply(t, p, j, Request{Persist: d}) // the values stay as they are
	if text := sets(t, d.Path); text != "net.ipv4.tcp_fin_timeout = 20; net.ipv4.tcp_keepalive_time = 600" || p.values[fin] != "30" {
		t.Errorf("both: %q, %v", text, p.values)
	}
	if result := mustRollback(t, p, j, ""); result.DropIn.Outcome != FileRestored || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
		t.Errorf("%+v, %q", result.DropIn, contentOf(t, d.Path))
	}
	if result := mustRollback(t, p, j, ""); result.DropIn.Outcome != FileRemoved || contentOf(t, d.Path) != "absent" {
		t.Errorf("%+v, %q", result.DropIn, contentOf(t, d.Path))
	}
}

func TestDropInSaysWhoseEachSettingIs(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t)
	d.Settings = []Setting{{fin, "30", "orphans wait\nnet.ipv4.tcp_retries2 = 1\x1b[2J"}}
	mustApply(t, p, j, Request{Persist: d, Profile: "edge\nproxy"})
	text := contentOf(t, d.Path)
	if !strings.Contains(text, "\n# edge proxy: orphans wait net.ipv4.tcp_retries2 = 1") || strings.Contains(text, "\x1b") || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
		t.Errorf("drop-in:\n%s", text)
	}
}

// At boot the loader starts from the kernel's defaults, and each line must be
// one that the kernel takes.
func TestDropInIsInAnOrderThatABootTakes(t *testing.T) {
	for _, c := range [][3]string{{"500 60999", "80", "start first"}, {"10240 65535", "10240", "ports first"}} {
		for _, pairs := range [][]string{{string(ports), c[0], string(start), c[1]}, {string(start), c[1], string(ports), c[0]}} {
			p, j, d := newFake(), openTestJournal(t), layer(t)
			for i := 0; i < len(pairs); i += 2 { // a value that is there is not asked whether it makes sense
				p.values[sysctl.Key(pairs[i])] = sysctl.Value(pairs[i+1])
			}
			d.Settings = settings(pairs...)
			mustApply(t, p, j, Request{Persist: d, Changes: Set{{Key: ports, From: p.values[ports], To: p.values[ports]}, {Key: start, From: p.values[start], To: p.values[start]}}})
			if startFirst := strings.HasPrefix(sets(t, d.Path), string(start)); startFirst != (c[2] == "start first") {
				t.Errorf("want %s: %s", c[2], sets(t, d.Path))
			}
		}
	}
}

func TestDropInThatWasEditedIsLeftUnlessForced(t *testing.T) {
	for name, edit := range map[string]func(text string) string{
		"a value":        func(s string) string { return strings.Replace(s, "= 30", "= 31", 1) },
		"a line more":    func(s string) string { return s + "net.core.somaxconn = 8192\n" },
		"only a comment": func(s string) string { return s + "# mine\n" },
		"the sum":        func(s string) string { return strings.Replace(s, sumLine, sumLine+"0", 1) },
		"no sum":         func(string) string { return Header + "\nmine\n" },
		"another's":      func(string) string { return elsewhere(t) },
		"removed":        func(string) string { return "absent" },
	} {
		for _, force := range []bool{false, true} {
			p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
			mustApply(t, p, j, Request{Persist: d})
			mine := edit(contentOf(t, d.Path))
			if writeFile(t, d.Path, mine); mine == "absent" {
				os.Remove(d.Path)
			}
			more := &Layer{Path: d.Path, Settings: settings(string(keep), "600")}
			second, err := Apply(t.Context(), p, j, Request{Changes: three(), Persist: more, Force: force})
			edited := (*EditedError)(nil)
			if !force {
				if !errors.As(err, &edited) || edited.Path != d.Path || edited.Why == "" || len(p.log) != 0 || contentOf(t, d.Path) != mine {
					t.Errorf("%s: apply: %v, writes %q, drop-in %q", name, err, p.log, contentOf(t, d.Path))
				}
				if _, _, err := j.Preview(Request{Persist: more}); !errors.As(err, &edited) {
					t.Errorf("%s: preview: %v", name, err)
				}
				result := mustRollback(t, p, j, "")
				if contentOf(t, d.Path) != mine || mine != "absent" && (result.DropIn.Outcome != FileLeft || result.DropIn.Why == "") {
					t.Errorf("%s: roll back: %+v, %q", name, result.DropIn, contentOf(t, d.Path))
				}
				continue
			}
			if err != nil || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30; net.ipv4.tcp_keepalive_time = 600" {
				t.Errorf("%s, forced: %v, %q", name, err, contentOf(t, d.Path))
			}
			// Undo of what was forced brings the edits back.
			if mustRollback(t, p, j, second.ID); contentOf(t, d.Path) != mine && mine != "absent" {
				t.Errorf("%s, forced and rolled back: %q", name, contentOf(t, d.Path))
			}
			if results, err := Rollback(t.Context(), p, j, Undo{Force: true}); err != nil || contentOf(t, d.Path) != "absent" {
				t.Errorf("%s, roll back forced: %+v, %v, %q", name, results, err, contentOf(t, d.Path))
			}
		}
	}
}

// elsewhere is the drop-in of another journal.
func elsewhere(t *testing.T) string {
	return string(render("/elsewhere", []Entry{{Layer: layer(t, string(fin), "30")}}))
}

func TestUnpersistCanBeUndone(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	unpersist := Request{Persist: &Layer{Path: d.Path, Alone: true}}
	if result := mustApply(t, p, j, unpersist); result.ID != "" || result.DropIn.Outcome != FileSame {
		t.Errorf("of nothing: %+v", result)
	}
	mustApply(t, p, j, Request{Changes: three(), Persist: d})
	if result := mustApply(t, p, j, unpersist); result.DropIn.Outcome != FileRemoved || contentOf(t, d.Path) != "absent" || p.values[fin] != "30" {
		t.Errorf("result %+v, values %v", result, p.values)
	}
	d.Settings = settings(string(keep), "600")
	mustApply(t, p, j, Request{Persist: d})
	if text := sets(t, d.Path); text != "net.ipv4.tcp_keepalive_time = 600" {
		t.Errorf("what was unpersisted came back: %s", text)
	}
	mustRollback(t, p, j, "")
	if mustRollback(t, p, j, ""); sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
		t.Errorf("unpersist rolled back: %s", contentOf(t, d.Path))
	}
}

func TestDropInKeepsItsSecurityContext(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	mustApply(t, p, j, Request{Persist: d})
	const context = "system_u:object_r:system_conf_t:s0"
	if err := unix.Setxattr(d.Path, selinux, []byte(context), 0); err != nil {
		sysctltest.RequireKernel(t, "cannot set a security context: "+err.Error())
	}
	d.Settings = settings(string(fin), "20")
	mustApply(t, p, j, Request{Persist: d})
	found := make([]byte, 100)
	if n, err := unix.Getxattr(d.Path, selinux, found); err != nil || string(found[:n]) != context {
		t.Errorf("context %q, %v", found[:max(n, 0)], err)
	}
}

func TestDropInReplacesNothingForeign(t *testing.T) {
	for name, place := range map[string]func(t *testing.T, path string){
		"a file of somebody else": func(t *testing.T, path string) { writeFile(t, path, "net.ipv4.tcp_fin_timeout = 20\n") },
		"header not at the start": func(t *testing.T, path string) { writeFile(t, path, "x\n"+Header+"\n") },
		"an empty file":           func(t *testing.T, path string) { writeFile(t, path, "") },
		"a directory": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"a mask": func(t *testing.T, path string) {
			if err := os.Symlink("/dev/null", path); err != nil {
				t.Fatal(err)
			}
		},
		"a link to a file of ours": func(t *testing.T, path string) {
			writeFile(t, path+".real", Header+"\n")
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		place(t, d.Path)
		before, _ := os.Lstat(d.Path)
		_, err := Apply(t.Context(), p, j, Request{Changes: three(), Persist: d})
		notOurs := (*NotOursError)(nil)
		if !errors.As(err, &notOurs) || notOurs.Path != d.Path || len(p.log) != 0 || len(entries(t, j)) != 0 {
			t.Errorf("%s: error %v, writes %q", name, err, p.log)
		}
		if after, err := os.Lstat(d.Path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it was touched", name)
		}
	}
}

func TestDropInThatCannotBeWrittenUndoesTheValues(t *testing.T) {
	for _, text := range []string{"mine\n", elsewhere(t)} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		j.hook = func(step string) {
			if step == "set net.ipv4.tcp_retries2" { // somebody puts a file there in the last moment
				writeFile(t, d.Path, text)
			}
		}
		_, err := Apply(t.Context(), p, j, Request{Changes: three(), Persist: d})
		undone := (*UndoneError)(nil)
		if !errors.As(err, &undone) || len(undone.Result.Restored) != 3 {
			t.Errorf("error %v", err)
		}
		if p.values[fin] != "60" || contentOf(t, d.Path) != text {
			t.Errorf("values %v, drop-in %q", p.values, contentOf(t, d.Path))
		}
		assertNoLitter(t, filepath.Dir(d.Path))
	}
}

func TestInterruptedBeforeTheDropInUndoesTheValues(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	ctx, cancel := context.WithCancel(t.Context())
	j.hook = func(step string) {
		if step == "set net.ipv4.tcp_retries2" {
			cancel()
		}
	}
	_, err := Apply(ctx, p, j, Request{Changes: three(), Persist: d})
	if undone := (*UndoneError)(nil); !errors.As(err, &undone) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if p.values[fin] != "60" || contentOf(t, d.Path) != "absent" {
		t.Errorf("values %v, drop-in %q", p.values, contentOf(t, d.Path))
	}
}

// assertNoLitter fails if a temporary file was left behind.
func assertNoLitter(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name.Name(), ".") {
			t.Errorf("%s was left behind in %s", name.Name(), dir)
		}
	}
}
