package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// fullListener is a listener whose accept queue of one is full, and the function
// that empties it.
func fullListener(t *testing.T) (empty func()) {
	t.Helper()
	l, err := listen("127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dial(t, l.Addr().String(), 1)
	return func() {
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { accepted.Close() })
	}
}

// watching starts 'tcptune check --watch' and gives its lines as they come.
func watching(t *testing.T, args ...string) (*exec.Cmd, *bufio.Scanner, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(command(t), append([]string{"check", "--watch", "100ms"}, args...)...)
	errs := &strings.Builder{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewScanner(out), errs
}

// command is the test binary under the name that makes it the command.
func command(t *testing.T) string {
	t.Helper()
	return underName(t, "tcptune")
}

func TestWatchTellsWhatComesAndGoesUntilInterrupted(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	cmd, lines, _ := watching(t, "--format", "json")
	next := func(change advisor.Change, rule string) {
		t.Helper()
		for lines.Scan() {
			var event advisor.Event
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				t.Fatalf("%v in %q", err, lines.Text())
			}
			if event.Finding.Rule != rule {
				continue
			}
			if event.Change != change || time.Since(event.Time) > time.Hour {
				t.Fatalf("%s %s at %v, want %s", rule, event.Change, event.Time, change)
			}
			if err := compiled(t)["watch"].Validate(parseJSON(t, lines.Text())); err != nil {
				t.Error(err)
			}
			return
		}
		t.Fatalf("ended before %s %s", rule, change)
	}
	for range 2 {
		empty := fullListener(t)
		next(advisor.Appeared, "listen/queue-full")
		empty()
		next(advisor.Gone, "listen/queue-full")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

func TestWatchPrintsOneLineForAnEventAndNoMore(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	empty := fullListener(t)
	cmd, lines, errs := watching(t, "--min-severity", "error", "--disable", "files/*")
	if !lines.Scan() {
		t.Fatalf("ended at once: %s", errs)
	}
	first := lines.Text()
	time.Sleep(500 * time.Millisecond) // some looks at the same
	empty()
	if !lines.Scan() {
		t.Fatalf("ended: %s", errs)
	}
	second := lines.Text()
	cmd.Process.Signal(os.Interrupt)
	for i, line := range []string{first, second} {
		at, rest, _ := strings.Cut(line, " ")
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Errorf("no time in %q", line)
		}
		want := []string{"appeared error listen/queue-full: the accept queue is full at 1 of 1 listeners: ", "gone error listen/queue-full: "}[i]
		if !strings.HasPrefix(rest, want) {
			t.Errorf("said %q, want %q", rest, want)
		}
	}
	if lines.Scan() {
		t.Errorf("one line too many: %s", lines.Text())
	}
}

// Whoever reads may stop: the command ends.
func TestWatchEndsWithItsPipe(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command(t), "check", "--watch", "100ms")
	cmd.Stdout = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.Close()
	fullListener(t)
	if cmd.Wait() == nil {
		t.Error("ended as if all was well")
	}
}

// Of all namespaces the one is named in which something appears, and with it its
// findings go.
func TestWatchOfAllNamespaces(t *testing.T) {
	cmd, lines, errs := watching(t, "--netns", "all", "--format", "json")
	pid := inhabited(t, "4096")
	n, err := netns.Lookup(pid)
	if err == nil {
		err = n.Do(func() error {
			err := sysctltest.LoopbackUp()
			fullListener(t)
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	next := func(change advisor.Change) {
		t.Helper()
		for lines.Scan() {
			var event advisor.Event
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				t.Fatalf("%v in %q", err, lines.Text())
			}
			if event.Namespace.ID == n.ID.String() && event.Finding.Rule == "listen/queue-full" {
				if event.Change != change || event.Namespace.Name == "" {
					t.Fatalf("%s: %+v", event.Change, event.Namespace)
				}
				return
			}
		}
		t.Fatalf("ended: %s", errs)
	}
	next(advisor.Appeared)
	process, err := strconv.Atoi(pid)
	if err == nil {
		err = syscall.Kill(process, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	next(advisor.Gone)
	cmd.Process.Kill()
	cmd.Wait()
	if !strings.Contains(errs.String(), " skipped: the network namespace is gone\n") {
		t.Errorf("not a word of it: %s", errs)
	}
}

// In JSON each look is a line with the time, of one namespace and of all.
func TestLooksInJSONAreLines(t *testing.T) {
	schemas := compiled(t)
	for name, args := range map[string][]string{"states": {"--by", "listener"}, "states-namespaces": {"--netns", "all"}} {
		cmd := exec.Command(command(t), append([]string{"states", "--watch", "100ms", "--format", "json"}, args...)...)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines, before := bufio.NewReader(out), time.Time{}
		for range 3 {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if err := schemas[name].Validate(parseJSON(t, line)); err != nil {
				t.Error(err)
			}
			var look struct{ Time time.Time }
			if err := json.Unmarshal([]byte(line), &look); err != nil || !look.Time.After(before) {
				t.Errorf("%v: at %v, after one at %v", err, look.Time, before)
			}
			before = look.Time
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// unprivileged is the command as run by somebody to whom most processes are closed.
func unprivileged(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		sysctltest.RequireKernel(t, "root is needed to be somebody else")
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "tcptune"
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// What holds for every look is said once, and it is said.
func TestWatchSaysOnceThatThereMayBeOtherNamespaces(t *testing.T) {
	const warning = "processes whose namespace may not be looked at"
	cmd := unprivileged(t, "states", "--by", "namespace", "--bpf", "--watch", "100ms")
	errs := &strings.Builder{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	looks, times := 0, 0
	for lines := bufio.NewScanner(out); looks < 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "SOCKETS") {
			looks++
		}
		if _, err := time.Parse(time.RFC3339, lines.Text()); err == nil {
			times++
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if looks < 3 || times != looks || strings.Count(errs.String(), warning) != 1 || strings.Count(errs.String(), "--bpf is left aside") != 1 {
		t.Errorf("in %d looks, %d of them with the time, said:\n%s", looks, times, errs)
	}

	cmd = unprivileged(t, "check", "--netns", "all", "--watch", "100ms")
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), warning) {
	}
	if !strings.Contains(lines.Text(), warning) {
		t.Errorf("check ended without a word of it: %q", lines.Text())
	}
}
