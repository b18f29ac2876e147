package facts

import (
	"time"

	"github.com/tcptune/tcptune/sysctl"
)

// Lasts tells how long a setting of a parameter lasts, at least, on the host of
// the snapshot: of one that counts retries, or of net.ipv4.tcp_fin_timeout. It is
// nil for every other parameter.
func (s *Snapshot) Lasts(key sysctl.Key) func(setting int64) time.Duration {
	rtoMax := sysctl.MaxRTO
	if ms, known := s.number("net.ipv4.tcp_rto_max_ms"); known {
		rtoMax = time.Duration(max(ms, 1)) * time.Millisecond
	}
	linear, _ := s.number("net.ipv4.tcp_syn_linear_timeouts") // 0 where there is none
	switch key {
	case "net.ipv4.tcp_syn_retries":
		return func(n int64) time.Duration { return sysctl.ConnectTimeout(bounded(n), linear, rtoMax) }
	case "net.ipv4.tcp_synack_retries":
		return func(n int64) time.Duration { return sysctl.SynAckTimeout(bounded(n), rtoMax) }
	case "net.ipv4.tcp_retries2":
		return func(n int64) time.Duration { return sysctl.RetryTimeout(bounded(n), rtoMax) }
	case "net.ipv4.tcp_orphan_retries":
		return func(n int64) time.Duration { return sysctl.OrphanTimeout(bounded(n), rtoMax) }
	case "net.ipv4.tcp_fin_timeout":
		return func(n int64) time.Duration { return sysctl.FinWait2Timeout(inSeconds(n)) }
	}
	return nil
}

// number is the content of a parameter of one number, bounded, and whether it is
// known.
func (s *Snapshot) number(key sysctl.Key) (n int64, known bool) {
	ints, err := s.Sysctls[key].Value.Ints()
	if err != nil || len(ints) != 1 {
		return 0, false
	}
	return bounded(ints[0]), true
}

// bounded keeps a number within what arithmetic in nanoseconds can take; no
// parameter of one number holds more.
func bounded(n int64) int64 { return min(max(n, -1<<31), 1<<31) }

func inSeconds(n int64) time.Duration { return time.Duration(bounded(n)) * time.Second }

// seconds computes how long things last.
func (d *deriver) seconds() {
	for name, key := range map[Name]sysctl.Key{
		"seconds.connect": "net.ipv4.tcp_syn_retries", "seconds.synack": "net.ipv4.tcp_synack_retries", "seconds.established": "net.ipv4.tcp_retries2",
		"seconds.orphan": "net.ipv4.tcp_orphan_retries", "seconds.fin_wait2": "net.ipv4.tcp_fin_timeout",
	} {
		if setting, gap := d.vector(key, 1); setting == nil {
			d.miss(name, gap)
		} else {
			d.set(name, d.snapshot.Lasts(key)(setting[0]).Seconds(), "computed from "+string(key))
		}
	}
	var keepalive [3]int64
	for i, key := range []sysctl.Key{"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"} {
		setting, gap := d.vector(key, 1)
		if setting == nil {
			d.miss("seconds.keepalive", gap)
			return
		}
		keepalive[i] = setting[0]
	}
	noticed := sysctl.KeepaliveTimeout(inSeconds(keepalive[0]), inSeconds(keepalive[1]), bounded(keepalive[2]))
	d.set("seconds.keepalive", noticed.Seconds(), "computed from net.ipv4.tcp_keepalive_time")
}
