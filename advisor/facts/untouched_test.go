package facts_test

import (
	"testing"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

var lines = []facts.Assignment{
	{Key: "net.ipv4.tcp_tw_recycle", Value: "1", File: "f", Line: 1},
	{Key: "net.ipv4.tcp_fin_timeout", Value: "30 60", File: "f", Line: 2},
	{Key: "net.ipv4.ip_local_port_range", Value: "20000", File: "f", Line: 3},
	{Key: "net.ipv4.tcp_mem", Value: "1 2 3", File: "f", Line: 4},
	{Key: "net.ipv4.tcp_retries2", Value: "1000", File: "f", Line: 5},
	{Key: "net.ipv4.tcp_syn_retries", Value: "2", File: "f", Line: 6},
	{Key: "net.core.somaxconn", Value: "1", File: "f", Line: 7, Loses: "a later line"},
	{Key: "net.core.somaxconn", Value: "9000", File: "f", Line: 8},
	{Key: "net.ipv4.ip_local_reserved_ports", Value: "", File: "f", Line: 9},
	{Key: "vm.swappiness", Value: "1", File: "f", Line: 10},
}

func TestLinesAreAppliedAsTheKernelWouldTakeThem(t *testing.T) {
	for kernel, want := range map[string]map[sysctl.Key]sysctl.Value{
		"6.12": {"net.ipv4.tcp_fin_timeout": "30", "net.ipv4.ip_local_port_range": "20000\t60999", "net.ipv4.tcp_retries2": "15", "net.core.somaxconn": "9000", "net.ipv4.tcp_tw_recycle": ""},
		"4.4":  {"net.ipv4.tcp_fin_timeout": "30", "net.ipv4.tcp_retries2": "1000", "net.core.somaxconn": "9000", "net.ipv4.tcp_tw_recycle": "1"},
	} {
		after, _ := facts.Untouched(release(t, kernel), false).After(lines)
		for key, value := range want {
			if got := after.Sysctls[key].Value; got != value {
				t.Errorf("Linux %s: %s is %q; want %q", kernel, key, got, value)
			}
		}
	}
}

// Restate gives what Derive gives, for every fact, in every kind of snapshot.
func TestRestatedFactsAreTheDerivedOnes(t *testing.T) {
	for _, kernel := range []string{"2.6.32", "3.10", "4.11", "5.4", "6.12", "7.2"} {
		for _, container := range []bool{false, true} {
			base := facts.Untouched(release(t, kernel), container)
			for name, change := range map[string]func([]facts.Assignment) (*facts.Snapshot, []sysctl.Key){"after": base.After, "showing": base.Showing} {
				s, reached := change(lines)
				nothing, _ := change(nil)
				host := facts.Derive(nothing)
				restated, differ := host.Restate(s, reached)
				derived := facts.Derive(s)
				differs := map[facts.Name]bool{}
				for _, name := range differ {
					differs[name] = true
				}
				for fact := range facts.Schema() {
					got, want := restated.Get(fact), derived.Get(fact)
					if got.Content != want.Content || (got.Missing == nil) != (want.Missing == nil) || (got.Place == nil) != (want.Place == nil) {
						t.Errorf("Linux %s, %s: %s is restated as %+v and derived as %+v", kernel, name, fact, got, want)
					}
					if before := host.Get(fact); before.Content != want.Content && !differs[fact] {
						t.Errorf("Linux %s, %s: %s differs, and that is not said", kernel, name, fact)
					}
				}
			}
		}
	}
}

func release(t testing.TB, text string) sysctl.Release {
	t.Helper()
	r, err := sysctl.ParseRelease(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
