package advisor_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

func listed(d advisor.Drift) []string {
	var keys []string
	for _, p := range d.Parameters {
		keys = append(keys, string(p.Key))
	}
	return keys
}

func TestDriftListsWhatDiffers(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	s := factstest.Healthy("6.12.95")
	s.Boot = &facts.Boot{Loader: "systemd-sysctl"}
	if d := advisor.FindDrift(s, set, nil, false); len(d.Parameters) != 0 || len(d.Findings) != 0 || len(d.Passed) != 2 || d.Worst() != "" {
		t.Errorf("a healthy host: %v, findings %v, passed %v", listed(d), d.Findings, d.Passed)
	}
	factstest.WriteDown(s, "net.ipv4.tcp_keepalive_time", "600") // other than the default, and nothing else
	factstest.Set(s, "net.ipv4.tcp_fin_timeout", "30")
	d := advisor.FindDrift(s, set, nil, false)
	if diff := cmp.Diff([]string{"net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_time"}, listed(d)); diff != "" {
		t.Error(diff)
	}
	if len(d.Findings) != 1 || d.Worst() != rules.Warning {
		t.Errorf("findings %v", d.Findings)
	}
	all := advisor.FindDrift(s, set, nil, true)
	if len(all.Parameters) != d.Agree+len(d.Parameters) || all.Agree != d.Agree {
		t.Errorf("%d in all, %d agree and %d differ", len(all.Parameters), d.Agree, len(d.Parameters))
	}

	// What the profile wants is shown where the host has less, and is no finding.
	d = advisor.FindDrift(s, set, &profile, false)
	i := slices.IndexFunc(d.Parameters, func(p advisor.DriftParameter) bool { return p.Key == "net.core.somaxconn" })
	if i < 0 || d.Parameters[i].Wanted != "at least 16384" || d.Parameters[i].Met || len(d.Findings) != 1 {
		t.Errorf("the profile: %v, findings %v", listed(d), d.Findings)
	}
}

func TestDriftSaysWhatItCouldNotSee(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := factstest.Healthy("6.12.95")
	s.Managers = nil
	s.Gaps[facts.PartFiles] = facts.Gap{Cause: sysctl.NotPermitted, Detail: "/etc/sysctl.d/x.conf"}
	factstest.Set(s, "net.ipv4.tcp_fin_timeout", "30")
	d := advisor.FindDrift(s, set, nil, false)
	want := []string{"not permitted (/etc/sysctl.d/x.conf)", "the snapshot does not tell which other programs set parameters"}
	if diff := cmp.Diff(want, d.Unseen); diff != "" {
		t.Error(diff)
	}
	if len(d.Findings) != 0 || len(d.Inconclusive) != 2 || d.Managers == nil {
		t.Errorf("findings %v, inconclusive %v", d.Findings, d.Inconclusive)
	}
}
