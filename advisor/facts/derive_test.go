package facts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/sysctl"
)

// derived compares facts of a healthy host on which something is different: a
// number or a text as [facts.Format] prints it, or "?" and the reason why the
// fact is missing.
type derived struct {
	name   string
	kernel string // 6.12 if empty
	host   func(*facts.Snapshot)
	want   map[facts.Name]string
}

func set(values map[sysctl.Key]sysctl.Value) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		for key, value := range values {
			s.Sysctls[key] = facts.Reading{Value: value}
		}
	}
}

func listeners(listeners ...facts.Listener) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) { s.Sockets.Listeners = listeners }
}

func check(t *testing.T, cases []derived) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.kernel == "" {
				c.kernel = "6.12"
			}
			s := factstest.Healthy(c.kernel)
			if c.host != nil {
				c.host(s)
			}
			f := facts.Derive(s)
			for name, want := range c.want {
				if _, declared := facts.Schema()[name]; !declared {
					t.Errorf("no fact is called %s", name)
				}
				v := f.Get(name)
				got := facts.Format(v.Content)
				if v.Missing != nil {
					got = "? " + v.Missing.String()
				}
				if got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestHost(t *testing.T) {
	nothing := func(s *facts.Snapshot) { s.Host = facts.Host{} }
	check(t, []derived{
		{"16 GiB", "6.12", nil, map[facts.Name]string{
			"host.memory_mib": "16012", "host.cpus": "8", "memory.total_pages": "4099081", "host.ehash_buckets": "131072",
		}},
		{"estimated", "5.10", nil, map[facts.Name]string{"host.ehash_buckets": "131072"}},
		{"a shared hash", "", set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_ehash_entries": "-65536"}), map[facts.Name]string{"host.ehash_buckets": "65536"}},
		{"nothing is known", "5.10", nothing, map[facts.Name]string{
			"host.memory_mib": "? not measured (the snapshot holds no host)", "host.cpus": "? not measured (the snapshot holds no host)",
			"memory.total_pages": "? not measured (the snapshot holds no host)", "host.ehash_buckets": "? not measured (the snapshot holds no host)",
			"default.net.ipv4.tcp_max_tw_buckets": "? not measured (the default on this kernel is not known)",
		}},
		{"only the hash is known", "6.12", nothing, map[facts.Name]string{
			"host.memory_mib": "? not measured (the snapshot holds no host)", "host.ehash_buckets": "131072",
		}},
		{"memory cannot be read", "5.10", func(s *facts.Snapshot) {
			s.Host.MemoryKiB = 0
			s.Gaps[facts.PartHost] = facts.Gap{Cause: sysctl.NotPermitted}
		}, map[facts.Name]string{"host.memory_mib": "? not permitted", "host.cpus": "8", "memory.total_pages": "? not permitted"}},
	})
}

func TestParameters(t *testing.T) {
	check(t, []derived{
		{"as they are", "6.12", set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_rmem": "4096\t131072 6291456", "net.core.somaxconn": "-1", "net.ipv4.tcp_syncookies": "on"}), map[facts.Name]string{
			"net.ipv4.tcp_rmem": "4096 131072 6291456", "net.core.somaxconn": "-1", "net.ipv4.tcp_syncookies": `? failed ("on" is not a number)`,
			"default.net.core.somaxconn": "4096", "kernel.release": "6.12", "namespace.initial": "yes",
			"default.net.ipv4.tcp_tw_recycle": "? not measured (the default on this kernel is not known)",
		}},
		{"two numbers for one", "6.12", set(map[sysctl.Key]sysctl.Value{"net.core.somaxconn": "1 2"}), map[facts.Name]string{
			"net.core.somaxconn": `? failed ("1 2" is not a number)`, "listeners.at_cap": `? failed (net.core.somaxconn is "1 2")`,
		}},
		{"not in the snapshot", "6.12", func(s *facts.Snapshot) { delete(s.Sysctls, "net.core.somaxconn") }, map[facts.Name]string{
			"net.core.somaxconn": "? not measured (the snapshot does not hold it)", "default.net.core.somaxconn": "4096",
		}},
	})
}

func TestFiles(t *testing.T) {
	asked := func(s *facts.Snapshot) {
		for i, line := range []string{
			"net.ipv4.tcp_tw_recycle 1", "net.ipv4.tcp_tw_recycle 0", "net.ipv6.tcp_fin_timeout 30", "net.ipv4.tcp_nobody_knows 1",
			"net.ipv4.ip_conntrack_max 65536", "net.ipv4.tcp_syncookies yes",
		} {
			key, value, _ := strings.Cut(line, " ")
			s.Asked = append(s.Asked, facts.Assignment{Key: sysctl.Key(key), Value: sysctl.Value(value), File: "f", Line: i + 1})
		}
	}
	unreadable := func(s *facts.Snapshot) {
		s.Gaps[facts.PartFiles] = facts.Gap{Cause: sysctl.NotPermitted}
	}
	check(t, []derived{
		{"no file asks for anything", "", nil, map[facts.Name]string{
			"asked.net.ipv4.tcp_tw_recycle": "? not set by any file", "line.removed": "? not set by any file", "file.never_read": "? not set by any file",
		}},
		{"the last line counts", "", asked, map[facts.Name]string{
			"asked.net.ipv4.tcp_tw_recycle": "0", "asked.net.ipv4.tcp_syncookies": `? failed ("yes" is not a number)`,
		}},
		{"unless it loses", "", func(s *facts.Snapshot) {
			asked(s)
			s.Asked[1].Loses = "a file says so"
		}, map[facts.Name]string{"asked.net.ipv4.tcp_tw_recycle": "1"}},
		{"a plan asks for what is not there", "", func(s *facts.Snapshot) {
			*s = *s.With(map[sysctl.Key]sysctl.Value{"net.ipv6.tcp_fin_timeout": "30", "net.core.somaxconn": "9000"}, "the plan")
		}, map[facts.Name]string{"net.core.somaxconn": "9000", "asked.net.core.somaxconn": "? not set by any file"}},
		{"one file cannot be read", "", func(s *facts.Snapshot) { asked(s); unreadable(s) }, map[facts.Name]string{
			"asked.net.ipv4.tcp_tw_recycle": "0", "asked.net.ipv4.tcp_tw_reuse": "? not permitted",
		}},
		{"no file can be read", "", unreadable, map[facts.Name]string{
			"asked.net.ipv4.tcp_tw_recycle": "? not permitted", "line.removed": "? not permitted", "file.never_read": "? not permitted",
		}},
	})
}

func TestCounters(t *testing.T) {
	seen := func(window *facts.Window) func(*facts.Snapshot) {
		return func(s *facts.Snapshot) {
			s.Counters["TcpExt"] = facts.Counters{"ListenDrops": 70}
			delete(s.Counters, "softnet")
			s.Window = window
		}
	}
	check(t, []derived{
		{"since boot", "", seen(nil), map[facts.Name]string{
			"totals.TcpExt.ListenDrops": "70", "counters.TcpExt.ListenDrops": "70", "rates.TcpExt.ListenDrops": "? not measured (needs --interval)",
			"counters.TcpExt.ListenOverflows": "? not on this kernel (the kernel does not count TcpExt.ListenOverflows)",
			"totals.softnet.dropped":          "? not measured (the snapshot holds no softnet)",
		}},
		{"over a window", "", seen(&facts.Window{Seconds: 4, Increase: map[string]facts.Counters{"TcpExt": {"ListenDrops": 10}}}), map[facts.Name]string{
			"totals.TcpExt.ListenDrops": "70", "counters.TcpExt.ListenDrops": "10", "rates.TcpExt.ListenDrops": "2.5",
		}},
	})
}

func TestSockets(t *testing.T) {
	check(t, []derived{{"by state and family", "", func(s *facts.Snapshot) {
		s.Sockets.IPv4["time_wait"], s.Sockets.IPv6["time_wait"] = 130, 20
		s.Sockets.IPv4["fin_wait2"], s.Sockets.IPv6["fin_wait2"] = 3, 2
		s.Sockets.Orphans, s.Sockets.FinWait2Orphans, s.Sockets.CloseWaitUnaccepted = 7, 4, 1
	}, map[facts.Name]string{
		"sockets.time_wait": "150", "sockets.ipv4.time_wait": "130", "sockets.ipv6.time_wait": "20", "sockets.total": "577", "sockets.source": "sock_diag",
		"sockets.orphans": "7", "sockets.fin_wait2_orphans": "4", "sockets.fin_wait2_held": "1", "sockets.close_wait_unaccepted": "1",
	}}})
}

func TestMemoryOfSockets(t *testing.T) {
	check(t, []derived{
		{"as read", "", nil, map[facts.Name]string{
			"memory.tcp_pages": "210", "memory.tcp_pressure_pages": "254360", "memory.tcp_max_pages": "381540", "sockstat.inuse": "425", "sockstat.tw": "130",
		}},
		{"not to be had", "", func(s *facts.Snapshot) {
			s.Sockstat = nil
			s.Gaps[facts.PartSockstat] = facts.Gap{Cause: sysctl.NotPermitted}
			s.Sysctls["net.ipv4.tcp_mem"] = facts.Reading{Absent: sysctl.HostWide}
		}, map[facts.Name]string{
			"memory.tcp_pages": "? not permitted", "sockstat.orphan": "? not permitted",
			"memory.tcp_pressure_pages": "? host-wide, not visible in this namespace (net.ipv4.tcp_mem)",
			"memory.tcp_max_pages":      "? host-wide, not visible in this namespace (net.ipv4.tcp_mem)",
		}},
		{"two numbers", "", set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_mem": "1 2"}), map[facts.Name]string{
			"memory.tcp_max_pages": `? failed (net.ipv4.tcp_mem is "1 2")`,
		}},
	})
}

func TestAddressTranslation(t *testing.T) {
	evidence := func(kinds ...string) func(*facts.Snapshot) {
		return func(s *facts.Snapshot) {
			for _, kind := range kinds {
				s.NAT = append(s.NAT, facts.NATEvidence{Kind: kind, Where: "there", What: kind})
			}
		}
	}
	blind := func(host func(*facts.Snapshot)) func(*facts.Snapshot) {
		return func(s *facts.Snapshot) {
			host(s)
			s.Gaps[facts.PartNAT] = facts.Gap{Cause: sysctl.NotPermitted}
		}
	}
	check(t, []derived{
		{"none", "", nil, map[facts.Name]string{"nat.seen": "no", "nat.where": ""}},
		{"tracking alone", "", evidence("conntrack"), map[facts.Name]string{"nat.seen": "no", "nat.where": "conntrack (there)"}},
		{"forwarding", "", evidence("conntrack", "forwarding"), map[facts.Name]string{"nat.seen": "yes", "nat.where": "conntrack (there), forwarding (there)"}},
		{"tables out of sight", "", blind(evidence()), map[facts.Name]string{"nat.seen": "? not permitted", "nat.where": "? not permitted"}},
		{"tracking, and tables out of sight", "", blind(evidence("conntrack")), map[facts.Name]string{"nat.seen": "? not permitted"}},
		{"forwarding, and tables out of sight", "", blind(evidence("forwarding")), map[facts.Name]string{"nat.seen": "yes"}},
	})
}

func TestListeners(t *testing.T) {
	at := func(port int, queue, limit, synRecv int64) facts.Listener {
		return facts.Listener{Address: "::", Port: port, Queue: queue, Limit: limit, SynRecv: &synRecv}
	}
	owned := at(5, 1, 0, 0)
	owned.Program, owned.Unit = "web", "web.service"
	some := listeners(at(1, 128, 128, 4), at(2, 4097, 4096, 9), at(3, 3072, 4096, 9), at(4, 0, 0, 0), owned, at(6, 50, 8192, 0))
	check(t, []derived{
		{"none", "", listeners(), map[facts.Name]string{
			"listeners.count": "0", "listeners.full": "0", "listeners.full_list": "", "listeners.busiest_percent": "0", "listeners.busiest": "none",
			"listeners.syn_recv_most": "0", "listeners.syn_recv_listener": "none",
		}},
		{"a queue admits one more than its limit", "", some, map[facts.Name]string{
			"listeners.count": "6", "listeners.full": "2", "listeners.full_list": "[::]:2 (4097 of 4096, limited by net.core.somaxconn), [::]:5 (1 of 0, web in web.service, limited by the program, or a lower net.core.somaxconn when it began to listen)",
			"listeners.busiest_percent": "100", "listeners.busiest": "[::]:2 (4097 of 4096)",
			"listeners.syn_recv_most": "9", "listeners.syn_recv_listener": "[::]:2",
			"listeners.at_cap": "2", "listeners.at_cap_list": "[::]:2 (4097 of 4096), [::]:3 (3072 of 4096)", "listeners.at_cap_busiest_percent": "100",
			"listeners.below_cap": "3", "listeners.below_cap_list": "[::]:5 (1 of 0, web in web.service), [::]:1 (128 of 128), [::]:4 (0 of 0)", "listeners.below_cap_busiest_percent": "100",
		}},
		{"the cap is not known", "", func(s *facts.Snapshot) {
			some(s)
			s.Sysctls["net.core.somaxconn"] = facts.Reading{Absent: sysctl.NotPermitted}
		}, map[facts.Name]string{
			"listeners.full": "2", "listeners.full_list": "[::]:2 (4097 of 4096), [::]:5 (1 of 0, web in web.service)", "listeners.at_cap": "? not permitted (net.core.somaxconn)", "listeners.below_cap_busiest_percent": "? not permitted (net.core.somaxconn)",
		}},
		{"limits are not known", "", func(s *facts.Snapshot) {
			listeners(at(1, 7, 0, 3))(s)
			s.Sockets.Source, s.Sockets.Approximate = "/proc/net/tcp", true
		}, map[facts.Name]string{
			"listeners.count": "1", "listeners.syn_recv_most": "3",
			"listeners.full":              "? not measured (/proc/net/tcp does not show the limit of a listener)",
			"listeners.busiest_percent":   "? not measured (/proc/net/tcp does not show the limit of a listener)",
			"listeners.at_cap":            "? not measured (/proc/net/tcp does not show the limit of a listener)",
			"listeners.below_cap_list":    "? not measured (/proc/net/tcp does not show the limit of a listener)",
			"listeners.syn_recv_listener": "[::]:1",
		}},
		{"sockets were not counted", "", func(s *facts.Snapshot) { s.Sockets = nil }, map[facts.Name]string{
			"listeners.count": "? not measured (the snapshot holds no sockets)", "syn_sent.most": "? not measured (the snapshot holds no sockets)",
			"ports.busiest.used": "? not measured (the snapshot holds no sockets)", "ports.listening": "? not measured (the snapshot holds no sockets)",
			"sockets.time_wait": "? not measured (the snapshot holds no sockets)", "ports.size": "28232",
		}},
	})
}

func TestPorts(t *testing.T) {
	ports := func(span, reserved sysctl.Value) func(*facts.Snapshot) {
		return set(map[sysctl.Key]sysctl.Value{"net.ipv4.ip_local_port_range": span, "net.ipv4.ip_local_reserved_ports": reserved})
	}
	both := func(first, second func(*facts.Snapshot)) func(*facts.Snapshot) {
		return func(s *facts.Snapshot) { first(s); second(s) }
	}
	check(t, []derived{
		{"the default range", "", nil, map[facts.Name]string{
			"ports.low": "32768", "ports.high": "60999", "ports.size": "28232", "ports.reserved": "0", "ports.same_parity": "no", "ports.per_second": "470.5",
			"ports.services": "0", "ports.services_list": "", "ports.listening": "0", "ports.busiest.used": "40", "ports.busiest.percent": "0",
			"ports.busiest.name": "10.0.0.5:3306 from 10.0.0.1",
		}},
		{"destinations that were not told apart", "", func(s *facts.Snapshot) {
			s.Sockets.Outbound = facts.Spread{Together: true, Sockets: 14_000, Top: []facts.Target{}}
			s.Sockets.EitherFamily = facts.StateCounts{"time_wait": 9000}
			s.Sysctls["net.ipv4.tcp_tw_reuse"] = facts.Reading{Value: "1"}
		}, map[facts.Name]string{
			"ports.busiest.used": "14000", "ports.busiest.percent": "49", "ports.busiest.name": "all destinations together, at most", "ports.busiest.time_wait": "9130", "ports.busiest.reusable": "9130",
		}},
		{"all of it reserved", "", ports("40000 40002", "40000-50000"), map[facts.Name]string{
			"ports.size": "0", "ports.reserved": "3", "ports.same_parity": "yes", "ports.per_second": "0", "ports.busiest.percent": "4000",
		}},
		{"services", "", ports("2379 3306", "2379,3128"), map[facts.Name]string{
			"ports.services": "3", "ports.services_list": "2379-2380 (etcd), 3260 (iSCSI), 3306 (MySQL)",
		}},
		{"most of a service's ports are reserved", "", ports("30000 60999", "30005-32767"), map[facts.Name]string{
			"ports.services": "5", "ports.services_list": "30000-32767 (Kubernetes NodePorts)",
		}},
		{"listeners in the range", "", both(ports("1024 1030", "1026"), listeners(
			facts.Listener{Address: "::", Port: 1030}, facts.Listener{Address: "::", Port: 1024}, facts.Listener{Address: "0.0.0.0", Port: 1024},
			facts.Listener{Address: "::", Port: 1026}, facts.Listener{Address: "::", Port: 1023}, facts.Listener{Address: "::", Port: 1031},
		)), map[facts.Name]string{"ports.listening": "2", "ports.listening_list": "1024, 1030"}},
		{"more listeners than a sentence holds", "", both(ports("1024 1030", ""), listeners(
			facts.Listener{Port: 1024}, facts.Listener{Port: 1025}, facts.Listener{Port: 1026}, facts.Listener{Port: 1027}, facts.Listener{Port: 1028},
		)), map[facts.Name]string{"ports.listening_list": "1024, 1025, 1026 and 2 more"}},
		{"a kernel without reserved ports", "", both(ports("40000 40009", ""), func(s *facts.Snapshot) {
			s.Sysctls["net.ipv4.ip_local_reserved_ports"] = facts.Reading{Absent: sysctl.NotYet}
		}), map[facts.Name]string{"ports.size": "10"}},
		{"reserved ports out of sight", "", func(s *facts.Snapshot) {
			s.Sysctls["net.ipv4.ip_local_reserved_ports"] = facts.Reading{Absent: sysctl.NotPermitted}
		}, map[facts.Name]string{"ports.size": "? not permitted (net.ipv4.ip_local_reserved_ports)", "ports.busiest.percent": "? not permitted (net.ipv4.ip_local_reserved_ports)"}},
		{"nonsense", "", ports("1024 2048", "x"), map[facts.Name]string{
			"ports.services": `? failed (net.ipv4.ip_local_reserved_ports: "x" is not a port or a range of ports such as 8080 or 9000-9010)`,
		}},
		{"range out of sight", "", func(s *facts.Snapshot) {
			s.Sysctls["net.ipv4.ip_local_port_range"] = facts.Reading{Absent: sysctl.NotPermitted, Detail: "EACCES"}
		}, map[facts.Name]string{"ports.low": "? not permitted (net.ipv4.ip_local_port_range: EACCES)"}},
		{"no connections from here", "", func(s *facts.Snapshot) { s.Sockets.Outbound = facts.Spread{} }, map[facts.Name]string{
			"ports.busiest.used": "0", "ports.busiest.name": "none",
		}},
	})
}

func TestReusablePorts(t *testing.T) {
	for _, c := range []struct {
		kernel, reuse, timestamps, source, destination string
		want                                           string
	}{
		{"6.12", "0", "1", "10.0.0.1", "10.0.0.2", "0"},
		{"6.12", "1", "1", "10.0.0.1", "10.0.0.2", "10"},
		{"6.12", "1", "0", "10.0.0.1", "10.0.0.2", "0"},
		{"6.12", "1", "2", "10.0.0.1", "10.0.0.2", "10"},
		{"6.12", "2", "1", "10.0.0.1", "10.0.0.2", "0"},
		{"6.12", "2", "1", "127.0.0.1", "127.0.0.1", "10"},
		{"6.12", "2", "1", "10.0.0.1", "127.0.0.1", "10"},
		{"6.12", "2", "1", "::1", "fd00::1", "10"},
		{"6.12", "2", "1", "10.0.0.1", "no address", "0"},
		{"4.17", "2", "1", "10.0.0.1", "10.0.0.2", "10"},
		{"4.18", "2", "1", "10.0.0.1", "10.0.0.2", "0"},
	} {
		name := fmt.Sprintf("tcp_tw_reuse %s, tcp_timestamps %s on %s from %s to %s", c.reuse, c.timestamps, c.kernel, c.source, c.destination)
		check(t, []derived{{name, c.kernel, func(s *facts.Snapshot) {
			set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_tw_reuse": sysctl.Value(c.reuse), "net.ipv4.tcp_timestamps": sysctl.Value(c.timestamps)})(s)
			s.Sockets.Outbound.Top = []facts.Target{{Source: c.source, Destination: c.destination, Port: 80, Sockets: 12, TimeWait: 10}}
		}, map[facts.Name]string{"ports.busiest.used": "12", "ports.busiest.time_wait": "10", "ports.busiest.reusable": c.want}}})
	}
	for _, key := range []sysctl.Key{"net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_timestamps"} {
		check(t, []derived{{"without " + string(key), "", func(s *facts.Snapshot) {
			s.Sysctls[key] = facts.Reading{Absent: sysctl.NotPermitted}
		}, map[facts.Name]string{"ports.busiest.reusable": "? not permitted (" + string(key) + ")"}}})
	}
}

// Ports towards another destination run out behind one with more TIME-WAIT that
// does not stand in the way.
func TestBusiestDestinationIsTheOneThatRunsOut(t *testing.T) {
	local := facts.Target{Source: "127.0.0.1", Destination: "127.0.0.1", Port: 9000, Sockets: 28_100, TimeWait: 28_000}
	remote := facts.Target{Source: "10.0.0.1", Destination: "10.0.0.5", Port: 3306, Sockets: 28_000, TimeWait: 27_000}
	for reuse, want := range map[sysctl.Value]map[facts.Name]string{
		"0": {"ports.busiest.name": local.String(), "ports.busiest.used": "28100", "ports.busiest.reusable": "0"},
		"1": {"ports.busiest.name": remote.String(), "ports.busiest.used": "28000", "ports.busiest.reusable": "27000"},
		"2": {"ports.busiest.name": remote.String(), "ports.busiest.used": "28000", "ports.busiest.reusable": "0"},
	} {
		check(t, []derived{{"tcp_tw_reuse " + string(reuse), "6.12", func(s *facts.Snapshot) {
			set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_tw_reuse": reuse, "net.ipv4.tcp_timestamps": "1"})(s)
			s.Sockets.Outbound.Top = []facts.Target{local, remote}
		}, want}})
	}
}

func TestSynSent(t *testing.T) {
	check(t, []derived{
		{"none", "", nil, map[facts.Name]string{"syn_sent.destinations": "0", "syn_sent.most": "0", "syn_sent.most_percent": "0", "syn_sent.most_name": "none"}},
		{"a dead destination", "", func(s *facts.Snapshot) {
			s.Sockets.IPv4["syn_sent"], s.Sockets.IPv6["syn_sent"] = 30, 10
			s.Sockets.SynSent = facts.Spread{Distinct: 2, Top: []facts.Target{{Destination: "fd00::1", Port: 80, Sockets: 30}, {Destination: "10.0.0.1", Port: 80, Sockets: 10}}}
		}, map[facts.Name]string{"syn_sent.destinations": "2", "syn_sent.most": "30", "syn_sent.most_percent": "75", "syn_sent.most_name": "[fd00::1]:80"}},
	})
}

func TestSeconds(t *testing.T) {
	check(t, []derived{
		{"the kernel's defaults", "6.12", nil, map[facts.Name]string{
			"seconds.connect": "131", "seconds.synack": "63", "seconds.established": "924.6", "seconds.orphan": "102.2", "seconds.fin_wait2": "60", "seconds.keepalive": "7875",
		}},
		{"before linear time-outs", "6.1", nil, map[facts.Name]string{"seconds.connect": "127"}},
		{"a shorter longest time-out", "6.18", set(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_rto_max_ms": "1000"}), map[facts.Name]string{
			"seconds.synack": "6", "seconds.established": "14.4",
		}},
		{"out of sight", "", func(s *facts.Snapshot) {
			s.Sysctls["net.ipv4.tcp_keepalive_intvl"] = facts.Reading{Absent: sysctl.NotPermitted}
		}, map[facts.Name]string{"seconds.keepalive": "? not permitted (net.ipv4.tcp_keepalive_intvl)", "seconds.synack": "63"}},
		{"numbers that no kernel holds", "6.18", set(map[sysctl.Key]sysctl.Value{
			"net.ipv4.tcp_rto_max_ms": "9223372036854775807", "net.ipv4.tcp_fin_timeout": "9223372036854775807", "net.ipv4.tcp_syn_linear_timeouts": "9223372036854775807",
			"net.ipv4.tcp_keepalive_time": "-9223372036854775808",
		}), map[facts.Name]string{"seconds.fin_wait2": "4294967176", "seconds.keepalive": "675"}},
	})
}
