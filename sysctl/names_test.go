package sysctl

import (
	"strings"
	"testing"
)

func TestNamesThatNoKernelHasAreToldFromThoseNotKnown(t *testing.T) {
	for _, test := range []struct {
		key           Key
		exists, known bool
		nearest       Key
	}{
		{"net.ipv4.tcp_fin_timeout", true, true, ""},
		{"net.ipv4.tcp_tw_recycle", true, true, ""},    // once
		{"net.ipv4.tcp_available_ulp", true, true, ""}, // not in the catalogue
		{"net.ipv4.tcp_fin_timout", false, true, "net.ipv4.tcp_fin_timeout"},
		{"net.ipv4.tcp_tw_resuse", false, true, "net.ipv4.tcp_tw_reuse"},
		{"net.ipv4.tcp_turbo_mode", false, true, ""},
		{"net.ipv6.tcp_fin_timeout", false, true, "net.ipv4.tcp_fin_timeout"},
		{"net.net.ipv4.tcp_sack", false, true, "net.ipv4.tcp_sack"},
		{"net.ipv4.somaxconn", false, true, "net.core.somaxconn"},
		{"net.core.somaxcon", false, true, "net.core.somaxconn"},
		{"net.ipv4.netfilter.ip_conntrack_max", true, true, ""}, // up to 4.8
		{"net.ipv4.conf.all.rp_filter", false, false, ""},
		{"net.ipv4.vs.expire_nodest_conn", false, false, ""},
		{"net.core.of_another_module", false, false, ""},
		{"vm.swappiness", false, false, ""},
		{"kernel.panic", false, false, ""},
		{"sunrpc.tcp_fin_timeout", false, false, ""}, // NFS brings it
	} {
		exists, known, nearest := Exists(test.key)
		if exists != test.exists || known != test.known || nearest != test.nearest {
			t.Errorf("Exists(%s) = %v, %v, %q; want %v, %v, %q", test.key, exists, known, nearest, test.exists, test.known, test.nearest)
		}
	}
}

// What a kernel showed, it has; the catalogue's rows are among the names.
func TestEveryCapturedNameExists(t *testing.T) {
	for _, row := range readCapture(t, "defaults.tsv").rows {
		if exists, _, _ := Exists(Key(row.name)); !exists && row.name != "MemTotal" {
			t.Errorf("%s is not among the names", row.name)
		}
	}
}

// The file holds names, each once and, behind those that are gone, a release.
func TestTheListOfNamesIsWellFormed(t *testing.T) {
	seen := map[Key]bool{}
	for line := range strings.Lines(namesText) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		key, err := ParseKey(fields[0])
		if err != nil || seen[key] || !strings.HasPrefix(string(key), "net.") || len(fields) > 2 {
			t.Errorf("%q: %v", line, err)
		}
		seen[key] = true
		if len(fields) == 2 && release(t, fields[1]) != GoneBy(key) {
			t.Errorf("%s is gone by %v; the list says %s", key, GoneBy(key), fields[1])
		}
	}
	if gone := GoneBy("net.ipv4.tcp_thin_dupack"); gone != linux(4, 11) {
		t.Errorf("tcp_thin_dupack is gone by %v", gone)
	}
}
