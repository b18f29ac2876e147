package advisor

import (
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// DriftSchema is the version of the form that drift has in JSON
// (docs/drift.schema.json).
const DriftSchema = 1

// A Drift compares what runs on a host with what will run after its next boot.
type Drift struct {
	Schema    int             `json:"schema"`
	Kernel    sysctl.Release  `json:"kernel"`
	Namespace facts.Namespace `json:"namespace"`
	// Boot tells what applies files at boot; nil if that was not looked for.
	Boot    *facts.Boot `json:"boot,omitempty"`
	Profile string      `json:"profile,omitempty"`
	// Parameters are those with a difference, or all, by key.
	Parameters []DriftParameter `json:"parameters"`
	All        bool             `json:"all"`
	Agree      int              `json:"agree"` // how many have no difference
	// Managers are the programs that set parameters besides the loader.
	Managers []facts.Manager `json:"managers"`
	// Unseen says what could not be looked at.
	Unseen       []string       `json:"unseen"`
	Findings     []Finding      `json:"findings"`
	Inconclusive []Inconclusive `json:"inconclusive"`
	// Passed names the rules that found nothing.
	Passed []string `json:"-"`
}

// A DriftParameter is one row: what a parameter is, will be, and should be.
type DriftParameter struct {
	facts.Future
	// Wanted is what the profile wants, such as "at least 4096"; "" if it wants
	// nothing, or if it cannot have it here.
	Wanted string `json:"wanted,omitempty"`
	// Met: the running value is as wanted.
	Met bool `json:"met,omitempty"`
}

// FindDrift looks at what becomes of each parameter. all keeps those in the
// list that do not differ from anything.
func FindDrift(s *facts.Snapshot, set rules.Set, profile *profiles.Profile, all bool) Drift {
	d := Drift{Schema: DriftSchema, Kernel: s.Kernel, Namespace: s.Namespace, Boot: s.Boot, All: all,
		Parameters: []DriftParameter{}, Managers: append([]facts.Manager{}, s.Managers...),
		Unseen: []string{}, Findings: []Finding{}, Inconclusive: []Inconclusive{}}
	for _, part := range []facts.Part{facts.PartFiles, facts.PartManagers} {
		if gap, missing := s.Gaps[part]; missing {
			d.Unseen = append(d.Unseen, gap.String())
		}
	}
	if s.Managers == nil && s.Namespace.Initial {
		d.Unseen = append(d.Unseen, "the snapshot does not tell which other programs set parameters")
	}
	wanted := map[sysctl.Key]profiles.Goal{}
	if profile != nil {
		d.Profile = profile.Name
		for _, goal := range profile.Goals(s, facts.Derive(s)) {
			wanted[goal.Key] = goal
		}
	}
	for _, future := range s.Futures() {
		row := DriftParameter{Future: future}
		if goal, wants := wanted[future.Key]; wants && goal.Skip == nil {
			row.Wanted, row.Met = string(goal.Value), goal.Met
			if goal.Bound != profiles.Exactly {
				row.Wanted = string(goal.Bound) + " " + row.Wanted
			}
		}
		if row.agrees() {
			d.Agree++
		}
		if all || !row.agrees() {
			d.Parameters = append(d.Parameters, row)
		}
	}
	d.judge(s, set)
	return d
}

// agrees reports whether nothing that is known of a parameter differs.
func (p DriftParameter) agrees() bool {
	param, _ := sysctl.Lookup(p.Key)
	differs := func(value *sysctl.Value) bool { return value != nil && !param.Type.Equal(*value, p.Running) }
	contested := p.Next == nil && p.From != ""
	return !differs(p.Next) && !differs(p.Default) && !contested && (p.Wanted == "" || p.Met)
}

// judge asks the rules that are about drift.
func (d *Drift) judge(s *facts.Snapshot, set rules.Set) {
	about := func(name string) bool {
		rule, _ := set.Get(name)
		return rule.Group == "drift"
	}
	r := Advise(s, set, nil)
	for _, f := range r.Findings {
		if about(f.Rule) {
			d.Findings = append(d.Findings, f)
		}
	}
	for _, i := range r.Inconclusive {
		if about(i.Rule) {
			d.Inconclusive = append(d.Inconclusive, i)
		}
	}
	d.Passed = slices.DeleteFunc(r.Silent, func(name string) bool { return !about(name) })
}

// Worst is the gravest severity among the findings; "" if there are none. A
// profile that is not met is none.
func (d Drift) Worst() rules.Severity { return Report{Findings: d.Findings}.Worst() }
