package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// watch is a guard in this process.
func watch(t *testing.T, s store, id string) error {
	t.Helper()
	g := guard{store: s, id: id}
	return g.trying(&app{err: io.Discard}, func() (bool, error) { return g.look(t.Context()) })
}

// detached applies a change that waits, and gives its transaction and guard.
func (s site) detached(t *testing.T, more ...string) (change.Entry, process) {
	t.Helper()
	s.run(t, exitOK, append([]string{"apply", "--profile", "highconn", "--yes", "--detach", "--confirm"}, more...)...)
	holdsValue(t, after)
	found := s.processes(t)
	if len(found) != 1 || found[0].args[1] != "guard" {
		t.Fatalf("processes: %+v", found)
	}
	return s.newest(t), found[0]
}

func (p process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(p.pid, sig); err != nil {
		t.Fatal(err)
	}
}

// saying is what a process that runs has written so far.
type saying struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *saying) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *saying) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, "it says "+text, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return strings.Contains(w.text.String(), text) })
}

// started starts a command and gathers what it writes.
func started(t *testing.T, cmd *exec.Cmd) *saying {
	t.Helper()
	said := new(saying)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return said
}

// What keeps the guard from its work may pass.
func TestAGuardTriesAgainWhileTheJournalCannotBeRead(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	e, first := s.detached(t, "1s")
	first.signal(t, syscall.SIGSTOP) // whether before its end or after
	first.signal(t, syscall.SIGKILL)
	s.deserted(t)
	file := filepath.Join(s.state, e.ID+".json")
	text := readText(t, file)
	writeFiles(t, s.state, map[string]string{e.ID + ".json": text[:len(text)/2]})
	said := started(t, s.command("guard", e.ID))
	said.says(t, e.ID+".json: unexpected end of JSON input; trying again in 1s")
	said.says(t, "trying again in 2s") // also when it fails again
	holdsValue(t, after)
	if err := os.Rename(s.state, s.state+".away"); err != nil {
		t.Fatal(err)
	}
	said.says(t, "there is no journal in "+s.state)
	if err := os.Rename(s.state+".away", s.state); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, s.state, map[string]string{e.ID + ".json": text})
	if e := s.becomes(t, change.RolledBack); e.Failure != errNotInTime.Error() {
		t.Errorf("taken back: %s", e.Failure)
	}
	holdsValue(t, before)
	s.deserted(t)
}

// Nor is a change made whose guard would end at once, with the PID namespace.
func TestTheFirstProcessOfAContainerDoesNotDetach(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a PID namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	cmd := s.unshared(t, []string{"--pid", "--fork"}, "apply", "--profile", "highconn", "--yes", "--confirm", long, "--detach")
	if out, code := ended(t, cmd); code != exitRefused || !strings.Contains(out, "first process of a container") {
		t.Errorf("exit code %d", code)
	}
	holdsValue(t, before)
}

// But not for ever, once the time is over.
func TestAGuardGivesUpInTheEnd(t *testing.T) {
	no := errors.New("no")
	for end, want := range map[time.Duration]int{0: 2, 2 * time.Second: 3} { // tries, a second apart and then two
		g, tries := guard{patience: time.Millisecond, end: time.Now().Add(end)}, 0
		if err := g.trying(&app{err: io.Discard}, func() (bool, error) { tries++; return false, no }); !errors.Is(err, no) || tries < want {
			t.Errorf("window over in %v: %d tries, error %v", end, tries, err)
		}
	}
}

// The check in which a window ends is its last one: with another one the guard would
// come later than the foreground waits for it.
func TestTheCheckInWhichAWindowEndsIsTheLastOne(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	opened := s.store(t)
	request := change.Request{Changes: change.Set{{Key: "net.core.somaxconn", From: before, To: after}}, Window: 100 * time.Millisecond}
	result, err := change.Apply(t.Context(), opened.tree, opened.journal, request)
	if err != nil {
		t.Fatal(err)
	}
	checks := filepath.Join(s.dir, "checks")
	g := guard{store: opened, id: result.ID, health: health{healthFlags: healthFlags{command: "echo >> " + checks + "; sleep 0.2"}}}
	if _, err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := s.newest(t); e.State != change.Applied || readText(t, checks) != "\n" {
		t.Errorf("after one look it is %s, after checks %q", e.State, readText(t, checks))
	}
}

// A guard whose undo failed is not the end of it.
func TestAFailedUndoIsTriedAgain(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	// Read-only where the guard is, until a file is there.
	cmd := s.unshared(t, []string{"--mount", "sh", "-c", `
mount --bind /proc/sys /proc/sys && "$0" "$@" && mount -o remount,ro,bind /proc/sys || exit 1
(until [ -e cured ]; do sleep 0.1; done; mount -o remount,rw,bind /proc/sys) > log 2>&1 &`},
		"apply", "--profile", "highconn", "--yes", "--confirm", "1s", "--detach")
	if _, code := ended(t, cmd); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	failed := s.becomes(t, change.UndoFailed)
	holdsValue(t, after)
	holds(t, s.run(t, exitOK, "history"), "transaction "+failed.ID+" was to be taken back and could not be, and is tried again: ")
	writeFiles(t, s.dir, map[string]string{"cured": ""})
	if e := s.becomes(t, change.RolledBack); e.Failure != errNotInTime.Error() {
		t.Errorf("taken back: %s", e.Failure)
	}
	holdsValue(t, before)
	s.deserted(t)
}

// Whoever comes next hears of a guard that is gone, and can have another one.
func TestAGuardThatIsGoneIsMissed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	e, guard := s.detached(t, long)
	if out := s.run(t, exitOK, "history"); !strings.Contains(out, "to be confirmed: 'tcptune confirm'") {
		t.Errorf("with a guard:\n%s", out)
	}
	guard.signal(t, syscall.SIGSTOP)
	eventually(t, "it stands still", func() bool {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(guard.pid) + "/stat")
		return strings.Contains(string(stat), ") T ")
	})
	stopped := "[" + strconv.Itoa(guard.pid) + "], which is stopped, "
	holds(t, s.run(t, exitOK, "history"), stopped+"would not take it back: 'kill -CONT "+strconv.Itoa(guard.pid)+"'")
	holds(t, s.run(t, exitOK, "extend", "2h"), stopped+"and is to take the change back: 'kill -CONT "+strconv.Itoa(guard.pid)+"'")
	guard.signal(t, syscall.SIGKILL)
	s.deserted(t)
	holds(t, s.run(t, exitOK, "history"), "and its undo is not armed any more: 'tcptune extend 5m' arms it again, 'tcptune confirm' keeps it")
	holds(t, s.run(t, exitOK, "plan", "--profile", "outbound"), "transaction "+e.ID+" waits another ", "not armed any more")
	holds(t, s.run(t, exitOK, "extend", "2h"), "the undo was not armed any more, and is armed again")
	if out := s.run(t, exitOK, "history"); strings.Contains(out, "any more") {
		t.Errorf("armed again:\n%s", out)
	}
	if again := s.processes(t); len(again) != 1 || again[0].args[1] != "guard" || again[0].session != again[0].pid {
		t.Fatalf("processes: %+v", again)
	}
	s.run(t, exitRefused, "guard", e.ID) // one is enough
	if out := s.run(t, exitOK, "extend", "1s"); strings.Contains(out, "armed again") {
		t.Errorf("while it lives:\n%s", out)
	}
	s.becomes(t, change.RolledBack)
	holdsValue(t, before)
	s.deserted(t)

	_, guard = s.detached(t, "1s")
	guard.signal(t, syscall.SIGKILL)
	s.deserted(t)
	eventually(t, "its time is over", func() bool {
		return strings.Contains(s.run(t, exitOK, "history"), "was not confirmed in time, and nobody took it back")
	})
	holdsValue(t, after)
	s.run(t, exitOK, "confirm")
	s.run(t, exitOK, "rollback")
}

// Nobody may be kept from the lock by a terminal, or a pipe, that takes no more.
func TestNothingIsSaidUnderTheLock(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	_, guard := s.detached(t, long)
	guard.signal(t, syscall.SIGKILL)
	s.deserted(t)
	out, full, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer full.Close()
	if err := full.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until nothing goes in any more
		_, err = full.Write(make([]byte, 4096))
	}
	extend := s.command("extend", "5m")
	extend.Stderr = full
	if err := extend.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = extend.Process.Kill(); _ = extend.Wait() }()
	eventually(t, "it is armed again", func() bool {
		_, armed, err := s.store(t).journal.GuardOf(s.newest(t).ID)
		return err == nil && armed
	})
	s.run(t, exitOK, "confirm")
}

// Where nobody is asked, a change is not left to a guard that is gone.
func TestAForegroundWhoseGuardIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		then func(*testing.T, site, *tty)
	}{
		"it watched the health": {[]string{"--health", "true"}, func(t *testing.T, s site, y *tty) {
			e := s.becomes(t, change.RolledBack)
			y.exits(t, exitUndone)
			if e.Failure != errUnguarded.Error() {
				t.Errorf("taken back: %s", e.Failure)
			}
		}},
		"somebody is asked": {nil, func(t *testing.T, s site, y *tty) {
			y.shows(t, "if this process were killed is gone")
			y.shows(t, "Enter keeps the change")
			y.types(t, "no\n")
			y.exits(t, exitUndone)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if !sysctltest.Namespace(t) {
				return
			}
			s := newSite(t)
			y := onTerminal(t, s.command(append([]string{"apply", "--profile", "highconn", "--yes", "--confirm", long}, c.args...)...))
			y.shows(t, "Enter keeps the change")
			for _, p := range s.processes(t) {
				if p.args[1] == "guard" {
					p.signal(t, syscall.SIGKILL)
				}
			}
			c.then(t, s, y)
			holdsValue(t, before)
		})
	}
}

// holdLock has another process hold the journal's lock and stop there; when it
// goes on it ends.
func (s site) holdLock(t *testing.T) (pid string) {
	t.Helper()
	cmd := exec.Command("python3", "-c", `
import fcntl, os, signal, sys
lock = open(sys.argv[1])
fcntl.flock(lock, fcntl.LOCK_EX)
os.kill(os.getpid(), signal.SIGSTOP)
`, filepath.Join(s.state, "lock"))
	started(t, cmd)
	pid = strconv.Itoa(cmd.Process.Pid)
	eventually(t, "it stands still", func() bool {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		return strings.Contains(string(stat), ") T ")
	})
	return pid
}

// The lock of a process that was stopped is not broken, and it does not keep the
// change in effect for ever.
func TestAStoppedProcessDoesNotHoldTheUndoUp(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		sysctltest.RequireKernel(t, "python3 is needed")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	_, guard := s.detached(t, "1s")
	guard.signal(t, syscall.SIGSTOP)
	pid := s.holdLock(t)
	by := "python3[" + pid + "], which is stopped"
	for _, args := range [][]string{{"rollback"}, {"recover"}} {
		holds(t, s.run(t, exitRefused, args...), "warning: waiting for "+by+", which holds the lock", "error: another tcptune is changing parameters right now: "+by, "hint: 'kill -CONT "+pid+"' lets it go on")
	}
	holdsValue(t, after)
	guard.signal(t, syscall.SIGCONT)
	eventually(t, "who is late hears who holds it up", func() bool {
		out := s.run(t, exitOK, "history")
		return strings.Contains(out, "is about to be taken back when the journal's lock is free, which is held by "+by) || value(t) == before
	})
	s.becomes(t, change.RolledBack) // for the guard lets it go on
	holdsValue(t, before)
	s.deserted(t)
}

// Who holds the lock is done in an instant, as a rule: then it is waited for.
func TestTheLockIsWaitedForALittle(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	for _, args := range [][]string{{"extend", "2h"}, {"confirm"}, {"rollback"}, {"apply", "--profile", "highconn", "--yes"}, {"unpersist", "--drop-in", s.dir + "/90.conf"}} {
		if args[0] == "extend" {
			s.detached(t, long)
		}
		unlock, err := s.store(t).journal.Lock()
		if err != nil {
			t.Fatal(err)
		}
		cmd := s.command(args...)
		said := started(t, cmd)
		said.says(t, "waiting for ")
		unlock()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, said.text.String())
		}
	}
	holdsValue(t, after)
}

// Ctrl-C during the first check, before anything was changed, leaves nothing: no
// change, and no check.
func TestCtrlCDuringTheFirstHealthCheck(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	y := onTerminal(t, s.command("apply", "--profile", "highconn", "--yes", "--confirm", long, "--health", "echo $$ > "+s.dir+"/new; mv "+s.dir+"/new "+s.dir+"/pid; sleep 9"))
	eventually(t, "it is checked", func() bool { _, err := os.Stat(filepath.Join(s.dir, "pid")); return err == nil })
	y.types(t, "\x03")
	y.exits(t, exitRefused)
	y.shows(t, "interrupted before anything was done: interrupt signal received")
	isGone(t, filepath.Join(s.dir, "pid"))
	holdsValue(t, before)
	if records, err := s.store(t).journal.List(); err != nil || len(records) != 0 {
		t.Errorf("the journal has %+v, %v", records, err)
	}
	s.deserted(t)
}

// Where a full disk keeps the end of a window from the journal, whoever comes next
// hears the truth, and the guard records it when there is space again.
func TestAFullDiskAtTheEndOfAWindow(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"session.sh": `
mkdir -m 755 disk && mount -t tmpfs -o size=256k,mode=0755 none disk || exit 99
value() { cat /proc/sys/net/core/somaxconn; }
t() { tcptune "$@" --state-dir disk/state; echo "$1 $?"; }
for guard in stays killed; do
	t apply --profile highconn --yes --confirm 2s --detach
	cat /dev/zero > disk/fill
	until [ $(value) = 4096 ]; do sleep 0.1; done
	echo "$guard: is back"
	t history
	t apply --profile outbound --yes
	t confirm
	t extend 5m
	[ $guard = stays ] || kill -KILL $(grep -l $PWD/disk/state /proc/[0-9]*/cmdline | cut -d/ -f3) 2>/dev/null # grep too, which is gone
	rm disk/fill
	[ $guard = stays ] || t rollback
	until tcptune history --state-dir disk/state 2>/dev/null | grep -q "rolled back"; do sleep 0.1; done
	echo "$guard: is recorded"
	t history
	rm disk/state/*.json
done
echo "in the foreground"
tcptune apply --profile highconn --yes --confirm 1h --health true --state-dir disk/state & apply=$!
until grep -q '"unconfirmed"' disk/state/*.json 2>/dev/null; do sleep 0.1; done
cat /dev/zero > disk/fill
kill -TERM $apply
wait $apply
echo "apply $?, $(value)"
rm disk/fill
t rollback
while pgrep -f "guard --state-dir $PWD/disk/state" > /dev/null; do sleep 0.1; done # the disk goes with this script
`})
	cmd := exec.Command("unshare", "--mount", "sh", "session.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+binary(t)+":"+os.Getenv("PATH"))
	out, _ := ended(t, cmd)
	_, foreground, _ := strings.Cut(out, "in the foreground\n")
	holds(t, foreground, " was taken back: ", "; the journal does not say so: ", "no space left on device", "apply 5, 4096\n", "rollback 0\n")
	for _, guard := range []string{"stays", "killed"} {
		_, round, _ := strings.Cut(out, guard+": is back\n")
		round, rest, recorded := strings.Cut(round, guard+": is recorded\n")
		if !recorded {
			t.Fatalf("%s: not recorded", guard)
		}
		if n := strings.Count(round, "are back already, and the journal does not say so"); n != 5 || strings.Contains(round, "confirm' keeps it") {
			t.Errorf("%s: told %d times that the values are back:\n%s", guard, n, round)
		}
		holds(t, round, "history 0\n", "apply 6\n", "confirm 6\n", "extend 6\n", "hint: 'tcptune rollback' records it")
		if told, _, _ := strings.Cut(rest, "history 0\n"); strings.Contains(told, "are back already") {
			t.Errorf("%s: recorded, and still told:\n%s", guard, told)
		}
	}
}
