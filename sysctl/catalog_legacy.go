package sysctl

import "strings"

// legacyParams are the names that connection tracking had when it was for IPv4
// only. nf_conntrack kept them, if so built, up to Linux 4.8; lists of settings
// keep them to this day.
func legacyParams() []Param {
	const directory = "net.ipv4.netfilter.ip_conntrack_"
	var params []Param
	add := func(key Key, modern Param) {
		modern.Meaning = "earlier name of " + string(modern.Key) + ": the same number"
		modern.Instead = "use " + string(modern.Key)
		modern.Key = key
		modern.Until = linux(4, 9)
		modern.Module = "nf_conntrack_ipv4"
		modern.Sources = []string{
			"net/ipv4/netfilter/nf_conntrack_l3proto_ipv4.c, ip_ct_sysctl_table",
			"net/netfilter/nf_conntrack_proto_tcp.c, tcp_compat_sysctl_table",
		}
		params = append(params, modern)
	}
	for _, modern := range conntrackParams() {
		suffix, found := strings.CutPrefix(string(modern.Key), "net.netfilter.nf_conntrack_")
		switch {
		case !found: // net.nf_conntrack_max
			add("net.ipv4.ip_conntrack_max", modern)
		case suffix == "buckets":
			modern.ReadOnly, modern.Acts = true, ActsNotAsked
			add(directory+"buckets", modern)
		case !modern.Since.IsZero(), suffix == "expect_max", suffix == "tcp_timeout_unacknowledged":
			// never had an earlier name
		default:
			add(Key(directory+suffix), modern)
		}
	}
	return params
}
