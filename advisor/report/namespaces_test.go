package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/rules"
)

// alike are a host and namespaces beside it: many that differ in the same way, and
// one with a finding.
func alike(t *testing.T) (advisor.Namespaces, rules.Set) {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	survey := &facts.Survey{Namespaces: []facts.Surveyed{{Snapshot: factstest.Healthy("6.12")}},
		Skipped: []facts.SkippedNamespace{{Name: "dead", ID: "net:[99]", Reason: "the network namespace is gone"}}}
	for i := range 20 {
		s := factstest.Healthy("6.12")
		s.Namespace = facts.Namespace{ID: fmt.Sprintf("net:[%d]", i), Name: fmt.Sprintf("docker %012d", i)}
		s.Sysctls["net.core.somaxconn"] = facts.Reading{Value: "128"}
		s.Sockets.Listeners = nil
		if i == 7 {
			s.Namespace.Name = "\x1b[31mweb"
			s.Sockets.Listeners = []facts.Listener{{Address: "::", Port: 443, Queue: 512, Limit: 511, SynRecv: new(int64)}}
		}
		survey.Namespaces = append(survey.Namespaces, facts.Surveyed{Processes: 2, Snapshot: s})
	}
	n := advisor.Compare(survey, set, nil)
	n.UnseenProcesses = 3
	return n, set
}

func TestNamespacesThatDifferInTheSameWayStandTogether(t *testing.T) {
	n, _ := alike(t)
	var b strings.Builder
	if err := (Text{Width: 100, MinSeverity: rules.Info}).Namespaces(&b, n); err != nil {
		t.Fatal(err)
	}
	_, others, _ := strings.Cut(b.String(), "\nOTHER NAMESPACES  20 looked at, 1 skipped\n")
	for part, times := range map[string]int{
		"net.core.somaxconn  128    4096": 2, "docker 000000000000 (net:[0])": 1, "7 more": 1, "docker 000000000019": 0, "10545 sockets": 1,
		`\u001b[31mweb (net:[7])`: 1, "error  listen/queue-full": 1, "dead (net:[99]) skipped: the network namespace is gone": 1, "\x1b": 0,
		"the namespace of 3 processes could not be told": 1,
	} {
		if got := strings.Count(others, part); got != times {
			t.Errorf("%q stands there %d times, want %d, in:\n%s", part, got, times, others)
		}
	}
}

func TestFindingsOfNamespacesNameThemInOtherFormats(t *testing.T) {
	n, set := alike(t)
	r := NamespacesResults(n, set, "v")
	if len(r.Findings) != 1 || !strings.HasPrefix(r.Findings[0].Message, "\x1b[31mweb (net:[7]): ") {
		t.Errorf("the findings are %+v", r.Findings)
	}
	for _, rule := range r.Passed {
		if rule == "listen/queue-full" {
			t.Error("a rule that fires in a namespace is called passed")
		}
	}
	var b strings.Builder
	if err := Nagios(&b, r); err != nil || !strings.HasPrefix(b.String(), "TCPTUNE CRITICAL") || strings.Contains(b.String(), "\x1b") {
		t.Errorf("for Nagios it is %v:\n%s", err, b.String())
	}
}
