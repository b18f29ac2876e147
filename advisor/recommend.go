package advisor

import (
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/profiles"
)

// Recommend makes a profile of what a report suggests: the goals of the profile
// it was compared with, if any, and over them what the findings suggest, graver
// ones first. It is sorted and holds nothing of the moment, so that two runs
// that come to the same advice give the same profile.
func Recommend(r Report, base *profiles.Profile, goals []profiles.Goal) (profiles.Profile, error) {
	p := profiles.Profile{Name: "recommended", Summary: "What tcptune check recommends for this host"}
	if base != nil {
		p.Summary += ", over the profile " + base.Name
		p.Cautions = base.Cautions
	}
	for _, f := range r.Findings { // gravest first: the first suggestion for a key stays
		for _, s := range f.Suggest {
			if slices.ContainsFunc(p.Wants, func(w profiles.Want) bool { return w.Key == s.Key }) {
				continue
			}
			fields, err := literal(s.To.Fields())
			if err != nil {
				return profiles.Profile{}, err
			}
			p.Wants = append(p.Wants, profiles.Want{Key: s.Key, Bound: profiles.Exactly, Fields: fields, Why: f.Rule + ": " + f.Title})
		}
	}
	for _, g := range goals {
		if g.Skip != nil || slices.ContainsFunc(p.Wants, func(w profiles.Want) bool { return w.Key == g.Key }) {
			continue
		}
		fields, err := literal(g.Value.Fields())
		if err != nil {
			return profiles.Profile{}, err
		}
		p.Wants = append(p.Wants, profiles.Want{Key: g.Key, Bound: g.Bound, Fields: fields, Why: g.Why})
	}
	slices.SortFunc(p.Wants, func(a, b profiles.Want) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return p, nil
}

func literal(numbers []string) ([]facts.Expr, error) {
	items := make([]any, len(numbers))
	for i, n := range numbers {
		items[i] = n
	}
	return facts.CompileFields(items)
}
