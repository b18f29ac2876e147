package advisor

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// Advise judges a snapshot by every rule and, if one is given, compares it with
// a profile.
func Advise(s *facts.Snapshot, set rules.Set, profile *profiles.Profile) Report {
	f := facts.Derive(s)
	r := Report{Schema: ReportSchema, Kernel: s.Kernel, Vendor: s.Kernel.Vendor(), Namespace: s.Namespace,
		States: states(s), StatesFrom: statesFrom(s), Turnover: turnover(s, f), Headroom: headroom(f),
		Findings: []Finding{}, Inconclusive: []Inconclusive{}, Redundant: []Redundant{}, NotApplicable: []NotApplicable{}, Silent: []string{}}
	if s.Window != nil {
		r.WindowSeconds = s.Window.Seconds
	}
	opinions := map[string][]rules.Opinion{}
	subjects := s.Subjects(f)
	for _, rule := range set.All() {
		given := rule.Ask(f, subjects)
		switch j := given[0]; j.Verdict {
		case rules.Fires:
			opinions[rule.Name] = given
		case rules.Inconclusive:
			r.Inconclusive = append(r.Inconclusive, Inconclusive{rule.Name, rule.Severity, rule.Title, missing(j.Missing)})
		case rules.NotApplicable:
			r.NotApplicable = append(r.NotApplicable, NotApplicable{rule.Name, j.Reason})
		default:
			r.Silent = append(r.Silent, rule.Name)
		}
	}
	kept, redundant := Conclude(set, opinions)
	for _, c := range kept {
		r.Findings = append(r.Findings, NewFinding(c.Rule, c.Opinion))
	}
	r.Redundant = append(r.Redundant, redundant...)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(slices.Index(rules.Severities, b.Severity)-slices.Index(rules.Severities, a.Severity), strings.Compare(a.Rule, b.Rule))
	})
	if profile != nil {
		status := compare(*profile, s, f)
		r.Profile = &status
	}
	return r
}

// NewFinding is the finding of a rule that fires.
func NewFinding(rule rules.Rule, o rules.Opinion) Finding {
	f := o.Facts
	found := Finding{Rule: rule.Name, Severity: rule.Severity, Confidence: Certain, Title: rule.Title, Message: rule.Message.Render(f),
		Places: places(rule, o), Evidence: []Evidence{}, Why: rule.Why, Fix: rule.Fix, Suggest: []Suggestion{}, References: rule.References}
	if o.FromTotals {
		found.Confidence = SinceBootOnly
	}
	for _, name := range o.Evidence {
		v := f.Get(name)
		found.Evidence = append(found.Evidence, Evidence{name, facts.Format(v.Content), v.Source})
	}
	for _, suggestion := range rule.Suggest {
		current := f.Get(facts.Name(suggestion.Key))
		value, unknown := facts.EvalFields(suggestion.Fields, f)
		if unknown != nil || current.Missing != nil {
			continue // what is not there cannot be set
		}
		param, _ := sysctl.Lookup(suggestion.Key)
		if initial, known := f.Get("namespace.initial").Content.(bool); known && !initial && param.ReadOnlyInChild {
			continue // the host's to set
		}
		from := sysctl.Value(facts.Format(current.Content))
		if param.CheckSane(value) == nil && !param.Type.Equal(from, value) {
			found.Suggest = append(found.Suggest, Suggestion{suggestion.Key, from, value})
		}
	}
	return found
}

func missing(list []facts.Missing) []string {
	var texts []string
	for _, m := range list {
		if text := m.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func states(s *facts.Snapshot) []State {
	table := []State{}
	if s.Sockets == nil {
		return table
	}
	for _, info := range tcpstate.All() {
		governs := "the program"
		if len(info.Governs) > 0 {
			keys := make([]string, len(info.Governs))
			for i, key := range info.Governs {
				keys[i] = string(key)
			}
			governs = strings.Join(keys, ", ")
		}
		row := State{State: info.Name, IPv4: s.Sockets.IPv4.Of(info.State), IPv6: s.Sockets.IPv6.Of(info.State), Either: s.Sockets.EitherFamily.Of(info.State), Governs: governs}
		if served, looked := s.Sockets.Served[info.Word]; looked {
			row.Server = &served
		}
		table = append(table, row)
	}
	return table
}

func statesFrom(s *facts.Snapshot) string {
	switch {
	case s.Sockets == nil:
		gap, known := s.Gaps[facts.PartSockets]
		if !known {
			gap.Cause = sysctl.NotMeasured
		}
		return "not counted: " + gap.String()
	case s.Sockets.Approximate:
		return string(s.Sockets.Source) + "; approximate while connections come and go"
	}
	return string(s.Sockets.Source)
}

func compare(p profiles.Profile, s *facts.Snapshot, f facts.Facts) ProfileStatus {
	status := ProfileStatus{Name: p.Name, Differs: []Difference{}, Skipped: []SkippedWant{}}
	for _, goal := range p.Goals(s, f) {
		switch {
		case goal.Skip != nil:
			status.Skipped = append(status.Skipped, SkippedWant{goal.Key, goal.Skip.String()})
		case goal.Met:
			status.Met++
		default:
			wanted := string(goal.Value)
			if goal.Bound != profiles.Exactly {
				wanted = string(goal.Bound) + " " + wanted
			}
			status.Differs = append(status.Differs, Difference{goal.Key, wanted, goal.Current, goal.Why})
		}
	}
	return status
}
