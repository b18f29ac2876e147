package facts_test

import (
	"testing"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// What connect() may take over is not in use, where it may.
func TestHeadroomOfPortsFollowsTimeWaitReuse(t *testing.T) {
	target := facts.Target{Destination: "192.0.2.1", Port: 443, Sockets: 950, TimeWait: 900}
	for _, c := range []struct {
		reuse, destination string
		percent            int
		perSecond          float64
	}{
		{"0", "192.0.2.1", 95, 50. / 60},
		{"1", "192.0.2.1", 5, 950},
		{"2", "192.0.2.1", 95, 50. / 60},
		{"2", "127.0.0.1", 5, 950},
	} {
		s := &facts.Snapshot{Kernel: sysctl.Release{Major: 6, Minor: 12}, Sysctls: map[sysctl.Key]facts.Reading{
			"net.ipv4.ip_local_port_range": {Value: "40000\t40999"}, "net.ipv4.ip_local_reserved_ports": {Value: ""},
			"net.ipv4.tcp_tw_reuse": {Value: sysctl.Value(c.reuse)}, "net.ipv4.tcp_timestamps": {Value: "1"},
		}}
		target.Destination = c.destination
		h, gap := s.PortHeadroom(target)
		if gap != (facts.Gap{}) || h.Size != 1000 || h.Percent != c.percent || h.PerSecond != c.perSecond {
			t.Errorf("tcp_tw_reuse = %s towards %s: %+v, %v", c.reuse, c.destination, h, gap)
		}
	}
}
