package observe

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"math"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// stuff writes until nothing more fits: what comes behind it, a FIN too, stays in
// the queue.
func stuff(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

// fastOpenSYN sends the first segment of a connection that brings data, from an
// address that will never answer: the listener's socket for it stays in SYN-RECV.
func fastOpenSYN(t *testing.T, to netip.AddrPort) {
	t.Helper()
	if out, err := exec.Command("ip", "route", "add", "192.0.2.0/24", "dev", "lo").CombinedOutput(); err != nil {
		sysctltest.RequireKernel(t, "no route can be made: "+string(out))
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		sysctltest.RequireKernel(t, "no raw socket: "+err.Error())
	}
	defer unix.Close(fd)
	from, payload := netip.MustParseAddr("192.0.2.1").As4(), []byte("hello")
	host := to.Addr().As4()
	tcp := new(bytes.Buffer)
	for _, field := range []any{
		uint16(4321), to.Port(), uint32(1), uint32(0), // ports, sequence, acknowledgement
		uint16(6<<12 | 2), uint16(65535), uint16(0), uint16(0), // 6 words, SYN; window; checksum; urgent
		[4]byte{34, 2, 1, 1}, // an empty Fast Open cookie, and padding
	} {
		binary.Write(tcp, binary.BigEndian, field)
	}
	tcp.Write(payload)
	segment := tcp.Bytes()
	sum := uint32(0)
	pseudo := append(append(append([]byte{}, from[:]...), host[:]...), 0, unix.IPPROTO_TCP, 0, byte(len(segment)))
	for _, part := range [][]byte{pseudo, append(segment, make([]byte, len(segment)%2)...)} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(segment[16:], ^uint16(sum))
	packet := append([]byte{0x45, 0, 0, byte(20 + len(segment)), 0, 1, 0, 0, 64, unix.IPPROTO_TCP, 0, 0}, append(from[:], host[:]...)...)
	if err := unix.Sendto(fd, append(packet, segment...), 0, &unix.SockaddrInet4{Addr: host}); err != nil {
		t.Fatal(err)
	}
}

// counted is what every way to count must agree on.
type counted struct {
	States          map[string]int64
	ByFamily        [2]map[string]int64 // but TIME-WAIT, which arithmetic cannot split
	Served          facts.StateCounts   // likewise, and ESTABLISHED
	Orphans         [3]int64
	Listeners       []facts.Listener
	Outbound, Tries facts.Spread
}

func summary(so *facts.Sockets) counted {
	c := counted{States: map[string]int64{}, ByFamily: [2]map[string]int64{{}, {}}, Served: maps.Clone(so.Served), Orphans: [3]int64{so.Orphans, so.FinWait2Orphans, so.CloseWaitUnaccepted},
		Outbound: so.Outbound, Tries: so.SynSent, Listeners: slices.Clone(so.Listeners)}
	delete(c.Served, tcpstate.Established.Info().Word)
	delete(c.Served, tcpstate.TimeWait.Info().Word)
	for i := range c.Listeners { // who listens is another question
		c.Listeners[i].Program, c.Listeners[i].PID, c.Listeners[i].Unit, c.Listeners[i].User = "", 0, "", ""
	}
	for _, info := range tcpstate.All() {
		c.States[info.Name] = so.Of(info.State)
		if info.State != tcpstate.TimeWait {
			c.ByFamily[0][info.Name], c.ByFamily[1][info.Name] = so.IPv4.Of(info.State), so.IPv6.Of(info.State)
		}
	}
	return c
}

func TestAllWaysToCountAgreeOnEveryState(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	// 0x200: listeners take Fast Open without a cookie; 0x400: all of them.
	write(t, map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_fastopen": "1539"})
	open := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	four, six := open("tcp4", "127.0.0.1:0"), open("tcp", "[::]:0")
	_, port6, _ := net.SplitHostPort(six.Addr().String())
	to := []struct {
		listener net.Listener
		address  string
	}{{four, four.Addr().String()}, {six, "[::1]:" + port6}, {six, "127.0.0.1:" + port6}} // the last v4-mapped at the server

	for _, to := range to {
		connect := func() (client, server *net.TCPConn) { return pair(t, to.listener, to.address) }
		connect() // ESTABLISHED, twice

		client, _ := connect() // FIN-WAIT-2 with a program; CLOSE-WAIT
		client.CloseWrite()
		client, _ = connect() // FIN-WAIT-2, a mini-socket; CLOSE-WAIT
		client.Close()
		client, server := connect() // TIME-WAIT
		client.Close()
		server.Close()

		client, _ = connect() // FIN-WAIT-1; ESTABLISHED
		stuff(t, client)
		client.Close()
		client, server = connect() // LAST-ACK; FIN-WAIT-2 with a program
		client.CloseWrite()
		stuff(t, server)
		server.Close()
		client, server = connect() // LAST-ACK with a program; FIN-WAIT-2 with a program
		client.CloseWrite()
		stuff(t, server)
		server.CloseWrite()
		client, server = connect() // CLOSING; FIN-WAIT-2 with a program
		stuff(t, client)
		client.Close()
		server.CloseWrite()
	}
	write(t, map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_fin_timeout": "120"})
	client, _ := pair(t, four, to[0].address) // FIN-WAIT-2 without a program, a full socket; CLOSE-WAIT
	client.Close()

	full := listen(t, "127.0.0.1", 0)
	dial(t, full)                                            // ESTABLISHED, twice: fills the queue
	go net.DialTimeout("tcp", full.String(), 30*time.Second) // SYN-SENT
	deferred := listen(t, "::1", 16, unix.TCP_DEFER_ACCEPT)
	dial(t, deferred) // ESTABLISHED; SYN-RECV, a request

	fast := listen(t, "127.0.0.1", 16)
	fastOpenSYN(t, fast) // SYN-RECV, a full socket

	idle, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(idle)
	if err := unix.Bind(idle, &unix.SockaddrInet4{}); err != nil { // in no state that counts
		t.Fatal(err)
	}

	whole := settle(t, map[tcpstate.State]int64{
		tcpstate.Listen: 5, tcpstate.Established: 6 + 3 + 3, tcpstate.FinWait1: 3, tcpstate.FinWait2: 5*3 + 1, tcpstate.CloseWait: 2*3 + 1,
		tcpstate.LastAck: 6, tcpstate.Closing: 3, tcpstate.TimeWait: 3, tcpstate.SynSent: 1, tcpstate.SynRecv: 2,
	})
	compareWithSS(t, whole.Sockets)
	want := summary(whole.Sockets)
	if whole.Sockets.Source != facts.ByDump {
		t.Fatalf("counted over %s", whole.Sockets.Source)
	}
	served := facts.StateCounts{"established": 7, "time_wait": 0, "close_wait": 7, "last_ack": 6, "syn_recv": 2, "syn_sent": 0, "fin_wait1": 0, "fin_wait2": 3, "closing": 0, "close": 0}
	if diff := cmp.Diff(served, whole.Sockets.Served); diff != "" {
		t.Errorf("on the server's side:\n%s", diff)
	}
	take := func(alter func(*facts.Snapshot, *census)) *facts.Sockets {
		t.Helper()
		s := *whole
		s.Sockets = nil
		c := newCensus(&s, 0)
		alter(&s, c)
		if err := c.take(context.Background(), c.everything); err != nil {
			t.Fatal(err)
		}
		return s.Sockets
	}
	for _, c := range []struct {
		name   string
		source facts.SocketSource
		alter  func(*facts.Snapshot, *census)
	}{
		{"many sockets", facts.ByArithmetic, func(_ *facts.Snapshot, c *census) { c.few = 0 }},
		{"many, of a kernel that counts TIME-WAIT for all namespaces", facts.ByDump, func(s *facts.Snapshot, c *census) {
			s.Kernel, c.few = sysctl.Release{Major: 4, Minor: 10}, 0
		}},
		{"no sockstat", facts.ByDump, func(s *facts.Snapshot, _ *census) { s.Sockstat = nil }},
		{"many, and counters that contradict each other", facts.ByDump, func(s *facts.Snapshot, c *census) {
			c.few, s.Counters = 0, map[string]facts.Counters{"Tcp": {"CurrEstab": 5000}}
		}},
		{"sock_diag refused", facts.ByProcNet, func(_ *facts.Snapshot, c *census) {
			c.dump = func(context.Context, sockdiag.Query, func(*sockdiag.Socket)) error { return unix.EPERM }
		}},
	} {
		other := take(c.alter)
		got := summary(other)
		seen := maps.Clone(served)
		if c.source == facts.ByArithmetic { // which does not look at those
			delete(seen, "established")
			delete(seen, "time_wait")
		}
		if diff := cmp.Diff(seen, other.Served); diff != "" {
			t.Errorf("%s, on the server's side:\n%s", c.name, diff)
		}
		if other.Approximate { // does not show limits
			for i := range want.Listeners {
				got.Listeners[i].Limit = want.Listeners[i].Limit
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || other.Source != c.source {
			t.Errorf("%s, over %s, wanted %s:\n%s", c.name, other.Source, c.source, diff)
		}
	}
	narrow := func(by facts.Breakdown, byBPF func(error)) *facts.Sockets {
		t.Helper()
		s, err := Sockets(context.Background(), Options{BPF: byBPF, SampleAbove: math.MaxInt64}, by)
		if err != nil || s.Sockets == nil {
			t.Fatalf("by %s: %v, %v", by, err, s)
		}
		return s.Sockets
	}
	if diff := cmp.Diff(want.States, summary(narrow(facts.ByState, nil)).States); diff != "" {
		t.Errorf("by state:\n%s", diff)
	}
	outbound := narrow(facts.ByDestination, nil).Outbound
	if diff := cmp.Diff(want.Outbound, outbound); diff != "" {
		t.Errorf("by destination:\n%s", diff)
	}
	if diff := cmp.Diff(want.Listeners, summary(narrow(facts.ByListener, nil)).Listeners); diff != "" {
		t.Errorf("by listener:\n%s", diff)
	}
	// What needs a younger kernel comes last.
	s := *whole
	s.Sockets = nil
	walked := &walked{}
	if err := walked.count(context.Background()); err != nil {
		requireBPF(t)(err)
	}
	defer walked.close()
	here, err := netns.Here()
	if err != nil {
		t.Fatal(err)
	}
	walked.counted(context.Background(), newCensus(&s, DefaultSampleAbove), uint32(here.ID.Inode))
	dumped := take(func(s *facts.Snapshot, _ *census) { s.Sockstat = nil })
	byState := func(so *facts.Sockets) counted {
		c := summary(so)
		c.Listeners, c.Outbound = nil, facts.Spread{} // are not asked
		return c
	}
	if diff := cmp.Diff([]any{dumped.IPv4, dumped.IPv6, byState(dumped)}, []any{s.Sockets.IPv4, s.Sockets.IPv6, byState(s.Sockets)}); diff != "" {
		t.Errorf("by BPF:\n%s", diff)
	}
	if diff := diffOfEnds(narrow(facts.ByProgram, nil), narrow(facts.ByProgram, requireBPF(t))); diff != "" {
		t.Errorf("by program:\n%s", diff)
	}
}
