package netns_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// inhabited starts a process in a network namespace of its own.
func inhabited(t testing.TB) (netns.Namespace, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, "cannot make a network namespace: "+err.Error())
	}
	t.Cleanup(func() { end(cmd) })
	n, err := netns.Lookup(strconv.Itoa(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return n, cmd
}

func end(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

const somaxconn = "/proc/sys/net/core/somaxconn"

func write(t *testing.T, n netns.Namespace, value string) {
	t.Helper()
	if err := n.Do(func() error { return os.WriteFile(somaxconn, []byte(value), 0) }); err != nil {
		t.Fatal(err)
	}
}

func TestParametersAndSocketsInsideAreThoseOfTheNamespace(t *testing.T) {
	before, err := os.ReadFile(somaxconn)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := inhabited(t)
	two, _ := inhabited(t)
	write(t, one, "1111")
	write(t, two, "2222")
	for _, c := range []struct {
		n    netns.Namespace
		want string
	}{{one, "1111"}, {two, "2222"}} {
		err := c.n.Do(func() error {
			value, err := os.ReadFile(somaxconn)
			if err != nil {
				return err
			}
			devices, err := os.ReadFile(netns.ThreadDir() + "/net/dev")
			if err != nil {
				return err
			}
			here, err := netns.Here()
			if got := strings.TrimSpace(string(value)); got != c.want || here.ID != c.n.ID || strings.Count(string(devices), ":") != 1 {
				t.Errorf("in %v: somaxconn is %s, want %s; the thread is in %v; devices:\n%s", c.n.ID, got, c.want, here.ID, devices)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if after, _ := os.ReadFile(somaxconn); string(after) != string(before) {
		t.Errorf("somaxconn here became %s", after)
	}
}

func TestNestedNamespacesAreEnteredAndLeft(t *testing.T) {
	outer, _ := inhabited(t)
	inner, _ := inhabited(t)
	id := func() netns.ID {
		here, err := netns.Here()
		if err != nil {
			t.Error(err)
		}
		return here.ID
	}
	home := id()
	err := outer.Do(func() error {
		if err := inner.Do(func() error {
			if got := id(); got != inner.ID {
				t.Errorf("the inner function is in %v, want %v", got, inner.ID)
			}
			return nil
		}); err != nil {
			return err
		}
		return outer.Do(func() error { // already there
			if got := id(); got != outer.ID {
				t.Errorf("back in %v, want %v", got, outer.ID)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := id(); got != home {
		t.Errorf("ended in %v, want %v", got, home)
	}
}

// threads are the namespaces of all threads of this process.
func threads(t *testing.T) map[string]int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil || len(links) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	seen := map[string]int{}
	for _, link := range links {
		if id, err := os.Readlink(link); err == nil { // threads may end
			seen[id]++
		}
	}
	return seen
}

func TestThreadsNeverLeakBack(t *testing.T) {
	n, _ := inhabited(t)
	home := threads(t)
	if len(home) != 1 {
		t.Fatalf("threads began in %v", home)
	}
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			err := n.Do(func() error {
				if unix.Gettid() == os.Getpid() {
					t.Error("the main thread entered the namespace")
				}
				runtime.Gosched()
				if i%3 == 0 {
					return errors.New("failed")
				}
				return nil
			})
			if (err != nil) != (i%3 == 0) {
				t.Errorf("call %d ended with %v", i, err)
			}
		})
	}
	all.Wait()
	if after := threads(t); len(after) != 1 || after[keyOf(home)] == 0 {
		t.Errorf("threads began in %v and are in %v", home, after)
	}
}

func keyOf(m map[string]int) string {
	for key := range m {
		return key
	}
	return ""
}

// The first worker of a process is offered the main thread, whose goroutine
// waits for it: so in a process whose main goroutine calls Do.
func TestMainThreadIsNeverTheWorker(t *testing.T) {
	n, _ := inhabited(t)
	for range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), enterVariable+"="+n.Path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// enterVariable has the test binary enter a namespace from its main goroutine.
const enterVariable = "TCPTUNE_TEST_ENTER"

func TestMain(m *testing.M) {
	if path := os.Getenv(enterVariable); path != "" {
		n, err := netns.Lookup(path)
		if err == nil {
			err = n.Do(func() error {
				if main, err := os.Readlink("/proc/self/ns/net"); err != nil || main == n.ID.String() {
					return fmt.Errorf("the main thread is in %s: %v", main, err)
				}
				return nil
			})
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A thread that may not return to its namespace must end.
func TestThreadThatCannotReturnIsThrownAway(t *testing.T) {
	n, _ := inhabited(t)
	home := keyOf(threads(t))
	thread := 0
	err := n.Do(func() error {
		thread = unix.Gettid()
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		return unix.Capset(&header, &none[0]) // of this thread alone
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread)); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if again, _ := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", thread)); again == home {
			t.Fatal("the thread returned without the right to")
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	t.Errorf("thread %d lives on in %v", thread, n.ID)
}

func TestFunctionThatEndsItsGoroutineIsAnError(t *testing.T) {
	n, _ := inhabited(t)
	if err := n.Do(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("no error")
	}
	if after := threads(t); len(after) != 1 {
		t.Errorf("threads are in %v", after)
	}
}

func TestNamespaceThatIsGone(t *testing.T) {
	n, cmd := inhabited(t)
	end(cmd)
	if err := n.Do(func() error { t.Error("called"); return nil }); !errors.Is(err, netns.ErrGone) {
		t.Errorf("ended with %v", err)
	}
	// Another namespace behind the same file is not the one that was meant.
	other, _ := inhabited(t)
	n.Path = other.Path
	if err := n.Do(func() error { t.Error("called"); return nil }); !errors.Is(err, netns.ErrGone) {
		t.Errorf("another namespace of that name: ended with %v", err)
	}
}

// While it is read a namespace stays: the thread inside it keeps it alive.
func TestNamespaceThatVanishesMeanwhileIsReadToTheEnd(t *testing.T) {
	n, cmd := inhabited(t)
	write(t, n, "3333")
	err := n.Do(func() error {
		end(cmd)
		value, err := os.ReadFile(somaxconn)
		if strings.TrimSpace(string(value)) != "3333" {
			t.Errorf("read %q", value)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutPrivilegeTheErrorSaysSo(t *testing.T) {
	n, _ := inhabited(t)
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "root is needed, to give up its rights")
	}
	cmd := exec.Command("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", os.Args[0])
	cmd.Env = append(os.Environ(), enterVariable+"="+n.Path)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		sysctltest.RequireKernel(t, "setpriv of util-linux is needed: "+err.Error())
	}
	if !strings.Contains(string(out), "CAP_SYS_ADMIN") && !strings.Contains(string(out), "belongs to somebody else") {
		t.Errorf("said: %s", out)
	}
}

func TestFindTellsWhatKeepsANamespace(t *testing.T) {
	running, cmd := inhabited(t)
	name := fmt.Sprintf("tcptune-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		sysctltest.RequireKernel(t, fmt.Sprintf("ip netns add: %v %s", err, out))
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
	bound := filepath.Join(t.TempDir(), "a b")
	if err := os.WriteFile(bound, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mounted, keeper := inhabited(t)
	if err := unix.Mount(mounted.Path, bound, "", unix.MS_BIND, ""); err != nil {
		sysctltest.RequireKernel(t, "bind a namespace: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(bound, unix.MNT_DETACH) })
	end(keeper)

	survey, err := netns.Find()
	if err != nil {
		t.Fatal(err)
	}
	if here, _ := netns.Here(); survey.Host.ID != here.ID || survey.Host.Processes < 1 {
		t.Errorf("the host: %+v, and this is %v", survey.Host, here.ID)
	}
	for _, want := range []struct {
		what string
		is   func(netns.Namespace) bool
	}{
		{"one with a process", func(n netns.Namespace) bool {
			return n.ID == running.ID && n.Processes == 1 && n.Path == fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid) && n.Name != ""
		}},
		{"a named one", func(n netns.Namespace) bool {
			return n.Owner == netns.Owner{Kind: netns.Named, Name: name} && n.Processes == 0
		}},
		{"a mounted one", func(n netns.Namespace) bool {
			return n.ID == mounted.ID && n.Owner == netns.Owner{Kind: netns.Mount, Name: bound}
		}},
	} {
		i := slices.IndexFunc(survey.Others, want.is)
		if i < 0 {
			t.Errorf("%s is not among %+v", want.what, survey.Others)
			continue
		}
		if err := survey.Others[i].Do(func() error { return nil }); err != nil {
			t.Errorf("%s cannot be entered: %v", want.what, err)
		}
	}
	if slices.ContainsFunc(survey.Others, func(n netns.Namespace) bool { return n.ID == survey.Host.ID }) {
		t.Error("the host's is among the others")
	}
	ids := map[netns.ID]bool{}
	for _, n := range survey.Others {
		if ids[n.ID] {
			t.Errorf("%v is there twice", n)
		}
		ids[n.ID] = true
	}
	n, err := netns.Lookup(name)
	if err != nil || n.Path != "/run/netns/"+name {
		t.Errorf("by its name: %+v, %v", n, err)
	}
	if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	if err := n.Do(func() error { return nil }); !errors.Is(err, netns.ErrGone) {
		t.Errorf("deleted: %v", err)
	}
}

func TestLookupSaysWhatIsWrong(t *testing.T) {
	_, cmd := inhabited(t)
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	for { // until it has ended and is not waited for
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", zombie.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), ") Z ") {
			break
		}
		runtime.Gosched()
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"no-such-name":                   "/run/netns has no network namespace",
		"":                               "is no name",
		"..":                             "is no name",
		"0":                              "there is no process 0",
		"-1":                             "there is no process -1",
		"4194305":                        "there is no process 4194305",
		"99999999999999999999":           "/run/netns has no network namespace",
		strconv.Itoa(zombie.Process.Pid): "has ended",
		"/no/such/file":                  "no such file",
		"/etc/hostname":                  "not a network namespace",
		"/":                              "not a network namespace",
		pipe:                             "not a network namespace",
		fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid): "not a network namespace",
		fmt.Sprintf("/proc/%d/status", os.Getpid()):     "not a network namespace",
	} {
		if _, err := netns.Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Lookup(%q) ended with %v, want %q", name, err, want)
		}
	}
}

func BenchmarkDo(b *testing.B) {
	n, _ := inhabited(b)
	for b.Loop() {
		if err := n.Do(func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for b.Loop() {
		if _, err := netns.Find(); err != nil {
			b.Fatal(err)
		}
	}
}
