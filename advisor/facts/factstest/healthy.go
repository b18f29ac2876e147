// Package factstest makes snapshots for tests.
package factstest

import (
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// Healthy is a host of 16 GiB with the kernel's defaults, some connections, two
// listeners and counters that have seen nothing bad. The parameters are those
// that the catalogue gives a kernel of that release; connection tracking is not
// loaded. It panics on a release that does not parse.
func Healthy(release string) *facts.Snapshot {
	kernel, err := sysctl.ParseRelease(release)
	if err != nil {
		panic(err)
	}
	s := &facts.Snapshot{
		Schema: facts.SchemaVersion, Version: "test", Kernel: kernel,
		Host:      facts.Host{MemoryKiB: 16396324, PageSize: 4096, CPUs: 8},
		Namespace: facts.Namespace{Initial: true, ID: "net:[4026531840]"},
		Sysctls:   map[sysctl.Key]facts.Reading{},
		Asked:     []facts.Assignment{},
		Managers:  []facts.Manager{},
		Sockets: &facts.Sockets{
			Source: "sock_diag",
			IPv4:   counts(map[tcpstate.State]int64{tcpstate.Established: 420, tcpstate.TimeWait: 130, tcpstate.FinWait2: 3}),
			IPv6:   counts(map[tcpstate.State]int64{tcpstate.Listen: 2}),
			Listeners: []facts.Listener{
				{Address: "::", Port: 22, Limit: 128, SynRecv: new(int64)},
				{Address: "::", Port: 443, Queue: 1, Limit: 511, SynRecv: new(int64)},
			},
			Outbound: facts.Spread{Distinct: 1, Exact: true, Top: []facts.Target{{Source: "10.0.0.1", Destination: "10.0.0.5", Port: 3306, Sockets: 40, TimeWait: 10}}},
			SynSent:  facts.Spread{Exact: true, Top: []facts.Target{}},
		},
		Sockstat:   &facts.Sockstat{InUse: 423, InUse6: 2, TimeWait: 130, Orphan: 0, Alloc: 440, MemPages: 210},
		Everywhere: &facts.Everywhere{Namespaces: 1, Sockets: 555, TimeWait: 130},
		Counters:   map[string]facts.Counters{},
		NAT:        []facts.NATEvidence{},
		Gaps:       map[facts.Part]facts.Gap{facts.PartConntrack: {Cause: sysctl.ModuleMissing, Detail: "connection tracking is not loaded"}},
	}
	for _, param := range sysctl.Catalogue() {
		s.Sysctls[param.Key] = parameter(param, s.SizingHost())
	}
	for group, names := range counterNames(kernel) {
		s.Counters[group] = facts.Counters{}
		for _, name := range names {
			s.Counters[group][name] = 0
		}
	}
	s.Counters["softnet"] = facts.Counters{"dropped": 0}
	return s
}

func parameter(param sysctl.Param, host sysctl.Host) facts.Reading {
	present := sysctl.ReleasesBetween(param.Since, param.Until).Contains(host.Release)
	if !present || param.Module != "" {
		cause, detail := param.WhyAbsent(host.Release, false)
		return facts.Reading{Absent: cause, Detail: detail}
	}
	if value, known := param.Default(host); known {
		return facts.Reading{Value: value}
	}
	// Values that the catalogue does not compute, of a host of 16 GiB.
	switch param.Key {
	case "net.ipv4.tcp_mem":
		return facts.Reading{Value: "190770\t254360\t381540"}
	case "net.ipv4.tcp_rmem":
		return facts.Reading{Value: "4096\t131072\t6291456"}
	case "net.ipv4.tcp_ehash_entries":
		return facts.Reading{Value: "131072"}
	case "net.ipv4.tcp_congestion_control":
		return facts.Reading{Value: "cubic"}
	}
	return facts.Reading{Absent: sysctl.NotMeasured, Detail: "not part of this test"}
}

func counts(some map[tcpstate.State]int64) facts.StateCounts {
	all := facts.StateCounts{}
	for _, info := range tcpstate.All() {
		all[info.Word] = some[info.State]
	}
	return all
}

// counterNames are the counters of the schema that a kernel of that release has,
// as far as rules care: those of tcp_tw_recycle are gone from 4.12.
func counterNames(kernel sysctl.Release) map[string][]string {
	names := map[string][]string{}
	for name := range facts.Schema() {
		parts := strings.SplitN(string(name), ".", 3)
		if parts[0] != "totals" || parts[1] != "Tcp" && parts[1] != "TcpExt" {
			continue
		}
		if parts[2] == "PAWSPassive" && !kernel.Before(sysctl.Release{Major: 4, Minor: 12}) {
			continue
		}
		names[parts[1]] = append(names[parts[1]], parts[2])
	}
	return names
}

// Set gives a parameter a value, as an administrator would: if the kernel lacks
// it then /etc/sysctl.conf asks for it in vain.
func Set(s *facts.Snapshot, key sysctl.Key, value sysctl.Value) {
	if s.Sysctls[key].Absent == "" {
		s.Sysctls[key] = facts.Reading{Value: value}
		return
	}
	s.Asked = append(s.Asked, facts.Assignment{Key: key, Value: value, File: "/etc/sysctl.conf", Line: len(s.Asked) + 1})
}

// BusyServer is the host of an operator who counted its sockets: 89,782
// ESTABLISHED, 7,314 SYN-RECV, 1,443 TIME-WAIT, 1,122 CLOSE-WAIT, and who set
// tcp_tw_recycle, tcp_tw_reuse and tcp_fin_timeout for it.
func BusyServer(release string) *facts.Snapshot {
	s := Healthy(release)
	s.Sockets.IPv4 = counts(map[tcpstate.State]int64{
		tcpstate.Established: 89782, tcpstate.SynRecv: 7314, tcpstate.LastAck: 2372, tcpstate.FinWait1: 2074, tcpstate.TimeWait: 1443,
		tcpstate.CloseWait: 1122, tcpstate.FinWait2: 195, tcpstate.Closing: 9, tcpstate.Listen: 9, tcpstate.SynSent: 3,
	})
	s.Sockets.IPv6 = counts(nil)
	s.Sockets.Orphans, s.Sockets.FinWait2Orphans = 4455, 195
	s.Sockets.Listeners = nil
	for port := 8000; port < 8008; port++ {
		s.Sockets.Listeners = append(s.Sockets.Listeners, facts.Listener{Address: "0.0.0.0", Port: port, Queue: 2, Limit: 128, SynRecv: new(int64)})
	}
	s.Sockets.Listeners = append(s.Sockets.Listeners, facts.Listener{Address: "0.0.0.0", Port: 443, Queue: 60, Limit: 8192, SynRecv: new(int64(7314))})
	s.Sockets.SynSent = facts.Spread{Distinct: 3, Exact: true, Top: []facts.Target{}}
	for i := range 3 {
		s.Sockets.SynSent.Top = append(s.Sockets.SynSent.Top, facts.Target{Destination: fmt.Sprintf("10.0.1.%d", i+1), Port: 3306, Sockets: 1})
	}
	s.Sockstat = &facts.Sockstat{InUse: 95566, TimeWait: 1638, Orphan: 4455, Alloc: 95600, MemPages: 61000}
	s.Boot = &facts.Boot{Loader: "procps", Evidence: "test", Ignored: []facts.BootFile{}}
	WriteDown(s, "net.ipv4.tcp_tw_recycle", "1")
	WriteDown(s, "net.ipv4.tcp_tw_reuse", "1")
	WriteDown(s, "net.ipv4.tcp_fin_timeout", "30")
	return s
}

// WriteDown sets a parameter and puts it into /etc/sysctl.conf.
func WriteDown(s *facts.Snapshot, key sysctl.Key, value sysctl.Value) {
	before := len(s.Asked)
	if Set(s, key, value); len(s.Asked) == before {
		s.Asked = append(s.Asked, facts.Assignment{Key: key, Value: value, File: "/etc/sysctl.conf", Line: before + 1})
	}
}
