package change

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const (
	crashDirVariable  = "TCPTUNE_TEST_CRASH_DIR"
	crashKindVariable = "TCPTUNE_TEST_CRASH_KIND"
	crashStepVariable = "TCPTUNE_TEST_CRASH_STEP" // 0: not at a step
)

// A crashKind is something that a process does while it is killed.
type crashKind struct {
	name string
	// before brings about what it starts from, by the test's own process.
	before func(t *testing.T, c crashSite)
	// run is what the process does.
	run func(c crashSite) error
}

// A crashSite is where a process is killed.
type crashSite struct {
	p      Params
	j      *Journal
	dropIn string
	old    map[sysctl.Key]sysctl.Value
}

var (
	crashKeys = []sysctl.Key{fin, start, ports, somax}
	crashNew  = map[sysctl.Key]sysctl.Value{fin: "30", start: "1024", ports: "10240\t65535", somax: "8192"}
)

// crashEvery leaves out points: of so many one is tried.
var crashEvery = 1

const crashOldFile, crashNewFile = "net.ipv4.tcp_fin_timeout = 20", "net.ipv4.tcp_fin_timeout = 30; net.core.somaxconn = 8192"

func (c crashSite) request() Request {
	return Request{
		Changes: Set{
			{Key: fin, From: c.old[fin], To: "30"},
			{Key: ports, From: c.old[ports], To: "10240 65535"},
			{Key: start, From: c.old[start], To: "1024"}, // has to go first
			{Key: somax, From: c.old[somax], To: "8192"},
		},
		Persist: &Layer{Path: c.dropIn, Settings: settings(string(fin), "30", string(somax), "8192")},
	}
}

func (c crashSite) windowed() Request {
	r := c.request()
	r.Window = time.Hour
	return r
}

// failsAtTheEnd is a kernel that takes the last of the crash test's values and
// says no.
type failsAtTheEnd struct{ Params }

func (f failsAtTheEnd) Set(k sysctl.Key, v sysctl.Value) error {
	if err := f.Params.Set(k, v); err != nil || k != somax {
		return err
	}
	return errors.New("failed on purpose")
}

// cutOff leaves an apply behind that was killed in the middle.
func cutOff(t *testing.T, c crashSite) {
	crashAfter(t, c.j, "set "+string(ports), func() { _, _ = Apply(t.Context(), c.p, c.j, c.request()) })
}

var crashKinds = []crashKind{
	{"apply", nil, func(c crashSite) error {
		_, err := Apply(context.Background(), c.p, c.j, c.request())
		return err
	}},
	{"apply that fails", nil, func(c crashSite) error {
		_, err := Apply(context.Background(), failsAtTheEnd{c.p}, c.j, c.request())
		if undone := (*UndoneError)(nil); errors.As(err, &undone) {
			return nil
		}
		return err
	}},
	{"apply with a window", nil, func(c crashSite) error {
		_, err := Apply(context.Background(), c.p, c.j, c.windowed())
		return err
	}},
	{"confirm", func(t *testing.T, c crashSite) { mustApply(t, c.p, c.j, c.windowed()) }, func(c crashSite) error {
		_, err := Confirm(context.Background(), c.p, c.j, "")
		return err
	}},
	{"roll back", func(t *testing.T, c crashSite) { mustApply(t, c.p, c.j, c.request()) }, func(c crashSite) error {
		_, err := Rollback(context.Background(), c.p, c.j, Undo{})
		return err
	}},
	{"recover, back", cutOff, func(c crashSite) error {
		_, err := Recover(context.Background(), c.p, c.j, Back)
		return err
	}},
	{"recover, forward", cutOff, func(c crashSite) error {
		_, err := Recover(context.Background(), c.p, c.j, Forward)
		return err
	}},
}

func newCrashSite(t *testing.T, dir string, p Params, old map[sysctl.Key]sysctl.Value) crashSite {
	t.Helper()
	j, err := OpenJournal(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return crashSite{p, j, filepath.Join(dir, "90-tcptune.conf"), old}
}

// TestCrashChild is the process that is killed. Alone it does nothing. It acts on
// a thread of its own, whose number it tells, and waits for a line before.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDirVariable)
	if dir == "" {
		t.Skip("part of TestCrash")
	}
	at, err := strconv.Atoi(os.Getenv(crashStepVariable))
	if err != nil {
		t.Fatal(err)
	}
	p := openTree(t)
	c := newCrashSite(t, dir, p, read(t, p, crashKeys...))
	c.j.hook = func(string) {
		if at--; at == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	for _, kind := range crashKinds {
		if kind.name == os.Getenv(crashKindVariable) {
			onAnotherThread(func() {
				fmt.Println("thread", unix.Gettid())
				_, _ = unix.Read(0, make([]byte, 1))
				if err := kind.run(c); err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				os.Exit(0)
			})
		}
	}
}

// onAnotherThread runs something on a thread that is not the process's first,
// since the end of that is told to the parent alone.
func onAnotherThread(run func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		run()
	}
	go onAnotherThread(run)
	select {}
}

// startCrash starts a child and gives the thread that will act.
func startCrash(t *testing.T, kind, dir string, step int) (child *exec.Cmd, begin func(), out *bufio.Reader, thread int) {
	t.Helper()
	child = exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	// Signals by which Go interrupts its threads would come at any time.
	child.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", crashDirVariable+"="+dir, crashKindVariable+"="+kind, crashStepVariable+"="+strconv.Itoa(step))
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	out = bufio.NewReader(stdout)
	line, _ := out.ReadString('\n')
	if _, err := fmt.Sscanf(line, "thread %d", &thread); err != nil {
		t.Fatalf("child said %q", line)
	}
	return child, func() { _, _ = stdin.Write([]byte("\n")) }, out, thread
}

// crash starts a child, has it killed at a point, and reports whether it came to
// that point.
type crash func(t *testing.T, kind, dir string, at int) (killed bool)

func crashAtStep(t *testing.T, kind, dir string, at int) bool {
	child, begin, out, _ := startCrash(t, kind, dir, at)
	begin()
	said, _ := out.ReadString(0)
	return ended(t, child, said)
}

func crashAtSystemCall(t *testing.T, kind, dir string, at int) bool {
	child, begin, out, thread := startCrash(t, kind, dir, 0)
	if err := killAtSystemCall(child.Process.Pid, thread, at, begin); err != nil {
		_ = child.Process.Kill()
		_ = child.Wait()
		sysctltest.RequireKernel(t, "cannot trace a process: "+err.Error())
	}
	said, _ := out.ReadString(0)
	return ended(t, child, said)
}

// ended waits for the child, and reports whether it was killed.
func ended(t *testing.T, child *exec.Cmd, said string) (killed bool) {
	t.Helper()
	err := child.Wait()
	status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	if killed = status.Signaled() && status.Signal() == syscall.SIGKILL; !killed && err != nil {
		t.Fatalf("child: %v\n%s", err, said)
	}
	return killed
}

// Processes are killed at each step of the journal and at each system call of
// everything that writes. From everywhere Recover reaches the old values or the
// new ones, whichever is asked for, and the journal says which these are.
func TestCrash(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	// One thread traces all along. Flushing a memory's files takes no time.
	disk, p := newDisk(t), openTree(t)
	put(t, p, string(fin), "-5", string(ports), "40000 65535", string(start), "33000")
	old := read(t, p, crashKeys...)
	var table strings.Builder
	total, mixed := 0, 0
	for _, kind := range crashKinds {
		for _, by := range []struct {
			name  string
			crash crash
			least int
		}{{"steps", crashAtStep, 3}, {"system calls", crashAtSystemCall, 50}} {
			points, back, forward := 0, 0, 0
			for at := 1; ; at += crashEvery {
				way := []Direction{Back, Forward}[points%2]
				killed, recovered, ok := crashOnce(t, disk.mkdir(fmt.Sprint(at)), p, old, kind, by.crash, at, way)
				if !ok {
					mixed++
					t.Errorf("%s, killed at %d of its %s: mixed", kind.name, at, by.name)
				}
				if !killed {
					break
				}
				points++
				if recovered && way == Back {
					back++
				} else if recovered {
					forward++
				}
			}
			if points < by.least/crashEvery {
				t.Errorf("%s: killed at %d %s only", kind.name, points, by.name)
			}
			total += points
			fmt.Fprintf(&table, "%-20s %5d %-13s %5d recovered back, %4d forward\n", kind.name, points, by.name, back, forward)
		}
	}
	t.Logf("\n%spoints tried: %d, mixed states found: %d", table.String(), total, mixed)
}

// crashOnce has one process killed and recovers. It reports whether all values
// and the drop-in are old, or all new, and are what the journal says.
func crashOnce(t *testing.T, dir string, p Params, old map[sysctl.Key]sysctl.Value, kind crashKind, crash crash, at int, way Direction) (killed, recovered, ok bool) {
	t.Helper()
	defer os.RemoveAll(dir)
	c := newCrashSite(t, dir, p, old)
	// What the drop-in held before belongs to an older transaction.
	mustApply(t, p, c.j, Request{Persist: &Layer{Path: c.dropIn, Settings: settings(string(fin), "20")}})
	if kind.before != nil {
		kind.before(t, c)
	}
	killed = crash(t, kind.name, dir, at)

	c = newCrashSite(t, dir, p, old)
	pending, err := c.j.Pending()
	if err != nil {
		t.Fatal(err)
	}
	if recovered = len(pending.Unfinished) > 0; recovered {
		refused := (*UnfinishedError)(nil)
		if _, err := Apply(t.Context(), p, c.j, c.request()); !errors.As(err, &refused) {
			t.Errorf("apply on top of what is unfinished: %v", err)
		}
		if _, err := Recover(t.Context(), p, c.j, way); err != nil {
			t.Errorf("recover %s: %v", way, err)
		}
	}
	ok = consistent(t, c, recovered, way)

	// Back to where it began, and whoever comes next finds nothing in the way.
	if e := entries(t, c.j)[0]; e.State.live() && e.Changes != nil {
		mustRollback(t, p, c.j, e.ID)
	}
	mustApply(t, p, c.j, Request{})
	if diff := cmp.Diff(old, read(t, p, crashKeys...)); diff != "" {
		t.Fatalf("values in the end (-want +got):\n%s", diff)
	}
	if text := sets(t, c.dropIn); text != crashOldFile {
		t.Errorf("drop-in in the end: %s", text)
	}
	assertNoLitter(t, c.j.dir)
	assertNoLitter(t, filepath.Dir(c.dropIn))
	return killed, recovered, ok
}

// consistent reports whether all is old, or all is new, as the newest entry says.
func consistent(t *testing.T, c crashSite, recovered bool, way Direction) bool {
	t.Helper()
	values, file := c.old, crashOldFile
	e := entries(t, c.j)[0]
	switch e.State {
	case Applied:
		if e.Changes != nil { // the older transaction only wrote the drop-in
			values, file = crashNew, crashNewFile
		}
	case Unconfirmed:
		values = crashNew
	case Undone, RolledBack:
	default:
		t.Errorf("the newest entry is %s", e.State)
	}
	// A rollback that was cut off leads back either way.
	if recovered && (e.State == Applied) != (way == Forward) && (e.State != RolledBack || e.Applied.IsZero()) {
		t.Errorf("recovered %s, and it is %s", way, e.State)
	}
	return cmp.Equal(values, read(t, c.p, crashKeys...)) && sets(t, c.dropIn) == file
}
