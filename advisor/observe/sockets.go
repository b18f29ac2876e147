package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// A walk visits every socket. The Socket is reused for the next one.
type walk func(ctx context.Context, visit func(*sockdiag.Socket)) error

// A dump visits the sockets asked for, likewise.
type dump func(ctx context.Context, q sockdiag.Query, visit func(*sockdiag.Socket)) error

// A census counts the sockets of a namespace by fetching as few of them as what
// is asked allows.
type census struct {
	snapshot    *facts.Snapshot
	dump        dump
	source      facts.SocketSource // of what is dumped
	fallback    walk               // where dump is refused
	ephemeral   portRange
	choice      int64 // how many ports of the range connect() may take
	tellApart   bool  // destinations, even if none can take half of the ports
	few         int64 // up to so many sockets are fetched at once
	sampleAbove int64
	screenAbove int64 // a sample tells whether destinations need be counted
	count       *tally
}

// newCensus takes the number of sockets from which on somebody wants a sample; 0
// if nobody said.
func newCensus(s *facts.Snapshot, sampleAbove int64) *census {
	c := &census{snapshot: s, dump: sockdiag.Dump, source: facts.ByDump, fallback: readProcNetTCP, few: fewSockets,
		sampleAbove: cmp.Or(sampleAbove, DefaultSampleAbove), screenAbove: cmp.Or(sampleAbove, ScreenAbove)}
	if bounds, err := s.Sysctls["net.ipv4.ip_local_port_range"].Value.Ints(); err == nil && len(bounds) == 2 &&
		0 < bounds[0] && bounds[0] <= bounds[1] && bounds[1] <= math.MaxUint16 {
		c.ephemeral = portRange{uint16(bounds[0]), uint16(bounds[1])}
		reserved, _ := sysctl.ParsePorts(s.Sysctls["net.ipv4.ip_local_reserved_ports"].Value) // none where there is no such parameter
		c.choice = bounds[1] - bounds[0] + 1 - int64(reserved.Within(int(bounds[0]), int(bounds[1])))
	}
	return c
}

// sockets counts what a judgement needs.
func sockets(ctx context.Context, s *facts.Snapshot, o Options) error {
	c := newCensus(s, o.SampleAbove)
	c.tellApart = o.Destinations
	if err := c.take(ctx, c.everything); err != nil {
		return err
	}
	c.nameOwnersOfMany()
	c.nameListenersInUse()
	return nil
}

const (
	dumped      = sockdiag.AllStates &^ (1<<tcpstate.Established | 1<<tcpstate.TimeWait)
	computed    = sockdiag.AllStates &^ dumped
	unconnected = sockdiag.States(1<<tcpstate.Listen | 1<<tcpstate.SynRecv)
	ending      = sockdiag.States(1<<tcpstate.CloseWait | 1<<tcpstate.LastAck | 1<<tcpstate.FinWait1 | 1<<tcpstate.FinWait2 | 1<<tcpstate.Closing)
)

// take does one of the censuses below, over sock_diag or, if the kernel or a
// sandbox refuses that, from /proc/net/tcp. It fails only if ctx ends.
func (c *census) take(ctx context.Context, overSockDiag func(context.Context) error) error {
	c.count = newTally(c.ephemeral)
	err := overSockDiag(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.snapshot.Sockets = nil
	c.count = newTally(c.ephemeral)
	if errFallback := c.fallback(ctx, c.count.add); errFallback != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.snapshot.Gaps[facts.PartSockets] = gap(errors.Join(err, errFallback))
		return nil
	}
	c.snapshot.Sockets = c.count.result(facts.ByProcNet)
	c.snapshot.Sockets.Approximate = true
	return nil
}

// Up to fewSockets are fetched at once: a second walk over the table, which all
// namespaces share, takes longer.
const fewSockets = 2000

// everything counts states, queues and destinations, as far as a judgement needs
// them: of many sockets, destinations are told apart only if there are enough to
// take half of the ports, and counted one by one only if a sample says that the
// ports towards one of them may be running out.
func (c *census) everything(ctx context.Context) error {
	if stat := c.snapshot.Sockstat; stat != nil && stat.InUse+stat.InUse6+stat.TimeWait <= c.few {
		return c.all(ctx, (*tally).add)
	}
	arithmetic, err := c.states(ctx, (*tally).add)
	if err != nil {
		return err
	}
	if !arithmetic {
		return nil // all sockets were dumped, and with them the destinations
	}
	connected := c.count.count(tcpstate.Established) + c.snapshot.Sockets.Of(tcpstate.TimeWait)
	if connected > c.screenAbove && c.ephemeral != (portRange{}) {
		// Those in other states were dumped, and take ports as well.
		if all := connected + c.snapshot.Sockets.Outbound.Sockets; !c.tellApart && all < c.choice/2 {
			c.snapshot.Sockets.Outbound = facts.Spread{Together: true, Sockets: all, Top: []facts.Target{}}
			return nil
		}
		screen, err := c.sample(ctx, screenSize)
		if err != nil {
			return err
		}
		if !screen.mayHold(float64(c.choice) / 2) {
			c.snapshot.Sockets.Outbound = screen.result()
			return nil
		}
	}
	return c.restOfDestinations(ctx, connected)
}

// restOfDestinations adds the destinations of the sockets whose states are not
// dumped otherwise.
func (c *census) restOfDestinations(ctx context.Context, connected int64) error {
	if connected > max(c.sampleAbove, sampleSize) && c.ephemeral != (portRange{}) {
		return c.sampledDestinations(ctx)
	}
	if err := c.dump(ctx, c.outbound(computed), c.count.addDestination); err != nil {
		return err
	}
	c.snapshot.Sockets.Outbound = c.count.outbound.result(spreadTop)
	return nil
}

// outbound asks for sockets whose local port is one that the kernel chooses: what
// came in never leaves the kernel. Listeners in the range are sorted out later.
func (c *census) outbound(states sockdiag.States) sockdiag.Query {
	if c.ephemeral == (portRange{}) {
		return sockdiag.Query{States: states}
	}
	return sockdiag.Query{States: states, LocalPorts: []sockdiag.Ports{{First: c.ephemeral.first, Last: c.ephemeral.last}}}
}

// states counts sockets by state, each as add does, and tells whether ESTABLISHED
// and TIME-WAIT were computed, not dumped.
func (c *census) states(ctx context.Context, add func(*tally, *sockdiag.Socket)) (arithmetic bool, err error) {
	if c.canCompute() {
		if err := c.dump(ctx, sockdiag.Query{States: dumped}, func(s *sockdiag.Socket) { add(c.count, s) }); err != nil {
			return false, err
		}
		if timeWait, ok := c.count.complete(c.snapshot.Sockstat); ok && c.addUncounted() && c.plausible() {
			so := c.count.result(facts.ByArithmetic)
			if timeWait > 0 {
				word := tcpstate.TimeWait.Info().Word
				so.EitherFamily = facts.StateCounts{word: timeWait}
				delete(so.IPv4, word)
				delete(so.IPv6, word)
			}
			c.snapshot.Sockets = so
			return true, nil
		}
		c.count = newTally(c.ephemeral)
	}
	return false, c.all(ctx, add)
}

// all counts sockets of all states, each as add does.
func (c *census) all(ctx context.Context, add func(*tally, *sockdiag.Socket)) error {
	if err := c.dump(ctx, sockdiag.Query{States: sockdiag.AllStates}, func(s *sockdiag.Socket) { add(c.count, s) }); err != nil {
		return err
	}
	c.snapshot.Sockets = c.count.result(facts.ByDump)
	return nil
}

func (c *census) canCompute() bool {
	return c.snapshot.Sockstat != nil && !c.snapshot.Kernel.Before(facts.CountsTimeWaitByNamespace)
}

// addUncounted adds what sockstat6 leaves out: from Linux 5.6 to 7.0, and in stable
// kernels up to the same change, a socket that speaks MPTCP over IPv6 is counted as
// one of another protocol (net/mptcp/subflow.c, mptcp_subflow_init, which copied
// tcpv6_prot before it was registered; 9b55b253907e). The listeners of a program
// written in Go are of that kind, and so many connections too few are computed.
// Only CurrEstab tells whether this kernel is one of those; where it can be read
// either way the answer is false.
func (c *census) addUncounted() bool {
	counter, known := c.snapshot.Counters["Tcp"]["CurrEstab"]
	listeners := c.count.perState[1][tcpstate.Listen]
	kernel := c.snapshot.Kernel
	if !known || listeners == 0 || kernel.Before(sysctl.Release{Major: 5, Minor: 6}) || !kernel.Before(sysctl.Release{Major: 7}) {
		return true
	}
	missing := counter - c.count.count(tcpstate.Established)
	readings := []int64{missing - c.count.count(tcpstate.CloseWait)} // see plausible
	if kernel.Before(sysctl.Release{Major: 6, Minor: 10}) {
		readings = append(readings, missing)
	}
	readings = slices.Compact(slices.DeleteFunc(readings, func(n int64) bool { return n < 0 || n > listeners }))
	if len(readings) == 1 {
		c.count.perState[1][tcpstate.Established] += readings[0]
	}
	return len(readings) < 2
}

// plausible compares what was computed with another counter of the kernel's:
// CurrEstab is ESTABLISHED, since Linux 6.10 and in stable kernels since with
// CLOSE-WAIT (include/net/tcp.h, tcp_set_state). Between the two readings
// connections come and go.
func (c *census) plausible() bool {
	counter, known := c.snapshot.Counters["Tcp"]["CurrEstab"]
	established := c.count.count(tcpstate.Established)
	near := func(n int64) bool {
		distance := n - counter
		return max(distance, -distance) <= 200+n/20
	}
	return !known || near(established) || near(established+c.count.count(tcpstate.CloseWait))
}

// DefaultQueuesAbove is the number of sockets above which half-open connections
// are not counted by listener, nor programs of listeners looked for. The kernel
// lists the listeners in no time; for those in SYN-RECV it walks the whole table
// of connections.
const DefaultQueuesAbove = 20_000

// queues counts listeners and, if there are not too many sockets in the table,
// half-open connections.
func (c *census) queues(ctx context.Context) error {
	if err := c.listeners(ctx); err != nil {
		return err
	}
	if c.tooManyOnHost() == "" {
		c.count.synRecv = map[netip.AddrPort]int64{}
		if err := c.dump(ctx, sockdiag.Query{States: sockdiag.Of(tcpstate.SynRecv)}, c.count.add); err != nil {
			return err
		}
	}
	c.snapshot.Sockets = c.count.result(facts.ByDump)
	return nil
}

// tooManyOnHost says why the table of connections is not walked, if there are too
// many: all namespaces share one. Sockets in TIME-WAIT of others are in no
// counter.
func (c *census) tooManyOnHost() string {
	stat := c.snapshot.Sockstat
	if stat == nil {
		return "not counted, as it is not known how many sockets the kernel would have to go through"
	}
	if sockets := stat.Alloc + stat.TimeWait; sockets > c.sampleAbove {
		return fmt.Sprintf("not counted among the host's %d sockets, more than the %d of --sample-above", sockets, c.sampleAbove)
	}
	return ""
}

// tooManyHere says why programs are not looked for, if the namespace has too many
// sockets.
func (c *census) tooManyHere() string {
	if c.snapshot.Sockstat == nil || c.connected() <= c.sampleAbove {
		return ""
	}
	return fmt.Sprintf("not looked for beside %d sockets, more than the %d of --sample-above", c.connected(), c.sampleAbove)
}

// nameAllListeners names the programs of all listeners, and says what of them
// was not looked for or not found.
func (c *census) nameAllListeners() {
	if c.snapshot.Sockets == nil {
		return
	}
	all := make([]*listener, len(c.count.listeners))
	for i := range all {
		all[i] = &c.count.listeners[i]
	}
	var unseen []string
	if c.count.synRecv == nil {
		unseen = append(unseen, "SYN-RECV: "+c.tooManyOnHost())
	}
	why, descriptors := c.tooManyHere(), int64(0)
	if why == "" {
		descriptors = max(c.sampleAbove, DefaultDescriptors)
	}
	notFound := c.nameListeners(all, descriptors)
	if why = cmp.Or(why, notFound); why != "" {
		unseen = append(unseen, "program: "+why)
	}
	c.snapshot.Sockets.Listeners, c.snapshot.Sockets.Unseen = c.count.described(), strings.Join(unseen, "; ")
}

// listeners counts listeners and nothing else; the kernel walks no table of
// connections for that.
func (c *census) listeners(ctx context.Context) error {
	c.count.synRecv = nil
	return c.dump(ctx, sockdiag.Query{States: sockdiag.Of(tcpstate.Listen)}, c.count.add)
}

// destinations counts by destination and nothing else.
func (c *census) destinations(ctx context.Context) error {
	if err := c.listeners(ctx); err != nil {
		return err
	}
	c.snapshot.Sockets = c.count.result(facts.ByDump)
	if c.canCompute() && c.ephemeral != (portRange{}) && c.connected() > max(c.sampleAbove, sampleSize) {
		return c.sampledDestinations(ctx)
	}
	if err := c.dump(ctx, c.outbound(sockdiag.AllStates&^unconnected), c.count.addDestination); err != nil {
		return err
	}
	c.snapshot.Sockets = c.count.result(facts.ByDump)
	return nil
}

// ends counts sockets that only their program can end, or could have, by owner.
func (c *census) ends(ctx context.Context) error {
	if err := c.dump(ctx, sockdiag.Query{States: ending}, c.count.add); err != nil {
		return err
	}
	c.snapshot.Sockets = c.count.result(c.source)
	return nil
}

// Sockets looks at the sockets of the calling thread's namespace, or that of the
// options, broken down one way, and at the parameters that the answer needs. It
// fails as [Host] does.
func Sockets(ctx context.Context, o Options, by facts.Breakdown) (s *facts.Snapshot, err error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	return s, l.enter(func() (err error) {
		if l.BPF != nil && by == facts.ByProgram {
			here, err := netns.Here()
			if err != nil {
				return err
			}
			l.walk(ctx, by, uint32(here.ID.Inode))
			defer l.walked.close()
		}
		s, err = l.brokenDown(ctx, by)
		return err
	})
}

func (l *look) brokenDown(ctx context.Context, by facts.Breakdown) (*facts.Snapshot, error) {
	here, err := netns.Here()
	if err != nil {
		return nil, err
	}
	s := l.bare(here.ID)
	needed := map[facts.Breakdown][]sysctl.Key{
		facts.ByListener:    {"net.core.somaxconn"},
		facts.ByDestination: {"net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_timestamps"},
	}[by]
	for _, key := range needed {
		s.Sysctls[key] = reading(l.tree, key)
	}
	c := newCensus(s, l.SampleAbove)
	switch by {
	case facts.ByListener:
		sockstat(s)
		c.sampleAbove = cmp.Or(l.SampleAbove, DefaultQueuesAbove)
		if err = c.take(ctx, c.queues); err == nil {
			c.nameAllListeners()
		}
	case facts.ByDestination:
		sockstat(s)
		err = c.take(ctx, c.destinations)
	case facts.ByProgram:
		l.walked.listed(c, uint32(here.ID.Inode))
		if err = c.take(ctx, c.ends); err == nil && s.Sockets != nil {
			s.Sockets.Owners = c.count.owners.attribute(cmp.Or(l.SampleAbove, DefaultDescriptors), l.walked.descriptors())
			if n := c.count.unaccepted; n > 0 {
				s.Sockets.Owners = append(s.Sockets.Owners, facts.Ownership{State: facts.OwnedUnaccepted, Sockets: n, Top: []facts.Owner{},
					Reason: "no program has accepted them yet; --by listener shows the queues"})
			}
		}
	default:
		if l.walked.counted(ctx, c, uint32(here.ID.Inode)) {
			return s, nil
		}
		counters := sample{map[string]facts.Counters{}, map[facts.Part]facts.Gap{}}
		counters.table(netns.ThreadDir()+"/net/snmp", facts.PartSNMP)
		s.Counters = counters.groups
		sockstat(s)
		err = c.take(ctx, func(ctx context.Context) error {
			_, err := c.states(ctx, (*tally).addState)
			return err
		})
	}
	return s, err
}
