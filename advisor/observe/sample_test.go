package observe

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// A table is made-up sockets in the order in which the kernel comes by them.
type table struct {
	sockets []sockdiag.Socket
	fetched int
}

func (t *table) dump(_ context.Context, q sockdiag.Query, visit func(*sockdiag.Socket)) error {
	left := q.Limit
	for _, s := range t.sockets {
		asked := q.LocalPorts == nil || slices.ContainsFunc(q.LocalPorts, func(p sockdiag.Ports) bool { return p.First <= s.Local.Port() && s.Local.Port() <= p.Last })
		if !asked || q.States&sockdiag.Of(s.State) == 0 {
			continue
		}
		visit(&s)
		t.fetched++
		if left--; left == 0 {
			break
		}
	}
	return nil
}

// scattered is the bucket of a connection before Linux 6.15, and neighbouring
// since.
func scattered(seed uint64, remote uint64, port uint16, buckets uint64) uint64 {
	return rand.NewPCG(seed, remote<<16|uint64(port)).Uint64() % buckets
}

func neighbouring(seed uint64, remote uint64, port uint16, buckets uint64) uint64 {
	return (scattered(seed, remote, 0, buckets) + uint64(port)) % buckets
}

// made is a table in which some sockets came in and so many, with ports as the
// kernel chooses them, go to 192.0.2.0, 192.0.2.1, ...
func made(seed uint64, hash func(seed uint64, remote uint64, port uint16, buckets uint64) uint64, buckets uint64, inbound int, outbound ...int) *table {
	type slot struct {
		bucket uint64
		socket sockdiag.Socket
	}
	var slots []slot
	add := func(bucket uint64, localPort uint16, remote netip.AddrPort) {
		slots = append(slots, slot{bucket, sockdiag.Socket{Family: unix.AF_INET, State: tcpstate.Established, Full: true, Inode: 1,
			Local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), localPort), Remote: remote}})
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for range inbound {
		client := random.Uint32()
		add(random.Uint64()%buckets, 443, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(client >> 8), byte(client)}), uint16(client>>16)))
	}
	for remote, sockets := range outbound {
		const ports = 60999 - 32768 + 1
		first := random.IntN(ports)
		for i := range sockets { // every second port, and then the others
			port := uint16(32768 + (first+2*i+2*i/ports)%ports)
			add(hash(seed, uint64(remote), port, buckets), port, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2 + byte(remote>>8), byte(remote)}), 3306))
		}
	}
	slices.SortStableFunc(slots, func(a, b slot) int { return cmp.Compare(a.bucket, b.bucket) })
	t := &table{}
	for _, s := range slots {
		t.sockets = append(t.sockets, s.socket)
	}
	return t
}

// over is a census of a made-up table.
func over(t *table, release sysctl.Release, sampleAbove int64, reserved sysctl.Value) *census {
	c := newCensus(&facts.Snapshot{Kernel: release, Gaps: map[facts.Part]facts.Gap{}, Sockstat: &facts.Sockstat{InUse: int64(len(t.sockets))},
		Sysctls: map[sysctl.Key]facts.Reading{"net.ipv4.ip_local_port_range": {Value: "32768\t60999"}, "net.ipv4.ip_local_reserved_ports": {Value: reserved}}}, sampleAbove)
	c.dump, c.count = t.dump, newTally(c.ephemeral)
	return c
}

func each(destinations, sockets int) []int { return slices.Repeat([]int{sockets}, destinations) }

func TestDestinationsAreCountedOneByOneOnlyIfPortsMayRunOut(t *testing.T) {
	const sockets = 200_000
	for _, c := range []struct {
		name        string
		busy        int // sockets towards the busiest destination
		sampleAbove int64
		sampled     int // sockets looked at, about; 0 if all were counted
	}{
		{"nothing near the range", 400, 0, screenSize},
		{"the same, and the user wants no sample", 400, 1_000_000, 0},
		{"a destination takes all of it", 28_000, 0, 0},
		{"the same, and the user wants a sample", 28_000, 1000, sampleSize},
	} {
		for _, release := range []sysctl.Release{{Major: 6, Minor: 1}, {Major: 6, Minor: 18}} {
			hash := scattered
			if !release.Before(neighbours) {
				hash = neighbouring
			}
			outbound := append([]int{c.busy}, each(200, 100)...)
			table := made(7, hash, 1<<18, sockets-c.busy-20_000, outbound...)
			counts := over(table, release, c.sampleAbove, "")
			if err := counts.take(context.Background(), counts.everything); err != nil {
				t.Fatal(err)
			}
			so := counts.snapshot.Sockets
			if so.Outbound.Together {
				t.Errorf("%s, %v: %d sockets could take all ports, and destinations were not told apart", c.name, release, sockets)
				continue
			}
			most := so.Outbound.Top[0]
			if so.IPv4.Of(tcpstate.Established) != sockets {
				t.Errorf("%s, %v: %d ESTABLISHED", c.name, release, so.IPv4.Of(tcpstate.Established))
			}
			truth := int64(c.busy)
			if off := max(most.Sockets-truth, truth-most.Sockets); off > so.Outbound.Error {
				t.Errorf("%s, %v: %d towards %v, give or take %d, and there are %d", c.name, release, most.Sockets, most, so.Outbound.Error, truth)
			}
			switch sample := so.Outbound.Sample; {
			case c.sampled == 0 && (sample != nil || !so.Outbound.Exact || most.Sockets != truth):
				t.Errorf("%s, %v: %+v", c.name, release, so.Outbound)
			case c.sampled > 0 && (sample == nil || so.Outbound.Exact || table.fetched > screenSize+c.sampled):
				t.Errorf("%s, %v: %+v, %d sockets fetched", c.name, release, so.Outbound, table.fetched)
			}
		}
	}
}

// The sockets of a host that together leave half of the ports free need not be
// looked at.
func TestDestinationsAreNotToldApartWhereNoneCanTakeHalfOfThePorts(t *testing.T) {
	const sockets = 10_000
	for _, c := range []struct {
		name        string
		reserved    sysctl.Value
		sampleAbove int64
		snapshot    bool
		together    bool
	}{
		{"10,000 sockets, and 28,232 ports", "", 0, false, true},
		{"of which 8,231 are left to be chosen from", "32768-52768", 0, false, false},
		{"the user wants no sample", "", 1_000_000, false, false},
		{"a snapshot is taken", "", 9_000, true, false},
	} {
		table := made(7, scattered, 1<<18, 0, sockets)
		counts := over(table, sysctl.Release{Major: 6, Minor: 1}, c.sampleAbove, c.reserved)
		counts.tellApart = c.snapshot
		if err := counts.take(context.Background(), counts.everything); err != nil {
			t.Fatal(err)
		}
		outbound := counts.snapshot.Sockets.Outbound
		if outbound.Together != c.together || outbound.Sockets != sockets || c.together != (table.fetched == 0) || c.together != (len(outbound.Top) == 0) {
			t.Errorf("%s: %+v, %d sockets fetched", c.name, outbound, table.fetched)
		}
	}
}

// A leak fills the range with sockets that are in neither of the states that are
// computed.
func TestDestinationsAreToldApartWhereSocketsInOtherStatesMayTakeThePorts(t *testing.T) {
	const leaked = 24_000
	for _, state := range []tcpstate.State{tcpstate.CloseWait, tcpstate.SynSent, tcpstate.FinWait1} {
		table := made(7, scattered, 1<<18, 5000, leaked)
		for i, s := range table.sockets {
			if s.Remote.Port() == 3306 {
				table.sockets[i].State = state
			}
		}
		counts := over(table, sysctl.Release{Major: 6, Minor: 18}, 0, "")
		if err := counts.take(context.Background(), counts.everything); err != nil {
			t.Fatal(err)
		}
		if outbound := counts.snapshot.Sockets.Outbound; outbound.Together || len(outbound.Top) != 1 || outbound.Top[0].Sockets != leaked {
			t.Errorf("%d in %v: %+v", leaked, state, outbound)
		}
	}
}

// The error is twice the standard deviation, which chance exceeds once in twenty.
func TestSampledDestinationsAreWithinTheStatedError(t *testing.T) {
	for _, c := range []struct {
		name    string
		release string
		hash    func(seed uint64, remote uint64, port uint16, buckets uint64) uint64
		buckets uint64
		striped bool
	}{
		{"the hash that scatters", "6.12.9", scattered, 1 << 17, false},
		{"in few buckets", "6.12.9", scattered, 1 << 12, false},
		{"of a vendor", "5.14.0-503.el9.x86_64", scattered, 1 << 17, false},
		{"the hash that makes neighbours", "6.18.1", neighbouring, 1 << 17, true},
		{"in an older release", "5.14.0-700.el9.x86_64", neighbouring, 1 << 17, true},
		{"with more buckets than sockets", "6.1.0", neighbouring, 1 << 22, true},
		{"with fewer buckets than ports", "6.1.0", neighbouring, 1 << 13, true},
	} {
		release, err := sysctl.ParseRelease(c.release)
		if err != nil {
			t.Fatal(err)
		}
		outside, targets := 0, 0
		for seed := range uint64(25) {
			outbound := append([]int{5000, 2500, 1200}, each(30, 100)...)
			table := made(seed, c.hash, c.buckets, 6000, outbound...)
			counts := over(table, release, 0, "")
			s, err := counts.sample(context.Background(), screenSize)
			if err != nil {
				t.Fatal(err)
			}
			if striped := table.fetched > screenSize || int64(table.fetched) == s.looked; striped != c.striped {
				t.Errorf("%s, table %d: %d sockets fetched and %d looked at", c.name, seed, table.fetched, s.looked)
			}
			result := s.result()
			got := map[string]int64{}
			for _, target := range result.Top {
				got[target.Destination] = target.Sockets
			}
			for i, truth := range outbound[:3] {
				targets++
				if off := got[fmt.Sprintf("192.0.2.%d", i)] - int64(truth); max(off, -off) > result.Error {
					outside++
				}
			}
		}
		if outside > targets/10 {
			t.Errorf("%s: %d of %d counts are beyond the stated error", c.name, outside, targets)
		}
	}
}

func TestAVendorsKernelIsNotReliedUponWhereSocketsDoNotShowItsHash(t *testing.T) {
	for suffix, striped := range map[string]bool{"": false, "-503.11.1.el9_5.x86_64": true} {
		release := sysctl.Release{Major: 5, Minor: 14, Suffix: suffix}
		table := made(1, scattered, 1<<17, 50_000, each(400, 1)...) // that few go out
		s, err := over(table, release, 0, "").sample(context.Background(), screenSize)
		if err != nil {
			t.Fatal(err)
		}
		if (table.fetched > screenSize) != striped || s.looked == 0 {
			t.Errorf("%v: %d sockets fetched and %d looked at", release, table.fetched, s.looked)
		}
	}
}

// Whichever hash the running kernel has, a sample tells what is there.
func TestASampleOfTheKernelsSocketsIsFair(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	write(t, map[sysctl.Key]sysctl.Value{"net.ipv4.ip_local_port_range": "30000 32999"})
	truth := map[int]int64{}
	for _, connections := range []int{1200, 700, 300, 50, 50} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		truth[l.Addr().(*net.TCPAddr).Port] = int64(connections)
		for range connections {
			pair(t, l, l.Addr().String())
		}
	}
	s, err := Sockets(context.Background(), Options{}, facts.ByDestination)
	if err != nil {
		t.Fatal(err)
	}
	c := newCensus(s, 0)
	c.count = newTally(c.ephemeral)
	if err := c.listeners(context.Background()); err != nil {
		t.Fatal(err)
	}
	sample, err := c.sample(context.Background(), screenSize)
	if err != nil {
		t.Fatal(err)
	}
	result := sample.result()
	if result.Exact || sample.looked > 1400 {
		t.Errorf("%d sockets were looked at: %+v", sample.looked, result)
	}
	for _, target := range result.Top {
		// Beyond 2.5 times the error, which is five standard deviations, chance does not reach.
		if off := target.Sockets - truth[target.Port]; 2*max(off, -off) > 5*result.Error {
			t.Errorf("port %d: %d sockets, give or take %d, and there are %d", target.Port, target.Sockets, result.Error, truth[target.Port])
		}
		delete(truth, target.Port)
	}
	for port, sockets := range truth {
		if sockets > result.Error {
			t.Errorf("port %d: none of %d sockets was seen", port, sockets)
		}
	}
}
