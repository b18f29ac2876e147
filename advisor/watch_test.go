package advisor_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
)

// Each namespace has its own findings, and takes them with it.
func TestWatchOfSeveralNamespaces(t *testing.T) {
	report := func(id string, rules ...string) advisor.Report {
		r := advisor.Report{Namespace: facts.Namespace{ID: id}}
		for _, rule := range rules {
			r.Findings = append(r.Findings, advisor.Finding{Rule: rule})
		}
		return r
	}
	unsure := report("2")
	unsure.Inconclusive = []advisor.Inconclusive{{Rule: "full"}}
	var watch advisor.Watch
	for i, step := range []struct {
		reports []advisor.Report
		want    []string
	}{
		{[]advisor.Report{report("1", "full"), report("2", "full", "drops")}, []string{"appeared 1 full", "appeared 2 full", "appeared 2 drops"}},
		{[]advisor.Report{report("1"), unsure}, []string{"gone 1 full", "gone 2 drops"}},
		{[]advisor.Report{report("1", "full")}, []string{"appeared 1 full", "gone 2 full"}},
		{[]advisor.Report{report("1", "full"), report("2", "full")}, []string{"appeared 2 full"}},
	} {
		var got []string
		for _, event := range watch.Next(time.Unix(1, 0), step.reports...) {
			got = append(got, string(event.Change)+" "+event.Namespace.ID+" "+event.Finding.Rule)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("look %d:\n%s", i, diff)
		}
	}
}

func TestWatchTellsWhatAppearsAndWhatIsGone(t *testing.T) {
	fires := func(rule, message string, places ...facts.Place) advisor.Finding {
		return advisor.Finding{Rule: rule, Message: message, Places: places}
	}
	one, two := facts.Place{File: "/a", Line: 1}, facts.Place{File: "/a", Line: 2}
	lacks := []advisor.Inconclusive{{Rule: "a/full"}}
	var watch advisor.Watch
	for _, step := range []struct {
		what   string
		report advisor.Report
		want   []string
	}{
		{"nothing is wrong", advisor.Report{}, nil},
		{"two findings", advisor.Report{Findings: []advisor.Finding{fires("a/full", "1 of 2"), fires("b/drops", "3")}},
			[]string{"appeared a/full 1 of 2", "appeared b/drops 3"}},
		{"other numbers", advisor.Report{Findings: []advisor.Finding{fires("a/full", "2 of 2"), fires("b/drops", "4")}}, nil},
		{"one is gone", advisor.Report{Findings: []advisor.Finding{fires("a/full", "2 of 2")}}, []string{"gone b/drops 4"}},
		{"evidence is lacking", advisor.Report{Inconclusive: lacks}, nil},
		{"still", advisor.Report{Inconclusive: lacks}, nil},
		{"it is back", advisor.Report{Findings: []advisor.Finding{fires("a/full", "1 of 2")}}, nil},
		{"another one says it", advisor.Report{Findings: []advisor.Finding{fires("a/over", "5")}, Redundant: []advisor.Redundant{{Rule: "a/full", By: "a/over"}}},
			[]string{"appeared a/over 5"}},
		{"nothing is wrong again", advisor.Report{}, []string{"gone a/full 1 of 2", "gone a/over 5"}},
		{"it comes back", advisor.Report{Findings: []advisor.Finding{fires("a/over", "6")}}, []string{"appeared a/over 6"}},
		{"two lines of a file", advisor.Report{Findings: []advisor.Finding{fires("f/line", "x", one), fires("f/line", "y", two)}},
			[]string{"appeared f/line x", "appeared f/line y", "gone a/over 6"}},
		{"one line less", advisor.Report{Findings: []advisor.Finding{fires("f/line", "y", two)}}, []string{"gone f/line x"}},
	} {
		var got []string
		at := time.Unix(1, 0)
		for _, event := range watch.Next(at, step.report) {
			if !event.Time.Equal(at) {
				t.Errorf("%s: the time is %v", step.what, event.Time)
			}
			got = append(got, string(event.Change)+" "+event.Finding.Rule+" "+event.Finding.Message)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s:\n%s", step.what, diff)
		}
	}
}
