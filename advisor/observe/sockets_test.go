package observe

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

func socket(state tcpstate.State, local, remote string) *sockdiag.Socket {
	s := &sockdiag.Socket{Family: unix.AF_INET, State: state, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote), Inode: 1}
	if s.Local.Addr().Is6() {
		s.Family = unix.AF_INET6
	}
	return s
}

func TestSocketsAreCountedAnotherWayWhereThatIsRefused(t *testing.T) {
	some := func(n int) walk {
		return func(_ context.Context, visit func(*sockdiag.Socket)) error {
			for range n {
				visit(socket(tcpstate.TimeWait, "10.0.0.1:40000", "192.0.2.2:443"))
			}
			return nil
		}
	}
	answers := func(w walk) dump {
		return func(ctx context.Context, _ sockdiag.Query, visit func(*sockdiag.Socket)) error { return w(ctx, visit) }
	}
	refused := func(ctx context.Context, visit func(*sockdiag.Socket)) error {
		_ = some(5)(ctx, visit) // is cut off
		return unix.EPERM
	}
	look := func(ctx context.Context, dump dump, fallback walk) (*facts.Snapshot, error) {
		s := &facts.Snapshot{Gaps: map[facts.Part]facts.Gap{}}
		c := newCensus(s, 0)
		c.dump, c.fallback = dump, fallback
		return s, c.take(ctx, c.everything)
	}
	for _, c := range []struct {
		dump    dump
		walk    walk
		source  facts.SocketSource
		sockets int64
	}{{answers(some(3)), refused, facts.ByDump, 3}, {answers(refused), some(4), facts.ByProcNet, 4}} {
		s, err := look(context.Background(), c.dump, c.walk)
		if err != nil || len(s.Gaps) > 0 {
			t.Fatal(err, s.Gaps)
		}
		if so := s.Sockets; so.Source != c.source || so.Approximate != (c.source == facts.ByProcNet) || so.Of(tcpstate.TimeWait) != c.sockets {
			t.Errorf("counted %d over %s, approximate: %v", so.Of(tcpstate.TimeWait), so.Source, so.Approximate)
		}
	}
	s, err := look(context.Background(), answers(refused), refused)
	if err != nil || s.Sockets != nil || s.Gaps[facts.PartSockets].Cause != sysctl.NotPermitted {
		t.Errorf("refused both ways: %v, %+v, %v", err, s.Sockets, s.Gaps)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s, err := look(ctx, answers(refused), some(1)); err != context.Canceled || s.Sockets != nil {
		t.Errorf("cancelled: %v, %+v", err, s.Sockets)
	}
	ctx, cancel = context.WithCancel(context.Background())
	stop := func(context.Context, func(*sockdiag.Socket)) error { cancel(); return unix.EPERM }
	if s, err := look(ctx, answers(func(context.Context, func(*sockdiag.Socket)) error { return unix.EPERM }), stop); err != context.Canceled || len(s.Gaps) > 0 {
		t.Errorf("cancelled later: %v, %v", err, s.Gaps)
	}
}

func TestHalfOpenConnectionsBelongToTheNearestListener(t *testing.T) {
	count := newTally(portRange{})
	for _, local := range []string{"[::]:80", "0.0.0.0:80", "10.0.0.1:80", "10.0.0.1:80", "[::]:443", "10.0.0.2:22"} {
		count.add(socket(tcpstate.Listen, local, "0.0.0.0:0"))
	}
	for _, local := range []string{
		"10.0.0.1:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", // to the first that is bound to the address
		"10.0.0.9:80",           // to the first that is bound to all
		"[fd00::1]:443",         // to the only one
		"10.0.0.1:22", "[::]:9", // to none
	} {
		count.add(socket(tcpstate.SynRecv, local, "192.0.2.1:1000"))
	}
	got := map[string][]int64{}
	for _, l := range count.result("").Listeners {
		got[l.Endpoint()] = append(got[l.Endpoint()], *l.SynRecv)
	}
	want := map[string][]int64{"[::]:80": {1}, "0.0.0.0:80": {0}, "10.0.0.1:80": {3, 0}, "[::]:443": {1}, "10.0.0.2:22": {0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyConnectionsMadeHereCountAsOutbound(t *testing.T) {
	count := newTally(portRange{})
	count.add(socket(tcpstate.Listen, "0.0.0.0:80", "0.0.0.0:0"))
	for _, state := range []tcpstate.State{tcpstate.Established, tcpstate.TimeWait, tcpstate.SynRecv} {
		count.add(socket(state, "10.0.0.1:80", "192.0.2.1:1000"))
	}
	count.add(socket(tcpstate.SynRecv, "10.0.0.1:81", "192.0.2.1:1000")) // of a listener that is gone
	count.add(socket(tcpstate.TimeWait, "10.0.0.1:40000", "192.0.2.2:443"))
	count.add(socket(tcpstate.SynSent, "10.0.0.1:40001", "192.0.2.2:443"))
	count.add(socket(tcpstate.SynSent, "10.0.0.1:40002", "192.0.2.2:443"))
	r := count.result("")
	want := []facts.Target{{Source: "10.0.0.1", Destination: "192.0.2.2", Port: 443, Sockets: 3, TimeWait: 1}}
	if diff := cmp.Diff(want, r.Outbound.Top); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]facts.Target{{Destination: "192.0.2.2", Port: 443, Sockets: 2}}, r.SynSent.Top); diff != "" {
		t.Error(diff)
	}
}

func TestOrphansAreToldByOwnerAndTimer(t *testing.T) {
	count := newTally(portRange{})
	for _, state := range []tcpstate.State{tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.Closing, tcpstate.LastAck, tcpstate.CloseWait, tcpstate.Established} {
		held := socket(state, "10.0.0.1:40000", "192.0.2.2:443")
		count.add(held)
		left := *held
		left.Inode = 0
		count.add(&left)
	}
	mini := socket(tcpstate.FinWait2, "10.0.0.1:40000", "192.0.2.2:443")
	mini.Inode, mini.Timer = 0, sockdiag.TimerTimeWait
	count.add(mini)
	count.add(socket(tcpstate.State(200), "10.0.0.1:1", "192.0.2.2:1")) // of a newer kernel
	r := count.result("")
	if r.Orphans != 4 || r.FinWait2Orphans != 2 || r.CloseWaitUnaccepted != 1 || r.IPv4.Of(tcpstate.FinWait2) != 3 {
		t.Errorf("orphans %d, in FIN-WAIT-2 %d of %d, unaccepted %d; want 4, 2 of 3, 1", r.Orphans, r.FinWait2Orphans, r.IPv4.Of(tcpstate.FinWait2), r.CloseWaitUnaccepted)
	}
}

func TestMalformedLinesOfProcNetTCPAreErrors(t *testing.T) {
	const good = "   0: 0100007F:0050 00000000:0000 0A 00000000:00000001 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0"
	var s sockdiag.Socket
	if err := parseProcNetTCP(&s, good, unix.AF_INET); err != nil || s.Local.String() != "127.0.0.1:80" || s.State != tcpstate.Listen || s.ReceiveQueue != 1 || s.Inode != 12345 || s.UID != 1000 {
		t.Errorf("read %+v, %v", s, err)
	}
	for _, bad := range []string{"", "0: 1 2", "0: 0100007F 0:0 0A 0:0 0:0 0 0 0 1", "0: 01007F:0050 00000000:0000 0A 0:0 0:0 0 0 0 1", "0: 0100007F:0050 00000000:0000 XX 0:0 0:0 0 0 0 1"} {
		if err := parseProcNetTCP(&s, bad, unix.AF_INET); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestMemoryDoesNotGrowWithSockets(t *testing.T) {
	count := newTally(portRange{})
	s := sockdiag.Socket{Family: unix.AF_INET, State: tcpstate.Established, Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80")}
	count.add(&s)
	if n := testing.AllocsPerRun(1000, func() { count.add(&s) }); n != 0 {
		t.Errorf("%v allocations for one more socket", n)
	}
}

// A listener over IPv6 may be missing from sockstat6, depending on the kernel.
func TestListenersThatSockstatLeavesOutAreNotTakenFromTheConnections(t *testing.T) {
	for _, c := range []struct {
		name          string
		release       string
		closeWait     int
		inUse6, estab int64 // as the kernel counts, with 2 listeners and 100 connections
		source        facts.SocketSource
	}{
		{"all are counted", "6.18.44", 0, 102, 100, facts.ByArithmetic},
		{"all are counted, and CLOSE-WAIT as established", "6.18.44", 1, 103, 101, facts.ByArithmetic},
		{"one is left out", "6.18.15", 0, 101, 100, facts.ByArithmetic},
		{"both are, and CLOSE-WAIT is established", "6.18.15", 7, 107, 107, facts.ByArithmetic},
		{"both are, and CLOSE-WAIT is not", "5.15.0", 7, 107, 100, facts.ByArithmetic},
		{"one is, or one waits", "6.1.0", 1, 103, 101, facts.ByDump},
		{"connections came and went meanwhile", "6.18.44", 0, 102, 150, facts.ByArithmetic},
		{"a kernel that leaves none out", "7.2.12", 0, 102, 101, facts.ByArithmetic},
	} {
		release, err := sysctl.ParseRelease(c.release)
		if err != nil {
			t.Fatal(err)
		}
		held := &table{}
		add := func(n int, state tcpstate.State) {
			for range n {
				s := socket(state, "[2001:db8::1]:80", "[2001:db8::2]:1000")
				s.Full = true
				held.sockets = append(held.sockets, *s)
			}
		}
		add(2, tcpstate.Listen)
		add(c.closeWait, tcpstate.CloseWait)
		add(100, tcpstate.Established)
		s := &facts.Snapshot{Kernel: release, Gaps: map[facts.Part]facts.Gap{}, Sockstat: &facts.Sockstat{InUse6: c.inUse6},
			Counters: map[string]facts.Counters{"Tcp": {"CurrEstab": c.estab}}}
		counts := newCensus(s, 0)
		counts.dump, counts.few = held.dump, 0
		if err := counts.take(context.Background(), counts.everything); err != nil {
			t.Fatal(err)
		}
		if n := s.Sockets.IPv6.Of(tcpstate.Established); n != 100 || s.Sockets.Source != c.source {
			t.Errorf("%s: %d ESTABLISHED over %s, want 100 over %s", c.name, n, s.Sockets.Source, c.source)
		}
	}
}
