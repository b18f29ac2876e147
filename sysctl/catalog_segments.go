package sysctl

import "math"

func segmentParams() []Param {
	return []Param{
		{
			Key:        "net.ipv4.tcp_timestamps",
			Meaning:    "timestamps in segments: 0 off, 1 on, 2 on without a random offset; tcp_tw_reuse, PAWS and cookies with options need them",
			Type:       Number,
			Unit:       Switch,
			Sane:       Range{0, 2}, // 2 acts like 1 before Linux 4.10
			Accepts:    intThenByte(),
			Defaults:   always("1"),
			Instead:    "they tell nobody the uptime since Linux 4.10, which added the random offset",
			Namespaced: from(4, 13),
			Acts:       ActsNew,
			Sources:    []string{tcpTable, "net/ipv4/tcp_output.c, tcp_syn_options", "commit 25429d7b7dca", byteCommit, "RFC 7323", ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_sack",
			Meaning:    "selective acknowledgements; a SYN cookie without timestamps loses them",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    intThenByte(),
			Defaults:   always("1"),
			Namespaced: from(4, 13),
			Acts:       ActsNew,
			Sources:    []string{tcpTable, skInit, byteCommit, "RFC 2018", ipSysctl},
		},
		{
			Key:        "net.ipv4.tcp_window_scaling",
			Meaning:    "windows of more than 64 KiB; a SYN cookie without timestamps loses them",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    intThenByte(),
			Defaults:   always("1"),
			Namespaced: from(4, 13),
			Acts:       ActsNew,
			Sources:    []string{tcpTable, skInit, byteCommit, "RFC 7323", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_congestion_control",
			Meaning: "congestion control of new connections",
			Type:    Word,
			Unit:    Name,
			// A distributor builds in another, and none is wrong.
			Defaults:   []Default{{Rule: &DefaultRule{Text: "what the kernel was built with, mostly cubic"}}},
			Namespaced: from(4, 15),
			Acts:       ActsNew,
			Override:   "TCP_CONGESTION, congctl of the route",
			Sources:    []string{tcpTable, "net/ipv4/tcp_cong.c, tcp_set_default_congestion_control", manTCP, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_invalid_ratelimit",
			Meaning: "least time between two ACKs that answer out-of-window SYNs and ACKs of one connection; rounded up to the timer's tick",
			Type:    Number,
			Unit:    Milliseconds,
			Sane:    Range{0, 10_000}, // 10000 is a whole number of ticks on every build
			// What is no whole number of ticks reads back larger: 1 as 4 at HZ=250.
			Accepts:    accepts(notNegative),
			Defaults:   always("500"),
			Since:      linux(4, 0),
			Namespaced: from(4, 15),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_input.c, tcp_oow_rate_limited", "kernel/sysctl.c, proc_dointvec_ms_jiffies", ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_challenge_ack_limit",
			Meaning: "challenge ACKs sent in answer to suspicious SYNs and resets",
			Type:    Number,
			Unit:    PerSecond,
			Sane:    Range{1, math.MaxInt32},
			Accepts: accepts(anyInt),
			// A limit that can be counted is a side channel. 3.10.108 and 4.4.178
			// have 1000, too.
			Defaults: []Default{{Value: "100"}, {From: linux(4, 7), Value: "1000", Perhaps: []Releases{ReleasesBetween(linux(3, 6), linux(4, 7))}},
				{From: linux(6, 1), Value: "2147483647"}},
			Since:      linux(3, 6),
			Namespaced: from(4, 15),
			Acts:       ActsAtOnce,
			Sources:    []string{tcpTable, "net/ipv4/tcp_input.c, tcp_send_challenge_ack", skInit, "RFC 5961", ipSysctl},
		},
		{
			Key:      "net.ipv4.tcp_low_latency",
			Meaning:  "preferred latency to throughput, on Linux before 4.14",
			Type:     Number,
			Unit:     Switch,
			Sane:     onOff,
			Defaults: always("0"),
			Instead:  "leave it out: no code reads it since Linux 4.14",
			Acts:     ActsNever,
			Sources:  []string{hostTable, ipSysctl},
		},
		{
			Key:     "net.ipv4.tcp_fack",
			Meaning: "forward acknowledgements, on Linux before 4.15",
			Type:    Number,
			Unit:    Switch,
			Sane:    onOff,
			Accepts: intThenByte(),
			// 1 in 4.9, 0 in 4.11.
			Defaults:   []Default{{Value: "1"}, {From: linux(4, 11), Value: "0"}},
			Instead:    "leave it out: no code reads it since Linux 4.15",
			Namespaced: from(4, 15),
			Acts:       ActsNever,
			Sources:    []string{tcpTable, byteCommit, ipSysctl},
		},
	}
}
