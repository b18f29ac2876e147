package conf

import (
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

// The kernel allows an interface a name that starts with a dot.
func TestWildcardsDoNotMatchADotInFront(t *testing.T) {
	const hidden = sysctl.Key("net.ipv4.conf./x.rp_filter")
	for pattern, want := range map[sysctl.Key]bool{
		filters: false, "net.ipv4.conf.?x.rp_filter": false, "net.ipv4.conf.[!a]x.rp_filter": false, "net.ipv4.conf./*.rp_filter": true, `net.ipv4.conf.\/?.rp_filter`: true,
	} {
		if got := KeysOf([]sysctl.Key{hidden})(pattern); (len(got) == 1) != want {
			t.Errorf("%s matches %s: %v", pattern, hidden, !want)
		}
	}
}
