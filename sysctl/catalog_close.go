package sysctl

func closeParams() []Param {
	return []Param{
		{
			Key:     "net.ipv4.tcp_fin_timeout",
			Meaning: "how long a closed socket waits in FIN-WAIT-2 for the peer's FIN; a value above 60 waits for twice its excess over 60",
			Type:    Number,
			Unit:    Seconds,
			// 0 and less act like 0.7 s, the floor. Above 90 it is a longer wait than
			// the default, and nobody's peer answers after an hour.
			Sane:       Range{1, 3600},
			Accepts:    acceptsSeconds(),
			Defaults:   always("60"),
			Instead:    "it does not touch TIME-WAIT, which lasts 60 s on every kernel",
			Namespaced: from(4, 6),
			Acts:       ActsClose,
			Override:   "TCP_LINGER2, up to 120 s",
			Sources:    []string{tcpTable, "net/ipv4/tcp.c, __tcp_close", "net/ipv4/tcp_timer.c, tcp_keepalive_timer", "include/net/tcp.h, tcp_fin_time", manTCP, ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_orphan_retries",
			Meaning:    "how long a closed socket retries in FIN-WAIT-1, CLOSING and LAST-ACK, as a number of retries; 0 stands for 8",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{0, 15}, // 15 is a quarter of an hour
			Accepts:    intThenByte(),
			Defaults:   always("0"),
			Instead:    "0 is the default and means 8 retries, about 100 s; the documentation names 8 as the default",
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_orphan_retries", byteCommit, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_max_orphans",
			Meaning: "closed sockets not yet done with sending that may exist on the host; above it, and for some from a quarter on, they are reset",
			Type:    Number,
			Unit:    Count,
			// 0 and less reset every close. An orphan may hold 64 KiB: the top is
			// 256 GiB of them.
			Sane:    Range{1, 1 << 22},
			Accepts: accepts(anyInt),
			Defaults: []Default{{Rule: fromBuckets("half the buckets of the connection hash, at most 262144",
				func(buckets int64) int64 { return buckets / 2 })}},
			Acts:    ActsAtOnce,
			Sources: []string{hostTable, "net/ipv4/tcp.c, tcp_check_oom", "net/ipv4/tcp_timer.c, tcp_out_of_resources", "net/ipv4/tcp.c, tcp_init", manTCP, ipSysctl},
		},
	}
}
