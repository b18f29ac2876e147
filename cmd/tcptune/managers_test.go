package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

func TestApplyWarnsOfManagersThatWillWriteOverIt(t *testing.T) {
	at := func(line int) facts.Place { return facts.Place{File: "/etc/tuned/p/tuned.conf", Line: line} }
	manager := func(change func(*facts.Manager)) facts.Manager {
		m := facts.Manager{Name: "TuneD", Active: true, When: "when it starts", Sets: []facts.Hold{
			{Key: "net.core.somaxconn", Value: "2048", Place: at(3)}, {Key: "net.ipv4.tcp_fin_timeout", Value: "30", Place: at(4)},
		}}
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		manager facts.Manager
		dropIn  string
		want    string
	}{
		"one of two keys differs": {manager(func(*facts.Manager) {}), "",
			"TuneD, /etc/tuned/p/tuned.conf:3 sets net.core.somaxconn = 2048 when it starts, and will write over the plan's 16384"},
		"it is not started": {manager(func(m *facts.Manager) { m.Active = false }), "", ""},
		"a floor below":     {manager(func(m *facts.Manager) { m.Sets[0].Bound = "at least" }), "", ""},
		"a ceiling below": {manager(func(m *facts.Manager) { m.Sets[0].Bound = "at most" }), "",
			"TuneD, /etc/tuned/p/tuned.conf:3 sets net.core.somaxconn = at most 2048 when it starts, and will write over the plan's 16384"},
		"in containers": {manager(func(m *facts.Manager) { m.Sets[0].Container = true }), "", ""},
		"the drop-in is applied after its own values": {manager(func(m *facts.Manager) { m.Rereads = true }), "/etc/sysctl.d/90-tcptune.conf", ""},
		"the drop-in is elsewhere": {manager(func(m *facts.Manager) { m.Rereads = true }), "/usr/lib/sysctl.d/90-tcptune.conf",
			"TuneD, /etc/tuned/p/tuned.conf:3 sets net.core.somaxconn = 2048 when it starts, and will write over the plan's 16384"},
		"it may": {manager(func(m *facts.Manager) { m.Sets[0].Doubt = "who\x1bknows" }), "",
			`TuneD, /etc/tuned/p/tuned.conf:3 may set net.core.somaxconn = 2048 when it starts, and write over the plan's 16384: who\u001bknows`},
		"its values cannot be told": {facts.Manager{Name: "bpftune", Active: true, When: "whenever it thinks fit", Also: "it stops then", Sets: []facts.Hold{
			{Key: "net.core.somaxconn", Doubt: "d"}, {Key: "net.ipv4.tcp_fin_timeout", Doubt: "d"}, {Key: "net.ipv4.tcp_rmem", Doubt: "d"}}}, "",
			"bpftune sets net.core.somaxconn, net.ipv4.tcp_fin_timeout whenever it thinks fit, to values that cannot be told beforehand; it stops then"},
		"nothing but that it sets some": {facts.Manager{Name: "TuneD", Active: true, When: "when it starts", Also: "which, is not known"}, "",
			"TuneD sets parameters when it starts: which, is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			s := factstest.Healthy("6.12.95")
			s.Managers = []facts.Manager{c.manager}
			p := planned{snapshot: s, Plan: advisor.Plan{Steps: []advisor.Step{
				{Change: change.Change{Key: "net.core.somaxconn", From: "4096", To: "16384"}},
				{Change: change.Change{Key: "net.ipv4.tcp_fin_timeout", From: "60", To: sysctl.Value("30")}},
			}}}
			if c.dropIn != "" {
				p.DropIn = &advisor.PlannedDropIn{Path: c.dropIn}
			}
			want := c.want
			if want != "" {
				want = "tcptune: warning: " + want + "\n"
			}
			for _, initial := range []bool{true, false} {
				s.Namespace.Initial = initial
				if !initial {
					want = "" // programs of the host do not reach another namespace
				}
				var errs strings.Builder
				(&app{err: &errs}).warnOfManagers(p)
				if diff := cmp.Diff(want, errs.String()); diff != "" {
					t.Errorf("first namespace: %v:\n%s", initial, diff)
				}
			}
		})
	}
}
