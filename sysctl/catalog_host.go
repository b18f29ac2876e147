package sysctl

// Parameters that are evidence of what the host is for; they are not advised on.
func hostParams() []Param {
	return []Param{
		{
			Key:        "net.ipv4.ip_forward",
			Meaning:    "1 makes the host pass on packets that are not its own",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    accepts(anyInt),
			Defaults:   always("0"),
			Namespaced: everywhere(),
			Acts:       ActsAtOnce,
			Sources:    []string{"net/ipv4/devinet.c, ctl_forward_entry", ipSysctl},
		},
		{
			Key:        "net.ipv6.conf.all.forwarding",
			Meaning:    "1 makes the host pass on IPv6 packets that are not its own",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    accepts(anyInt),
			Defaults:   always("0"),
			Namespaced: everywhere(),
			Module:     "ipv6",
			Acts:       ActsAtOnce,
			Sources:    []string{"net/ipv6/addrconf.c, addrconf_sysctl_forward", ipSysctl},
		},
	}
}
