package report

import (
	"bytes"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// drifting is a host with TuneD and bpftune on which somebody has tried values
// out.
func drifting() *facts.Snapshot {
	s := factstest.Healthy("6.12.95")
	s.Boot = &facts.Boot{Loader: "systemd-sysctl", Evidence: "systemd is the init here", Ignored: []facts.BootFile{}}
	factstest.WriteDown(s, "net.ipv4.tcp_keepalive_time", "600")
	factstest.WriteDown(s, "net.ipv4.tcp_max_syn_backlog", "8192")
	factstest.Set(s, "net.ipv4.tcp_max_syn_backlog", "16384")
	factstest.Set(s, "net.ipv4.tcp_fin_timeout", "30")
	const ours = "/etc/tuned/ours\x1b[31m/tuned.conf"
	s.Managers = []facts.Manager{
		{Name: "TuneD", Evidence: []string{"process 812 (tuned)", "/etc/tuned/active_profile:1: ours\x1b[31m", ours}, Active: true, AtBoot: true,
			When: "when it starts, is reloaded or changes its profile", Sets: []facts.Hold{
				{Key: "net.core.somaxconn", Value: "2048", Bound: "at least", Place: facts.Place{File: ours, Line: 3}},
				{Key: "net.ipv4.tcp_wmem", Value: "4096 16384 16777216", Place: facts.Place{File: ours, Line: 4}},
			}},
		{Name: "bpftune", Evidence: []string{"process 900 (bpftune)"}, Active: true, When: "while it runs, whenever it thinks fit",
			Sets: []facts.Hold{{Key: "net.ipv4.tcp_rmem", Doubt: "it follows the traffic"}}, Also: "it stops changing what somebody else sets, until it is started again"},
		{Name: "saptune", Evidence: []string{"/etc/sysconfig/saptune:3: 1"}, When: "when its service starts", Sets: []facts.Hold{}},
	}
	s.Gaps[facts.PartManagers] = facts.Gap{Cause: sysctl.NotPermitted, Detail: "/var/spool/cron/crontabs: permission denied"}
	return s
}

func TestDrift(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := drifting()
	elsewhere.Namespace = facts.Namespace{ID: "net:[4026532177]"}
	old := drifting()
	old.Boot, old.Managers = nil, nil
	for name, c := range map[string]struct {
		text    Text
		host    *facts.Snapshot
		profile *profiles.Profile
		all     bool
	}{
		"drift.golden":           {Text{Width: 100}, drifting(), nil, false},
		"drift-narrow.golden":    {Text{Width: 60}, drifting(), &profile, false},
		"drift-all.golden":       {Text{Width: 140}, drifting(), &profile, true},
		"drift-namespace.golden": {Text{Width: 100}, elsewhere, nil, false},
		"drift-unknown.golden":   {Text{Width: 100}, old, nil, false},
	} {
		var b bytes.Buffer
		if err := c.text.Drift(&b, advisor.FindDrift(c.host, set, c.profile, c.all)); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsRune(b.Bytes(), '\x1b') {
			t.Errorf("%s: a file's name reaches the terminal as it is", name)
		}
		golden(t, name, b.String())
	}
}

// Formats for other programs get the findings and the rules that found nothing.
func TestDriftResults(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := DriftResults(advisor.FindDrift(drifting(), set, nil, false), set, "v")
	if r.Command != "drift" || len(r.Findings) != 3 || r.Count(rules.Warning) != 3 || len(r.Passed) != 0 {
		t.Errorf("%d findings of %s, passed %v", len(r.Findings), r.Command, r.Passed)
	}
	healthy := DriftResults(advisor.FindDrift(factstest.Healthy("6.12.95"), set, nil, false), set, "v")
	if len(healthy.Findings) != 0 || len(healthy.Passed) != 2 {
		t.Errorf("a healthy host: %v, passed %v", healthy.Findings, healthy.Passed)
	}
}
