package advisor

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
)

// A Conclusion is an opinion that no other makes redundant.
type Conclusion struct {
	Rule    rules.Rule
	Opinion rules.Opinion
}

// Conclude picks, from what the rules that fired have to say, by their names,
// what says more than another, in the order of the rules.
func Conclude(set rules.Set, opinions map[string][]rules.Opinion) (kept []Conclusion, redundant []Redundant) {
	var fired []rules.Rule
	for _, name := range slices.Sorted(maps.Keys(opinions)) {
		rule, _ := set.Get(name)
		fired = append(fired, rule)
	}
	for _, rule := range fired {
		for _, opinion := range opinions[rule.Name] {
			by := slices.IndexFunc(fired, func(other rules.Rule) bool {
				return rule.YieldsTo(other.Name) && saysAsMuch(other, opinions[other.Name], opinion)
			})
			if by < 0 {
				kept = append(kept, Conclusion{rule, opinion})
			} else if r := (Redundant{rule.Name, fired[by].Name}); !slices.Contains(redundant, r) {
				redundant = append(redundant, r)
			}
		}
	}
	return kept, redundant
}

// ByPlace orders findings that have a place by file and line, the gravest about
// a line first.
func ByPlace(a, b Finding) int {
	x, y := a.Places[0], b.Places[0]
	return cmp.Or(strings.Compare(x.File, y.File), x.Line-y.Line, x.Column-y.Column,
		slices.Index(rules.Severities, b.Severity)-slices.Index(rules.Severities, a.Severity), strings.Compare(a.Rule, b.Rule))
}

// saysAsMuch reports whether one of another rule's opinions is about the same
// line, or about the running value of the parameter that the line sets. One that
// yields and is about no line yields to any.
func saysAsMuch(other rules.Rule, opinions []rules.Opinion, yielding rules.Opinion) bool {
	key, _ := yielding.Facts.Get("line.key").Content.(string)
	return yielding.Place == nil || slices.ContainsFunc(opinions, func(o rules.Opinion) bool {
		lines := places(other, o)
		return slices.ContainsFunc(lines, yielding.Place.Same) || lines == nil && slices.Contains(spokenOf(other, o), facts.Name(key))
	})
}

// spokenOf names the facts that a rule speaks of: the evidence first, then those
// in its message and those of the parameters that it would change.
func spokenOf(rule rules.Rule, o rules.Opinion) []facts.Name {
	names := slices.Concat(o.Evidence, rule.Message.Needs())
	for _, s := range rule.Suggest {
		names = append(names, facts.Name(s.Key))
	}
	return names
}

// places are the lines that an opinion is about: the subject's own, or those
// that gave the evidence. Where the evidence was computed, they are those of the
// parameters that the rule speaks of.
func places(rule rules.Rule, o rules.Opinion) []facts.Place {
	if o.Place != nil {
		return []facts.Place{*o.Place}
	}
	if lines := givenBy(o.Facts, o.Evidence); lines != nil {
		return lines
	}
	return givenBy(o.Facts, spokenOf(rule, o))
}

// givenBy are the lines that gave facts.
func givenBy(f facts.Facts, names []facts.Name) (lines []facts.Place) {
	for _, name := range names {
		if place := f.Get(name).Place; place != nil && !slices.ContainsFunc(lines, place.Same) {
			lines = append(lines, *place)
		}
	}
	return lines
}
