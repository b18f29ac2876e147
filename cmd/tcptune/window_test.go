package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const (
	somaxconn = "/proc/sys/net/core/somaxconn"
	before    = "4096"  // of a new network namespace
	after     = "16384" // as highconn wants it
)

// A site is a network namespace with a journal and a folder for drop-ins.
type site struct {
	dir, state string
}

// newSite is the site of a test that [sysctltest.Namespace] has run again.
func newSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sysctl.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if now := value(t); now != before {
		t.Fatalf("somaxconn is %s to begin with", now)
	}
	s := site{dir, filepath.Join(dir, "state")}
	t.Cleanup(func() {
		for _, p := range s.processes(t) { // of a test that failed
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	})
	return s
}

// command is tcptune with the site's journal.
func (s site) command(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append(args, "--state-dir", s.state)...)
	cmd.Args[0] = "tcptune" // for TestMain
	cmd.Dir = s.dir
	return cmd
}

// unshared is the same, behind unshare(1) and these words.
func (s site) unshared(t *testing.T, words []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("unshare", slices.Concat(words, []string{filepath.Join(binary(t), "tcptune")}, s.command(args...).Args[1:])...)
	cmd.Dir = s.dir
	return cmd
}

// run runs it, away from any terminal.
func (s site) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, got := ended(t, s.command(args...))
	if got != code {
		t.Fatalf("tcptune %q: exit code %d, want %d", args, got, code)
	}
	return out
}

// store is the site's, opened by this process.
func (s site) store(t *testing.T) store {
	t.Helper()
	opened, err := (&app{err: io.Discard}).openStore(s.state)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// newest is the site's newest transaction.
func (s site) newest(t *testing.T) change.Entry {
	t.Helper()
	records, err := s.store(t).journal.List()
	if err != nil || len(records) == 0 || records[0].Damaged != nil {
		t.Fatalf("%d transactions, %v", len(records), err)
	}
	return records[0].Entry
}

// becomes waits until the newest transaction is in a state.
func (s site) becomes(t *testing.T, state change.State) change.Entry {
	t.Helper()
	var e change.Entry
	eventually(t, fmt.Sprintf("the transaction is %s", state), func() bool { e = s.newest(t); return e.State == state })
	return e
}

// A process of tcptune, as the process table has it.
type process struct {
	pid, session int
	terminal     int // 0 if it has none
	args         []string
}

// processes are those of tcptune that act on the site.
func (s site) processes(t *testing.T) (found []process) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file)
		args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if filepath.Base(args[0]) != "tcptune" || !slices.Contains(args, s.state) {
			continue
		}
		stat, err := os.ReadFile(filepath.Dir(file) + "/stat") // proc(5)
		if err != nil {
			continue // gone meanwhile
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] == "Z" {
			continue
		}
		p := process{args: args}
		p.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
		p.session, _ = strconv.Atoi(fields[3])
		p.terminal, _ = strconv.Atoi(fields[4])
		found = append(found, p)
	}
	return found
}

// deserted waits until no process of tcptune is left.
func (s site) deserted(t *testing.T) {
	t.Helper()
	eventually(t, "no process is left", func() bool { return len(s.processes(t)) == 0 })
}

func value(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(somaxconn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func holdsValue(t *testing.T, want string) {
	t.Helper()
	if got := value(t); got != want {
		t.Errorf("somaxconn is %s, want %s", got, want)
	}
}

// eventually waits until something is so; how long it takes is not tested.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("it never comes to pass that %s", what)
}

// A tty is a pseudo-terminal on which a session runs, and what was shown on it.
type tty struct {
	keyboard *os.File
	cmd      *exec.Cmd
	ended    chan error

	mu    sync.Mutex
	shown bytes.Buffer
}

// onTerminal starts a command as the leader of a session on a terminal of its own.
func onTerminal(t *testing.T, cmd *exec.Cmd) *tty {
	t.Helper()
	// Without waiting, so that Close ends a Read.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		sysctltest.RequireKernel(t, "no pseudo-terminal: "+err.Error())
	}
	keyboard := os.NewFile(uintptr(fd), "/dev/ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	y := &tty{keyboard: keyboard, cmd: cmd, ended: make(chan error, 1)}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			y.mu.Lock()
			y.shown.Write(buffer[:n])
			y.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { y.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = keyboard.Close()
	})
	return y
}

func (y *tty) text() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.shown.String()
}

// shows waits until a text is on the screen.
func (y *tty) shows(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q is shown", text), func() bool {
		select {
		case err := <-y.ended:
			y.ended <- err
			if !strings.Contains(y.text(), text) {
				t.Fatalf("it ended (%v) before it showed %q:\n%s", err, text, y.text())
			}
		default:
		}
		return strings.Contains(y.text(), text)
	})
}

func (y *tty) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := y.keyboard.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// exits waits for the end and checks the exit code.
func (y *tty) exits(t *testing.T, code int) {
	t.Helper()
	err := <-y.ended
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := y.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d; shown:\n%s", got, code, y.text())
	}
}

// long is a window whose end no test waits for: what ends sooner was ended.
const long = "1h"

func TestEnterKeepsTheChange(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	y := onTerminal(t, s.command("apply", "--profile", "highconn", "--persist", "--drop-in", "sysctl.d/90.conf", "--confirm", long))
	y.shows(t, "[y/N]")
	y.types(t, "y\n\n") // one Enter too many, before there is anything to confirm
	y.shows(t, "Enter keeps the change, Ctrl-C takes it back; it is taken back in ")
	holdsValue(t, after)
	if e := s.newest(t); e.State != change.Unconfirmed {
		t.Errorf("before Enter the transaction is %s", e.State)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "sysctl.d/90.conf")); err == nil {
		t.Error("the drop-in is there before it is confirmed")
	}
	y.types(t, "\n")
	y.shows(t, "Confirmed: transaction ")
	y.shows(t, "sysctl.d/90.conf: written")
	y.exits(t, exitOK)
	holdsValue(t, after)
	if e := s.newest(t); e.State != change.Applied || e.Window.Confirmed.IsZero() {
		t.Errorf("the transaction is %s, confirmed at %v", e.State, e.Window.Confirmed)
	}
	s.deserted(t)
	holdsValue(t, after)
	s.run(t, exitOK, "rollback")
	holdsValue(t, before)
}

func TestWhateverIsNoConfirmationTakesTheChangeBackAtOnce(t *testing.T) {
	signal := func(sig syscall.Signal) func(*testing.T, *tty) {
		return func(t *testing.T, y *tty) {
			if err := y.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do  func(*testing.T, *tty)
		why string
	}{
		"Ctrl-C":         {func(t *testing.T, y *tty) { y.types(t, "\x03") }, "interrupt signal received"},
		"end of input":   {func(t *testing.T, y *tty) { y.types(t, "\x04") }, "the input ended"},
		"another answer": {func(t *testing.T, y *tty) { y.types(t, "no\n") }, "the answer was not Enter alone"},
		"hang-up":        {func(_ *testing.T, y *tty) { y.keyboard.Close() }, ""}, // by the signal or by reading, whichever is first
		"SIGTERM":        {signal(syscall.SIGTERM), "terminated signal received"},
		"SIGHUP":         {signal(syscall.SIGHUP), "hangup signal received"},
	} {
		t.Run(name, func(t *testing.T) {
			if !sysctltest.Namespace(t) {
				return
			}
			s := newSite(t)
			y := onTerminal(t, s.command("apply", "--profile", "highconn", "--yes", "--confirm", long))
			y.shows(t, "Enter keeps the change")
			holdsValue(t, after)
			c.do(t, y)
			y.exits(t, exitUndone)
			holdsValue(t, before)
			if e := s.newest(t); e.State != change.RolledBack || !strings.Contains(e.Failure, c.why) || e.Failure == "" {
				t.Errorf("the transaction is %s: %s", e.State, e.Failure)
			}
			s.deserted(t)
		})
	}
}

// A terminal may be gone for a process that its hang-up does not reach.
func TestADeadTerminalTakesTheChangeBack(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	tcptune := s.command("apply", "--profile", "highconn", "--yes", "--confirm", long)
	// A shell that ignores the signal passes that on.
	cmd := exec.Command("sh", append([]string{"-c", `trap "" HUP; "$0" "$@"; echo $? > code`, filepath.Join(binary(t), "tcptune")}, tcptune.Args[1:]...)...)
	cmd.Dir = s.dir
	y := onTerminal(t, cmd)
	y.shows(t, "Enter keeps the change")
	y.keyboard.Close()
	<-y.ended
	holdsValue(t, before)
	if e := s.newest(t); e.State != change.RolledBack {
		t.Errorf("the transaction is %s", e.State)
	}
	if code := strings.TrimSpace(readText(t, filepath.Join(s.dir, "code"))); code != strconv.Itoa(exitUndone) {
		t.Errorf("exit code %s", code)
	}
	s.deserted(t)
}

func TestAKilledProcessDoesNotKeepTheChange(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	y := onTerminal(t, s.command("apply", "--profile", "highconn", "--yes", "--confirm", "2s"))
	y.shows(t, "Applied: ")
	if err := y.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-y.ended
	if e := s.becomes(t, change.RolledBack); e.Failure != errNotInTime.Error() {
		t.Errorf("it was taken back: %s", e.Failure)
	}
	holdsValue(t, before)
	s.deserted(t)
}

func TestTheEndOfTheWindowTakesTheChangeBack(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	y := onTerminal(t, s.command("apply", "--profile", "highconn", "--yes", "--confirm", "1s"))
	y.shows(t, "was taken back: not confirmed in time")
	y.exits(t, exitUndone)
	holdsValue(t, before)
	s.deserted(t)
}

// Of a detached window nothing is left but what ends it, not even a terminal.
func TestADetachedWindowOutlivesItsSession(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	tcptune := s.command("apply", "--profile", "highconn", "--yes", "--confirm", long, "--detach")
	cmd := exec.Command("sh", append([]string{"-c", `exec 9>lock; "$0" "$@" && echo detached; read forever`, filepath.Join(binary(t), "tcptune")}, tcptune.Args[1:]...)...)
	cmd.Dir = s.dir
	y := onTerminal(t, cmd)
	y.shows(t, "detached")
	y.keyboard.Close() // the session is hung up
	<-y.ended

	left := s.processes(t)
	if len(left) != 1 || left[0].args[1] != "guard" || left[0].session != left[0].pid || left[0].terminal != 0 {
		t.Fatalf("left are %+v", left)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", left[0].pid)); err != nil || cwd != "/" {
		t.Errorf("it keeps %s busy, %v", cwd, err)
	}
	if file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/9", left[0].pid)); err == nil && file == filepath.Join(s.dir, "lock") {
		t.Errorf("it keeps %s open, which was its caller's", file)
	}
	for _, fd := range []string{"0", "2"} {
		if file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", left[0].pid, fd)); err != nil || file != "/dev/null" {
			t.Errorf("its descriptor %s is %s, %v", fd, file, err)
		}
	}
	holdsValue(t, after)
	s.run(t, exitOK, "extend", "1s") // it looks again
	s.becomes(t, change.RolledBack)
	holdsValue(t, before)
	s.deserted(t)
}

func TestADetachedWindowIsDecidedByCommands(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	detached := func() {
		t.Helper()
		holds(t, s.run(t, exitOK, "apply", "--profile", "highconn", "--yes", "--confirm", long, "--detach"),
			"This is taken back at ", "unless 'tcptune confirm' keeps it")
		holdsValue(t, after)
	}
	detached()
	first := s.newest(t)
	holds(t, s.run(t, exitRefused, "apply", "--profile", "outbound", "--yes"), "waits another ", " to be confirmed", "'tcptune extend 5m'")
	holds(t, s.run(t, exitOK, "extend", "2h", first.ID), "is taken back at ")
	if e := s.newest(t); e.Window.UptimeMS-first.Window.UptimeMS < time.Hour.Milliseconds()-1 {
		t.Errorf("the window ended at %v and ends at %v", first.Window.Deadline, e.Window.Deadline)
	}
	holds(t, s.run(t, exitOK, "rollback"), "parameters restored")
	holdsValue(t, before)
	s.deserted(t)

	detached()
	holds(t, s.run(t, exitOK, "confirm"), "Confirmed: ")
	s.deserted(t)
	holdsValue(t, after)
	for _, args := range [][]string{{"confirm"}, {"confirm", first.ID}, {"extend", "1h"}} {
		holds(t, s.run(t, exitRefused, args...), "nothing waits to be confirmed")
	}
	for _, args := range [][]string{{"extend", "-1h"}, {"extend", "25h"}, {"extend", "soon"}, {"confirm", ""}, {"apply", "--profile", "highconn", "--confirm", "1ms"},
		{"apply", "--profile", "highconn", "--yes", "--confirm", "1h"}, {"apply", "--profile", "highconn", "--yes", "--detach"}, {"apply", "--profile", "highconn", "--yes", "--health", "true"}} {
		s.run(t, exitUsage, args...)
	}
}

// What was decided while somebody was about to decide otherwise stays decided.
func TestWhoComesLateChangesNothing(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	site := newSite(t)
	s := site.store(t)
	apply := func() string {
		t.Helper()
		result, err := change.Apply(t.Context(), s.tree, s.journal, change.Request{Window: time.Hour, Changes: change.Set{{Key: "net.core.somaxconn", From: before, To: after}}})
		if err != nil {
			t.Fatal(err)
		}
		return result.ID
	}
	first := apply()
	if err := s.takeBack(first, errNotInTime); err != nil {
		t.Fatal(err)
	}
	holdsValue(t, after) // somebody extended it
	if err := s.takeBack(first, errCutOff); err != nil {
		t.Fatal(err)
	}
	holdsValue(t, after) // the confirmation was not cut off, it failed
	if _, err := s.confirm(first); err != nil {
		t.Fatal(err)
	}
	for _, why := range []error{errNotInTime, errors.New("Ctrl-C")} {
		if err := s.takeBack(first, why); err != nil {
			t.Fatal(err)
		}
		holdsValue(t, after)
	}
	if _, err := change.Rollback(t.Context(), s.tree, s.journal, change.Undo{}); err != nil {
		t.Fatal(err)
	}
	second := apply()
	if err := s.takeBack(second, errors.New("Ctrl-C")); err != nil {
		t.Fatal(err)
	}
	holdsValue(t, before)
	if _, err := s.confirm(second); !errors.Is(err, change.ErrNoWindow) {
		t.Errorf("confirmed after it was taken back: %v", err)
	}
	if err := watch(t, s, second); err != nil {
		t.Errorf("the guard: %v", err)
	}
	if err := watch(t, s, "20261120T140000.000Z"); err != nil {
		t.Errorf("the guard of what is no more: %v", err)
	}
}

// A guard that is told to end, as when systemd kills what a session left, does
// not leave the change to nobody.
func TestAGuardThatIsToldToEndTakesTheChangeBack(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	s.run(t, exitOK, "apply", "--profile", "highconn", "--yes", "--confirm", long, "--detach")
	guard := s.processes(t)
	if len(guard) != 1 {
		t.Fatalf("%+v", guard)
	}
	if err := syscall.Kill(guard[0].pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	e := s.becomes(t, change.RolledBack)
	holds(t, e.Failure, "told to end: terminated signal received")
	holdsValue(t, before)
}

func TestHealthStandsInForAHuman(t *testing.T) {
	detach := func(more ...string) []string {
		return append([]string{"apply", "--profile", "highconn", "--yes", "--detach", "--confirm"}, more...)
	}
	for name, test := range map[string]func(*testing.T, site){
		"ill before": func(t *testing.T, s site) {
			holds(t, s.run(t, exitRefused, detach(long, "--health", "echo ill; exit 3")...), `not applied: health check "echo ill; exit 3" failed: exit status 3: ill, before anything was changed`)
			holdsValue(t, before)
		},
		"not found by the guard": func(t *testing.T, s site) {
			writeFiles(t, s.dir, map[string]string{"probe": "true\n"})
			holds(t, s.run(t, exitRefused, detach(long, "--health", "sh ./probe")...), "./probe", "before anything was changed")
			holdsValue(t, before)
		},
		"well to the end": func(t *testing.T, s site) {
			out := s.run(t, exitOK, detach("1s", "--health", "true")...)
			if holds(t, out, "This stays from "); strings.Contains(out, "unless 'tcptune confirm'") {
				t.Errorf("it is told that it comes back if nobody confirms:\n%s", out)
			}
			s.becomes(t, change.Applied)
			holdsValue(t, after)
		},
		"well to the end, in the foreground": func(t *testing.T, s site) {
			holds(t, s.run(t, exitOK, "apply", "--profile", "highconn", "--yes", "--confirm", "1s", "--health", "true"), "This stays from ", "Confirmed: ")
			holdsValue(t, after)
		},
		"it falls ill": func(t *testing.T, s site) {
			ill := filepath.Join(s.dir, "ill")
			s.run(t, exitOK, detach(long, "--health", "test ! -e "+ill+" || { seq 9; echo the pool is broken; exit 3; }")...)
			writeFiles(t, s.dir, map[string]string{"ill": ""})
			holds(t, s.becomes(t, change.RolledBack).Failure, "exit status 3: 8 / 9 / the pool is broken")
			holdsValue(t, before)
		},
		"it falls ill, in the foreground": func(t *testing.T, s site) {
			out := s.run(t, exitUndone, "apply", "--profile", "highconn", "--yes", "--confirm", long, "--health", "test "+after+" != $(cat "+somaxconn+")")
			holds(t, out, "was taken back: health check ", "exit status 1", "parameters restored")
			holdsValue(t, before)
		},
		"a rule fires": func(t *testing.T, s site) {
			s.run(t, exitOK, detach(long, "--health-rule", "synrecv/*")...)
			if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syncookies", []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
			holds(t, s.becomes(t, change.RolledBack).Failure, "rule synrecv/cookies-off fires, and did not before")
			holdsValue(t, before)
		},
		"a rule that fired before": func(t *testing.T, s site) {
			if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syncookies", []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
			// The profile would cure it.
			profile := filepath.Join(s.dir, "only.toml")
			writeFiles(t, s.dir, map[string]string{"only.toml": "summary = \"s\"\n[[want]]\nkey = \"net.core.somaxconn\"\nexactly = 16384\nwhy = \"w\"\n"})
			if err := os.Chmod(s.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			s.run(t, exitOK, "apply", "--profile", profile, "--yes", "--detach", "--confirm", "1s", "--health-rule", "synrecv/cookies-off")
			s.becomes(t, change.Applied)
		},
		"no rule": func(t *testing.T, s site) {
			holds(t, s.run(t, exitUsage, detach(long, "--health-rule", "nope/*")...), `no rule is called "nope/*"`)
			holdsValue(t, before)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if sysctltest.Namespace(t) {
				s := newSite(t)
				test(t, s)
				s.deserted(t)
			}
		})
	}
}

// An undo that fails where nobody waits for it is told to whoever comes next.
func TestAGuardThatCannotUndoIsHeardOf(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	cmd := s.unshared(t, []string{"--mount", "sh", "-c", `mount --bind /proc/sys /proc/sys && "$0" "$@" && mount -o remount,ro,bind /proc/sys`},
		"apply", "--profile", "highconn", "--yes", "--confirm", "1s", "--detach")
	if _, code := ended(t, cmd); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	failed := s.becomes(t, change.UndoFailed)
	holdsValue(t, after)
	holds(t, s.run(t, exitOK, "history"), "transaction "+failed.ID+" was to be taken back and could not be, and is tried again: ")
	s.run(t, exitOK, "rollback")
	holdsValue(t, before)
	if out := s.run(t, exitOK, "history"); strings.Contains(out, "could not be") {
		t.Errorf("it is still told after the rollback:\n%s", out)
	}
	s.deserted(t)
}

// Nor does the foreground call restored what its guard could not put back.
func TestAForegroundWhoseGuardCannotUndo(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	for _, format := range []string{"text", "json"} {
		s := newSite(t)
		cmd := s.unshared(t, []string{"--mount", "sh", "-c", `mount --bind /proc/sys /proc/sys && exec "$0" "$@"`},
			"apply", "--profile", "highconn", "--yes", "--confirm", long, "--format", format,
			"--health", "[ $(cat "+somaxconn+") = "+before+" ] || { mount -o remount,ro,bind /proc/sys; false; }")
		out, code := ended(t, cmd)
		holdsValue(t, after)
		if code != exitUndoFailed || strings.Contains(out, "was taken back") || strings.Contains(out, "Rolled back") || strings.Contains(out, `"restored"`) {
			t.Errorf("exit code %d", code)
		}
		holds(t, out, "was to be taken back and could not be: health check ", "somaxconn should be \""+before+"\" and is \""+after+"\"")
		s.run(t, exitOK, "rollback")
		holdsValue(t, before)
		s.deserted(t)
	}
}

// A last check that takes longer than the window is waited for in peace.
func TestTheCountdownRestsDuringTheLastCheck(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	y := onTerminal(t, newSite(t).command("apply", "--profile", "highconn", "--yes", "--confirm", "1s", "--health", "sleep 2"))
	y.shows(t, "Confirmed: ")
	y.exits(t, exitOK)
	if n := strings.Count(y.text(), "Enter keeps the change"); n > 200 { // a busy loop makes it thousands
		t.Errorf("the countdown was written %d times", n)
	}
}

// A check that hangs is ended with all that it started.
func TestAHealthCheckThatHangsIsEnded(t *testing.T) {
	dir := t.TempDir()
	h := health{healthFlags: healthFlags{command: "sleep 1000 & echo $! > " + dir + "/pid; echo waiting; wait"}}
	err := h.check(t.Context(), time.Second)
	if err == nil || !strings.Contains(err.Error(), "took longer than 1s: waiting") {
		t.Errorf("error %v", err)
	}
	isGone(t, dir+"/pid")
}

// One that even SIGKILL does not end does not keep the undo waiting. This one is held
// by a tracer that does not let its parent have it.
func TestAHealthCheckThatCannotBeEnded(t *testing.T) {
	dir := t.TempDir()
	checked := make(chan error, 1)
	go func() {
		h := health{healthFlags: healthFlags{command: "echo $$ > " + dir + "/new && mv " + dir + "/new " + dir + "/pid; while :; do sleep 1; done"}}
		checked <- h.check(t.Context(), 5*time.Second)
	}()
	eventually(t, "it runs", func() bool { _, err := os.Stat(dir + "/pid"); return err == nil })
	const seize = "import ctypes, sys\nprint(ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None), flush=True)\nsys.stdin.read()"
	tracer := exec.Command("python3", "-c", seize, strings.TrimSpace(readText(t, dir+"/pid")))
	in, err := tracer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	said := started(t, tracer)
	eventually(t, "it is traced, or cannot be", func() bool { said.mu.Lock(); defer said.mu.Unlock(); return said.text.Len() > 0 })
	if text := said.text.String(); text != "0\n" {
		sysctltest.RequireKernel(t, "needs to trace a process: "+text)
	}
	eventually(t, "the check is over", func() bool {
		select {
		case err = <-checked:
			return true
		default:
			return false
		}
	})
	if err == nil || !strings.Contains(err.Error(), "it hangs, and cannot be ended") {
		t.Errorf("error %v", err)
	}
}

// Nor does one that is well leave anything behind.
func TestAHealthCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	h := health{healthFlags: healthFlags{command: "sleep 1000 > /dev/null 2>&1 & echo $! > " + dir + "/pid"}}
	if err := h.check(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	isGone(t, dir+"/pid")
}

// isGone waits for the end of the process whose number is in a file.
func isGone(t *testing.T, file string) {
	t.Helper()
	pid := strings.TrimSpace(readText(t, file))
	eventually(t, "what the check started is gone", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// A reboot ends a window and leaves nothing: the values are gone with it, and the
// drop-in was not there yet.
func TestAWindowOfAnotherBootIsOver(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	s := newSite(t)
	dropIn := filepath.Join(s.dir, "sysctl.d/90.conf")
	s.run(t, exitOK, "apply", "--profile", "highconn", "--persist", "--drop-in", dropIn, "--yes", "--confirm", long, "--detach")
	e := s.newest(t)
	guard := s.processes(t)
	if len(guard) != 1 || syscall.Kill(guard[0].pid, syscall.SIGKILL) != nil {
		t.Fatalf("no guard to be killed: %+v", guard)
	}
	s.deserted(t)
	file := filepath.Join(s.state, e.ID+".json")
	text := strings.Replace(readText(t, file), e.Boot, "0f0f0f0f-0000-4000-8000-000000000000", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(somaxconn, []byte(before), 0); err != nil {
		t.Fatal(err)
	}
	holds(t, s.run(t, exitOK, "history"), "ended by a reboot")
	holds(t, s.run(t, exitRefused, "confirm", e.ID), "a reboot ended it")
	holds(t, s.run(t, exitRefused, "confirm"), "nothing waits to be confirmed")
	holds(t, s.run(t, exitRefused, "rollback"), "nothing to undo")
	if _, err := os.Stat(dropIn); err == nil {
		t.Error("there is a drop-in")
	}
	holds(t, s.run(t, exitOK, "apply", "--profile", "highconn", "--yes"), "Applied: ")
	holdsValue(t, after)
}

// Where systemd runs, and among its parameters and files, the window's end is a
// timer of systemd's. Its program is stood in for by one that notes how it was
// called; what the timer would run is then run.
func TestUnderSystemdTheWindowIsATimer(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"session.sh": `
mount -t tmpfs none /run && mkdir -p /run/systemd/system || exit 99
mount --bind run /usr/bin/systemd-run && mount --bind ctl /usr/bin/systemctl || exit 99
t() { tcptune "$@" --state-dir state; echo "$1 $?"; }
t apply --profile highconn --yes --confirm 1h --detach
cat called asked
t history 2>&1 | grep hint
t extend 1h
mv called first # as if the timer were gone
t history 2>&1 | grep hint
t extend 1s
echo again; cat called
sh -c "$(tail -n +$(($(grep -n -x -e -- called | cut -d: -f1) + 2)) called | tr '\n' ' ' | sed 's/^/tcptune /')"; echo "fired $?"
cat /proc/sys/net/core/somaxconn
t apply --profile highconn --yes --confirm 1h --detach --health 'test -n "$PATH"'
cat called
t history 2>&1 | grep hint
t rollback
touch gone
t apply --profile highconn --yes --confirm 1h --detach
touch refuse
t apply --profile highconn --yes --confirm 1h --detach
cat /proc/sys/net/core/somaxconn
`,
		// A service it runs; the timer's never comes to that.
		"run": `#!/bin/sh
printf '%s\n' "$@" > ` + dir + `/called
[ ! -e ` + dir + `/refuse ] || { echo no bus >&2; exit 1; }
for last; do case $last in --on-active*) exit 0 ;; esac; done
while [ "$1" != -- ]; do shift; done; shift 2 # and the program, which is these tests
setsid tcptune "$@" > /dev/null 2>&1 &
`,
		"ctl": `#!/bin/sh
echo "$@" > ` + dir + `/asked
if [ -e ` + dir + `/gone ] || [ ! -e ` + dir + `/called ]; then echo SubState=dead; else echo SubState=waiting; fi
`,
	})
	for _, file := range []string{"run", "ctl", "session.sh"} {
		if err := os.Chmod(filepath.Join(dir, file), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "session.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+binary(t)+":"+os.Getenv("PATH"))
	out, _ := ended(t, cmd)
	id := "[0-9]{8}T[0-9]{6}\\.[0-9]{3}Z"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(?m)^apply 0\n--no-ask-password\n--unit=tcptune-window-(" + id + ")\n--description=.*\n--on-active=3600000ms\n--timer-property=AccuracySec=100ms\n--\n" +
			regexp.QuoteMeta(self) + "\nguard\n--state-dir\n" + regexp.QuoteMeta(dir) + "/state\n" + id + "\n" +
			"show --property=SubState tcptune-window-" + id + "\\*\n.*waits another .*to be confirmed: 'tcptune confirm'.*\n.*is taken back at .*\nextend 0\n",
		"hint: .* its undo is not armed any more: 'tcptune extend 5m'.*\n.*warning: the undo was not armed any more, and is armed again;.*\n.*is taken back at .*\nextend 0\nagain\n" +
			"--no-ask-password\n--unit=tcptune-window-" + id + "-[0-9]+\n--description=.*\n--on-active=1000ms\n(.*\n)+armed\nfired 0\n" + before + "\n",
		"--description=.*\n--\n" + regexp.QuoteMeta(self) + "\nguard\n--state-dir\n.*\n--health\ntest -n \"\\$\\$PATH\"\n" + id + "\n.*to be confirmed: .*\n.*\n?Rolled back",
		"arm the undo: there is no sign of it; nothing had been written\napply 4\n",
		"arm the undo: /usr/bin/systemd-run: exit status 1: no bus; nothing had been written\napply 4\n" + before + "\n$",
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("there is no %s", want)
		}
	}
}
