package observe

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
)

// place is the i-th of many destinations.
func place(i int) destination {
	return destination{remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)}
}

func TestSpreadOrdersByUseAndThenByAddress(t *testing.T) {
	s := newSpread(10)
	for _, i := range []int{3, 1, 2, 3, 2, 3, 1} {
		s.add(place(i), i == 3)
	}
	own := place(2)
	own.local = netip.MustParseAddr("::ffff:192.0.2.1")
	s.add(own, false)
	want := facts.Spread{Distinct: 4, Exact: true, Sockets: 8, Top: []facts.Target{
		{Destination: "10.0.0.3", Port: 80, Sockets: 3, TimeWait: 3},
		{Destination: "10.0.0.1", Port: 80, Sockets: 2},
		{Destination: "10.0.0.2", Port: 80, Sockets: 2},
	}}
	if diff := cmp.Diff(want, s.result(3)); diff != "" {
		t.Error(diff)
	}
	if all := s.result(10).Top; len(all) != 4 || all[3].Source != "192.0.2.1" {
		t.Errorf("the last is %+v", all)
	}
	if empty := newSpread(10).result(3); empty.Distinct != 0 || !empty.Exact || empty.Top == nil {
		t.Errorf("of nothing: %+v", empty)
	}
}

func TestSpreadIsExactUpToItsSizeAndHonestBeyond(t *testing.T) {
	s := newSpread(100)
	for i := range 100 {
		s.add(place(i), i%2 == 0)
	}
	if r := s.result(5); !r.Exact || r.Distinct != 100 || r.Error != 0 || len(r.Top) != 5 {
		t.Errorf("100 destinations in 100 places: %+v", r)
	}
	for i := range 10_000 {
		s.add(place(i), false)
		s.add(place(424242), false) // half of all
	}
	r := s.result(5)
	if r.Exact || r.Error == 0 {
		t.Errorf("10,001 destinations in 100 places pass for exact: %+v", r)
	}
	if top := r.Top[0]; top.Destination != place(424242).remote.Addr().String() || top.Sockets < 10_000 || top.Sockets > 10_000+r.Error {
		t.Errorf("the busiest is %+v, error %d; want 10,000 sockets of 10.6.121.50", top, r.Error)
	}
}

// What Space-Saving promises, held against a plain count.
func TestSpreadKeepsItsPromises(t *testing.T) {
	const size, sockets = 16, 20_000
	random := rand.New(rand.NewPCG(1, 2))
	s, truth := newSpread(size), map[string]facts.Target{}
	for range sockets {
		d := place(int(random.ExpFloat64() * 8)) // a few are busy, many are not
		timeWait := random.IntN(2) == 0
		s.add(d, timeWait)
		if s.least != nil {
			least := slices.MinFunc(s.least, func(a, b *entry) int { return int(a.sockets - b.sockets) })
			if len(s.least) != size || s.least[0].sockets != least.sockets {
				t.Fatalf("first of %d to go has %d sockets, and another one %d", len(s.least), s.least[0].sockets, least.sockets)
			}
		}
		name := d.remote.Addr().String()
		target := truth[name]
		target.Sockets++
		if timeWait {
			target.TimeWait++
		}
		truth[name] = target
	}
	r := s.result(size)
	if r.Exact || len(truth) <= size || r.Distinct > int64(len(truth)) {
		t.Fatalf("%d of %d destinations, exact: %v", r.Distinct, len(truth), r.Exact)
	}
	if r.Error > sockets/size {
		t.Errorf("error %d is above %d", r.Error, sockets/size)
	}
	kept := map[string]bool{}
	for _, got := range r.Top {
		kept[got.Destination] = true
		if real := truth[got.Destination]; got.Sockets < real.Sockets || got.Sockets > real.Sockets+r.Error || got.TimeWait > real.TimeWait {
			t.Errorf("%s: %+v, really %+v, error %d", got.Destination, got, real, r.Error)
		}
	}
	for name, real := range truth {
		if real.Sockets > sockets/size && !kept[name] {
			t.Errorf("%s with %d sockets is missed", name, real.Sockets)
		}
	}
}
