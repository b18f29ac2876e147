package sysctl

import "math"

func memoryParams() []Param {
	return []Param{
		{
			Key:     "net.ipv4.tcp_mem",
			Meaning: "memory of all TCP sockets of the host: above the second number buffers are held small until the sum is below the first, above the third allocations fail",
			Type:    Vector,
			Unit:    Pages,
			Fields:  3,
			// The kernel's own floor, and 1 TiB: a number that was meant in bytes
			// switches the protection off.
			Sane:    Range{96, 1 << 28},
			Accepts: accepts(Range{0, math.MaxInt64}),
			// Free memory at boot is a few percent less than MemTotal, by how much
			// depends on the boot: not to be computed.
			Defaults: []Default{{Rule: &DefaultRule{
				Text: "the second a 16th of the memory free at boot (an 8th up to Linux 4.1), the first 3/4 of it, the third twice the first",
			}}},
			Namespaced: []Releases{{linux(3, 3), linux(3, 13)}},
			Acts:       ActsAtOnce,
			Sources:    []string{hostTable, "net/ipv4/tcp.c, tcp_init_mem", "net/ipv4/tcp.c, tcp_check_oom", manTCP, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_rmem",
			Meaning: "receive buffer of a TCP socket: least, at the start, most that the kernel grows it to",
			Type:    Vector,
			Unit:    Bytes,
			Fields:  3,
			Sane:    Range{1024, 1 << 30}, // RFC 7323 ends windows at 1 GiB
			Accepts: []Accept{{Range: anyInt}, {linux(3, 10), Range{1, math.MaxInt32}}},
			Defaults: []Default{
				{Rule: &DefaultRule{Text: "by memory"}},
				{From: linux(3, 10), Rule: bufferRule("4096 87380", 6<<20)},
				// 4.19.108 has it, too.
				{From: linux(4, 20), Rule: bufferRule("4096 131072", 6<<20), Perhaps: []Releases{after(4, 14, 0), after(4, 18, 20), after(4, 19, 0)}},
				{From: linux(6, 16), Rule: bufferRule("4096 131072", 32<<20)},
			},
			Namespaced: from(4, 15),
			Acts:       ActsNew,
			Override:   "SO_RCVBUF, up to net.core.rmem_max",
			Sources:    []string{tcpTable, "net/ipv4/tcp.c, tcp_init", manTCP, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_wmem",
			Meaning: "send buffer of a TCP socket: least, at the start, most that the kernel grows it to",
			Type:    Vector,
			Unit:    Bytes,
			Fields:  3,
			Sane:    Range{1024, 1 << 30},
			Accepts: []Accept{{Range: anyInt}, {linux(3, 10), Range{1, math.MaxInt32}}},
			Defaults: []Default{
				{Rule: &DefaultRule{Text: "by memory"}},
				{From: linux(3, 10), Rule: bufferRule("4096 16384", 4<<20)},
			},
			Namespaced: from(4, 15),
			Acts:       ActsNew,
			Override:   "SO_SNDBUF, up to net.core.wmem_max",
			Sources:    []string{tcpTable, "net/ipv4/tcp.c, tcp_init", manTCP, ipSysctl},
		},
		{
			Key:     "net.core.rmem_max",
			Meaning: "the most that SO_RCVBUF can ask for; it does not bound what tcp_rmem grows to",
			Type:    Number,
			Unit:    Bytes,
			Sane:    Range{65_536, 1 << 30},
			// SOCK_MIN_RCVBUF of 64-bit machines.
			Accepts:             []Accept{{Range: anyInt}, {linux(3, 10), Range{1, math.MaxInt32}}, {linux(4, 4), Range{2304, math.MaxInt32}}},
			Defaults:            []Default{{Rule: &DefaultRule{Text: "by the size of a buffer's header"}}, {From: linux(3, 10), Value: "212992"}, {From: linux(6, 18), Value: "4194304"}},
			ReadOnlyInChild:     true,
			ReadOnlyInChildFrom: linux(6, 11), // absent in 6.1, read-only in 6.12
			Acts:                ActsAtOnce,
			Override:            "SO_RCVBUFFORCE",
			Sources:             []string{coreTable, "net/core/sock.c, sock_setsockopt", "socket(7)"},
		},
		{
			Key:     "net.core.wmem_max",
			Meaning: "the most that SO_SNDBUF can ask for; it does not bound what tcp_wmem grows to",
			Type:    Number,
			Unit:    Bytes,
			Sane:    Range{65_536, 1 << 30},
			// SOCK_MIN_SNDBUF of 64-bit machines.
			Accepts:             []Accept{{Range: anyInt}, {linux(3, 10), Range{1, math.MaxInt32}}, {linux(4, 4), Range{4608, math.MaxInt32}}},
			Defaults:            []Default{{Rule: &DefaultRule{Text: "by the size of a buffer's header"}}, {From: linux(3, 10), Value: "212992"}, {From: linux(6, 18), Value: "4194304"}},
			ReadOnlyInChild:     true,
			ReadOnlyInChildFrom: linux(6, 11),
			Acts:                ActsAtOnce,
			Override:            "SO_SNDBUFFORCE",
			Sources:             []string{coreTable, "net/core/sock.c, sock_setsockopt", "socket(7)"},
		},
		{
			Key:      "net.core.netdev_max_backlog",
			Meaning:  "packets per CPU that wait for the protocols on paths without polling: loopback, veth, RPS; not the rings of a network card",
			Type:     Number,
			Unit:     Count,
			Sane:     Range{1, 1_000_000},
			Accepts:  accepts(anyInt),
			Defaults: always("1000"),
			Acts:     ActsAtOnce,
			Sources:  []string{coreTable, "net/core/dev.c, enqueue_to_backlog"},
		},
		{
			Key:      "net.ipv4.tcp_ehash_entries",
			Meaning:  "buckets of the hash of connections, from which other sizes follow; negative where the namespace shares the host's",
			Type:     Number,
			Unit:     Count,
			Sane:     Range{1, 1 << 24},
			ReadOnly: true,
			Defaults: []Default{{Rule: fromBuckets("one bucket per 128 KiB of memory, rounded up to a power of two, at most 524288; thash_entries= on the command line outranks it",
				func(buckets int64) int64 { return buckets })}},
			Since:      linux(6, 1),
			Namespaced: everywhere(),
			Acts:       ActsNotAsked,
			Override:   "thash_entries= on the kernel's command line",
			Sources:    []string{"net/ipv4/sysctl_net_ipv4.c, proc_tcp_ehash_entries", "net/ipv4/tcp.c, tcp_init", ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_child_ehash_entries",
			Meaning:    "buckets of a hash of its own for each network namespace made from here, rounded up to a power of two; 0 shares the host's",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{0, 1 << 24},
			Accepts:    accepts(Range{0, 1 << 24}),
			Defaults:   always("0"),
			Since:      linux(6, 1),
			Namespaced: everywhere(),
			Acts:       ActsNamespace,
			Sources:    []string{tcpTable, "net/ipv4/tcp_ipv4.c, tcp_set_hashinfo", ipSysctl},
		},
	}
}

// bufferRule is the default of tcp_rmem and tcp_wmem: the third number is a
// 128th of the memory free at boot, up to a cap. Only where memory is so much
// more that the cap must hold is it computed; elsewhere it is not known.
func bufferRule(first string, most int64) *DefaultRule {
	limit := Value(first + " " + decimal(most))
	return &DefaultRule{
		Text: first + ", and a 128th of the memory free at boot but at most " + decimal(most),
		Compute: func(h Host) Value {
			const pageSize = 4096 // the first number is a page
			free := h.MemoryKiB * 1024 / 8 * 7
			if h.PageSize != 0 && h.PageSize != pageSize || free < 128*most {
				return ""
			}
			return limit
		},
	}
}
