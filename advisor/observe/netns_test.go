package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// inhabited starts a process in a network namespace of its own, whose loopback is
// up, and ends it when the test does or by the function returned.
func inhabited(t testing.TB) (n netns.Namespace, end func()) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, "cannot make a network namespace: "+err.Error())
	}
	end = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(end)
	n, err := netns.Lookup(strconv.Itoa(cmd.Process.Pid))
	if err == nil {
		err = n.Do(sysctltest.LoopbackUp)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n, end
}

// prepare sets somaxconn and opens listeners inside, which stay open.
func prepare(t *testing.T, n netns.Namespace, somaxconn string, listeners int) {
	t.Helper()
	err := n.Do(func() error {
		for range listeners {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
		}
		return os.WriteFile("/proc/sys/net/core/somaxconn", []byte(somaxconn), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestALookIntoANamespaceSeesWhatIsInside(t *testing.T) {
	one, _ := inhabited(t)
	two, _ := inhabited(t)
	prepare(t, one, "1111", 1)
	prepare(t, two, "2222", 2)
	for _, c := range []struct {
		n         netns.Namespace
		somaxconn string
		listeners int64
	}{{one, "1111", 1}, {two, "2222", 2}} {
		s, err := Host(context.Background(), Options{Namespace: &c.n})
		if err != nil {
			t.Fatal(err)
		}
		if s.Namespace.ID != c.n.ID.String() || s.Namespace.Initial || s.Namespace.Name == "" {
			t.Errorf("looked into %+v, want %v", s.Namespace, c.n.ID)
		}
		if s.Host.MemoryKiB == 0 || s.Boot != nil || s.Managers != nil || len(s.Asked) > 0 {
			t.Errorf("the host is %+v; what sets its parameters at boot is no matter there: %+v, %+v", s.Host, s.Boot, s.Asked)
		}
		if got := s.Sysctls["net.core.somaxconn"].Value; string(got) != c.somaxconn {
			t.Errorf("somaxconn in %v is %s, want %s", c.n.ID, got, c.somaxconn)
		}
		if got := s.Sockets.Of(tcpstate.Listen); got != c.listeners || s.Sockstat.InUse != c.listeners || len(s.Sockets.Listeners) != int(c.listeners) {
			t.Errorf("in %v are %d listeners, %d in sockstat, %d named; want %d", c.n.ID, got, s.Sockstat.InUse, len(s.Sockets.Listeners), c.listeners)
		}
		if n := s.Counters["Tcp"]["ActiveOpens"]; n != 0 {
			t.Errorf("in %v %d connections were opened", c.n.ID, n)
		}
	}
}

// The ways that do not go over sock_diag read the thread's namespace, too.
func TestProcNetTCPIsTheThreadsNamespace(t *testing.T) {
	n, _ := inhabited(t)
	prepare(t, n, "128", 3)
	err := n.Do(func() error {
		count := newTally(portRange{})
		err := readProcNetTCP(context.Background(), count.add)
		if got := count.count(tcpstate.Listen); got != 3 {
			t.Errorf("%d listeners, want 3", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAllNamespacesAreLookedIntoAndSummedUp(t *testing.T) {
	one, _ := inhabited(t)
	two, _ := inhabited(t)
	prepare(t, one, "1111", 1)
	prepare(t, two, "2222", 2)
	_, vanish := inhabited(t)
	time.AfterFunc(200*time.Millisecond, vanish)
	seen, err := Everywhere(context.Background(), Options{Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	host := seen[0].Snapshot
	here, err := netns.Here()
	if err != nil {
		t.Fatal(err)
	}
	if host.Namespace.ID != here.ID.String() || host.Window == nil || host.Managers == nil {
		t.Errorf("the host comes first: %+v, window %v, managers %v", host.Namespace, host.Window, host.Managers)
	}
	want := map[netns.ID]string{one.ID: "1111", two.ID: "2222"}
	gone, namespaces, sockets := 0, int64(0), int64(0)
	for i, inside := range seen {
		s := inside.Snapshot
		if s == nil {
			gone++
			if !errors.Is(inside.Err, netns.ErrGone) {
				t.Errorf("%v: %v", inside.Namespace, inside.Err)
			}
			continue
		}
		namespaces++
		for _, info := range tcpstate.All() {
			sockets += s.Sockets.Of(info.State)
		}
		if i > 0 && (s.Host != host.Host || len(s.Asked) != 0 || s.Boot != nil || s.Window == nil || s.Namespace.Name != inside.String()) {
			t.Errorf("%v: host %+v, asked %v, window %v, name %q", inside.Namespace, s.Host, s.Asked, s.Window, s.Namespace.Name)
		}
		if somaxconn := want[inside.ID]; somaxconn != "" {
			if got := string(s.Sysctls["net.core.somaxconn"].Value); got != somaxconn {
				t.Errorf("somaxconn in %v is %s, want %s", inside.ID, got, somaxconn)
			}
			delete(want, inside.ID)
		}
	}
	if len(want) > 0 || gone == 0 {
		t.Errorf("not looked into: %v; gone meanwhile: %d", want, gone)
	}
	if e := host.Everywhere; e.Namespaces != namespaces || e.Unseen != int64(gone) || e.Sockets != sockets || sockets < 3 {
		t.Errorf("the sums are %+v; %d namespaces, %d gone, %d sockets", *e, namespaces, gone, sockets)
	}
}

func TestSeriesCountsBetweenLooksWhereverTheThreadIs(t *testing.T) {
	n, end := inhabited(t)
	prepare(t, n, "128", 0)
	series, err := NewSeries(Options{Interval: 100 * time.Millisecond, Namespace: &n})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for range i {
			if err := n.Do(func() error {
				l, err := net.Listen("tcp4", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer l.Close()
				c, err := net.Dial("tcp4", l.Addr().String())
				if err != nil {
					return err
				}
				return c.Close()
			}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := series.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Window.Increase["Tcp"]["ActiveOpens"]; got != int64(i) || s.Namespace.ID != n.ID.String() {
			t.Errorf("look %d, into %s: %d connections were opened, want %d", i, s.Namespace.ID, got, i)
		}
	}
	end()
	if _, err := series.Next(context.Background()); !errors.Is(err, netns.ErrGone) {
		t.Errorf("the namespace is gone, and the error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := series.Next(ctx); err != context.Canceled {
		t.Errorf("interrupted, it ended with %v", err)
	}
}

// A namespace is looked into from the second time on that it is found, and missed
// once.
func TestSeriesEverywhere(t *testing.T) {
	series, err := NewSeriesEverywhere(Options{Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	n, end := inhabited(t)
	open := func() {
		t.Helper()
		if err := n.Do(func() error {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				return err
			}
			return c.Close()
		}); err != nil {
			t.Fatal(err)
		}
	}
	next := func() *Inside {
		t.Helper()
		seen, err := series.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if host := seen[0].Snapshot; host.Window == nil || host.Everywhere == nil {
			t.Errorf("the host: window %v, everywhere %v", host.Window, host.Everywhere)
		}
		for i := range seen {
			if seen[i].ID == n.ID {
				return &seen[i]
			}
		}
		return nil
	}
	open()
	if got := next(); got != nil {
		t.Errorf("looked into before anything could be compared: %+v", got)
	}
	for opened := range int64(3) {
		for range opened {
			open()
		}
		got := next()
		if got == nil || got.Err != nil || got.Snapshot.Window == nil || got.Snapshot.Window.Increase["Tcp"]["ActiveOpens"] != opened || got.Snapshot.Namespace.Name == "" {
			t.Errorf("%d connections were opened, and seen was %+v", opened, got)
		}
	}
	end()
	if got := next(); got == nil || !errors.Is(got.Err, netns.ErrGone) {
		t.Errorf("gone, and seen was %+v", got)
	}
	if got := next(); got != nil {
		t.Errorf("long gone, and seen was %+v", got)
	}
}

// TIME-WAIT is created at a known rate and counted as such, though none has ended.
func TestTurnoverOfTimeWaitIsCounted(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	series, err := NewSeries(Options{Interval: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	const connections = 200
	for range connections {
		client, server := pair(t, l, l.Addr().String())
		client.Close()
		server.Close()
	}
	s, err := series.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	made := float64(connections) / s.Window.Seconds
	f := facts.Derive(s)
	for name, want := range map[facts.Name]float64{"turnover.time_wait_per_second": made, "turnover.time_wait_estimate": connections / 60.0, "turnover.connected_per_second": made, "turnover.accepted_per_second": made, "turnover.opened_per_second": 2 * made} {
		if got, _ := f.Get(name).Content.(float64); got < want*0.99 || got > want*1.01 {
			t.Errorf("%s is %v, want %v", name, f.Get(name), want)
		}
	}
	if steady, _ := f.Get("turnover.time_wait_steady").Content.(bool); steady {
		t.Error("what has just begun is called steady")
	}
}

// BenchmarkEverywhere looks into 60 namespaces and reports the CPU time of the
// shell's loop of ss(8) over that of counting their sockets, and of a whole look.
func BenchmarkEverywhere(b *testing.B) {
	const namespaces = 60
	var script []string
	for i := range namespaces {
		name := fmt.Sprintf("tcptune-bench-%d-%d", os.Getpid(), i)
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			sysctltest.RequireKernel(b, fmt.Sprintf("ip netns add: %v %s", err, out))
		}
		b.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
		script = append(script, "ss -N "+name+" -tan")
	}
	var count, look, theirs []time.Duration
	for b.Loop() {
		for range 7 {
			count = append(count, cpu(syscall.RUSAGE_SELF, func() {
				if _, err := SocketsEverywhere(context.Background(), Options{}, facts.ByState); err != nil {
					b.Fatal(err)
				}
			}))
			look = append(look, cpu(syscall.RUSAGE_SELF, func() {
				if _, err := Everywhere(context.Background(), Options{}); err != nil {
					b.Fatal(err)
				}
			}))
			theirs = append(theirs, cpu(syscall.RUSAGE_CHILDREN, func() {
				if out, err := exec.Command("sh", "-ec", strings.Join(script, "\n")).CombinedOutput(); err != nil {
					sysctltest.RequireKernel(b, fmt.Sprintf("ss of iproute2 is needed: %v %s", err, out))
				}
			}))
		}
	}
	slices.Sort(theirs)
	b.ReportMetric(float64(median(theirs))/float64(median(count)), "ss/count")
	b.ReportMetric(float64(median(theirs))/float64(median(look)), "ss/look")
	b.ReportMetric(float64(median(count).Microseconds())/1000, "count-ms")
}
