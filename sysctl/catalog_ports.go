package sysctl

import "math"

func portParams() []Param {
	return []Param{
		{
			Key:     "net.ipv4.ip_local_port_range",
			Meaning: "first and last port for connect() and bind() without a port; a port serves several destinations at a time",
			Type:    Vector,
			Unit:    PortNumber,
			Fields:  2,
			// Ports below 1024 belong to services (RFC 6335, 6). From 4.11 on the
			// kernel holds the first port to ip_unprivileged_port_start besides.
			Sane:       Range{1024, 65_535},
			Accepts:    accepts(Range{1, 65_535}),
			Defaults:   []Default{{Value: "32768 61000"}, {From: linux(4, 2), Value: "32768 60999"}},
			Instead:    "ports of services inside the range have to stand in net.ipv4.ip_local_reserved_ports",
			Namespaced: from(3, 13),
			Acts:       ActsNew,
			Override:   "IP_LOCAL_PORT_RANGE (Linux 6.3), within the range",
			Sources:    []string{tcpTable, "net/ipv4/sysctl_net_ipv4.c, ipv4_local_port_range", "net/ipv4/inet_hashtables.c, __inet_hash_connect", "commit 07f4c90062f8", ipSysctl},
		},
		{
			Key:     "net.ipv4.ip_local_reserved_ports",
			Meaning: "ports that are never chosen by themselves; an explicit bind() still gets them",
			Type:    PortSet,
			Unit:    PortNumber,
			// Red Hat's 2.6.32 has it, too.
			Defaults:   always(""),
			Since:      Release{Major: 2, Minor: 6, Patch: 35},
			Namespaced: from(3, 16),
			Acts:       ActsNew,
			Sources:    []string{tcpTable, "kernel/sysctl.c, proc_do_large_bitmap", ipSysctl},
		},
		{
			Key:     "net.ipv4.ip_unprivileged_port_start",
			Meaning: "first port that a program without CAP_NET_BIND_SERVICE may bind; not above the first of ip_local_port_range",
			Type:    Number,
			Unit:    PortNumber,
			// More than 1024 would lock ordinary services such as 8080 out.
			Sane:       Range{0, 1024},
			Accepts:    accepts(Range{0, 65_535}),
			Defaults:   always("1024"),
			Since:      linux(4, 11),
			Namespaced: everywhere(),
			Acts:       ActsNew,
			Override:   "CAP_NET_BIND_SERVICE",
			Sources:    []string{tcpTable, "net/ipv4/sysctl_net_ipv4.c, ipv4_privileged_ports", ipSysctl},
		},
		{
			Key:        "net.ipv4.ip_local_port_step_width",
			Meaning:    "the most by which connect() strides, at random, through a port range in search of a free port; 0 searches in order",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{0, 32_767},
			Accepts:    accepts(Range{0, math.MaxUint32}),
			Defaults:   always("0"),
			Since:      linux(7, 1),
			Namespaced: everywhere(),
			Acts:       ActsNew,
			Sources:    []string{tcpTable, "net/ipv4/inet_hashtables.c, __inet_hash_connect", ipSysctl},
		},
		{
			Key:        "net.ipv4.ip_autobind_reuse",
			Meaning:    "1 lets bind() without a port share one among sockets that all have SO_REUSEADDR, for bind() before connect()",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    accepts(onOff),
			Defaults:   always("0"),
			Since:      linux(5, 7),
			Namespaced: everywhere(),
			Acts:       ActsNew,
			Override:   "IP_BIND_ADDRESS_NO_PORT",
			Sources:    []string{tcpTable, ipSysctl},
		},
	}
}
