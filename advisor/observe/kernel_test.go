package observe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// listen opens a listening socket with a backlog of its own choice, which the
// net package does not offer.
func listen(t *testing.T, address string, backlog int, options ...int) netip.AddrPort {
	t.Helper()
	at := netip.MustParseAddr(address)
	family, sockaddr := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if at.Is6() {
		family, sockaddr = unix.AF_INET6, &unix.SockaddrInet6{Addr: at.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	for _, option := range options {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, 60); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Bind(fd, sockaddr); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port))
	}
	panic("neither IPv4 nor IPv6")
}

// dial connects and leaves the connection in the listener's accept queue.
func dial(t *testing.T, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", to.String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// pair is a connection with both ends held by this program.
func pair(t *testing.T, l net.Listener, to string) (client, server *net.TCPConn) {
	t.Helper()
	c := dial(t, netip.MustParseAddrPort(to))
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c, s.(*net.TCPConn)
}

// settle waits until the namespace's sockets are counted as wanted.
func settle(t *testing.T, want map[tcpstate.State]int64) *facts.Snapshot {
	t.Helper()
	var s *facts.Snapshot
	var diff string
	for range 100 {
		var err error
		if s, err = Host(context.Background(), Options{}); err != nil {
			t.Fatal(err)
		}
		if s.Sockets == nil {
			t.Fatalf("sockets were not counted: %v", s.Gaps[facts.PartSockets])
		}
		got := map[tcpstate.State]int64{}
		for _, info := range tcpstate.All() {
			if n := s.Sockets.Of(info.State); n != 0 {
				got[info.State] = n
			}
		}
		if diff = cmp.Diff(want, got); diff == "" {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("sockets by state, wanted and counted:\n%s", diff)
	return nil
}

func TestSocketsAreCountedByStateFamilyAndOwner(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	l4, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l4.Close()
	l6, err := net.Listen("tcp", "[::]:0") // takes IPv4 too, as v4-mapped
	if err != nil {
		t.Fatal(err)
	}
	defer l6.Close()
	_, port6, _ := net.SplitHostPort(l6.Addr().String())

	pair(t, l4, l4.Addr().String()) // 2 ESTABLISHED, IPv4
	pair(t, l6, "[::1]:"+port6)     // 2 ESTABLISHED, IPv6
	pair(t, l6, "127.0.0.1:"+port6) // 1 IPv4, 1 v4-mapped
	half, _ := pair(t, l4, l4.Addr().String())
	half.CloseWrite() // FIN-WAIT-2 with a program, CLOSE-WAIT at the server
	orphan, _ := pair(t, l4, l4.Addr().String())
	orphan.Close() // FIN-WAIT-2 without one, CLOSE-WAIT at the server
	c, s := pair(t, l4, l4.Addr().String())
	c.Close() // TIME-WAIT at the client
	s.Close()

	full := listen(t, "127.0.0.1", 0)
	dial(t, full).CloseWrite()                               // fills the queue: CLOSE-WAIT that nobody accepted, FIN-WAIT-2 held
	go net.DialTimeout("tcp", full.String(), 30*time.Second) // SYN-SENT: the queue is full

	deferred := listen(t, "::1", 16, unix.TCP_DEFER_ACCEPT)
	dial(t, deferred) // ESTABLISHED at the client, SYN-RECV at the server

	snap := settle(t, map[tcpstate.State]int64{
		tcpstate.Listen: 4, tcpstate.Established: 7, tcpstate.FinWait2: 3, tcpstate.CloseWait: 3,
		tcpstate.TimeWait: 1, tcpstate.SynSent: 1, tcpstate.SynRecv: 1,
	})
	so := snap.Sockets
	if so.Source != facts.ByDump || so.Approximate {
		t.Errorf("counted over %s, approximate: %v", so.Source, so.Approximate)
	}
	if n := so.IPv6.Of(tcpstate.Established); n != 4 { // 2 of ::1, 1 v4-mapped, 1 deferred
		t.Errorf("%d ESTABLISHED are IPv6 sockets, want 4", n)
	}
	if so.FinWait2Orphans != 1 || so.CloseWaitUnaccepted != 1 || so.Orphans != 0 {
		t.Errorf("FIN-WAIT-2 orphans %d, unaccepted CLOSE-WAIT %d, orphans %d; want 1, 1, 0", so.FinWait2Orphans, so.CloseWaitUnaccepted, so.Orphans)
	}
	for _, l := range so.Listeners {
		switch l.Port {
		case int(full.Port()):
			if l.Queue != 1 || l.Limit != 0 {
				t.Errorf("the full listener shows %d of %d, want 1 of 0", l.Queue, l.Limit)
			}
		case int(deferred.Port()):
			if l.SynRecv == nil || *l.SynRecv != 1 || l.Limit != 16 || l.Address != "::1" {
				t.Errorf("the deferring listener shows %+v", l)
			}
		}
	}
	f := facts.Derive(snap)
	if n, _ := f.Int("listeners.full"); n != 1 {
		t.Errorf("%d listeners are full, want 1", n)
	}

	compareWithSS(t, so)
}

// .ci/kernels runs this with and without the kernel's modules.
func TestSocketsAreCountedWithOrWithoutTheModuleForIt(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair(t, l, l.Addr().String())
	want := facts.ByDump
	err = sockdiag.Dump(context.Background(), sockdiag.Query{States: sockdiag.AllStates}, func(*sockdiag.Socket) {})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		want = facts.ByProcNet
	} else if err != nil {
		t.Fatal(err)
	}
	so := settle(t, map[tcpstate.State]int64{tcpstate.Listen: 1, tcpstate.Established: 2}).Sockets
	if so.Source != want || so.Approximate != (want == facts.ByProcNet) || len(so.Listeners) != 1 {
		t.Errorf("sock_diag answers %v; counted over %s, approximate: %v, %d listeners", err, so.Source, so.Approximate, len(so.Listeners))
	}
	t.Log(so.Source)
}

func compareWithSS(t *testing.T, so *facts.Sockets) {
	out, err := exec.Command("ss", "-tanH").Output()
	if err != nil {
		sysctltest.RequireKernel(t, "ss of iproute2 is needed: "+err.Error())
	}
	got := facts.StateCounts{}
	for line := range strings.Lines(string(out)) {
		state, ok := tcpstate.Parse(strings.Fields(line)[0])
		if !ok {
			t.Errorf("ss speaks of %q", line)
		}
		got[state.Info().Word]++
	}
	for _, info := range tcpstate.All() {
		if want := so.Of(info.State); got.Of(info.State) != want {
			t.Errorf("%s: counted %d, and ss counts %d", info.Name, want, got.Of(info.State))
		}
	}
}

func TestPortsPerDestinationAreCounted(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	a, b := listen(t, "127.0.0.1", 100), listen(t, "127.0.0.1", 100)
	write(t, map[sysctl.Key]sysctl.Value{"net.ipv4.ip_local_port_range": "40000 40019", "net.ipv4.ip_local_reserved_ports": "40000-40009,50000"})
	for range 7 {
		dial(t, a)
	}
	dial(t, b)
	chosen := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 20000}} // takes no port of the range
	outside, err := chosen.Dial("tcp", a.String())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	half := dial(t, b) // of a state that the first dump has
	half.CloseWrite()
	above, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}}).Dial("tcp", b.String())
	if err != nil {
		t.Fatal(err)
	}
	defer above.Close()
	above.(*net.TCPConn).CloseWrite()
	s := settle(t, map[tcpstate.State]int64{tcpstate.Listen: 2, tcpstate.Established: 18, tcpstate.FinWait2: 2, tcpstate.CloseWait: 2})
	want := facts.Spread{Distinct: 2, Exact: true, Sockets: 9, Top: []facts.Target{
		{Source: "127.0.0.1", Destination: "127.0.0.1", Port: int(a.Port()), Sockets: 7},
		{Source: "127.0.0.1", Destination: "127.0.0.1", Port: int(b.Port()), Sockets: 2},
	}}
	if diff := cmp.Diff(want, s.Sockets.Outbound); diff != "" {
		t.Errorf("destinations:\n%s", diff)
	}
	f := facts.Derive(s)
	for name, want := range map[facts.Name]int{"ports.size": 10, "ports.reserved": 10, "ports.busiest.used": 7, "ports.busiest.percent": 70} {
		if got, known := f.Int(name); got != want || !known {
			t.Errorf("%s = %v (known: %v), want %d", name, got, known, want)
		}
	}
}

// Programs that connect from IPv6 sockets, as those in Java do, and such that use
// IPv4 run out of the same ports.
func TestPortsAreSharedByIPv4AndMappedSockets(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	to := listen(t, "127.0.0.1", 100)
	write(t, map[sysctl.Key]sysctl.Value{"net.ipv4.ip_local_port_range": "40000 40009"})
	connect := func(family int) error {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if family == unix.AF_INET {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		}
		return unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	}
	for range 5 {
		if err := errors.Join(connect(unix.AF_INET), connect(unix.AF_INET6)); err != nil {
			t.Fatal(err)
		}
	}
	if v4, v6 := connect(unix.AF_INET), connect(unix.AF_INET6); v4 != unix.EADDRNOTAVAIL || v6 != unix.EADDRNOTAVAIL {
		t.Fatalf("there are ports left: %v, %v", v4, v6)
	}
	s := settle(t, map[tcpstate.State]int64{tcpstate.Listen: 1, tcpstate.Established: 20})
	want := facts.Spread{Distinct: 1, Exact: true, Sockets: 10, Top: []facts.Target{{Source: "127.0.0.1", Destination: "127.0.0.1", Port: int(to.Port()), Sockets: 10}}}
	if diff := cmp.Diff(want, s.Sockets.Outbound); diff != "" {
		t.Errorf("destinations:\n%s", diff)
	}
}

// write sets parameters of the namespace.
func write(t *testing.T, values map[sysctl.Key]sysctl.Value) {
	t.Helper()
	release, err := sysctl.RunningRelease()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range values {
		if err := tree.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCountersAreReadByNameAndOverAWindow(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	full := listen(t, "127.0.0.1", 0)
	dial(t, full)
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(300 * time.Millisecond) // after the first sample
		net.DialTimeout("tcp", full.String(), 100*time.Millisecond)
	}()
	s, err := Host(context.Background(), Options{Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if s.Window == nil || s.Window.Seconds < 1 {
		t.Fatalf("window is %+v", s.Window)
	}
	f := facts.Derive(s)
	if n, _ := f.Int("counters.TcpExt.ListenOverflows"); n < 1 {
		t.Errorf("the dropped SYN was not counted: %v", f.Get("counters.TcpExt.ListenOverflows"))
	}
	if rate, known := f.Get("rates.TcpExt.ListenOverflows").Content.(float64); !known || rate <= 0 {
		t.Errorf("no rate of it: %v", f.Get("rates.TcpExt.ListenOverflows"))
	}
	if v := f.Get("counters.TcpExt.PAWSPassive"); v.Missing == nil || !v.Missing.Cause.Definitive() {
		t.Errorf("a counter of tcp_tw_recycle on this kernel: %+v", v)
	}
	out, err := exec.Command("sh", "-c", `awk '$1=="TcpExt:"{print NF-1; exit}' /proc/self/net/netstat`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(out)); want != strconv.Itoa(len(s.Counters["TcpExt"])) {
		t.Errorf("%d TcpExt counters were read, and the kernel has %s", len(s.Counters["TcpExt"]), want)
	}
}

func TestInterruptionEndsTheWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Host(ctx, Options{Interval: time.Hour}); err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
}

func TestAddressTranslationIsSeenWhereItIs(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	kinds := func() []string {
		s, err := Host(context.Background(), Options{BehindNAT: true})
		if err != nil {
			t.Fatal(err)
		}
		if gap, missing := s.Gaps[facts.PartNAT]; missing {
			sysctltest.RequireKernel(t, "nftables cannot be read: "+gap.String())
		}
		var kinds []string
		for _, e := range s.NAT {
			kinds = append(kinds, e.Kind)
		}
		return kinds
	}
	if diff := cmp.Diff([]string{"operator"}, kinds()); diff != "" {
		t.Errorf("a namespace without NAT:\n%s", diff)
	}
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tbl := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat"})
	chain := conn.AddChain(&nftables.Chain{Name: "postrouting", Table: tbl, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	jump := conn.AddChain(&nftables.Chain{Name: "ours", Table: tbl}) // as of kube-proxy and firewalld
	conn.AddRule(&nftables.Rule{Table: tbl, Chain: jump, Exprs: []expr.Any{&expr.Masq{}}})
	conn.AddRule(&nftables.Rule{Table: tbl, Chain: chain, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "ours"}}})
	filter := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	conn.AddRule(&nftables.Rule{Table: filter, Chain: conn.AddChain(&nftables.Chain{Name: "unused", Table: filter}), Exprs: []expr.Any{&expr.Masq{}}})
	if err := conn.Flush(); err != nil {
		sysctltest.RequireKernel(t, "no nat chain can be made: "+err.Error())
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, sysctl.Release{Major: 6})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Set("net.ipv4.ip_forward", "1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"operator", "forwarding", "masquerade"}, kinds()); diff != "" {
		t.Errorf("a namespace that masquerades:\n%s", diff)
	}
}
