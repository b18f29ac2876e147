package rules

import (
	"fmt"
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
)

// Verdict is a rule's answer.
type Verdict string

const (
	Fires         Verdict = "fires"
	Silent        Verdict = "silent"
	Inconclusive  Verdict = "inconclusive"   // evidence is out of sight
	NotApplicable Verdict = "not applicable" // what it speaks of does not exist here
)

// A Judgement is a verdict and what it rests on.
type Judgement struct {
	Verdict Verdict
	// Evidence names the facts of the conditions that hold, when it fires.
	Evidence []facts.Name
	// FromTotals: without counts since boot it would not fire, so what it saw may
	// be over.
	FromTotals bool
	// Missing says what was not to be had, when it is inconclusive.
	Missing []facts.Missing
	// Reason says why it is not applicable.
	Reason string
}

// Judge asks the rule's conditions in Kleene's logic: one that is false decides
// When whatever else is unknown, one that is true decides Any. A condition on
// something that does not exist is false.
func (r Rule) Judge(f facts.Facts) Judgement {
	if !r.Kernels.Contains(f.Kernel) {
		return Judgement{Verdict: NotApplicable, Reason: fmt.Sprintf("concerns Linux %v", r.Kernels)}
	}
	if denied(f, r.When) {
		return Judgement{Verdict: Silent}
	}
	all := ask(f, r.When)
	one := ask(f, r.Any)
	undecided := len(r.Any) > 0 && len(one.held) == 0
	noneHolds := undecided && len(one.unknown) == 0
	switch {
	case noneHolds && one.denied:
		return Judgement{Verdict: Silent}
	case len(all.absent) > 0 || noneHolds:
		return Judgement{Verdict: NotApplicable, Reason: append(all.absent, one.absent...)[0].String()}
	case undecided:
		return Judgement{Verdict: Inconclusive, Missing: append(all.unknown, one.unknown...)}
	case len(all.unknown) > 0:
		return Judgement{Verdict: Inconclusive, Missing: all.unknown}
	}
	j := Judgement{Verdict: Fires}
	anyFresh := len(r.Any) == 0
	for _, e := range append(all.held, one.held...) {
		for _, name := range e.Needs() {
			if !slices.Contains(j.Evidence, name) {
				j.Evidence = append(j.Evidence, name)
			}
		}
	}
	for _, e := range one.held {
		anyFresh = anyFresh || !restsOnTotals(f, e)
	}
	j.FromTotals = !anyFresh || slices.ContainsFunc(all.held, func(e facts.Expr) bool { return restsOnTotals(f, e) })
	return j
}

// An Opinion is a judgement about the host or one subject, whose facts these are.
type Opinion struct {
	Judgement
	Facts facts.Facts
	// Place is where the subject stands; nil if it is the host.
	Place *facts.Place
}

// Ask judges the host or, if the rule is about many things, each of them, and
// gives an opinion for each on which it fires. If it fires on none there is one
// opinion: that it is silent, or what the host's facts say about there being
// none, or none that could be seen.
func (r Rule) Ask(host facts.Facts, subjects []facts.Subject) []Opinion {
	overall := r.Judge(host)
	if r.Group == "" {
		return []Opinion{{Judgement: overall, Facts: host}}
	}
	var fired []Opinion
	for _, subject := range subjects {
		if subject.Group != r.Group {
			continue
		}
		switch j := r.Judge(subject.Facts); {
		case j.Verdict == Fires:
			fired = append(fired, Opinion{j, subject.Facts, &subject.Place})
		case overall.Verdict == NotApplicable:
			overall = j
		}
	}
	if fired == nil {
		return []Opinion{{Judgement: overall, Facts: host}}
	}
	return fired
}

func restsOnTotals(f facts.Facts, e facts.Expr) bool {
	return slices.ContainsFunc(e.Needs(), func(n facts.Name) bool { return f.Get(n).Source == facts.SinceBoot })
}

// denied reports whether one of some conditions is false. Those come first that
// need not be compiled for that: most rules are silent because of one.
func denied(f facts.Facts, conditions []facts.Expr) bool {
	for _, compiled := range []bool{true, false} {
		for _, e := range conditions {
			if e.Compiled() != compiled {
				continue
			}
			if answer, missing := e.Eval(f); missing == nil && answer != true {
				return true
			}
		}
	}
	return false
}

// answers sorts a list of conditions by what came of them.
type answers struct {
	held    []facts.Expr
	denied  bool
	absent  []facts.Missing // of conditions on things that do not exist
	unknown []facts.Missing
}

func ask(f facts.Facts, conditions []facts.Expr) answers {
	var a answers
	for _, e := range conditions {
		answer, missing := e.Eval(f)
		switch {
		case missing != nil && missing[0].Cause.Definitive():
			a.absent = append(a.absent, missing[0])
		case missing != nil:
			a.unknown = append(a.unknown, missing...)
		case answer == true:
			a.held = append(a.held, e)
		default:
			a.denied = true
		}
	}
	return a
}
