package observe

import (
	"cmp"
	"container/heap"
	"maps"
	"net/netip"
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
)

// A destination is where sockets go, and from which of our addresses if that
// matters. An IPv6 socket to a v4-mapped address goes where an IPv4 one does, and
// takes the same ports (net/ipv6/tcp_ipv6.c, tcp_v6_connect, which hands over to
// tcp_v4_connect).
type destination struct {
	local  netip.Addr
	remote netip.AddrPort
}

func (d destination) unmapped() destination {
	return destination{d.local.Unmap(), netip.AddrPortFrom(d.remote.Addr().Unmap(), d.remote.Port())}
}

// A spread counts sockets by destination in bounded memory: exactly up to its
// size, and from then on by the Space-Saving algorithm (Metwally, Agrawal and
// El Abbadi, 2005), which never misses a destination that holds more than its
// share and says by how much a count may be too high.
type spread struct {
	size    int
	entries map[destination]*entry
	least   leastFirst // built when the size is reached
	evicted bool
}

type entry struct {
	destination
	sockets, timeWait int64
	surplus           int64 // by how much sockets may be too high
	index             int   // in the heap
}

func newSpread(size int) *spread {
	return &spread{size: size, entries: map[destination]*entry{}}
}

func (s *spread) add(d destination, timeWait bool) {
	d = d.unmapped()
	e, known := s.entries[d]
	switch {
	case known:
	case len(s.entries) < s.size:
		e = &entry{destination: d}
		s.entries[d] = e
		if len(s.entries) == s.size {
			s.least = slices.Collect(maps.Values(s.entries))
			for i, e := range s.least {
				e.index = i
			}
			heap.Init(&s.least)
		}
	default:
		e = s.least[0]
		delete(s.entries, e.destination)
		*e = entry{destination: d, sockets: e.sockets, surplus: e.sockets, index: e.index}
		s.entries[d] = e
		s.evicted = true
	}
	e.sockets++
	if timeWait {
		e.timeWait++
	}
	if s.least != nil {
		heap.Fix(&s.least, e.index)
	}
}

func (s *spread) result(top int) facts.Spread {
	all := slices.Collect(maps.Values(s.entries))
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.sockets, a.sockets), a.local.Compare(b.local), a.remote.Compare(b.remote))
	})
	result := facts.Spread{Distinct: int64(len(all)), Exact: !s.evicted, Top: []facts.Target{}}
	for i, e := range all {
		result.Sockets += e.sockets
		result.Error = max(result.Error, e.surplus)
		if i >= top {
			continue
		}
		target := facts.Target{Destination: e.remote.Addr().String(), Port: int(e.remote.Port()), Sockets: e.sockets, TimeWait: e.timeWait}
		if e.local.IsValid() {
			target.Source = e.local.String()
		}
		result.Top = append(result.Top, target)
	}
	return result
}

// leastFirst is a heap of entries whose first has the fewest sockets.
type leastFirst []*entry

func (h leastFirst) Len() int           { return len(h) }
func (h leastFirst) Less(i, j int) bool { return h[i].sockets < h[j].sockets }
func (h leastFirst) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *leastFirst) Push(any) { panic("a spread's heap does not grow") }
func (h *leastFirst) Pop() any { panic("a spread's heap does not shrink") }
