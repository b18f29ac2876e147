package change

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const (
	crashDirVariable  = "TCPTUNE_TEST_CRASH_DIR"
	crashKindVariable = "TCPTUNE_TEST_CRASH_KIND"
	crashStepVariable = "TCPTUNE_TEST_CRASH_STEP"
)

// failsAtTheEnd is a kernel that takes the last of the crash test's values and
// says no.
type failsAtTheEnd struct{ Params }

func (f failsAtTheEnd) Set(k sysctl.Key, v sysctl.Value) error {
	if err := f.Params.Set(k, v); err != nil || k != somax {
		return err
	}
	return errors.New("failed on purpose")
}

func crashJournal(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func crashRequest(dir string, old map[sysctl.Key]sysctl.Value) Request {
	return Request{
		Changes: Set{
			{Key: fin, From: old[fin], To: "30"},
			{Key: ports, From: old[ports], To: "10240 65535"},
			{Key: start, From: old[start], To: "1024"}, // has to go first
			{Key: somax, From: old[somax], To: "8192"},
		},
		Persist: &Layer{Path: filepath.Join(dir, "90-tcptune.conf"), Settings: settings(string(fin), "30")},
	}
}

var (
	crashKeys = []sysctl.Key{fin, start, ports, somax}
	crashNew  = map[sysctl.Key]sysctl.Value{fin: "30", start: "1024", ports: "10240\t65535", somax: "8192"}
)

// TestCrashChild is the process that is killed. Alone it does nothing.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDirVariable)
	if dir == "" {
		t.Skip("part of TestCrashAtEachStep")
	}
	at, err := strconv.Atoi(os.Getenv(crashStepVariable))
	if err != nil {
		t.Fatal(err)
	}
	p, j := openTree(t), crashJournal(t, dir)
	j.hook = func(step string) {
		if at--; at == 0 {
			fmt.Println("killed after:", step)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Hour)
		}
	}
	switch os.Getenv(crashKindVariable) {
	case "apply":
		_, err = Apply(t.Context(), p, j, crashRequest(dir, read(t, p, crashKeys...)))
	case "undo":
		_, err = Apply(t.Context(), failsAtTheEnd{p}, j, crashRequest(dir, read(t, p, crashKeys...)))
		if undone := (*UndoneError)(nil); errors.As(err, &undone) {
			err = nil
		}
	case "roll back":
		_, err = rollback(t, p, j, "")
	}
	if err != nil {
		t.Error(err)
	}
}

// A process is killed after each step it takes, applying, going back from a
// failure and rolling back. From everywhere a Rollback reaches the old values.
func TestCrashAtEachStep(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p := openTree(t)
	put(t, p, string(fin), "-5", string(ports), "40000 65535", string(start), "33000")
	old := read(t, p, crashKeys...)
	for _, kind := range []string{"apply", "undo", "roll back"} {
		for at := 1; ; at++ {
			dir := t.TempDir()
			where := fmt.Sprintf("%s, step %d", kind, at)
			request := crashRequest(dir, old)
			mustApply(t, p, crashJournal(t, dir), Request{Persist: &Layer{Path: request.Persist.Path, Settings: settings(string(fin), "20")}})
			oldFile := contentOf(t, request.Persist.Path)
			if kind == "roll back" {
				mustApply(t, p, crashJournal(t, dir), request)
			}

			child := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
			child.Env = append(os.Environ(), crashDirVariable+"="+dir, crashKindVariable+"="+kind, crashStepVariable+"="+strconv.Itoa(at))
			out, err := child.CombinedOutput()
			status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
			killed := status.Signaled() && status.Signal() == syscall.SIGKILL
			if !killed && err != nil {
				t.Fatalf("%s: %v\n%s", where, err, out)
			}
			where += fmt.Sprintf(" (%s)", out)

			j := crashJournal(t, dir)
			unfinished, err := j.Unfinished()
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			now := read(t, p, crashKeys...)
			if !cmp.Equal(now, old) && !cmp.Equal(now, crashNew) && len(unfinished) == 0 {
				t.Errorf("%s: some values are new, and nothing is unfinished: %v", where, now)
			}
			if refused := (*UnfinishedError)(nil); len(unfinished) > 0 {
				if _, err := Apply(t.Context(), p, j, crashRequest(dir, now)); !errors.As(err, &refused) {
					t.Errorf("%s: apply on top: %v", where, err)
				}
			}
			var result Result
			if e := entries(t, j)[0]; e.State.live() && e.Changes != nil {
				result = mustRollback(t, p, j, e.ID)
			}
			if len(result.Left) != 0 {
				t.Errorf("%s: left %+v", where, result.Left)
			}
			if diff := cmp.Diff(old, read(t, p, crashKeys...)); diff != "" {
				t.Errorf("%s: values (-want +got):\n%s", where, diff)
			}
			if text := contentOf(t, request.Persist.Path); text != oldFile {
				t.Errorf("%s: drop-in %q", where, text)
			}
			// And life goes on.
			mustApply(t, p, j, request)
			mustRollback(t, p, j, "")
			if !killed {
				if at < 8 {
					t.Errorf("%s: only %d steps; the hook is not where it should be", kind, at-1)
				}
				t.Logf("%s: %d steps", kind, at-1)
				break
			}
		}
	}
}
