package rules_test

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// kernels has one on either side of every release at which a verdict changes.
var kernels = []string{"3.10", "4.4", "4.9", "4.11", "4.19", "5.4", "5.10", "6.1", "6.12", "7.2"}

// A saying is advice that is given in public, or a symptom that people search
// for, and what rules make of it.
type saying struct {
	name    string
	kernels string // on which it is judged so; all if empty
	// set is what the advice sets, one "key = value" a line. It stands in
	// /etc/sysctl.conf and, where the kernel takes it, in force.
	set  string
	host func(*facts.Snapshot) // what is to be seen besides
	// fires are the rules that must find it, redundant ones included. Besides them
	// none of severity warning or error may be reported, and none whose name
	// matches a pattern of silent.
	fires  []string
	silent []string
}

// Settings that guides, scripts and configuration repositories recommend.
var advice = []saying{
	{name: "tcp_tw_recycle", kernels: "< 4.10", set: "net.ipv4.tcp_tw_recycle = 1",
		fires: []string{"timewait/recycle"}},
	{name: "tcp_tw_recycle where clients come through NAT", kernels: "< 4.10", set: "net.ipv4.tcp_tw_recycle = 1", host: behindNAT,
		fires: []string{"timewait/recycle", "timewait/recycle-behind-nat"}},
	{name: "tcp_tw_recycle with random timestamps", kernels: ">= 4.10, < 4.12", set: "net.ipv4.tcp_tw_recycle = 1",
		fires: []string{"timewait/recycle-breaks-every-client"}},
	{name: "tcp_tw_recycle after its removal", kernels: ">= 4.12", set: "net.ipv4.tcp_tw_recycle = 1",
		fires: []string{"timewait/recycle-no-longer-exists"}},
	{name: "tcp_tw_recycle = 0 after its removal", kernels: ">= 4.12", set: "net.ipv4.tcp_tw_recycle = 0",
		silent: []string{"timewait/*"}},

	{name: "tcp_fin_timeout = 30 against TIME-WAIT", set: "net.ipv4.tcp_fin_timeout = 30", host: timeWait(1443),
		fires: []string{"finwait/fin-timeout-is-not-time-wait"}},
	{name: "tcp_fin_timeout = 7 against TIME-WAIT", set: "net.ipv4.tcp_fin_timeout = 7", host: timeWait(1443),
		fires: []string{"finwait/fin-timeout-is-not-time-wait"}, silent: []string{"finwait/fin-timeout-near-zero"}},
	{name: "tcp_fin_timeout = 5", set: "net.ipv4.tcp_fin_timeout = 5", host: timeWait(1443),
		fires: []string{"finwait/fin-timeout-is-not-time-wait"}},
	{name: "tcp_fin_timeout = 3", set: "net.ipv4.tcp_fin_timeout = 3",
		fires: []string{"finwait/fin-timeout-near-zero"}},
	{name: "tcp_fin_timeout = 1", set: "net.ipv4.tcp_fin_timeout = 1",
		fires: []string{"finwait/fin-timeout-near-zero"}},

	{name: "tcp_tw_reuse without timestamps", set: "net.ipv4.tcp_tw_reuse = 1\nnet.ipv4.tcp_timestamps = 0",
		fires: []string{"timewait/reuse-without-timestamps", "timestamps/off"}},

	{name: "tcp_max_tw_buckets = 5000", set: "net.ipv4.tcp_max_tw_buckets = 5000",
		fires: []string{"timewait/limit-lowered", "timewait/limit-of-small-host"}},
	{name: "tcp_max_tw_buckets = 6000", set: "net.ipv4.tcp_max_tw_buckets = 6000",
		fires: []string{"timewait/limit-lowered", "timewait/limit-of-small-host"}},
	{name: "tcp_max_tw_buckets = 512 on a host that closes first", set: "net.ipv4.tcp_max_tw_buckets = 512",
		host:  all(timeWait(512), rise("TcpExt.TCPTimeWaitOverflow", 4000)),
		fires: []string{"timewait/limit-lowered", "timewait/near-limit", "timewait/overflow"}},
	{name: "tcp_max_tw_buckets = 1440000", set: "net.ipv4.tcp_max_tw_buckets = 1440000",
		fires: []string{"timewait/limit-far-above-hash", "timewait/limit-above-any-host"}, silent: []string{"timewait/limit-lowered"}},

	{name: "tcp_syncookies = 0", set: "net.ipv4.tcp_syncookies = 0",
		fires: []string{"synrecv/cookies-off"}},

	{name: "tcp_max_syn_backlog alone", kernels: ">= 4.4", set: "net.ipv4.tcp_max_syn_backlog = 262144",
		fires: []string{"listen/syn-backlog-has-no-effect"}},
	{name: "tcp_max_syn_backlog = 3240000 alone", kernels: ">= 4.4", set: "net.ipv4.tcp_max_syn_backlog = 3240000",
		fires: []string{"listen/syn-backlog-has-no-effect"}},
	{name: "tcp_max_syn_backlog alone, where it is part of the limit", kernels: "< 4.4", set: "net.ipv4.tcp_max_syn_backlog = 262144",
		fires: []string{"listen/syn-backlog-above-somaxconn"}, silent: []string{"listen/syn-backlog-has-no-effect"}},

	{name: "somaxconn without the programs", set: "net.core.somaxconn = 65535",
		fires: []string{"listen/somaxconn-unused", "listen/somaxconn-is-a-cap"}},

	{name: "tcp_synack_retries = 1", set: "net.ipv4.tcp_synack_retries = 1",
		fires: []string{"synrecv/synack-retries-too-few"}},
	{name: "tcp_synack_retries = 2", set: "net.ipv4.tcp_synack_retries = 2",
		fires: []string{"synrecv/synack-retries-too-few"}},
	{name: "tcp_syn_retries = 1", set: "net.ipv4.tcp_syn_retries = 1",
		fires: []string{"retries/connect-gives-up-early"}},
	{name: "tcp_syn_retries = 2", set: "net.ipv4.tcp_syn_retries = 2",
		fires: []string{"retries/connect-gives-up-early"}},

	{name: "tcp_max_orphans = 3276800", set: "net.ipv4.tcp_max_orphans = 3276800",
		fires: []string{"orphan/limit-above-memory", "orphan/limit-above-any-host"}},
	{name: "tcp_max_orphans = 16384", set: "net.ipv4.tcp_max_orphans = 16384",
		fires: []string{"orphan/limit-lowered", "orphan/limit-of-small-host"}},

	{name: "tcp_orphan_retries = 0 for none", set: "net.ipv4.tcp_orphan_retries = 0",
		fires: []string{"orphan/retries-zero-means-eight"}},

	{name: "ip_local_port_range = 1024 65535", set: "net.ipv4.ip_local_port_range = 1024 65535",
		fires: []string{"ports/covers-services"}, silent: []string{"ports/covers-listeners", "ports/same-parity"}},
	{name: "ip_local_port_range = 1024 65535 with a server on 8080", set: "net.ipv4.ip_local_port_range = 1024 65535", host: listen(8080),
		fires: []string{"ports/covers-services", "ports/covers-listeners"}},
	{name: "ip_local_port_range = 1024 65535 with all services reserved",
		set:    "net.ipv4.ip_local_port_range = 1024 65535\nnet.ipv4.ip_local_reserved_ports = 1024-32767",
		silent: []string{"ports/*"}},
	{name: "ip_local_port_range = 500 65535", kernels: "< 4.11", set: "net.ipv4.ip_local_port_range = 500 65535",
		fires: []string{"ports/below-1024", "ports/covers-services"}},
	{name: "ip_local_port_range = 500 65535, which the kernel refuses", kernels: ">= 4.11", set: "net.ipv4.ip_local_port_range = 500 65535",
		silent: []string{"ports/*"}},

	{name: "tcp_abort_on_overflow", kernels: "< 4.10", set: "net.ipv4.tcp_abort_on_overflow = 1",
		fires: []string{"listen/abort-on-overflow-resets-bursts"}},
	{name: "tcp_abort_on_overflow, which hardly acts", kernels: ">= 4.10", set: "net.ipv4.tcp_abort_on_overflow = 1",
		fires: []string{"listen/abort-on-overflow-seldom-acts"}},

	{name: "tcp_mem of 16 MiB in bytes", set: "net.ipv4.tcp_mem = 16777216 16777216 16777216",
		fires: []string{"memory/tcp-mem-in-bytes", "memory/tcp-mem-of-huge-host"}},
	{name: "tcp_mem of 128 MiB in bytes", set: "net.ipv4.tcp_mem = 134217728 134217728 134217728",
		fires: []string{"memory/tcp-mem-in-bytes", "memory/tcp-mem-of-huge-host"}},
	{name: "tcp_mem of 3.5 TiB", set: "net.ipv4.tcp_mem = 94500000 915000000 927000000",
		fires: []string{"memory/tcp-mem-in-bytes", "memory/tcp-mem-of-huge-host"}},

	{name: "tcp_rfc1337", set: "net.ipv4.tcp_rfc1337 = 1",
		fires: []string{"timestamps/rfc1337-misread"}},
	{name: "tcp_timestamps = 0 to hide the uptime", set: "net.ipv4.tcp_timestamps = 0",
		fires: []string{"timestamps/off"}},

	{name: "tcp_retries2 = 3", set: "net.ipv4.tcp_retries2 = 3",
		fires: []string{"retries/established-gives-up-early", "retries/retries1-above-retries2"}},
	{name: "tcp_retries2 = 5", set: "net.ipv4.tcp_retries2 = 5",
		fires: []string{"retries/established-gives-up-early"}},

	{name: "conntrack forgets after 2 minutes", set: "net.netfilter.nf_conntrack_tcp_timeout_established = 120", host: tracking,
		fires: []string{"conntrack/established-short"}},
	{name: "conntrack forgets after half an hour", set: "net.netfilter.nf_conntrack_tcp_timeout_established = 1800", host: tracking,
		fires: []string{"conntrack/established-short"}},
	{name: "conntrack close_wait", set: "net.netfilter.nf_conntrack_tcp_timeout_close_wait = 10", host: tracking,
		fires: []string{"conntrack/close-wait-short"}},
	{name: "conntrack time_wait", set: "net.netfilter.nf_conntrack_tcp_timeout_time_wait = 1", host: tracking,
		fires: []string{"conntrack/time-wait-short"}},
	{name: "conntrack loose", set: "net.netfilter.nf_conntrack_tcp_loose = 0", host: tracking,
		fires: []string{"conntrack/loose-off"}},
	{name: "conntrack limit without buckets", kernels: ">= 4.8", set: "net.netfilter.nf_conntrack_max = 10000000", host: tracking,
		fires: []string{"conntrack/long-chains", "conntrack/limit-above-any-host"}},
	{name: "conntrack limit without buckets, which are read-only", kernels: "< 4.8", set: "net.netfilter.nf_conntrack_max = 10000000", host: tracking,
		fires: []string{"conntrack/long-chains-fixed-buckets", "conntrack/limit-above-any-host"}},
	{name: "all of it where nothing tracks connections", set: `net.netfilter.nf_conntrack_tcp_timeout_established = 120
net.netfilter.nf_conntrack_tcp_timeout_close_wait = 10
net.netfilter.nf_conntrack_tcp_loose = 0
net.netfilter.nf_conntrack_max = 10000000`,
		silent: []string{"conntrack/*"}},

	{name: "tcp_keepalive_time = 3", set: "net.ipv4.tcp_keepalive_time = 3",
		fires: []string{"keepalive/chatter"}},
	{name: "tcp_keepalive_time = 30", set: "net.ipv4.tcp_keepalive_time = 30",
		fires: []string{"keepalive/chatter"}},
	{name: "tcp_keepalive_time = 60", set: "net.ipv4.tcp_keepalive_time = 60",
		fires: []string{"keepalive/interval-exceeds-time"}, silent: []string{"keepalive/chatter"}},
	{name: "keepalive against CLOSE-WAIT", set: "net.ipv4.tcp_keepalive_time = 600", host: sockets("close_wait", 1122),
		fires: []string{"keepalive/no-cure-for-close-wait", "closewait/not-closed-by-program"}},

	{name: "ip_conntrack_max", kernels: ">= 4.9", set: "net.ipv4.ip_conntrack_max = 655360",
		fires: []string{"obsolete/conntrack-names"}},
	{name: "ip_conntrack_tcp_timeout_established", kernels: ">= 4.9", set: "net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 1200",
		fires: []string{"obsolete/conntrack-names"}},
	{name: "ip_conntrack_max, which the kernel may know", kernels: "< 4.9", set: "net.ipv4.ip_conntrack_max = 655360",
		silent: []string{"obsolete/*"}},
	{name: "net.ipv6.tcp_*", set: "net.ipv6.tcp_fin_timeout = 30\nnet.ipv6.tcp_tw_reuse = 1",
		fires: []string{"obsolete/ipv6-tcp"}},
	{name: "tcp_fack", kernels: ">= 4.15", set: "net.ipv4.tcp_fack = 1",
		fires: []string{"obsolete/tcp-fack"}},
	{name: "tcp_fack where it is read", kernels: "< 4.15", set: "net.ipv4.tcp_fack = 1",
		silent: []string{"obsolete/*"}},
	{name: "tcp_low_latency", kernels: ">= 4.14", set: "net.ipv4.tcp_low_latency = 1",
		fires: []string{"obsolete/tcp-low-latency"}},
	{name: "tcp_low_latency where it is read", kernels: "< 4.14", set: "net.ipv4.tcp_low_latency = 1",
		silent: []string{"obsolete/*"}},
}

// What people see, and what they try against it in vain.
var symptoms = []saying{
	{name: "connect() fails with EADDRNOTAVAIL", host: towardsOne(28_200, 27_000),
		fires: []string{"ports/exhausted-by-time-wait", "ports/time-wait-fills-range"}},
	{name: "connect() fails, and tcp_fin_timeout and tcp_max_tw_buckets do not help", host: towardsOne(28_200, 27_000),
		set:   "net.ipv4.tcp_fin_timeout = 15\nnet.ipv4.tcp_max_tw_buckets = 1440000",
		fires: []string{"ports/exhausted-by-time-wait", "ports/time-wait-fills-range"}},
	{name: "tcp_tw_reuse = 1 helps against it", host: towardsOne(28_200, 27_000), set: "net.ipv4.tcp_tw_reuse = 1",
		silent: []string{"ports/*"}},
	{name: "tcp_tw_reuse = 1 without timestamps does not", host: towardsOne(28_200, 27_000),
		set:   "net.ipv4.tcp_tw_reuse = 1\nnet.ipv4.tcp_timestamps = 0",
		fires: []string{"ports/exhausted-by-time-wait", "ports/time-wait-fills-range", "timewait/reuse-without-timestamps", "timestamps/off"}},
	{name: "tcp_tw_reuse = 2 is for loopback", kernels: ">= 4.18", host: towardsOne(28_200, 27_000), set: "net.ipv4.tcp_tw_reuse = 2",
		fires: []string{"ports/exhausted-by-time-wait", "ports/time-wait-fills-range"}},
	{name: "tcp_tw_reuse = 2 means 1", kernels: "< 4.18", host: towardsOne(28_200, 27_000), set: "net.ipv4.tcp_tw_reuse = 2",
		fires: []string{"timewait/reuse-2-means-everywhere"}, silent: []string{"ports/*"}},
	{name: "the default, tcp_tw_reuse = 2, helps towards loopback", kernels: ">= 4.18", host: all(towardsOne(28_200, 27_000), loopback),
		silent: []string{"ports/*"}},
	{name: "ports held by open connections", host: towardsOne(26_000, 100),
		fires: []string{"ports/nearly-exhausted"}},
	{name: "all ports held by open connections, and tcp_tw_reuse = 1 does not help", host: towardsOne(28_200, 100), set: "net.ipv4.tcp_tw_reuse = 1",
		fires: []string{"ports/exhausted", "ports/nearly-exhausted"}},
	// bind() to a port in TIME-WAIT fails with EADDRINUSE whatever the parameters
	// are: SO_REUSEADDR is missing in the program, and nothing on the host shows it.
	{name: "bind() fails with EADDRINUSE", host: timeWait(200)},
	{name: "thousands of TIME-WAIT on a server, no errors", host: timeWait(20_000)},

	{name: "clients time out and the server is idle", host: all(acceptQueue(8443, 512, 511), rise("TcpExt.ListenOverflows", 900), rise("TcpExt.ListenDrops", 900)),
		kernels: ">= 5.4", fires: []string{"listen/overflow", "listen/queue-full", "listen/limited-by-program"}},
	{name: "clients time out, and the limit is somaxconn's", host: all(acceptQueue(8443, 129, 128), rise("TcpExt.ListenOverflows", 900), rise("TcpExt.ListenDrops", 900)),
		kernels: "< 5.4", fires: []string{"listen/overflow", "listen/queue-full", "listen/limited-by-somaxconn"}},

	{name: "SYN flood in the log, and real clients",
		host:  all(rise("TcpExt.TCPReqQFullDoCookies", 5000), rise("TcpExt.SyncookiesSent", 5000), rise("TcpExt.SyncookiesRecv", 4800)),
		fires: []string{"synrecv/overload"}, silent: []string{"synrecv/flood"}},
	{name: "SYN flood in the log, and a flood",
		host: all(sockets("syn_recv", 500), rise("TcpExt.TCPReqQFullDoCookies", 50_000), rise("TcpExt.SyncookiesSent", 50_000),
			rise("TcpExt.SyncookiesRecv", 20)),
		fires: []string{"synrecv/flood"}, silent: []string{"synrecv/overload"}},

	{name: "clients behind NAT cannot connect at random", kernels: "< 4.10", set: "net.ipv4.tcp_tw_recycle = 1",
		host:  rise("TcpExt.PAWSPassive", 300),
		fires: []string{"timewait/recycle", "timewait/recycle-drops-clients"}},
	{name: "clients cannot connect at random", kernels: ">= 4.10, < 4.12", set: "net.ipv4.tcp_tw_recycle = 1",
		host:  rise("TcpExt.PAWSPassive", 300),
		fires: []string{"timewait/recycle-breaks-every-client", "timewait/recycle-drops-clients"}},

	{name: "resets after close", host: rise("TcpExt.TCPTimeWaitOverflow", 4000),
		fires: []string{"timewait/overflow"}},
	{name: "too many orphaned sockets", host: all(orphans(30_000), rise("TcpExt.TCPAbortOnMemory", 700)),
		fires: []string{"orphan/aborted", "orphan/near-limit"}},
	{name: "many FIN-WAIT-2 that a program holds", host: sockets("fin_wait2", 2000),
		fires: []string{"finwait/held-by-program"}},
	{name: "many FIN-WAIT-2 without a program", host: all(sockets("fin_wait2", 2000), func(s *facts.Snapshot) { s.Sockets.FinWait2Orphans = 2000 }),
		fires: []string{"finwait/peers-do-not-close"}},
	{name: "many CLOSE-WAIT", host: sockets("close_wait", 1122),
		fires: []string{"closewait/not-closed-by-program"}},
	{name: "many LAST-ACK without a program", host: all(sockets("last_ack", 4000), orphans(4000)),
		fires: []string{"orphan/waiting-for-vanished-peers"}},
	{name: "many FIN-WAIT-1 without a program", host: all(sockets("fin_wait1", 4000), orphans(4000)),
		fires: []string{"orphan/waiting-for-vanished-peers"}},
	{name: "conntrack: table full", host: all(tracking, tracked(1), rise("conntrack.drop", 5000)),
		fires: []string{"conntrack/full", "conntrack/nearly-full", "conntrack/drops"}},
	{name: "conntrack: nearly full", host: all(tracking, tracked(0.85)),
		fires: []string{"conntrack/nearly-full"}},

	{name: "many SYN-SENT towards one", host: synSent(900, 3, 860),
		fires: []string{"synsent/dead-destination"}},
	{name: "many SYN-SENT towards many", host: synSent(900, 870, 3),
		fires: []string{"synsent/many-destinations"}},
	{name: "SO_LINGER 0 against TIME-WAIT", host: rise("TcpExt.TCPAbortOnData", 900),
		fires: []string{"abort/linger-zero"}},
	{name: "buffers use up tcp_mem", host: func(s *facts.Snapshot) { s.Sockstat.MemPages = 1_000_000 },
		fires: []string{"memory/exhausted", "memory/pressure", "memory/near-pressure"}},
}

func TestAdviceAndSymptomsAreJudgedByKernel(t *testing.T) {
	set := builtin(t)
	for _, s := range slices.Concat(advice, symptoms) {
		t.Run(s.name, func(t *testing.T) {
			for _, name := range s.fires {
				if _, known := set.Get(name); !known {
					t.Fatalf("there is no rule %s", name)
				}
			}
			judgedOn, err := sysctl.ParseReleases(s.kernels)
			if err != nil {
				t.Fatal(err)
			}
			for _, kernel := range kernels {
				host := healthy(kernel)
				if !judgedOn.Contains(host.Kernel) {
					continue
				}
				if s.host != nil {
					s.host(host)
				}
				setAll(t, host, s.set)
				s.check(t, set, host)
			}
		})
	}
}

func (s saying) check(t *testing.T, set rules.Set, host *facts.Snapshot) {
	t.Helper()
	report := advisor.Advise(host, set, nil)
	found := map[string]bool{}
	for _, r := range report.Redundant {
		found[r.Rule] = true
	}
	for _, f := range report.Findings {
		found[f.Rule] = true
		matches := func(pattern string) bool {
			match, _ := path.Match(pattern, f.Rule)
			return match
		}
		// What is said of the line alone has tests of its own.
		aboutLine := strings.HasPrefix(f.Rule, "files/")
		if !slices.Contains(s.fires, f.Rule) && !aboutLine && (f.Severity.AtLeast(rules.Warning) || slices.ContainsFunc(s.silent, matches)) {
			t.Errorf("Linux %v: %s should not fire: %s", host.Kernel, f.Rule, f.Message)
		}
		rule, _ := set.Get(f.Rule)
		for _, name := range rule.Message.Needs() {
			if missing := facts.Derive(host).Get(name).Missing; missing != nil && name.Group() == "" {
				t.Errorf("Linux %v: %s speaks of %s, which is not known: %v", host.Kernel, f.Rule, name, missing)
			}
		}
	}
	for _, name := range s.fires {
		if !found[name] {
			rule, _ := set.Get(name)
			got := rule.Judge(facts.Derive(host))
			t.Errorf("Linux %v: %s should fire and is %s %v %s", host.Kernel, name, got.Verdict, got.Missing, got.Reason)
		}
	}
}

func TestNothingIsFoundOnAHealthyHost(t *testing.T) {
	set := builtin(t)
	for _, kernel := range append(kernels, "2.6.32", "5.15", "6.18") {
		for name, change := range map[string]func(*facts.Snapshot){
			"plain": func(*facts.Snapshot) {}, "tracking connections": tracking,
			"busy": busy, "observed for a while": watched, "busy, tracking, observed": all(busy, tracking, watched),
		} {
			host := healthy(kernel)
			change(host)
			f := facts.Derive(host)
			for _, rule := range set.All() {
				switch got := rule.Judge(f); got.Verdict {
				case rules.Fires:
					t.Errorf("Linux %s, %s: %s: %s", kernel, name, rule.Name, rule.Message.Render(f))
				case rules.Inconclusive:
					for _, m := range got.Missing {
						if host.Window != nil || !strings.HasPrefix(string(m.Name), "rates.") && !strings.HasPrefix(string(m.Name), "turnover.") {
							t.Errorf("Linux %s, %s: %s is inconclusive: %v", kernel, name, rule.Name, m)
						}
					}
				}
			}
		}
	}
}

func builtin(t *testing.T) rules.Set {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// healthy is a host without troubles, tcp_mem as its kernel sizes it.
func healthy(release string) *facts.Snapshot {
	s := factstest.Healthy(release)
	if s.Kernel.Before(sysctl.Release{Major: 4, Minor: 2}) {
		s.Sysctls["net.ipv4.tcp_mem"] = facts.Reading{Value: "384216 512289 768432"}
	}
	return s
}

// setAll does what a file with these lines does at boot: the kernel takes what
// it has and accepts.
func setAll(t *testing.T, s *facts.Snapshot, lines string) {
	t.Helper()
	for i, line := range strings.Split(lines, "\n") {
		key, value, found := strings.Cut(line, " = ")
		if !found {
			continue
		}
		a := facts.Assignment{Key: sysctl.Key(key), Value: sysctl.Value(value), File: "/etc/sysctl.conf", Line: i + 1}
		s.Asked = append(s.Asked, a)
		if reading, read := s.Sysctls[a.Key]; read && reading.Absent == "" && accepts(t, s, a) {
			s.Sysctls[a.Key] = facts.Reading{Value: a.Value}
		}
	}
}

func accepts(t *testing.T, s *facts.Snapshot, a facts.Assignment) bool {
	t.Helper()
	param, _ := sysctl.Lookup(a.Key)
	if param.Type != sysctl.Number && param.Type != sysctl.Vector {
		return true
	}
	numbers, err := a.Value.Ints()
	if err != nil {
		t.Fatal(err)
	}
	taken, known := param.Accepted(s.Kernel)
	for _, n := range numbers {
		if known && !taken.Contains(n) {
			return false
		}
	}
	start, err := s.Sysctls["net.ipv4.ip_unprivileged_port_start"].Value.Ints()
	return a.Key != "net.ipv4.ip_local_port_range" || err != nil || len(start) == 0 || numbers[0] >= start[0]
}

func all(changes ...func(*facts.Snapshot)) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		for _, change := range changes {
			change(s)
		}
	}
}

// watched observes for ten seconds in which connections come and go.
func watched(s *facts.Snapshot) {
	s.Window = &facts.Window{Seconds: 10, Increase: map[string]facts.Counters{"Tcp": {"InSegs": 90_000, "ActiveOpens": 400, "PassiveOpens": 2000}}}
}

// rise makes a counter grow by n while it is watched.
func rise(name string, n int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		if s.Window == nil {
			watched(s)
		}
		group, counter, _ := strings.Cut(name, ".")
		if s.Window.Increase[group] == nil {
			s.Window.Increase[group] = facts.Counters{}
		}
		s.Window.Increase[group][counter] = n
		s.Counters[group][counter] += n
	}
}

// busy is what the counters of a web server show after some weeks of health.
func busy(s *facts.Snapshot) {
	for name, n := range map[string]int64{
		"InSegs": 900_000_000, "OutSegs": 1_100_000_000, "RetransSegs": 900_000, "ActiveOpens": 1_000_000, "PassiveOpens": 9_000_000,
		"AttemptFails": 21_000, "EstabResets": 60_000, "OutRsts": 240_000,
	} {
		s.Counters["Tcp"][name] = n
	}
	for name, n := range map[string]int64{
		"TW": 4_000_000, "DelayedACKs": 7_000_000, "TCPTimeouts": 300_000, "PAWSEstab": 2500, "TCPAbortOnData": 90_000, "TCPAbortOnClose": 40_000,
		"TCPAbortOnTimeout": 60_000, "TCPSynRetrans": 80_000, "TCPKeepAlive": 1_500_000, "SyncookiesFailed": 40, "EmbryonicRsts": 900, "ListenDrops": 30,
	} {
		s.Counters["TcpExt"][name] = n
	}
	s.Counters["softnet"]["dropped"] = 12
	if tracked := s.Counters["conntrack"]; tracked != nil {
		tracked["insert_failed"], tracked["drop"] = 230, 230
	}
}

// tracking loads nf_conntrack, under its present names only.
func tracking(s *facts.Snapshot) {
	for _, param := range sysctl.Catalogue() {
		if value, known := param.Default(s.SizingHost()); known && param.Module == "nf_conntrack" {
			s.Sysctls[param.Key] = facts.Reading{Value: value}
		}
	}
	delete(s.Gaps, facts.PartConntrack)
	s.Counters["conntrack"] = facts.Counters{"drop": 0, "early_drop": 0, "insert_failed": 0, "search_restart": 0}
	tracked(0.01)(s)
}

// tracked fills the table of tracked connections to a share.
func tracked(share float64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		limit, _ := strconv.ParseFloat(string(s.Sysctls["net.netfilter.nf_conntrack_max"].Value), 64)
		s.Sysctls["net.netfilter.nf_conntrack_count"] = facts.Reading{Value: sysctl.Value(strconv.Itoa(int(share * limit)))}
	}
}

func behindNAT(s *facts.Snapshot) {
	s.NAT = append(s.NAT, facts.NATEvidence{Kind: "operator", Where: "--behind-nat", What: "the operator says so"})
}

func sockets(state string, n int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) { s.Sockets.IPv4[state] = n }
}

func timeWait(n int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) { s.Sockets.IPv4["time_wait"], s.Sockstat.TimeWait = n, n }
}

func orphans(n int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) { s.Sockets.Orphans, s.Sockstat.Orphan = n, n }
}

func listen(port int) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		s.Sockets.Listeners = append(s.Sockets.Listeners, facts.Listener{Address: "0.0.0.0", Port: port, Limit: 128, SynRecv: new(int64)})
	}
}

func acceptQueue(port int, queue, limit int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		s.Sockets.Listeners = append(s.Sockets.Listeners, facts.Listener{Address: "0.0.0.0", Port: port, Queue: queue, Limit: limit, SynRecv: new(int64)})
	}
}

// towardsOne uses that many local ports towards one destination.
func towardsOne(used, inTimeWait int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		timeWait(inTimeWait)(s)
		s.Sockets.IPv4["established"] += used - inTimeWait
		s.Sockets.Outbound = facts.Spread{Distinct: 1, Exact: true, Top: []facts.Target{
			{Source: "10.0.0.1", Destination: "10.0.0.7", Port: 8080, Sockets: used, TimeWait: inTimeWait}}}
	}
}

// loopback makes the busiest destination one of this host.
func loopback(s *facts.Snapshot) {
	s.Sockets.Outbound.Top[0].Source, s.Sockets.Outbound.Top[0].Destination = "127.0.0.1", "127.0.0.1"
}

func synSent(total, destinations, most int64) func(*facts.Snapshot) {
	return func(s *facts.Snapshot) {
		s.Sockets.IPv4["syn_sent"] = total
		s.Sockets.SynSent = facts.Spread{Distinct: destinations, Exact: true, Top: []facts.Target{{Destination: "10.9.0.1", Port: 5432, Sockets: most}}}
	}
}

// Sayings are found by their names, so no two may share one.
func TestSayingsHaveNamesOfTheirOwn(t *testing.T) {
	every := slices.Concat(advice, symptoms)
	slices.SortFunc(every, func(a, b saying) int { return cmp.Compare(a.name, b.name) })
	for i := 1; i < len(every); i++ {
		if every[i].name == every[i-1].name {
			t.Errorf("two rows are called %q", every[i].name)
		}
	}
}
