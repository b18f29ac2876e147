package facts_test

import (
	"testing"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

func TestTurnover(t *testing.T) {
	host := func(timeWait, growth int64, seconds float64, increase map[string]facts.Counters) func(*facts.Snapshot) {
		return func(s *facts.Snapshot) {
			s.Sockstat.TimeWait = timeWait
			s.Sockets.IPv4["established"], s.Sockets.IPv6["established"] = 900, 100
			if seconds > 0 {
				s.Window = &facts.Window{Seconds: seconds, Increase: increase, TimeWaitGrowth: growth}
			}
		}
	}
	const notWatched = "? not measured (needs --interval)"
	check(t, []derived{
		{"once", "", host(6000, 0, 0, nil), map[facts.Name]string{
			"turnover.time_wait_per_second": "100", "turnover.time_wait_estimate": "100", "turnover.time_wait_ahead": notWatched,
			"turnover.time_wait_steady": notWatched, "turnover.opened_per_second": notWatched, "turnover.established_seconds": notWatched,
		}},
		{"as for a minute", "", host(6000, 20, 2, map[string]facts.Counters{
			"TcpExt": {"TW": 150, "TWRecycled": 40, "TWKilled": 10}, "Tcp": {"ActiveOpens": 100, "PassiveOpens": 120, "AttemptFails": 20}},
		), map[facts.Name]string{
			"turnover.time_wait_per_second": "80", "turnover.time_wait_estimate": "100", "turnover.time_wait_ahead": "4800",
			"turnover.time_wait_steady": "yes", "turnover.opened_per_second": "100", "turnover.established_seconds": "10",
			"turnover.connected_per_second": "40", "turnover.accepted_per_second": "60",
		}},
		{"clients that reset what is half-open", "", host(0, 0, 2, map[string]facts.Counters{"Tcp": {"PassiveOpens": 200, "AttemptFails": 9000}}), map[facts.Name]string{
			"turnover.connected_per_second": "0", "turnover.accepted_per_second": "100", "turnover.opened_per_second": "100", "turnover.established_seconds": "10",
		}},
		{"the same on a kernel that counts those that leave", "5.10", host(6000, 20, 2, map[string]facts.Counters{"TcpExt": {"TW": 150, "TWRecycled": 40, "TWKilled": 10}}),
			map[facts.Name]string{"turnover.time_wait_per_second": "110", "turnover.time_wait_ahead": "6600", "turnover.time_wait_steady": "yes"}},
		{"a storm begins", "", host(6000, 4000, 2, map[string]facts.Counters{"TcpExt": {"TW": 4100}, "Tcp": {}}), map[facts.Name]string{
			"turnover.time_wait_per_second": "2050", "turnover.time_wait_ahead": "123000", "turnover.time_wait_steady": "no",
			"turnover.opened_per_second": "0", "turnover.established_seconds": "? not measured (none was opened meanwhile)",
		}},
		{"nothing", "", host(0, 0, 2, nil), map[facts.Name]string{"turnover.time_wait_per_second": "0", "turnover.time_wait_steady": "yes", "turnover.time_wait_ahead": "0"}},
		{"sockstat cannot be read", "", func(s *facts.Snapshot) {
			host(0, 0, 2, nil)(s)
			s.Sockstat = nil
			s.Gaps[facts.PartSockstat] = facts.Gap{Cause: sysctl.NotPermitted}
		}, map[facts.Name]string{"turnover.time_wait_per_second": "? not permitted", "turnover.time_wait_estimate": "? not permitted", "turnover.time_wait_ahead": "? not permitted"}},
		{"netstat cannot be read", "", func(s *facts.Snapshot) {
			host(6000, 0, 2, nil)(s)
			delete(s.Counters, "TcpExt")
			delete(s.Counters, "Tcp")
			s.Gaps[facts.PartNetstat], s.Gaps[facts.PartSNMP] = facts.Gap{Cause: sysctl.NotPermitted}, facts.Gap{Cause: sysctl.NotPermitted}
		}, map[facts.Name]string{
			"turnover.time_wait_per_second": "100", "turnover.time_wait_ahead": "? not permitted", "turnover.time_wait_steady": "? not permitted",
			"turnover.opened_per_second": "? not permitted", "turnover.established_seconds": "? not permitted",
		}},
	})
}

func TestEverywhere(t *testing.T) {
	check(t, []derived{
		{"one namespace", "", func(s *facts.Snapshot) { s.Everywhere = nil }, map[facts.Name]string{"host.sockets": "? not asked for (needs --netns all on the host)"}},
		{"a container", "", func(s *facts.Snapshot) { s.Namespace.Initial = false }, map[facts.Name]string{"host.sockets": "? not asked for (needs --netns all on the host)"}},
		{"all", "", func(s *facts.Snapshot) {
			s.Everywhere = &facts.Everywhere{Namespaces: 4, Sockets: 40, TimeWait: 30, Tracked: 20}
		}, map[facts.Name]string{"host.namespaces": "4", "host.sockets": "40", "host.time_wait": "30", "host.tracked": "20"}},
	})
}
