package sysctl

import (
	"math"
	"strings"
	"testing"
)

func TestRangesReadWell(t *testing.T) {
	for r, want := range map[Range]string{
		{0, 2}: "0 to 2", {0, 0}: "0", {1, math.MaxInt32}: "1 or more", anyInt: "any number", {-1, 5}: "-1 to 5",
	} {
		if r.String() != want {
			t.Errorf("%d..%d prints as %q; want %q", r.Min, r.Max, r, want)
		}
	}
}

// What the release number says of a parameter, for those that changed hands or
// meaning over time.
func TestTimelines(t *testing.T) {
	host := Host{MemoryKiB: 24_684_084, PageSize: 4096}
	for _, c := range []struct {
		kernel     string
		key        Key
		def        Value
		accepted   Range
		namespaced bool
	}{
		{"2.6.32", "net.ipv4.tcp_syn_retries", "5", anyInt, false},
		{"3.10.0-1160.el7.x86_64", "net.ipv4.tcp_syn_retries", "6", Range{1, 127}, false},
		{"3.10.0-1160.el7.x86_64", "net.ipv4.tcp_fastopen", "0", anyInt, false},
		{"4.15.18", "net.ipv4.tcp_tw_reuse", "0", anyInt, true},
		{"4.18.0-147.el8.x86_64", "net.ipv4.tcp_tw_reuse", "2", Range{0, 2}, true},
		{"4.9.0", "net.ipv4.tcp_tw_reuse", "0", anyInt, false},
		{"4.18.0-240.el8.x86_64", "net.core.somaxconn", "128", notNegative, true},
		{"5.4.0-97-generic", "net.core.somaxconn", "4096", notNegative, true},
		{"3.10.0-1160.el7.x86_64", "net.core.somaxconn", "128", Range{0, 65535}, true},
		{"5.3.0", "net.ipv4.tcp_max_syn_backlog", "1024", anyInt, true},
		{"6.18.44", "net.ipv4.tcp_max_syn_backlog", "2048", anyInt, true},
		{"6.18.44", "net.ipv4.tcp_max_tw_buckets", "131072", anyInt, true},
		{"4.10.0", "net.ipv4.tcp_max_tw_buckets", "131072", anyInt, false},
		{"5.14.0", "net.netfilter.nf_conntrack_max", "262144", anyInt, false},
		{"6.18.44", "net.netfilter.nf_conntrack_max", "262144", notNegative, false},
		{"6.19.0", "net.netfilter.nf_conntrack_max", "262144", Range{1, math.MaxInt32}, false},
		{"3.10.0", "net.netfilter.nf_conntrack_max", "65536", anyInt, false},
		{"4.1.0", "net.ipv4.ip_local_port_range", "32768 61000", Range{1, 65535}, true},
		{"4.2.0", "net.ipv4.ip_local_port_range", "32768 60999", Range{1, 65535}, true},
	} {
		p := lookup(t, c.key)
		host.Release = release(t, c.kernel)
		if v, known := p.Default(host); !known || v != c.def {
			t.Errorf("default of %s on %s = %q, %v; want %q", c.key, c.kernel, v, known, c.def)
		}
		if r, known := p.Accepted(host.Release); !known || r != c.accepted {
			t.Errorf("%s on %s takes %v, %v; want %v", c.key, c.kernel, r, known, c.accepted)
		}
		if p.IsNamespaced(host.Release) != c.namespaced {
			t.Errorf("%s on %s is per namespace: %v", c.key, c.kernel, !c.namespaced)
		}
	}
	// Per namespace for a while only.
	for kernel, want := range map[string]bool{"3.2.0": false, "3.3.0": true, "3.12.74": true, "3.13.0": false, "6.18.0": false} {
		if got := lookup(t, "net.ipv4.tcp_mem").IsNamespaced(release(t, kernel)); got != want {
			t.Errorf("tcp_mem on %s is per namespace: %v", kernel, got)
		}
	}
}

func TestDefaultTextIsThereWhenTheValueIsNot(t *testing.T) {
	h := Host{Release: linux(6, 1), MemoryKiB: 1 << 20}
	for key, want := range map[Key]string{
		"net.ipv4.tcp_mem":                 "a 16th of the memory",
		"net.ipv4.tcp_congestion_control":  "cubic",
		"net.ipv4.ip_local_reserved_ports": "empty",
		"net.ipv4.tcp_fin_timeout":         "60",
		"net.ipv4.tcp_max_orphans":         "half the buckets",
	} {
		if text := lookup(t, key).DefaultText(h); !strings.Contains(text, want) {
			t.Errorf("the default of %s is described as %q; want %q in it", key, text, want)
		}
	}
	if text := lookup(t, "net.netfilter.nf_conntrack_count").DefaultText(h); text != "not known" {
		t.Errorf("the default of a reading is described as %q", text)
	}
}

func TestDefaultsOfAbsentParametersAreNotKnown(t *testing.T) {
	for kernel, key := range map[string]Key{
		"4.12.0": "net.ipv4.tcp_tw_recycle", "6.14.11": "net.ipv4.tcp_rto_max_ms", "6.13.0": "net.ipv4.tcp_tw_reuse_delay",
		"7.0.13": "net.ipv4.ip_local_port_step_width", "4.10.17": "net.ipv4.ip_unprivileged_port_start",
	} {
		if v, known := lookup(t, key).Default(Host{Release: release(t, kernel)}); known {
			t.Errorf("default of %s on %s = %q", key, kernel, v)
		}
	}
}
