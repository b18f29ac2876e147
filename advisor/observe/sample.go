package observe

import (
	"context"
	"math"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
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

// stripes are how many parts of the port range a sample is taken from.
const stripes = 8

// A socketSample is the destinations of sockets whose local port is in one of
// some stripes of the range. The first sockets of the hash table would cost less
// and be no fair sample: since Linux 6.15 the connections to one destination are
// neighbours in it, in the order of their ports (net/ipv4/inet_hashtables.c,
// inet_ehashfn).
type socketSample struct {
	*spread
	looked     int64
	ports, all int // of the range: looked at, and there are
}

// connected is how many sockets there are that neither listen nor wait for one
// to be made, by the kernel's counters.
func (c *census) connected() int64 {
	stat := c.snapshot.Sockstat
	return max(0, stat.InUse+stat.InUse6+stat.TimeWait-int64(len(c.count.listeners)))
}

// sample looks at about so many sockets, or fewer.
func (c *census) sample(ctx context.Context, size int) (socketSample, error) {
	s := socketSample{spread: newSpread(spreadSize), all: int(c.ephemeral.last) - int(c.ephemeral.first) + 1}
	wide := s.all / stripes
	width := min(wide, max(8, int(int64(wide)*int64(size)/max(1, c.connected()))))
	query := sockdiag.Query{States: sockdiag.AllStates &^ unconnected}
	for i := range stripes {
		first := int(c.ephemeral.first) + i*wide
		query.LocalPorts = append(query.LocalPorts, sockdiag.Ports{First: uint16(first), Last: uint16(first + max(1, width) - 1)})
		s.ports += max(1, width)
	}
	err := c.dump(ctx, query, func(socket *sockdiag.Socket) {
		if c.count.isOutbound(socket) {
			s.looked++
			s.add(destination{socket.Local.Addr(), socket.Remote}, socket.State == tcpstate.TimeWait)
		}
	})
	return s, err
}

func (c *census) sampledDestinations(ctx context.Context) error {
	s, err := c.sample(ctx, sampleSize)
	if err == nil {
		c.snapshot.Sockets.Outbound = s.result()
	}
	return err
}

func (s socketSample) scale() float64 { return max(1, float64(s.all)/float64(s.ports)) }

// mayHold tells whether one destination can hold so many sockets, unless chance
// played a trick of three standard deviations.
func (s socketSample) mayHold(sockets float64) bool {
	most := 0.0
	for _, e := range s.entries {
		most = max(most, float64(e.sockets))
	}
	return (most+4.5+3*math.Sqrt(most+2.25))*s.scale() >= sockets
}

func (s socketSample) result() facts.Spread {
	result := s.spread.result(spreadTop)
	if s.ports >= s.all {
		return result
	}
	scale := func(n int64) int64 { return int64(math.Round(float64(n) * s.scale())) }
	result.Exact, result.Sockets = false, scale(result.Sockets)
	result.Sample = &facts.Sample{Looked: s.looked, Of: scale(s.looked)}
	most := int64(0)
	for i, target := range result.Top {
		most = max(most, target.Sockets)
		result.Top[i].Sockets, result.Top[i].TimeWait = scale(target.Sockets), scale(target.TimeWait)
	}
	// Twice the standard deviation of a sample without replacement.
	deviation := math.Sqrt(float64(max(most, 1)) * (1 - 1/s.scale()))
	result.Error = scale(result.Error) + int64(math.Ceil(2*deviation*s.scale()))
	return result
}
