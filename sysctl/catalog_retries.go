package sysctl

import "math"

func retryParams() []Param {
	return []Param{
		{
			Key:        "net.ipv4.tcp_retries1",
			Meaning:    "retries after which the route is looked up again; it never ends a connection",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{1, 15},
			Accepts:    []Accept{{Range: Range{math.MinInt32, 255}}, {linux(5, 13), oneByte}},
			Defaults:   always("3"),
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_write_timeout", byteCommit, "RFC 1122, 4.2.3.5", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_retries2",
			Meaning: "how long an open connection waits for an acknowledgement, as a number of retries: 15 is 925 s, 8 is 102 s, 5 is 13 s",
			Type:    Number,
			Unit:    Count,
			// RFC 1122 wants 100 s and so 8; below is for those who know why.
			Sane:       Range{1, 30},
			Accepts:    intThenByte(),
			Defaults:   always("15"),
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Override:   "TCP_USER_TIMEOUT",
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, retransmits_timed_out", byteCommit, "RFC 1122, 4.2.3.5", ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_rto_max_ms",
			Meaning:    "where the doubling of the retransmission time-out ends; a lower end shortens every wait that is a number of retries",
			Type:       Number,
			Unit:       Milliseconds,
			Sane:       Range{1000, 120_000},
			Accepts:    accepts(Range{1000, 120_000}),
			Defaults:   always("120000"),
			Since:      linux(6, 15),
			Namespaced: everywhere(),
			Acts:       ActsNew,
			Override:   "TCP_RTO_MAX_MS",
			Sources:    []string{tcpTable, "commit 1280c26228bd", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_rto_min_us",
			Meaning: "the least retransmission time-out of new connections",
			Type:    Number,
			Unit:    Microseconds,
			// A timer ticks every millisecond at best; RFC 6298 asks for a second.
			Sane:     Range{1000, 1_000_000},
			Accepts:  accepts(Range{1, math.MaxInt32}),
			Defaults: always("200000"),
			// Absent in 6.10, present in 6.12.
			Since:      linux(6, 11),
			Namespaced: everywhere(),
			Acts:       ActsNew,
			Override:   "rto_min of the route, TCP_RTO_MIN_US",
			Sources:    []string{tcpTable, "RFC 6298, 2.4", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_keepalive_time",
			Meaning: "idle time before the first keepalive probe, for sockets with SO_KEEPALIVE",
			Type:    Number,
			Unit:    Seconds,
			// 0 leaves no idle time at all, an idle connection is probed at every
			// tcp_keepalive_intvl; beyond a week nothing is kept alive.
			Sane:       Range{1, 604_800},
			Accepts:    acceptsSeconds(),
			Defaults:   always("7200"),
			Namespaced: from(4, 5),
			Acts:       ActsClose,
			Override:   "TCP_KEEPIDLE",
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_keepalive_timer", "RFC 1122, 4.2.3.6", manTCP, ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_keepalive_intvl",
			Meaning:    "time between keepalive probes that are not answered",
			Type:       Number,
			Unit:       Seconds,
			Sane:       Range{1, 32_767}, // as TCP_KEEPINTVL
			Accepts:    acceptsSeconds(),
			Defaults:   always("75"),
			Namespaced: from(4, 5),
			Acts:       ActsAtOnce,
			Override:   "TCP_KEEPINTVL",
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_keepalive_timer", manTCP, ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_keepalive_probes",
			Meaning:    "keepalive probes without an answer after which the connection is given up",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{1, 127}, // as TCP_KEEPCNT
			Accepts:    intThenByte(),
			Defaults:   always("9"),
			Namespaced: from(4, 5),
			Acts:       ActsAtOnce,
			Override:   "TCP_KEEPCNT, TCP_USER_TIMEOUT",
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_keepalive_timer", byteCommit, manTCP, ipSysctl},
		},
	}
}
