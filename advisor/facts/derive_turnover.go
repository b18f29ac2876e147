package facts

import (
	"math"

	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// steady is by how much two measures of a constant rate may differ: the timers of
// TIME-WAIT end in bunches of seconds (kernel/time/timer.c), and load varies.
const steady = 0.25

// countsOnEntry is the first release that counts TcpExt TW when a socket enters
// TIME-WAIT; 5.17 and earlier do when it leaves (net/ipv4/inet_timewait_sock.c,
// __inet_twsk_schedule and tw_timer_handler). While load is steady both are the
// same.
var countsOnEntry = sysctl.Release{Major: 5, Minor: 18}

// turnover computes how fast sockets pass through states.
func (d *deriver) turnover() {
	s := d.snapshot
	for _, name := range []Name{"turnover.time_wait_ahead", "turnover.time_wait_steady", "turnover.connected_per_second", "turnover.accepted_per_second", "turnover.opened_per_second", "turnover.established_seconds"} {
		d.miss(name, Gap{Cause: sysctl.NotMeasured, Detail: "needs --interval"})
	}
	estimate, known := 0.0, s.Sockstat != nil
	if known {
		estimate = float64(s.Sockstat.TimeWait) / sysctl.TimeWait.Seconds()
		d.set("turnover.time_wait_estimate", estimate, "estimated from sockstat")
		d.set("turnover.time_wait_per_second", estimate, "estimated from sockstat")
	} else {
		d.missPrefix("turnover.time_wait_", d.gap(PartSockstat))
	}
	if s.Window == nil || s.Window.Seconds <= 0 {
		return
	}
	d.opened()
	if !known {
		return
	}
	if s.Counters["TcpExt"] == nil {
		for _, name := range []Name{"turnover.time_wait_ahead", "turnover.time_wait_steady"} {
			d.miss(name, d.gap(PartNetstat))
		}
		return
	}
	increase := s.Window.Increase["TcpExt"]
	entered := increase["TW"] + increase["TWKilled"]
	if s.Kernel.Before(countsOnEntry) {
		// Those are the ones that expired. As many have come, and those that
		// connect() took over, and by how many they grew.
		entered += increase["TWRecycled"] + s.Window.TimeWaitGrowth
	}
	source := d.window()
	rate := float64(max(0, entered)) / s.Window.Seconds
	d.set("turnover.time_wait_per_second", rate, source)
	d.set("turnover.time_wait_ahead", int64(math.Round(rate*sysctl.TimeWait.Seconds())), source)
	d.set("turnover.time_wait_steady", math.Abs(rate-estimate) <= steady*max(rate, estimate), source)
}

// opened computes how long connections last from how many there are and how many
// are opened (Little's law). Where both ends are here both are counted, of those
// that there are and of those that are opened.
func (d *deriver) opened() {
	s := d.snapshot
	if s.Counters["Tcp"] == nil {
		for _, name := range []Name{"turnover.connected_per_second", "turnover.accepted_per_second", "turnover.opened_per_second", "turnover.established_seconds"} {
			d.miss(name, d.gap(PartSNMP))
		}
		return
	}
	increase := s.Window.Increase["Tcp"]
	// AttemptFails has half-open connections that the client reset as well
	// (net/ipv4/tcp_minisocks.c, tcp_check_req), which are not in PassiveOpens: they
	// must not eat up what was accepted.
	connected := float64(max(0, increase["ActiveOpens"]-increase["AttemptFails"])) / s.Window.Seconds
	accepted := float64(max(0, increase["PassiveOpens"])) / s.Window.Seconds
	opened := connected + accepted
	d.set("turnover.connected_per_second", connected, d.window())
	d.set("turnover.accepted_per_second", accepted, d.window())
	d.set("turnover.opened_per_second", opened, d.window())
	switch {
	case s.Sockets == nil:
		d.miss("turnover.established_seconds", d.gap(PartSockets))
	case opened == 0:
		d.miss("turnover.established_seconds", Gap{Cause: sysctl.NotMeasured, Detail: "none was opened meanwhile"})
	default:
		d.set("turnover.established_seconds", float64(s.Sockets.Of(tcpstate.Established))/opened, d.window())
	}
}
