package observe

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// hash is a made-up table of connections, in no order, that answers as the kernel
// does. Some go to one busy destination, a tenth to many others; the rest came in.
func hash(sockets int, busy func(i int) bool) (dump, *int) {
	fetched := new(int)
	return func(_ context.Context, q sockdiag.Query, visit func(*sockdiag.Socket)) error {
		for i := range sockets {
			if q.States&sockdiag.Of(tcpstate.Established) == 0 {
				return nil
			}
			s := socket(tcpstate.Established, "10.0.0.1:443", "192.0.2.1:1000")
			scattered := scatter(i)
			switch {
			case busy(scattered):
				s = socket(tcpstate.Established, fmt.Sprintf("10.0.0.1:%d", 32768+i%28000), "192.0.2.7:3306")
			case scattered >= 900:
				s = socket(tcpstate.Established, fmt.Sprintf("10.0.0.1:%d", 32768+i%28000), fmt.Sprintf("192.0.2.%d:%d", 10+i%200, 1000+i%50))
			}
			asked := slices.ContainsFunc(q.LocalPorts, func(p sockdiag.Ports) bool { return p.First <= s.Local.Port() && s.Local.Port() <= p.Last })
			if q.LocalPorts != nil && !asked {
				continue
			}
			s.Full = true
			visit(s)
			*fetched++
		}
		return nil
	}, fetched
}

// scatter gives numbers below 1,000, evenly.
func scatter(i int) int { return int(uint32(i) * 2654435761 % 1000) }

func TestDestinationsAreCountedOneByOneOnlyIfPortsMayRunOut(t *testing.T) {
	const sockets = 200_000
	for _, c := range []struct {
		name        string
		inThousand  int // sockets towards the busy destination
		sampleAbove int64
		sampled     int // sockets looked at, at most; 0 if all were counted
	}{
		{"nothing near the range", 2, 0, screenSize},
		{"the same, and the user wants no sample", 2, 1_000_000, 0},
		{"a destination takes all of it", 140, 0, 0},
		{"the same, and the user wants a sample", 140, 1000, sampleSize},
	} {
		table, fetched := hash(sockets, func(i int) bool { return i < c.inThousand })
		s := &facts.Snapshot{Kernel: sysctl.Release{Major: 6}, Gaps: map[facts.Part]facts.Gap{}, Sockstat: &facts.Sockstat{InUse: sockets},
			Sysctls: map[sysctl.Key]facts.Reading{"net.ipv4.ip_local_port_range": {Value: "32768\t60999"}}}
		counts := newCensus(s, c.sampleAbove)
		counts.dump = table
		if err := counts.take(context.Background(), counts.everything); err != nil {
			t.Fatal(err)
		}
		so, most := s.Sockets, s.Sockets.Outbound.Top[0]
		if so.IPv4.Of(tcpstate.Established) != sockets {
			t.Errorf("%s: %d ESTABLISHED", c.name, so.IPv4.Of(tcpstate.Established))
		}
		truth := int64(0)
		for i := range sockets {
			if scatter(i) < c.inThousand {
				truth++
			}
		}
		if off := max(most.Sockets-truth, truth-most.Sockets); off > so.Outbound.Error {
			t.Errorf("%s: %d towards %v, give or take %d, and there are %d", c.name, most.Sockets, most, so.Outbound.Error, truth)
		}
		switch sample := so.Outbound.Sample; {
		case c.sampled == 0 && (sample != nil || !so.Outbound.Exact || most.Sockets != truth):
			t.Errorf("%s: %+v", c.name, so.Outbound)
		case c.sampled > 0 && (sample == nil || so.Outbound.Exact || *fetched > c.sampled):
			t.Errorf("%s: %+v, %d sockets fetched", c.name, so.Outbound, *fetched)
		}
	}
}
