package sysctl

import "math"

func handshakeParams() []Param {
	return []Param{
		{
			Key:     "net.ipv4.tcp_syn_retries",
			Meaning: "how often connect() resends a SYN; n retries take 2^(n+1)-1 s in all, see also tcp_syn_linear_timeouts",
			Type:    Number,
			Unit:    Count,
			Sane:    Range{1, 20}, // 20 is half an hour
			// Unchecked in 3.6, checked in 3.10.
			Accepts: []Accept{{Range: anyInt}, {linux(3, 10), Range{1, 127}}},
			// 5 in 3.6, 6 in 3.10.
			Defaults:   []Default{{Value: "5"}, {From: linux(3, 7), Value: "6"}},
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Override:   "TCP_SYNCNT",
			Sources:    []string{tcpTable, "include/net/tcp.h, TCP_SYN_RETRIES", "net/ipv4/tcp_timer.c, tcp_write_timeout", manTCP, ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_syn_linear_timeouts",
			Meaning:    "how many SYNs connect() resends a second apart before the distance doubles; adds SYNs, hardly time",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{0, 20},
			Accepts:    accepts(Range{0, 127}),
			Defaults:   always("4"),
			Since:      linux(6, 5),
			Namespaced: everywhere(),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_timer.c, tcp_write_timeout", ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_synack_retries",
			Meaning:    "how often a SYN-ACK is resent; n retries keep a half-open connection for 2^(n+1)-1 s",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{1, 20}, // 0 gives up on the first SYN-ACK lost
			Accepts:    intThenByte(),
			Defaults:   always("5"),
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Override:   "TCP_SYNCNT on the listener",
			Sources:    []string{tcpTable, "net/ipv4/inet_connection_sock.c, reqsk_timer_handler", byteCommit, manTCP, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_syncookies",
			Meaning: "whether a full SYN queue answers with cookies: 0 never, 1 when it is full, 2 always (for tests)",
			Type:    Number,
			Unit:    Switch,
			Sane:    Range{0, 2},
			Accepts: intThenByte(),
			// 0 in 2.6.32, 1 in 3.6.
			Defaults:   []Default{{Value: "0"}, {From: linux(3, 0), Value: "1"}},
			Instead:    "with tcp_timestamps on, SACK and window scaling survive a cookie, whatever the documentation says; a full accept queue is not helped",
			Namespaced: from(4, 6),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_input.c, tcp_conn_request", "net/ipv4/syncookies.c, cookie_init_timestamp", byteCommit, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_max_syn_backlog",
			Meaning: "half-open connections of a listener, up to Linux 4.3; with tcp_syncookies = 0, on all kernels, SYNs of unknown hosts are dropped from three quarters of it on",
			Type:    Number,
			Unit:    Count,
			Sane:    Range{1, 1 << 20}, // 320 bytes each
			Accepts: accepts(anyInt),
			Defaults: []Default{
				{Rule: fromBuckets("a 256th of the buckets of the connection hash, at least 128",
					func(buckets int64) int64 { return max(128, buckets/256) })},
				{From: linux(5, 4), Rule: fromBuckets("a 128th of the buckets of the connection hash, at least 128",
					func(buckets int64) int64 { return max(128, buckets/128) })},
			},
			// The 3.10 listener takes it at its first listen() and keeps it.
			Instead:    "from Linux 4.4 on the SYN queue of a listener ends at its backlog: raise net.core.somaxconn and what the program passes to listen()",
			Namespaced: from(4, 11),
			Acts:       ActsAtOnce,
			Sources: []string{
				tcpTable, "net/ipv4/tcp_input.c, tcp_conn_request", "net/ipv4/tcp_ipv4.c, tcp_set_hashinfo",
				"net/core/request_sock.c, reqsk_queue_alloc", "commit ef547f2ac16b", ipSysctl,
			},
		},
		{
			Key:     "net.core.somaxconn",
			Meaning: "the most that listen() can ask for: the lesser of this and its argument bounds a listener's queues",
			Type:    Number,
			Unit:    Count,
			// 0 leaves room for one connection. The top was 16 bits up to 4.0 (2.6.32
			// wraps), and a longer queue outlives the patience of who waits in it.
			Sane:       Range{1, math.MaxUint16},
			Accepts:    []Accept{{Range: anyInt}, {linux(3, 10), Range{0, math.MaxUint16}}, {linux(4, 1), notNegative}},
			Defaults:   []Default{{Value: "128"}, {From: linux(5, 4), Value: "4096"}},
			Namespaced: everywhere(),
			Acts:       ActsListen,
			Override:   "the argument of listen(), downwards",
			Sources: []string{
				coreTable, "net/socket.c, __sys_listen", "include/linux/socket.h, SOMAXCONN",
				"commit 19f92a030ca6", "commit becb74f0acca", "listen(2)",
			},
		},
		{
			Key:        "net.ipv4.tcp_abort_on_overflow",
			Meaning:    "1 answers the last ACK of a handshake with a reset, instead of silence, while the accept queue is full",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    intThenByte(),
			Defaults:   always("0"),
			Instead:    "from Linux 4.10 on a full accept queue drops the SYN first, so a plain overload never comes to this",
			Namespaced: from(4, 15),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_minisocks.c, tcp_check_req", "commit 5ea8ea2cb7f1", byteCommit, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_migrate_req",
			Meaning: "1 hands the connections not yet accepted of a closing SO_REUSEPORT listener to another one",
			Type:    Number,
			Unit:    Switch,
			Sane:    onOff,
			Accepts: accepts(onOff),
			// 5.10.262 has it, too.
			Defaults:   always("0"),
			Since:      linux(5, 14),
			Namespaced: everywhere(),
			Acts:       ActsAtOnce,
			Override:   "an eBPF program of the SO_REUSEPORT group",
			Sources:    []string{tcpTable, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_fastopen",
			Meaning: "TCP Fast Open: 1 clients, 2 servers, 4 clients without cookie, 0x200 servers without cookie, 0x400 all listeners",
			Type:    Number,
			Unit:    BitMask,
			Sane:    Range{0, 0x607},
			Accepts: accepts(anyInt),
			// 0 in 3.11, 1 in 3.13.
			Defaults:   []Default{{Value: "0"}, {From: linux(3, 13), Value: "1"}},
			Since:      linux(3, 6),
			Namespaced: from(4, 15),
			Acts:       ActsNew, // 0x400 at the next listen()
			Override:   "TCP_FASTOPEN",
			Sources:    []string{tcpTable, "include/net/tcp.h, TFO_CLIENT_ENABLE", "RFC 7413", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_fastopen_blackhole_timeout_sec",
			Meaning: "how long Fast Open of clients pauses, to begin with, after a firewall was seen to swallow it; 0 never pauses it",
			Type:    Number,
			Unit:    Seconds,
			Sane:    Range{0, 86_400},
			Accepts: accepts(notNegative),
			// 3600 in 5.12, 0 in 5.14. 5.10.54 took that over; 4.19.108, 5.4.59 and 5.10.46 are older than the change.
			Defaults: []Default{{Value: "3600"}, {From: linux(5, 14), Value: "0", Perhaps: []Releases{
				after(4, 14, 0), after(4, 18, 20), after(4, 19, 108), after(5, 4, 59), after(5, 10, 46), ReleasesBetween(linux(5, 11), linux(5, 14)),
			}}},
			Since:      linux(4, 12),
			Namespaced: from(4, 15),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, skInit, ipSysctl},
		},
	}
}
