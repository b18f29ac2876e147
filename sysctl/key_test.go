package sysctl

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseKeyReadsBothSpellings(t *testing.T) {
	for _, c := range []struct {
		in   string
		key  Key
		path string
	}{
		{"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_fin_timeout", "net/ipv4/tcp_fin_timeout"},
		{"net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_fin_timeout", "net/ipv4/tcp_fin_timeout"},
		{" net.ipv4.tcp_fin_timeout\t", "net.ipv4.tcp_fin_timeout", "net/ipv4/tcp_fin_timeout"},
		// The first separator decides; the other one is an ordinary character.
		{"net.ipv4.conf.eth0/100.forwarding", "net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"},
		{"net/ipv4/conf/eth0.100/forwarding", "net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"},
		{"net.ipv4.conf.*.forwarding", "net.ipv4.conf.*.forwarding", "net/ipv4/conf/*/forwarding"},
		{"vm", "vm", "vm"},
	} {
		k, err := ParseKey(c.in)
		if err != nil || k != c.key || k.Path() != c.path || k.String() != string(c.key) {
			t.Errorf("ParseKey(%q) = %q at %q, %v; want %q at %q", c.in, k, k.Path(), err, c.key, c.path)
		}
		if k.IsPattern() != strings.Contains(c.in, "*") {
			t.Errorf("%q is a pattern: %v", k, k.IsPattern())
		}
	}
}

func TestParseKeyRefusesWhatIsNoName(t *testing.T) {
	for _, in := range []string{
		"", " ", ".", "/", "..", "net..ipv4", "net.", ".net", "net//ipv4", "/net/ipv4", "net/",
		"net/../kernel/core_pattern", "net.//.x", "net./.x", "../etc/passwd",
		"net.ipv4.tcp_fin_timeout = 5", "net.ipv4.tcp_fin_timeout=5", "net.ipv4 .x", "net.ipv4.\x00", "net.ipv4.a\nb", "net.ipv4.a\u0085b", `net\ipv4`,
	} {
		if k, err := ParseKey(in); err == nil {
			t.Errorf("ParseKey(%q) = %q; want an error", in, k)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"net.ipv4.tcp_fin_timeout", "net/ipv4/conf/eth0.100/forwarding", "net.//.x", "a/b.c", "\xff.x/y", "a. /b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err != nil {
			return
		}
		if again, err := ParseKey(k.String()); err != nil || again != k {
			t.Errorf("%q parsed as %q, which parses as %q, %v", s, k, again, err)
		}
		if path := k.Path(); !filepath.IsLocal(path) || filepath.Clean(path) != path {
			t.Errorf("%q parsed as %q, which leads to %q", s, k, path)
		}
		if strings.ContainsAny(k.String(), " \n\t=") {
			t.Errorf("%q parsed as %q", s, k)
		}
	})
}
