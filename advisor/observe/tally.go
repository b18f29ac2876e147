package observe

import (
	"cmp"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

const (
	// spreadSize bounds the destinations that are told apart.
	spreadSize = 4096
	// spreadTop is how many of them a snapshot keeps.
	spreadTop = 20
)

// A portRange is the ports from which the kernel chooses for connect(); the zero
// range, where it is not known, has all.
type portRange struct{ first, last uint16 }

func (r portRange) contains(port uint16) bool {
	return r == portRange{} || r.first <= port && port <= r.last
}

// A tally sums up sockets one at a time; of each family listeners must come
// first. Its size depends on the number of listeners and of addresses, not of
// sockets.
type tally struct {
	ephemeral       portRange
	perState        [2][tcpstate.NewSynRecv + 1]int64
	served          [tcpstate.NewSynRecv + 1]int64
	full            [2]int64 // hashed sockets that /proc/net/sockstat counts as in use
	mini            int64    // FIN-WAIT-2 that it counts as tw
	orphans         int64
	finWait2Orphans int64
	unaccepted      int64
	listeners       []listener
	listening       *[1 << 16]bool
	synRecv         map[netip.AddrPort]int64 // nil if they are not counted
	outbound        *spread
	synSent         *spread
	owners          *ownership
}

// A listener is what a snapshot holds of it and what leads to its program.
type listener struct {
	facts.Listener
	local  netip.AddrPort
	inode  uint32
	uid    uint32
	cgroup uint64
}

func newTally(ephemeral portRange) *tally {
	return &tally{ephemeral: ephemeral, listening: new([1 << 16]bool), synRecv: map[netip.AddrPort]int64{},
		outbound: newSpread(spreadSize), synSent: newSpread(spreadSize), owners: newOwnership()}
}

func familyOf(s *sockdiag.Socket) int {
	if s.Family == unix.AF_INET6 {
		return 1
	}
	return 0
}

// addState counts a socket towards its state, with what belongs to that: its side,
// whether a program holds it, where an attempt to connect goes.
func (t *tally) addState(s *sockdiag.Socket) {
	if int(s.State) >= len(t.perState[0]) {
		return
	}
	family := familyOf(s)
	t.perState[family][s.State]++
	if s.Full {
		t.full[family]++
	}
	if s.State == tcpstate.Listen {
		t.listening[s.Local.Port()] = true
		return
	}
	if t.listening[s.Local.Port()] {
		t.served[s.State]++
	}
	switch s.State {
	case tcpstate.SynSent:
		if t.isOutbound(s) {
			t.synSent.add(destination{remote: s.Remote}, false)
		}
	case tcpstate.CloseWait:
		if s.Inode == 0 {
			t.unaccepted++
		}
	case tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.Closing, tcpstate.LastAck:
		switch {
		case s.Inode != 0:
			return
		case isMini(s):
			t.mini++
		default:
			t.orphans++
		}
		if s.State == tcpstate.FinWait2 {
			t.finWait2Orphans++
		}
	}
}

func isMini(s *sockdiag.Socket) bool { return s.Timer == sockdiag.TimerTimeWait }

// add counts a socket of whatever state, towards all that is told apart.
func (t *tally) add(s *sockdiag.Socket) {
	t.addState(s)
	switch s.State {
	case tcpstate.Listen:
		t.listeners = append(t.listeners, listener{facts.Listener{Address: s.Local.Addr().Unmap().String(), Port: int(s.Local.Port()),
			Queue: int64(s.ReceiveQueue), Limit: int64(s.SendQueue)}, s.Local, s.Inode, s.UID, s.Cgroup})
		return
	case tcpstate.SynRecv:
		t.synRecv[s.Local]++
	case tcpstate.CloseWait:
		if s.Inode != 0 {
			t.owners.add(facts.OwnedCloseWait, s)
		}
	case tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.Closing, tcpstate.LastAck:
		switch {
		case s.Inode == 0 && !isMini(s):
			t.owners.add(facts.OwnedOrphan, s)
		case s.Inode != 0 && s.State == tcpstate.LastAck:
			t.owners.add(facts.OwnedLastAck, s)
		}
	}
	t.addDestination(s)
}

// addDestination counts a socket towards its destination if it was made here.
func (t *tally) addDestination(s *sockdiag.Socket) {
	if t.isOutbound(s) {
		t.outbound.add(destination{s.Local.Addr(), s.Remote}, s.State == tcpstate.TimeWait)
	}
}

// isOutbound tells the client's side. A port outside of the range was chosen by
// the program, or before the range was set, and is none of those that run out.
func (t *tally) isOutbound(s *sockdiag.Socket) bool {
	return t.ephemeral.contains(s.Local.Port()) && !t.listening[s.Local.Port()] && s.State != tcpstate.SynRecv && s.State != tcpstate.Listen
}

// complete computes, from the kernel's counters, the sockets in the states that
// were not dumped: ESTABLISHED is what is in use less all full sockets that were
// seen; TIME-WAIT is what waits less the mini-sockets in FIN-WAIT-2. It returns
// false where that cannot be.
func (t *tally) complete(stat *facts.Sockstat) (timeWait int64, ok bool) {
	for family, inUse := range [2]int64{stat.InUse, stat.InUse6} {
		t.perState[family][tcpstate.Established] = inUse - t.full[family]
	}
	timeWait = stat.TimeWait - t.mini
	if t.perState[0][tcpstate.Established] < 0 || t.perState[1][tcpstate.Established] < 0 || timeWait < 0 {
		return 0, false
	}
	return timeWait, true
}

func (t *tally) count(state tcpstate.State) int64 { return t.perState[0][state] + t.perState[1][state] }

func (t *tally) result(source facts.SocketSource) *facts.Sockets {
	counts := [2]facts.StateCounts{{}, {}}
	for family := range counts {
		for _, info := range tcpstate.All() {
			counts[family][info.Word] = t.perState[family][info.State]
		}
	}
	served := facts.StateCounts{}
	for _, info := range tcpstate.All() {
		computed := (source == facts.ByArithmetic || source == facts.ByBPF) && (info.State == tcpstate.Established || info.State == tcpstate.TimeWait)
		if info.State != tcpstate.Listen && !computed {
			served[info.Word] = t.served[info.State]
		}
	}
	t.attributeSynRecv()
	return &facts.Sockets{
		Source: source, IPv4: counts[0], IPv6: counts[1], Served: served,
		Orphans: t.orphans, FinWait2Orphans: t.finWait2Orphans, CloseWaitUnaccepted: t.unaccepted,
		Listeners: t.described(),
		Outbound:  t.outbound.result(spreadTop), SynSent: t.synSent.result(spreadTop),
	}
}

// described are the listeners for a snapshot.
func (t *tally) described() []facts.Listener {
	all := make([]facts.Listener, len(t.listeners))
	for i, l := range t.listeners {
		all[i] = l.Listener
	}
	slices.SortStableFunc(all, func(a, b facts.Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address))
	})
	return all
}

// attributeSynRecv gives half-open connections to the listener that is bound to
// their address, or else to one that is bound to all addresses. Of several
// listeners on the same address (SO_REUSEPORT) the first gets all.
func (t *tally) attributeSynRecv() {
	if t.synRecv == nil {
		return
	}
	counts := make([]int64, len(t.listeners))
	// The zero address stands for all addresses, of either family.
	first := make(map[netip.AddrPort]int, len(t.listeners))
	for i, l := range slices.Backward(t.listeners) {
		address := l.local.Addr().Unmap()
		if address.IsUnspecified() {
			address = netip.Addr{}
		}
		first[netip.AddrPortFrom(address, l.local.Port())] = i
		t.listeners[i].SynRecv = &counts[i]
	}
	for local, n := range t.synRecv {
		i, found := first[netip.AddrPortFrom(local.Addr().Unmap(), local.Port())]
		if !found {
			i, found = first[netip.AddrPortFrom(netip.Addr{}, local.Port())]
		}
		if found {
			counts[i] += n
		}
	}
}
