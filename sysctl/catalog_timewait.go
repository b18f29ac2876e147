package sysctl

// TIME-WAIT itself lasts 60 s, a constant of the source; see [TimeWait].
func timeWaitParams() []Param {
	return []Param{
		{
			Key:        "net.ipv4.tcp_tw_reuse",
			Meaning:    "whether connect() may take over a TIME-WAIT entry: 0 no, 1 yes, 2 towards loopback only",
			Type:       Number,
			Unit:       Switch,
			Sane:       Range{0, 2},
			Accepts:    []Accept{{Range: anyInt}, {linux(4, 18), Range{0, 2}}},
			Defaults:   []Default{{Value: "0"}, {From: linux(4, 18), Value: "2"}},
			Instead:    "it acts on connect() alone, and only on entries whose connection had timestamps at both ends; before Linux 4.18 the value 2 means 1",
			Namespaced: from(4, 10),
			Acts:       ActsAtOnce,
			Sources: []string{
				tcpTable, "net/ipv4/tcp_ipv4.c, tcp_twsk_unique", "net/ipv4/inet_hashtables.c, __inet_check_established",
				"commit 79e9fed46038", "commit 56ab6b93007e", ipSysctl,
			},
		},
		{
			Key:        "net.ipv4.tcp_tw_reuse_delay",
			Meaning:    "how old a TIME-WAIT entry must be before tcp_tw_reuse lets connect() take it",
			Type:       Number,
			Unit:       Milliseconds,
			Sane:       Range{1, 60_000},
			Accepts:    accepts(Range{1, 60_000}),
			Defaults:   always("1000"),
			Since:      linux(6, 14),
			Namespaced: everywhere(),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_ipv4.c, tcp_twsk_unique", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_tw_recycle",
			Meaning: "shortened TIME-WAIT and dropped SYNs whose timestamp is older than the last one of their address",
			Type:    Number,
			Unit:    Switch,
			// Never right: clients behind one NAT address lose their SYNs at random.
			Sane:       Range{0, 0},
			Accepts:    accepts(anyInt),
			Defaults:   always("0"),
			Until:      linux(4, 12),
			Instead:    "leave it out: it locked out clients behind NAT; for local ports that run short see net.ipv4.tcp_tw_reuse",
			Namespaced: from(4, 11),
			Acts:       ActsAtOnce,
			Sources: []string{
				"net/ipv4/tcp_input.c, tcp_conn_request", "net/ipv4/tcp_minisocks.c, tcp_time_wait",
				"commit 4396e46187ca", "commit a26552afe894", "commit 1946e672c173",
			},
		},
		{
			Key:     "net.ipv4.tcp_max_tw_buckets",
			Meaning: "TIME-WAIT and orphaned FIN-WAIT-2 entries that may exist; a socket above it is closed without one",
			Type:    Number,
			Unit:    Count,
			// 0 switches TIME-WAIT off, a negative number means 0 or no limit
			// depending on the kernel. The top is 4 GiB of entries at 256 bytes.
			Sane:    Range{1, 1 << 24},
			Accepts: accepts(anyInt),
			Defaults: []Default{{Rule: fromBuckets("half the buckets of the connection hash, at most 262144",
				func(buckets int64) int64 { return buckets / 2 })}},
			Instead:    "reaching it is not logged, whatever the documentation says: see TcpExt TCPTimeWaitOverflow",
			Namespaced: from(4, 11),
			Acts:       ActsAtOnce,
			Sources: []string{
				tcpTable, "net/ipv4/inet_timewait_sock.c, inet_twsk_alloc", "net/ipv4/tcp_ipv4.c, tcp_set_hashinfo",
				"commit 1946e672c173", "commit 743e481580b4", ipSysctl,
			},
		},
		{
			Key:        "net.ipv4.tcp_rfc1337",
			Meaning:    "1 makes TIME-WAIT ignore resets, so that they cannot end it early",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    intThenByte(),
			Defaults:   always("0"),
			Instead:    "the documentation has it the wrong way round: 0 lets a reset remove the entry",
			Namespaced: from(4, 15),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_minisocks.c, tcp_timewait_state_process", byteCommit, "RFC 1337", ipSysctl},
		},
	}
}
