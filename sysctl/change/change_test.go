package change

import (
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

// Each pair of settings is valid in itself; every step between must be, too,
// forward and back.
func TestOrderKeepsThePortsValidAtEachStep(t *testing.T) {
	pairs := []struct{ ports, start sysctl.Value }{
		{"32768\t60999", "1024"}, {"500\t60999", "80"}, {"1024 65535", "1024"}, {"10240 65535", "10240"}, {"1 65535", "0"},
	}
	valid := func(ports, start sysctl.Value) bool {
		p, _ := ports.Ints()
		s, _ := start.Ints()
		return s[0] <= p[0]
	}
	for _, old := range pairs {
		for _, new := range pairs {
			rangeChange := Change{Key: ports, From: old.ports, To: new.ports}
			startChange := Change{Key: start, From: old.start, To: new.start}
			other := Change{Key: fin, From: "60", To: "30"}
			for _, set := range []Set{{rangeChange, other, startChange}, {startChange, other, rangeChange}} {
				given := [3]Change(set)
				ordered := set.inOrder()
				nowPorts, nowStart := old.ports, old.start
				for _, c := range ordered {
					switch c.Key {
					case ports:
						nowPorts = c.To
					case start:
						nowStart = c.To
					}
					if !valid(nowPorts, nowStart) {
						t.Errorf("from %v to %v: %q with start %q on the way", old, new, nowPorts, nowStart)
					}
				}
				if len(ordered) != 3 || ordered[1] != other || nowPorts != new.ports || nowStart != new.start {
					t.Errorf("from %v to %v: ended as %v", old, new, ordered)
				}
				if [3]Change(set) != given {
					t.Errorf("the caller's set was reordered")
				}
			}
		}
	}
}

func TestOrderIsTheCallersOtherwise(t *testing.T) {
	set := Set{{Key: retries}, {Key: ports, From: "32768 60999", To: "1024 65535"}, {Key: fin}, {Key: start, From: "1024", To: "80"}}
	for i, c := range set.inOrder() {
		if c.Key != set[i].Key {
			t.Errorf("%d is %s; either order was valid", i, c.Key)
		}
	}
}

// A service's port is reserved before the range takes it in, and given up after
// the range did.
func TestOrderHandsOutNoPortThatIsToBeReserved(t *testing.T) {
	wide, narrow := sysctl.Value("1024 65535"), sysctl.Value("32768 60999")
	for _, c := range []struct {
		from, to sysctl.Value
		first    sysctl.Key
	}{{narrow, wide, reserved}, {wide, narrow, ports}, {"1024 40000", "30000 65535", reserved}, {narrow, narrow, ports}} {
		rangeChange := Change{Key: ports, From: c.from, To: c.to}
		reservedChange := Change{Key: reserved, From: "", To: "8080"}
		startChange := Change{Key: start, From: "1024", To: "80"}
		for _, set := range []Set{
			{rangeChange, reservedChange}, {reservedChange, rangeChange}, {{Key: fin}, rangeChange, {Key: keep}, reservedChange, {Key: retries}},
			{reservedChange, {Key: fin}, startChange, rangeChange}, {startChange, reservedChange, rangeChange},
		} {
			ordered := set.inOrder()
			if first := ordered.index(reserved) < ordered.index(ports); first != (c.first == reserved) || len(ordered) != len(set) {
				t.Errorf("from %s to %s: %v", c.from, c.to, ordered)
			}
			for _, c := range set {
				if ordered.index(c.Key) < 0 {
					t.Errorf("%s is lost in %v", c.Key, ordered)
				}
			}
		}
	}
}
