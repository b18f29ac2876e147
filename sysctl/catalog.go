package sysctl

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"sync"
)

// Catalogue lists every parameter that tcptune knows, sorted by key. The rows
// stand in the files catalog_*.go, by topic; they are made when they are asked for,
// since commands that need none start in two milliseconds.
var Catalogue = sync.OnceValue(func() []Param {
	params := slices.Concat(
		timeWaitParams(), handshakeParams(), closeParams(), retryParams(), portParams(),
		memoryParams(), segmentParams(), hostParams(), conntrackParams(), legacyParams(),
	)
	slices.SortFunc(params, func(a, b Param) int { return cmp.Compare(a.Key, b.Key) })
	return params
})

// Lookup finds a parameter in the catalogue.
func Lookup(k Key) (Param, bool) {
	params := Catalogue()
	i, found := slices.BinarySearchFunc(params, k, func(p Param, k Key) int { return cmp.Compare(p.Key, k) })
	if !found {
		return Param{}, false
	}
	return params[i], true
}

// The rest of this file is shorthand for the rows.

func linux(major, minor int) Release { return Release{Major: major, Minor: minor} }

// from is the kernels from a release on, for [Param.Namespaced].
func from(major, minor int) []Releases { return []Releases{{from: linux(major, minor)}} }

// after is the updates of one series that are newer than that, for
// [Default.Perhaps]. Newer than the last one, 4.18.20, are only those that a
// distributor goes on with, such as Red Hat's for RHEL 8.
func after(major, minor, patch int) Releases {
	return ReleasesBetween(Release{Major: major, Minor: minor, Patch: patch + 1}, linux(major, minor+1))
}

// everywhere is all kernels, for [Param.Namespaced].
func everywhere() []Releases { return []Releases{{}} }

func always(v Value) []Default { return []Default{{Value: v}} }

// Commit 4ecc1baf362c of Linux 5.13 made one byte of most small numbers. Long-
// term kernels took it over: 5.10.262 has it, 5.10.46 not.
func intThenByte() []Accept { return []Accept{{Range: anyInt}, {linux(5, 13), oneByte}} }

func accepts(r Range) []Accept { return []Accept{{Range: r}} }

var (
	anyInt      = Range{math.MinInt32, math.MaxInt32}
	notNegative = Range{0, math.MaxInt32}
	oneByte     = Range{0, math.MaxUint8}
	onOff       = Range{0, 1}
)

// acceptsSeconds is kernel/sysctl.c, proc_dointvec_jiffies. Its bound is
// INT_MAX/HZ; the one of HZ=1000 holds on every build. Up to 4.11 larger numbers
// are taken and wrap. From 6.19 to 7.1 -1 is taken and printed as garbage.
func acceptsSeconds() []Accept {
	const most = math.MaxInt32 / 1000
	anySeconds := Range{-most, most}
	return []Accept{{Range: anySeconds}, {linux(6, 19), Range{0, most}}, {linux(7, 2), anySeconds}}
}

// sized is a default that the kernel computes. The computation gives 0 where
// the host's description does not tell.
func sized(text string, compute func(Host) int64) *DefaultRule {
	return &DefaultRule{Text: text, Compute: func(h Host) Value {
		if n := compute(h); n > 0 {
			return Value(decimal(n))
		}
		return ""
	}}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// fromBuckets is a default that follows the hash of established connections.
func fromBuckets(text string, compute func(buckets int64) int64) *DefaultRule {
	return sized(text, func(h Host) int64 {
		if h.EhashBuckets <= 0 && h.MemoryKiB <= 0 {
			return 0
		}
		return compute(h.Buckets())
	})
}

// Where most claims can be read.
const (
	tcpTable       = "net/ipv4/sysctl_net_ipv4.c, ipv4_net_table"
	hostTable      = "net/ipv4/sysctl_net_ipv4.c, ipv4_table"
	coreTable      = "net/core/sysctl_net_core.c"
	conntrackTable = "net/netfilter/nf_conntrack_standalone.c, nf_ct_sysctl_table"
	skInit         = "net/ipv4/tcp_ipv4.c, tcp_sk_init"
	ipSysctl       = "https://docs.kernel.org/networking/ip-sysctl.html"
	byteCommit     = "commit 4ecc1baf362c" // small numbers become one byte
	manTCP         = "tcp(7)"
)
