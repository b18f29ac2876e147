package advisor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// child is a namespace beside a host, in which nothing is different.
func child(kernel, name string) *facts.Snapshot {
	s := factstest.Healthy(kernel)
	s.Namespace = facts.Namespace{ID: "net:[1]", Name: name}
	for key := range s.Sysctls {
		if p, _ := sysctl.Lookup(key); !p.ShownInChild(s.Kernel) && s.Sysctls[key].Absent == "" {
			s.Sysctls[key] = facts.Reading{Absent: sysctl.HostWide}
		}
	}
	return s
}

func TestOfOtherNamespacesOnlyDifferencesAreReported(t *testing.T) {
	host := factstest.Healthy("6.12")
	set := builtin(t)
	host.Sysctls["net.core.somaxconn"] = facts.Reading{Value: "65535"}
	host.Sockets.IPv4["close_wait"] = 5000
	same := child("6.12", "same")
	same.Sysctls["net.core.somaxconn"] = facts.Reading{Value: "65535"}
	same.Sockets.IPv4["close_wait"] = 5000
	other := child("6.12", "other")
	other.Sysctls["net.ipv4.tcp_rmem"] = facts.Reading{Value: "4096  131072\t6291456"} // spaced otherwise
	other.Sysctls["net.ipv4.tcp_fin_timeout"] = facts.Reading{Absent: sysctl.NotPermitted}
	other.Sockets.Listeners[1].Queue = 512
	worse := child("6.12", "worse")
	worse.Sockets.IPv4["close_wait"] = 6000
	n := advisor.Compare(&facts.Survey{Namespaces: []facts.Surveyed{{Snapshot: host}, {Processes: 3, Snapshot: same}, {Snapshot: other}, {Snapshot: worse}},
		Skipped: []facts.SkippedNamespace{{Name: "dead", ID: "net:[2]", Reason: "the network namespace is gone"}}}, set, nil)

	if !slices.Contains(n.HostWide, "net.ipv4.tcp_max_orphans") || !slices.Contains(n.HostWide, "net.ipv4.tcp_mem") || slices.Contains(n.HostWide, "net.core.somaxconn") {
		t.Errorf("host-wide: %v", n.HostWide)
	}
	if len(n.Host.Findings) == 0 || n.Skipped[0].Name != "dead" {
		t.Errorf("the host has the findings %v, skipped is %v", found(n.Host), n.Skipped)
	}
	r := n.Namespaces[0]
	if len(r.Differs)+len(r.Findings)+len(r.Inconclusive) != 0 || r.Name != "same" || r.Processes != 3 {
		t.Errorf("a namespace as the host: %+v", r)
	}
	r = n.Namespaces[1]
	if diff := cmp.Diff([]advisor.NamespaceDifference{{Key: "net.core.somaxconn", Value: "4096", Host: "65535"}}, r.Differs); diff != "" {
		t.Errorf("another:\n%s", diff)
	}
	if got := found(advisor.Report{Findings: r.Findings}); !slices.Equal(got, []string{"error listen/queue-full"}) {
		t.Errorf("another has the findings %v", got)
	}
	for _, i := range r.Inconclusive {
		if strings.Contains(strings.Join(i.Missing, " "), string(sysctl.HostWide)) {
			t.Errorf("%s was judged on the host", i.Rule)
		}
	}
	if !slices.ContainsFunc(r.Inconclusive, func(i advisor.Inconclusive) bool { return strings.HasPrefix(i.Rule, "finwait/") }) {
		t.Errorf("what could not be read there is not told: %+v", r.Inconclusive)
	}
	if got := found(advisor.Report{Findings: n.Namespaces[2].Findings}); len(got) != 1 || got[0] != found(n.Host)[0] {
		t.Errorf("one with the host's finding in other numbers has %v", got)
	}
	if n.Worst() != rules.Error {
		t.Errorf("the worst is %q", n.Worst())
	}
}
