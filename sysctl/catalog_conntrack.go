package sysctl

import "math"

const conntrackModule = "nf_conntrack"

// Values that a file read at boot sets before the module is loaded are lost.
func conntrackParams() []Param {
	return append([]Param{
		{
			Key:             "net.netfilter.nf_conntrack_max",
			Meaning:         "connections that each namespace may have tracked, one number for the host; above it new ones are dropped",
			Type:            Number,
			Unit:            Count,
			Sane:            conntrackSane,
			Accepts:         conntrackAccepts(),
			Defaults:        conntrackMaxDefaults(),
			Instead:         "raise net.netfilter.nf_conntrack_buckets with it, or every lookup slows down",
			ReadOnlyInChild: true, // up to Linux 5.12 writable for a namespace of the host's users
			Module:          conntrackModule,
			Acts:            ActsAtOnce,
			Sources:         []string{conntrackTable, "net/netfilter/nf_conntrack_core.c, nf_conntrack_init_start", "net/netfilter/nf_conntrack_core.c, __nf_conntrack_alloc"},
		},
		{
			Key:      "net.nf_conntrack_max",
			Meaning:  "another name of net.netfilter.nf_conntrack_max: the same number",
			Type:     Number,
			Unit:     Count,
			Sane:     conntrackSane,
			Accepts:  conntrackAccepts(),
			Defaults: conntrackMaxDefaults(),
			Instead:  "net.netfilter.nf_conntrack_max, which child namespaces show, too",
			Module:   conntrackModule,
			Acts:     ActsAtOnce,
			Sources:  []string{"net/netfilter/nf_conntrack_standalone.c, nf_ct_netfilter_table"},
		},
		{
			Key:     "net.netfilter.nf_conntrack_buckets",
			Meaning: "buckets of the table of tracked connections; each connection is in it twice",
			Type:    Number,
			Unit:    Count,
			Sane:    Range{512, 1 << 24}, // a page of them, 128 MiB of them
			Defaults: []Default{{Rule: sized("by memory: 65536 above 1 GiB and 262144 above 4 GiB; up to Linux 5.14 16384 and 65536",
				func(h Host) int64 { return wholePages(conntrackBuckets(h), h) })}},
			Instead:         "the kernel rounds up to whole pages of buckets, 512 on most machines; up to Linux 4.7 only the module parameter hashsize can set it",
			ReadOnlyInChild: true,
			Module:          conntrackModule,
			Acts:            ActsAtOnce,
			Override:        "module parameter hashsize",
			Sources:         []string{conntrackTable, "net/netfilter/nf_conntrack_core.c, nf_conntrack_init_start", "net/netfilter/nf_conntrack_core.c, nf_ct_alloc_hashtable"},
		},
		{
			Key:        "net.netfilter.nf_conntrack_count",
			Meaning:    "connections tracked now, in this namespace",
			Type:       Number,
			Unit:       Count,
			Sane:       notNegative,
			Namespaced: everywhere(),
			ReadOnly:   true,
			Module:     conntrackModule,
			Acts:       ActsNotAsked,
			Sources:    []string{conntrackTable},
		},
		{
			Key:     "net.netfilter.nf_conntrack_expect_max",
			Meaning: "connections expected by helpers, such as the data connection of FTP",
			Type:    Number,
			Unit:    Count,
			Sane:    Range{1, 1 << 20},
			Defaults: []Default{
				{Rule: sized("four for every 256 buckets", func(h Host) int64 { return 4 * (conntrackBuckets(h) / 256) })},
				{From: linux(4, 7), Rule: sized("four for every 256 buckets", func(h Host) int64 { return 4 * (wholePages(conntrackBuckets(h), h) / 256) })},
			},
			ReadOnlyInChild: true,
			Module:          conntrackModule,
			Acts:            ActsAtOnce,
			Sources:         []string{conntrackTable, "net/netfilter/nf_conntrack_expect.c, nf_conntrack_expect_init"},
		},
		{
			Key:        "net.netfilter.nf_conntrack_tcp_loose",
			Meaning:    "1 tracks connections whose beginning was not seen, as after a restart or a fail-over",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    []Accept{{Range: anyInt}, {linux(5, 1), onOff}},
			Defaults:   always("1"),
			Namespaced: from(3, 6),
			Module:     conntrackModule,
			Acts:       ActsAtOnce,
			Sources:    []string{conntrackTable, "net/netfilter/nf_conntrack_proto_tcp.c, tcp_new"},
		},
		{
			Key:        "net.netfilter.nf_conntrack_tcp_be_liberal",
			Meaning:    "1 takes segments outside the window for valid, all but resets",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    []Accept{{Range: anyInt}, {linux(5, 1), onOff}},
			Defaults:   always("0"),
			Namespaced: from(3, 6),
			Module:     conntrackModule,
			Acts:       ActsAtOnce,
			Sources:    []string{conntrackTable, "net/netfilter/nf_conntrack_proto_tcp.c, tcp_in_window"},
		},
		{
			Key:        "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst",
			Meaning:    "1 takes resets outside the window for valid",
			Type:       Number,
			Unit:       Switch,
			Sane:       onOff,
			Accepts:    accepts(onOff),
			Defaults:   always("0"),
			Since:      linux(5, 14),
			Namespaced: everywhere(),
			Module:     conntrackModule,
			Acts:       ActsAtOnce,
			Sources:    []string{conntrackTable, "net/netfilter/nf_conntrack_proto_tcp.c, nf_conntrack_tcp_packet"},
		},
		{
			Key:        "net.netfilter.nf_conntrack_tcp_max_retrans",
			Meaning:    "segments resent without an answer after which a tracked connection gets the time-out max_retrans",
			Type:       Number,
			Unit:       Count,
			Sane:       Range{1, 255},
			Accepts:    intThenByte(),
			Defaults:   always("3"),
			Namespaced: from(3, 6),
			Module:     conntrackModule,
			Acts:       ActsAtOnce,
			Sources:    []string{conntrackTable, "net/netfilter/nf_conntrack_proto_tcp.c, nf_conntrack_tcp_packet"},
		},
	}, conntrackTimeouts()...)
}

// The least is what the smallest machine gets by itself; an entry takes some
// 300 bytes, so the top is 20 GiB of them.
var conntrackSane = Range{128, 1 << 26}

// Unchecked in 6.14, 0 refused in 6.19; 0 is no limit where it is taken.
func conntrackAccepts() []Accept {
	return []Accept{{Range: anyInt}, {linux(6, 17), notNegative}, {linux(6, 19), Range{1, math.MaxInt32}}}
}

func conntrackMaxDefaults() []Default {
	const times4 = "four times the number of buckets that memory asks for"
	return []Default{
		{Rule: sized(times4, func(h Host) int64 { return 4 * conntrackBuckets(h) })},
		{From: linux(4, 7), Rule: sized(times4, func(h Host) int64 { return 4 * wholePages(conntrackBuckets(h), h) })},
		{From: linux(5, 15), Rule: sized("as many as buckets, or 8 times as many if the module parameter hashsize was given",
			func(h Host) int64 { return wholePages(conntrackBuckets(h), h) })},
	}
}

// conntrackBuckets is the size that nf_conntrack_init_start asks for on a
// 64-bit machine, or 0 if memory is not known.
func conntrackBuckets(h Host) int64 {
	const gib = 1 << 20 // in KiB
	r := h.Release
	switch modern := !r.Before(linux(5, 15)); {
	case h.MemoryKiB <= 0:
		return 0
	case modern && h.MemoryKiB > 4*gib:
		return 262_144
	case modern && h.MemoryKiB > gib:
		return 65_536
	case modern:
		return max(1024, h.MemoryKiB/128)
	case h.MemoryKiB > 4*gib && !r.Before(linux(4, 0)):
		return 65_536
	case h.MemoryKiB > gib:
		return 16_384
	}
	return max(32, h.MemoryKiB/128)
}

// wholePages rounds buckets up as nf_ct_alloc_hashtable does: 8 bytes each.
func wholePages(buckets int64, h Host) int64 {
	page := int64(4096)
	if h.PageSize > 0 {
		page = h.PageSize
	}
	page /= 8
	return (buckets + page - 1) / page * page
}

// conntrackTimeouts are how long an entry is kept in each state of a connection
// after its last packet.
func conntrackTimeouts() []Param {
	const day = 86_400
	var params []Param
	for _, t := range []struct {
		state   string
		normal  int64
		most    int64 // of what makes sense
		meaning string
		instead string
	}{
		{"syn_sent", 120, 3600, "after a SYN", ""},
		{"syn_recv", 60, 3600, "after a SYN-ACK", ""},
		{"established", 5 * day, 7 * day, "while open: an idle connection loses its entry after it", "shorter than the keepalive of the programs it cuts idle connections off"},
		{"fin_wait", 120, 3600, "after the first FIN", ""},
		{"close_wait", 60, 3600, "while one side has closed and the other may still send", "a shorter one cuts slow half-closed connections off"},
		{"last_ack", 30, 3600, "while the last FIN waits for its ACK", ""},
		{"time_wait", 120, 3600, "after both FINs", "a shorter one frees entries of this table, not local ports; below 60 s late segments count as invalid"},
		{"close", 10, 3600, "after a reset", ""},
		{"max_retrans", 300, 3600, "after nf_conntrack_tcp_max_retrans segments without an answer", ""},
		{"unacknowledged", 300, 3600, "while segments wait for an acknowledgement", ""},
	} {
		params = append(params, Param{
			Key:        Key("net.netfilter.nf_conntrack_tcp_timeout_" + t.state),
			Meaning:    "how long a tracked connection is kept " + t.meaning,
			Type:       Number,
			Unit:       Seconds,
			Sane:       Range{1, t.most},
			Accepts:    acceptsSeconds(),
			Defaults:   always(Value(decimal(t.normal))),
			Instead:    t.instead,
			Namespaced: from(3, 6),
			Module:     conntrackModule,
			Acts:       ActsEntry,
			Override:   "a timeout policy of the packet filter's rules",
			Sources:    []string{conntrackTable, "net/netfilter/nf_conntrack_proto_tcp.c, tcp_timeouts"},
		})
	}
	return params
}
