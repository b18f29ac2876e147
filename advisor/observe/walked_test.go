package observe

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/bpfwalk"
	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// exact is more descriptors than there are.
const exact = 1 << 40

// requireBPF ends a test where there can be no BPF.
func requireBPF(t testing.TB) func(error) {
	return func(refused error) { sysctltest.RequireKernel(t, refused.Error()) }
}

// fill makes a crowd inside and ends it with the test.
func fill(t *testing.T, n netns.Namespace, m crowd.Mix) (people *crowd.Crowd) {
	t.Helper()
	err := n.Do(func() (err error) {
		people, err = crowd.Fill(m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { people.Close() })
	return people
}

// insideOf starts a process in a namespace that is made inside another.
func insideOf(t *testing.T, n netns.Namespace) (inner netns.Namespace) {
	t.Helper()
	if err := n.Do(func() error {
		inner, _ = inhabited(t)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return inner
}

// withOwnTable has a hash table of so many buckets to itself.
func withOwnTable(t *testing.T, buckets string) netns.Namespace {
	t.Helper()
	parent, _ := inhabited(t)
	const entries = "/proc/sys/net/ipv4/tcp_child_ehash_entries"
	if err := parent.Do(func() error { return os.WriteFile(entries, []byte(buckets), 0) }); err != nil {
		sysctltest.RequireKernel(t, "no namespace can have a hash table of its own: "+err.Error())
	}
	n := insideOf(t, parent)
	if err := n.Do(func() error {
		own, err := os.ReadFile("/proc/sys/net/ipv4/tcp_ehash_entries")
		if got := strings.TrimSpace(string(own)); got != buckets {
			t.Errorf("the table has %s buckets, want %s of its own", got, buckets)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// everywhere is what was seen of some namespaces.
func everywhere(t *testing.T, o Options, by facts.Breakdown, of []netns.Namespace) (seen []Inside) {
	t.Helper()
	all, err := SocketsEverywhere(context.Background(), o, by)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range of {
		for _, inside := range all {
			if inside.ID == n.ID && inside.Err == nil {
				seen = append(seen, inside)
			}
		}
	}
	if len(seen) != len(of) {
		t.Fatalf("%d of %d namespaces were seen", len(seen), len(of))
	}
	return seen
}

func TestBPFSeesInAllNamespacesWhatIsSeenWithout(t *testing.T) {
	shared, _ := inhabited(t)
	other, _ := inhabited(t)
	// 5000 of each are more records than there is space for in one piece, and more
	// in one chain than in the table of all.
	own := withOwnTable(t, "512")
	fill(t, shared, crowd.Mix{Established: 40, SynRecv: 5, FinWait1: 3, LastAck: 4, Closing: 2, CloseWait: 5000, TimeWait: 7})
	fill(t, own, crowd.Mix{Established: 10, LastAck: 2, CloseWait: 5000, TimeWait: 5})
	// A client's port that is a listener's elsewhere.
	if err := other.Do(func() error {
		l, err := net.Listen("tcp4", "127.0.0.1:9")
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		client, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}}).Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		t.Cleanup(func() { client.Close() })
		return client.(*net.TCPConn).CloseWrite()
	}); err != nil {
		t.Fatal(err)
	}
	namespaces := []netns.Namespace{shared, own, other}
	byBPF := Options{BPF: requireBPF(t)}

	without := everywhere(t, Options{}, facts.ByState, namespaces)
	passing := func(i int) int64 { return without[i].Snapshot.Sockets.Of(tcpstate.FinWait1) }
	for deadline := time.Now().Add(10 * time.Second); passing(0) != 3 || passing(1) != 0 || passing(2) != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the last segments are never acknowledged")
		}
		without = everywhere(t, Options{}, facts.ByState, namespaces)
	}
	with := everywhere(t, byBPF, facts.ByState, namespaces)
	for i := range without {
		want, got := without[i].Snapshot, with[i].Snapshot
		if diff := cmp.Diff(want.Namespace, got.Namespace); diff != "" {
			t.Errorf("%v:\n%s", namespaces[i], diff)
		}
		a, b := summary(want.Sockets), summary(got.Sockets)
		if diff := cmp.Diff(a, b); diff != "" || got.Sockets.Source != facts.ByBPF || want.Sockets.Source == facts.ByBPF {
			t.Errorf("%v, over %s and %s:\n%s", namespaces[i], want.Sockets.Source, got.Sockets.Source, diff)
		}
	}
	for _, inside := range without[:2] {
		if n := inside.Snapshot.Sockets.Of(tcpstate.CloseWait); n != 5000 {
			t.Errorf("%d are in CLOSE-WAIT, want 5000", n)
		}
	}

	without, with = everywhere(t, Options{SampleAbove: exact}, facts.ByProgram, namespaces), everywhere(t, byBPF, facts.ByProgram, namespaces)
	for i := range without {
		want, got := without[i].Snapshot.Sockets, with[i].Snapshot.Sockets
		if diff := diffOfEnds(want, got); diff != "" {
			t.Errorf("%v, by program:\n%s", namespaces[i], diff)
		}
	}
}

// diffOfEnds compares what was counted by program, without BPF and with: nothing
// but the source may differ, and destinations and sides, which are not asked.
func diffOfEnds(without, with *facts.Sockets) string {
	want, got := *without, *with
	want.Source, want.Outbound, got.Outbound = facts.ByBPF, facts.Spread{}, facts.Spread{}
	want.Served, got.Served = nil, nil
	return cmp.Diff(want, got)
}

// The process that is named of those that share a socket is the same, too.
func TestBPFNamesTheProgramsThatAreNamedWithout(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	leaks(t, 300)
	people, err := crowd.Fill(crowd.Mix{Established: 50, CloseWait: 700, LastAck: 5, FinWait1: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { people.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heir := exec.Command("sleep", "1000")
	for range 100 {
		client, server := pair(t, l, l.Addr().String())
		client.CloseWrite()
		file, err := server.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		heir.ExtraFiles = append(heir.ExtraFiles, file)
	}
	heir.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := heir.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		heir.Process.Kill()
		heir.Wait()
	})
	want := owners(t, exact)
	s, err := Sockets(context.Background(), Options{BPF: requireBPF(t), SampleAbove: 1}, facts.ByProgram) // nothing is sampled
	if err != nil || s.Sockets == nil || s.Sockets.Source != facts.ByBPF {
		t.Fatal(err, s)
	}
	if diff := cmp.Diff(want, s.Sockets.Owners); diff != "" || want[0].Sockets != 300+100+700 || want[0].Estimated {
		t.Errorf("%+v\n%s", want[0], diff)
	}
}

// While connections are made and ended all the time, those that stay are counted.
func TestBPFCountsWhileConnectionsComeAndGo(t *testing.T) {
	n, _ := inhabited(t)
	people := fill(t, n, crowd.Mix{Established: 200, SynRecv: 100, CloseWait: 300})
	if err := n.Do(func() error { return people.Churn(3000) }); err != nil {
		t.Fatal(err)
	}
	w, err := bpfwalk.Open(0, 0)
	if err != nil {
		requireBPF(t)(err)
	}
	defer w.Close()
	waiting := int64(0)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		counts, err := w.Count(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		c := counts[uint32(n.ID.Inode)]
		of := func(s tcpstate.State) int64 { return int64(c.Sockets[0][s] + c.Sockets[1][s]) }
		for state, want := range map[tcpstate.State]int64{tcpstate.Listen: 4 + 4, tcpstate.CloseWait: 300, tcpstate.SynRecv: 100} {
			// A connection that is just ending or being made may be among them, and
			// one that leaves a chain may take the walk along.
			if got := of(state); got < want-10 || got > want+10 {
				t.Errorf("%d in %v, want %d", got, state, want)
			}
		}
		waiting = max(waiting, of(tcpstate.TimeWait))
	}
	if waiting < 1000 {
		t.Errorf("no more than %d connections have come and gone", waiting)
	}
}

// Without privilege the look is taken without BPF, and why is told.
func TestWithoutPrivilegeBPFIsLeftAside(t *testing.T) {
	const inside = "TCPTUNE_TEST_WITHOUT_BPF"
	if os.Getenv(inside) != "" {
		var refused error
		s, err := Sockets(context.Background(), Options{BPF: func(err error) { refused = err }}, facts.ByProgram)
		if err != nil || s.Sockets == nil || s.Sockets.Source != facts.ByDump || s.Sockets.Owners[0].Sockets != 3 {
			t.Error(err, s)
		}
		if text := fmt.Sprint(refused); !strings.Contains(text, "CAP_BPF") || !strings.Contains(text, "CAP_PERFMON") {
			t.Errorf("the reason is %q", text)
		}
		return
	}
	if os.Getuid() != 0 {
		sysctltest.RequireKernel(t, "root is needed to be somebody else")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	leaks(t, 3)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestWithoutPrivilegeBPFIsLeftAside$")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
