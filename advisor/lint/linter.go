package lint

import (
	"slices"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// A Target is a kernel for which files are judged.
type Target struct {
	Name   string // as it was asked for, such as "3.10" or "rhel7"
	Kernel sysctl.Release
	Loader conf.Loader // which reads the files of a whole system; "" for systemd-sysctl
}

// Options say how files are judged.
type Options struct {
	// Today decides which suppressions are over.
	Today time.Time
	// NoIgnores leaves suppressions in the files out of account.
	NoIgnores bool
	Baseline  Baseline
}

// A Linter judges units. It may be used by many goroutines at once.
type Linter struct {
	targets []target
	rules   rules.Set
	// byFact lists the rules about a host by the facts that they need, byMark those
	// about lines and files by one that must be true of them.
	byFact, byMark map[facts.Name][]*rules.Rule
	options        Options
	known          map[Known]int // of the baseline
}

// A target is what is known about it before any file is read.
type target struct {
	Target
	host, container hostFacts
	listing         hostFacts // of which parameters are known only as they are shown
}

type hostFacts struct {
	snapshot *facts.Snapshot
	facts    facts.Facts
}

func known(s *facts.Snapshot, target Target) hostFacts {
	return hostFacts{s, facts.Derive(s).Saying("kernel.release", target.Name)}
}

// New prepares to judge files for targets by rules.
func New(targets []Target, set rules.Set, options Options) *Linter {
	l := &Linter{rules: set, byFact: map[facts.Name][]*rules.Rule{}, byMark: map[facts.Name][]*rules.Rule{}, options: options,
		known: options.Baseline.index()}
	for _, t := range targets {
		host := facts.Untouched(t.Kernel, false)
		listing, _ := host.Showing(nil)
		l.targets = append(l.targets, target{t, known(host, t), known(facts.Untouched(t.Kernel, true), t), known(listing, t)})
	}
	for _, rule := range set.All() {
		if rule.Group != "" {
			mark := markOf(rule)
			l.byMark[mark] = append(l.byMark[mark], &rule)
			continue
		}
		if needsHost(rule, l.targets[0].host.facts) {
			continue
		}
		for _, name := range rule.Needs() {
			if !slices.Contains(l.byFact[name], &rule) {
				l.byFact[name] = append(l.byFact[name], &rule)
			}
		}
	}
	return l
}

// needsHost reports whether a rule cannot fire unless a host is looked at.
func needsHost(rule rules.Rule, untouched facts.Facts) bool {
	unseen := func(e facts.Expr) bool {
		return slices.ContainsFunc(e.Needs(), func(name facts.Name) bool {
			gap := untouched.Get(name).Missing
			return gap != nil && *gap == facts.NoHost
		})
	}
	seen := func(e facts.Expr) bool { return !unseen(e) }
	return slices.ContainsFunc(rule.When, unseen) || len(rule.Any) > 0 && !slices.ContainsFunc(rule.Any, seen)
}

// markOf is a fact that must be true of whatever the rule fires on, or "".
func markOf(rule rules.Rule) facts.Name {
	for _, condition := range rule.When {
		name := facts.Name(condition.String())
		if def, declared := facts.Schema()[name]; declared && def.Kind == facts.YesNo && name.Group() != "" {
			return name
		}
	}
	return ""
}

// Judge says what is wrong with a unit, by file and line.
func (l *Linter) Judge(u Unit) Result {
	r := Result{}
	for _, b := range u.batches() {
		m := merger{}
		for _, t := range l.targets {
			m.add(t.Name, l.judge(b, t))
		}
		r.Findings = append(r.Findings, m.findings()...)
	}
	for _, file := range u.Beside {
		r.Findings = append(r.Findings, l.about(l.ignored(facts.BootFile{Path: file.Name, Reason: file.NeverRead}))...)
	}
	l.suppress(u, &r)
	r.finish(u)
	return r
}

// ignored makes a file that has no effect a subject of rules.
func (l *Linter) ignored(f facts.BootFile) facts.Subject { return f.Subject(l.targets[0].host.facts) }

// about is what the rules say of things that have nothing to do with a kernel.
func (l *Linter) about(subjects ...facts.Subject) []advisor.Finding {
	m := merger{}
	m.add("", l.conclude(nil, subjects, l.targets[0].host.facts))
	found := m.findings()
	for i := range found {
		found[i].Kernels = nil
	}
	return found
}

// judge asks the rules about one batch on one kernel.
func (l *Linter) judge(b batch, t target) []advisor.Conclusion {
	from := t.host
	subjects := []facts.Subject{}
	if b.boot != nil {
		boot := b.boot[t.Loader]
		b.lines = boot.Lines
		for _, f := range boot.Ignored {
			subjects = append(subjects, f.Subject(from.facts))
		}
	}
	switch {
	case b.dump:
		from = t.listing
	case b.container:
		from = t.container
	}
	s, reached := from.snapshot, []sysctl.Key(nil)
	if b.dump {
		s, reached = s.Showing(b.lines)
	} else {
		s, reached = s.After(b.lines)
	}
	restated, differ := from.facts.Restate(s, reached)
	about := map[*rules.Rule]bool{}
	for _, name := range differ {
		for _, rule := range l.byFact[name] {
			about[rule] = true
		}
	}
	return l.conclude(about, append(subjects, s.Subjects(restated)...), restated)
}

// conclude asks rules about a host's facts, and those about lines and files.
func (l *Linter) conclude(about map[*rules.Rule]bool, subjects []facts.Subject, f facts.Facts) []advisor.Conclusion {
	opinions := map[string][]rules.Opinion{}
	ask := func(rule *rules.Rule, f facts.Facts, place *facts.Place) {
		if j := rule.Judge(f); j.Verdict == rules.Fires {
			opinions[rule.Name] = append(opinions[rule.Name], rules.Opinion{Judgement: j, Facts: f, Place: place})
		}
	}
	for rule := range about {
		ask(rule, f, nil)
	}
	for _, subject := range subjects {
		for mark, marked := range l.byMark {
			if mark != "" && subject.Facts.Get(mark).Content != true {
				continue
			}
			for _, rule := range marked {
				if rule.Group == subject.Group {
					ask(rule, subject.Facts, &subject.Place)
				}
			}
		}
	}
	kept, _ := advisor.Conclude(l.rules, opinions)
	return kept
}
