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
