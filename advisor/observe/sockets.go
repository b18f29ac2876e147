package observe

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// sockets counts the namespace's sockets, over sock_diag or, if the kernel or a
// sandbox refuses that, from /proc/net/tcp. It fails only if ctx ends.
func sockets(ctx context.Context, s *facts.Snapshot) error {
	return countSockets(ctx, s, sockdiag.Dump, readProcNetTCP)
}

// A walk visits every socket. The Socket is reused for the next one.
type walk func(ctx context.Context, visit func(*sockdiag.Socket)) error

func countSockets(ctx context.Context, s *facts.Snapshot, dump, fallback walk) error {
	count := newTally()
	err := dump(ctx, count.add)
	if err == nil {
		s.Sockets = count.result("sock_diag")
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	count = newTally()
	if errFallback := fallback(ctx, count.add); errFallback != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.Gaps[facts.PartSockets] = gap(errors.Join(err, errFallback))
		return nil
	}
	s.Sockets = count.result("/proc/net/tcp")
	s.Sockets.Approximate = true
	return nil
}

const (
	// spreadSize bounds the destinations that are told apart.
	spreadSize = 4096
	// spreadTop is how many of them a snapshot keeps.
	spreadTop = 20
)

// A tally sums up sockets one at a time; of each family listeners must come
// first. Its size depends on the number of listeners and of addresses, not of
// sockets.
type tally struct {
	perState        [2][tcpstate.NewSynRecv + 1]int64
	orphans         int64
	finWait2Orphans int64
	unaccepted      int64
	listeners       []facts.Listener
	local           []netip.AddrPort // of the listeners, in their order
	listening       [1 << 16]bool
	synRecv         map[netip.AddrPort]int64
	outbound        *spread
	synSent         *spread
}

func newTally() *tally {
	return &tally{listeners: []facts.Listener{}, synRecv: map[netip.AddrPort]int64{}, outbound: newSpread(spreadSize), synSent: newSpread(spreadSize)}
}

func (t *tally) add(s *sockdiag.Socket) {
	if int(s.State) >= len(t.perState[0]) {
		return
	}
	family := 0
	if s.Family == unix.AF_INET6 {
		family = 1
	}
	t.perState[family][s.State]++
	mini := s.Timer == sockdiag.TimerTimeWait
	switch s.State {
	case tcpstate.Listen:
		t.listeners = append(t.listeners, facts.Listener{Address: s.Local.Addr().Unmap().String(), Port: int(s.Local.Port()),
			Queue: int64(s.ReceiveQueue), Limit: int64(s.SendQueue)})
		t.local = append(t.local, s.Local)
		t.listening[s.Local.Port()] = true
		return
	case tcpstate.SynRecv:
		t.synRecv[s.Local]++
	case tcpstate.CloseWait:
		if s.Inode == 0 {
			t.unaccepted++
		}
	case tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.Closing, tcpstate.LastAck:
		if s.Inode == 0 {
			if !mini {
				t.orphans++
			}
			if s.State == tcpstate.FinWait2 {
				t.finWait2Orphans++
			}
		}
	}
	if t.listening[s.Local.Port()] || s.State == tcpstate.SynRecv {
		return // the server's side
	}
	t.outbound.add(destination{s.Local.Addr(), s.Remote}, s.State == tcpstate.TimeWait)
	if s.State == tcpstate.SynSent {
		t.synSent.add(destination{remote: s.Remote}, false)
	}
}

func (t *tally) result(source string) *facts.Sockets {
	counts := [2]facts.StateCounts{{}, {}}
	for family := range counts {
		for _, info := range tcpstate.All() {
			counts[family][info.Word] = t.perState[family][info.State]
		}
	}
	t.attributeSynRecv()
	slices.SortStableFunc(t.listeners, func(a, b facts.Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address))
	})
	return &facts.Sockets{
		Source: source, IPv4: counts[0], IPv6: counts[1],
		Orphans: t.orphans, FinWait2Orphans: t.finWait2Orphans, CloseWaitUnaccepted: t.unaccepted,
		Listeners: t.listeners,
		Outbound:  t.outbound.result(spreadTop), SynSent: t.synSent.result(spreadTop),
	}
}

// attributeSynRecv gives half-open connections to the listener that is bound to
// their address, or else to one that is bound to all addresses. Of several
// listeners on the same address (SO_REUSEPORT) the first gets all.
func (t *tally) attributeSynRecv() {
	// The zero address stands for all addresses, of either family.
	first := make(map[netip.AddrPort]int, len(t.local))
	for i, listener := range slices.Backward(t.local) {
		address := listener.Addr().Unmap()
		if address.IsUnspecified() {
			address = netip.Addr{}
		}
		first[netip.AddrPortFrom(address, listener.Port())] = i
	}
	for local, n := range t.synRecv {
		i, found := first[netip.AddrPortFrom(local.Addr().Unmap(), local.Port())]
		if !found {
			i, found = first[netip.AddrPortFrom(netip.Addr{}, local.Port())]
		}
		if found {
			t.listeners[i].SynRecv += n
		}
	}
}
