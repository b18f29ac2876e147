package observe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// leaks makes connections that the peer closes and this program does not.
func leaks(t *testing.T, n int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for range n {
		client, _ := pair(t, l, l.Addr().String())
		client.CloseWrite()
	}
}

func owners(t *testing.T, descriptors int64) []facts.Ownership {
	t.Helper()
	s, err := Sockets(context.Background(), Options{SampleAbove: descriptors}, facts.ByProgram)
	if err != nil || s.Sockets == nil {
		t.Fatal(err, s)
	}
	return s.Sockets.Owners
}

func TestProgramsThatDoNotCloseAreNamed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	leaks(t, 300)
	if _, err := crowd.Fill(crowd.Mix{CloseWait: 20, LastAck: 5, FinWait1: 2}); err != nil {
		t.Fatal(err)
	}
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	us := strings.TrimSpace(string(name))
	unit, uid := unitOfProcess(os.Getpid()), fmt.Sprint(os.Getuid())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial(t, netip.MustParseAddrPort(l.Addr().String())).CloseWrite()
	got := owners(t, 0)
	if last := got[len(got)-1]; last.State != facts.OwnedUnaccepted || last.Sockets != 1 || last.Reason == "" {
		t.Errorf("not accepted: %+v", last)
	}
	got = got[:len(got)-1]
	// The crowd's processes are children of this one; they may have its name.
	programs := map[string]int64{}
	for _, o := range got[0].Top {
		programs[o.Program] += o.Sockets
		if o.Unit != unit || o.User != uid {
			t.Errorf("%+v, and all are of %s, user %s", o, unit, uid)
		}
	}
	if got[0].State != facts.OwnedCloseWait || got[0].Sockets != 320 || programs[us] < 300 || programs[us]+programs["exe"] != 320 || got[0].Estimated || got[0].Reason != "" {
		t.Errorf("CLOSE-WAIT: %+v", got[0])
	}
	if orphans := got[len(got)-1]; orphans.State != facts.OwnedOrphan || orphans.Sockets != 7 || orphans.Reason == "" {
		t.Errorf("without a program: %+v", orphans)
	}

	sampled := owners(t, 100)
	total := int64(0)
	for _, o := range sampled[0].Top {
		total += o.Sockets
	}
	if most := sampled[0].Top[0]; !sampled[0].Estimated || sampled[0].Sockets != 320 || most.Program != us || most.PID == 0 || most.Sockets < 200 || total > 320 {
		t.Errorf("by some descriptors: %+v", sampled[0])
	}

	s, err := Host(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if program := facts.Derive(s).Get("closewait.most_program").Content; !strings.HasPrefix(fmt.Sprint(program), us) {
		t.Errorf("the finding speaks of %q", program)
	}
}

// Without privilege the user is named, and why not the program.
func TestOwnersOfOthersAreNamedByUser(t *testing.T) {
	const inside = "TCPTUNE_TEST_UNPRIVILEGED"
	if os.Getenv(inside) != "" {
		got := owners(t, 0)
		want := []facts.Ownership{{State: facts.OwnedCloseWait, Sockets: 3, Top: []facts.Owner{{User: "0", Sockets: 3}}, Reason: "processes of other users may not be looked at; root may"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		so := listeners(t, 1<<40)
		if l := so.Listeners[0]; l.Program != "" || l.User != "0" || so.Unseen != "program: processes of other users may not be looked at; root may" {
			t.Errorf("the listener is of %+v; unseen: %q", l, so.Unseen)
		}
		return
	}
	if os.Getuid() != 0 { // within the namespace everybody is
		sysctltest.RequireKernel(t, "root is needed to be somebody else")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	leaks(t, 3) // with a listener
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOwnersOfOthersAreNamedByUser$")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func listeners(t *testing.T, sampleAbove int64) *facts.Sockets {
	t.Helper()
	s, err := Sockets(context.Background(), Options{SampleAbove: sampleAbove}, facts.ByListener)
	if err != nil || s.Sockets == nil || len(s.Sockets.Listeners) == 0 {
		t.Fatal(err, s)
	}
	return s.Sockets
}

func TestProgramsThatListenAreNamed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	us, unit, uid := programOf(os.Getpid()), unitOfProcess(os.Getpid()), fmt.Sprint(os.Getuid())
	full, quiet := listen(t, "127.0.0.1", 0), listen(t, "::1", 16)
	dial(t, full)
	so := listeners(t, 1<<40)
	for _, l := range so.Listeners {
		if l.Program != us || l.PID != int64(os.Getpid()) || l.Unit != unit || l.User != uid || l.SynRecv == nil || *l.SynRecv != 0 {
			t.Errorf("listens and is %s in %q, user %s: %+v", us, unit, uid, l)
		}
	}
	if so.Unseen != "" {
		t.Errorf("not seen is said to be %q", so.Unseen)
	}

	// Among more sockets than one wants to go through no listener has more than
	// it tells by itself, and why is said.
	dial(t, quiet)
	so = listeners(t, 1)
	for _, l := range so.Listeners {
		if l.Program != "" || l.Unit != unit || l.SynRecv != nil {
			t.Errorf("was looked for: %+v", l)
		}
	}
	if !strings.HasPrefix(so.Unseen, "SYN-RECV: not counted among the host's ") || !strings.Contains(so.Unseen, "; program: not looked for beside 4 sockets, more than the 1 of --sample-above") {
		t.Errorf("why is said to be %q", so.Unseen)
	}

	// A finding names the program of a full queue, and nobody looks for others.
	s, err := Host(context.Background(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := facts.Derive(s)
	if list, want := fmt.Sprint(f.Get("listeners.full_list").Content), full.String()+" (1 of 0, "+us; !strings.HasPrefix(list, want) {
		t.Errorf("the finding speaks of %q, want %q", list, want)
	}
	for _, l := range s.Sockets.Listeners {
		if l.Port == int(quiet.Port()) && l.Holder() != "" {
			t.Errorf("the other one was looked for: %+v", l)
		}
	}
}

// Of a program that opens its listener as root and then becomes somebody else the
// socket's user tells nothing.
func TestProgramThatHasBecomeSomebodyElseIsNamed(t *testing.T) {
	if os.Getuid() != 0 {
		sysctltest.RequireKernel(t, "root is needed to become somebody else")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	file.Close()
	l.Close()
	if got := listeners(t, 1<<40).Listeners[0]; got.Program != "sleep" || got.User != "0" {
		t.Errorf("sleep listens, and seen was %+v", got)
	}
}

// A container is named by its control group: by that of the process and, for
// what no process holds, by that in which the socket was made.
func TestContainersAreNamed(t *testing.T) {
	const inside = "TCPTUNE_TEST_CONTAINED"
	if os.Getenv(inside) != "" {
		leaks(t, 2)
		people, err := crowd.Fill(crowd.Mix{FinWait1: 1}) // an orphan
		if err != nil {
			t.Fatal(err)
		}
		defer people.Close()
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return
	}
	root := slices.IndexFunc(cgroupRoots, func(root string) bool { return unix.Access(root+"/cgroup.procs", unix.W_OK) == nil })
	if root < 0 {
		sysctltest.RequireKernel(t, "no control groups of version 2 that may be written")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	id := fmt.Sprintf("%08x%056x", os.Getpid(), 0)
	pod := fmt.Sprintf("%08x_0000_0000_0000_000000000000", os.Getpid())
	for path, want := range map[string]string{
		"docker-" + id + ".scope": "docker " + id[:12],
		"kubepods-pod" + pod + ".slice/cri-containerd-" + id + ".scope": "pod " + strings.ReplaceAll(pod, "_", "-"),
	} {
		ended := contained(t, cgroupRoots[root], path, "^TestContainersAreNamed$", inside+"=1")
		byBPF, err := Sockets(context.Background(), Options{BPF: requireBPF(t)}, facts.ByProgram)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range append(owners(t, 0), byBPF.Sockets.Owners...) {
			if len(o.Top) != 1 || o.Top[0].Unit != want {
				t.Errorf("%s: %s is of %+v, want %s", path, o.State, o.Top, want)
			}
		}
		for _, l := range listeners(t, 1<<40).Listeners {
			if l.Unit != want || l.Program == "" {
				t.Errorf("%s: the listener is of %q in %q, want %s", path, l.Program, l.Unit, want)
			}
		}
		ended()
	}
}

// contained runs a test of this program in a control group that it makes, until
// the function returned is called, and waits until it is ready.
func contained(t *testing.T, root, path, test string, env ...string) (end func()) {
	t.Helper()
	var made []string
	dir := root
	for name := range strings.SplitSeq(path, "/") {
		dir += "/" + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			sysctltest.RequireKernel(t, err.Error())
		}
		made = append(made, dir)
	}
	remove := func() {
		for _, dir := range slices.Backward(made) {
			os.Remove(dir)
		}
	}
	t.Cleanup(remove)
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run="+test)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, err.Error())
	}
	end = func() {
		stdin.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
		remove()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if lines.Err() != nil || lines.Text() != "ready" {
		end()
		t.Fatalf("not ready: %v", lines.Err())
	}
	return end
}

func TestOwnershipIsBounded(t *testing.T) {
	o := newOwnership()
	const sockets = 200_000
	for i := range sockets {
		o.add(facts.OwnedCloseWait, &sockdiag.Socket{State: tcpstate.CloseWait, Inode: uint32(4_000_000 + i), UID: uint32(i % 8000)})
	}
	if len(o.sockets) > holderSize+1 || len(o.inodes) > inodeSize || len(o.inodes) < inodeSize/4 {
		t.Errorf("%d holders and %d inodes are kept", len(o.sockets), len(o.inodes))
	}
	if n := o.count(facts.OwnedCloseWait); n != sockets {
		t.Errorf("%d of %d sockets were counted", n, sockets)
	}
	even := 0
	for inode := range o.inodes {
		if inode%2 == 0 {
			even++
		}
	}
	if share := float64(even) / float64(len(o.inodes)); share < 0.4 || share > 0.6 {
		t.Errorf("%.0f %% of the inodes kept are even", 100*share)
	}
}
