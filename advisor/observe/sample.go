package observe

import (
	"context"
	"math"
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

const (
	// screenSize is the sample that tells whether destinations need be counted.
	screenSize = 2000
	// sampleSize is the sample from which destinations are estimated: one that
	// holds a tenth of all sockets is found within some 4 %.
	sampleSize = 20_000
)

// ScreenAbove is the number of sockets above which a judgement begins with the
// sample that tells whether destinations need be counted.
const ScreenAbove = 2 * screenSize

// DefaultSampleAbove is the number of sockets above which destinations are
// estimated from a sample: up to it, counting them takes less than half a second
// of processor time.
const DefaultSampleAbove = 500_000

// DefaultDescriptors is the number of descriptors above which programs are
// estimated from some of them: each costs some three microseconds, and the kernel
// memory for its name.
const DefaultDescriptors = 50_000

// perStripe is how many sockets are looked at in one part of the port range. The
// kernel gives out every second port in a row (net/ipv4/inet_hashtables.c,
// __inet_hash_connect), and a row may lie between two parts; many parts cost it
// time, at each socket.
const perStripe = 250

// neighbours is the first release that keeps connections to one destination side
// by side in its hash table, in the order of their ports: it adds the local port
// to the hash of the rest (net/ipv4/inet_hashtables.c, inet_ehashfn; 9544d60a2605).
// Up to then all four were hashed together.
var neighbours = sysctl.Release{Major: 6, Minor: 15}

// A socketSample is the destinations of some sockets.
type socketSample struct {
	*spread
	looked int64
	scale  float64 // how many sockets each of them stands for
	missed int     // between two stripes, at most
}

// connected is how many sockets there are that neither listen nor wait for one
// to be made, by the kernel's counters.
func (c *census) connected() int64 {
	stat := c.snapshot.Sockstat
	return max(0, stat.InUse+stat.InUse6+stat.TimeWait-int64(len(c.count.listeners)))
}

// sample looks at about so many sockets, or fewer.
func (c *census) sample(ctx context.Context, size int) (socketSample, error) {
	if c.snapshot.Kernel.Before(neighbours) {
		if s, fair, err := c.first(ctx, size); fair || err != nil {
			return s, err
		}
	}
	return c.striped(ctx, size)
}

// first looks at the first sockets of the hash table, for which the kernel need
// not walk the rest, and tells whether they are a fair sample. A vendor may have
// taken over the younger hash: where the sockets themselves do not show which one
// it is, such a kernel is not relied upon.
func (c *census) first(ctx context.Context, size int) (s socketSample, fair bool, err error) {
	s = socketSample{spread: newSpread(spreadSize), scale: 1}
	o := order{last: map[destination]uint16{}}
	fetched := 0
	err = c.dump(ctx, sockdiag.Query{States: sockdiag.AllStates &^ unconnected, Limit: size}, func(socket *sockdiag.Socket) {
		fetched++
		if c.count.isOutbound(socket) {
			o.add(s.look(socket), socket.Local.Port())
		}
	})
	if fetched >= size {
		s.scale = max(1, float64(c.connected())/float64(fetched))
	}
	if o.pairs < enoughPairs {
		return s, c.snapshot.Kernel.Vendor() == "", err
	}
	return s, !o.rises(), err
}

// striped looks at the sockets whose local port is in one of some stripes of the
// range. The kernel walks its whole table for that.
func (c *census) striped(ctx context.Context, size int) (socketSample, error) {
	all := int(c.ephemeral.last) - int(c.ephemeral.first) + 1
	wanted := min(all, max(64, int(int64(all)*int64(size)/max(1, c.connected()))))
	n := max(1, min(size/perStripe, wanted/2))
	// An even width has both kinds of ports.
	wide, width := all/n, max(2, (wanted/n+1)&^1)
	query := sockdiag.Query{States: sockdiag.AllStates &^ unconnected}
	for i := range n {
		first := int(c.ephemeral.first) + i*wide
		query.LocalPorts = append(query.LocalPorts, sockdiag.Ports{First: uint16(first), Last: uint16(min(first+width-1, int(c.ephemeral.last)))})
	}
	s := socketSample{spread: newSpread(spreadSize), scale: max(1, float64(all)/float64(n*width)), missed: wide / 2}
	err := c.dump(ctx, query, func(socket *sockdiag.Socket) {
		if c.count.isOutbound(socket) {
			s.look(socket)
		}
	})
	return s, err
}

// look counts a socket and tells where it goes.
func (s *socketSample) look(socket *sockdiag.Socket) destination {
	d := destination{socket.Local.Addr(), socket.Remote}
	s.looked++
	s.add(d, socket.State == tcpstate.TimeWait)
	return d
}

// enoughPairs are as many sockets, each behind another that goes to the same
// destination, as show an order.
const enoughPairs = 24

// An order is that of the local ports of sockets to one destination as they lie in
// the hash table, modulo the size of that, which is a power of two.
type order struct {
	last   map[destination]uint16
	pairs  int
	rising [13]int // of the pairs, modulo 16, 32, ... 65536
}

func (o *order) add(d destination, port uint16) {
	if last, known := o.last[d]; known {
		o.pairs++
		for i := range o.rising {
			if mask := uint16(1<<(i+4) - 1); last&mask <= port&mask {
				o.rising[i]++
			}
		}
	}
	o.last[d] = port
}

// rises: by chance half of the pairs do.
func (o *order) rises() bool { return slices.Max(o.rising[:]) > o.pairs*3/4 }

func (c *census) sampledDestinations(ctx context.Context) error {
	s, err := c.sample(ctx, sampleSize)
	if err == nil {
		c.snapshot.Sockets.Outbound = s.result()
	}
	return err
}

// mayHold tells whether one destination can hold so many sockets, unless chance
// played a trick of three standard deviations.
func (s socketSample) mayHold(sockets float64) bool {
	most := 0.0
	for _, e := range s.entries {
		most = max(most, float64(e.sockets))
	}
	return (most+4.5+3*math.Sqrt(most+2.25))*s.scale+float64(s.missed) >= sockets
}

func (s socketSample) result() facts.Spread {
	result := s.spread.result(spreadTop)
	if s.scale <= 1 {
		return result
	}
	scale := func(n int64) int64 { return int64(math.Round(float64(n) * s.scale)) }
	result.Exact, result.Sockets = false, scale(result.Sockets)
	result.Sample = &facts.Sample{Looked: s.looked, Of: scale(s.looked)}
	most := int64(0)
	for i, target := range result.Top {
		most = max(most, target.Sockets)
		result.Top[i].Sockets, result.Top[i].TimeWait = scale(target.Sockets), scale(target.TimeWait)
	}
	// Twice the standard deviation of a sample without replacement.
	deviation := math.Sqrt(float64(max(most, 1)) * (1 - 1/s.scale))
	result.Error = scale(result.Error) + int64(math.Ceil(2*deviation*s.scale)) + int64(s.missed)
	return result
}
