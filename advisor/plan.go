package advisor

import (
	"fmt"
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// PlanSchema is the version of the plan's form in JSON (docs/plan.schema.json).
const PlanSchema = 1

// A Plan is what applying a profile to a host would do.
type Plan struct {
	Schema  int           `json:"schema"`
	Profile string        `json:"profile"`
	Steps   []Step        `json:"changes"`
	Met     int           `json:"met"` // wants that hold already
	Skipped []SkippedWant `json:"skipped"`
	// Cautions are the profile's own, for whoever decides.
	Cautions []string        `json:"cautions"`
	Goals    []profiles.Goal `json:"-"`
	// Worse lists the warnings and errors that the planned state would bring in.
	// A plan that brings in an error must not be applied.
	Worse []Finding `json:"worse"`
	// FilesOnly: only the drop-in would be written. There are no steps then.
	FilesOnly bool `json:"files_only,omitempty"`
	// DropIn is the file that would be written; nil unless the plan is to outlast a
	// reboot.
	DropIn *PlannedDropIn `json:"drop_in,omitempty"`
}

// A PlannedDropIn is the drop-in as it is and as it would be.
type PlannedDropIn struct {
	Path string `json:"path"`
	// Before is the content now; nil if there is no file.
	Before *string `json:"before"`
	After  string  `json:"after"`
	AtBoot AtBoot  `json:"at_boot"`
}

// kept reports whether the file is as it would be.
func (d PlannedDropIn) kept() bool { return d.Before != nil && *d.Before == d.After }

// Idle reports whether carrying out the plan would change nothing.
func (p Plan) Idle() bool { return len(p.Steps) == 0 && (p.DropIn == nil || p.DropIn.kept()) }

// A Step is one change, and when it acts.
type Step struct {
	change.Change
	Acts string `json:"acts"`
	// Listeners names those that keep their old limit until their program calls
	// listen() again.
	Listeners []string `json:"listeners,omitempty"`
}

// Changes is the plan as a transaction takes it: with what holds already, which
// is to stay.
func (p Plan) Changes() change.Set {
	var set change.Set
	for _, goal := range p.Goals {
		if goal.Skip == nil {
			set = append(set, change.Change{Key: goal.Key, From: goal.Current, To: goal.Target(), Because: goal.Why})
		}
	}
	return set
}

// Settings is the plan as a drop-in takes it.
func (p Plan) Settings() []change.Setting {
	var settings []change.Setting
	for _, c := range p.Changes() {
		settings = append(settings, change.Setting{Key: c.Key, Value: c.To, Because: c.Because})
	}
	return settings
}

// MakePlan computes what it takes to bring a host to a profile, and judges the
// state that would result.
func MakePlan(s *facts.Snapshot, set rules.Set, profile profiles.Profile) Plan {
	return planGoals(s, set, profile.Name, profile.Cautions, profile.Goals(s, facts.Derive(s)))
}

func planGoals(s *facts.Snapshot, set rules.Set, profile string, cautions []string, goals []profiles.Goal) Plan {
	plan := Plan{Schema: PlanSchema, Profile: profile, Steps: []Step{}, Skipped: []SkippedWant{}, Cautions: append([]string{}, cautions...), Worse: []Finding{}, Goals: goals}
	planned := map[sysctl.Key]sysctl.Value{}
	for _, goal := range plan.Goals {
		switch {
		case goal.Skip != nil:
			plan.Skipped = append(plan.Skipped, SkippedWant{goal.Key, goal.Skip.String()})
		case goal.Met:
			plan.Met++
		default:
			planned[goal.Key] = goal.Value
			plan.Steps = append(plan.Steps, step(s, goal))
		}
	}
	plan.Worse = worse(Advise(s, set, nil), Advise(s.With(planned, "the plan"), set, nil))
	return plan
}

func step(s *facts.Snapshot, goal profiles.Goal) Step {
	param, _ := sysctl.Lookup(goal.Key)
	st := Step{Change: change.Change{Key: goal.Key, From: goal.Current, To: goal.Value, Because: goal.Why}, Acts: string(param.Acts)}
	if param.Acts == sysctl.ActsListen && s.Sockets != nil {
		for _, l := range s.Sockets.Listeners {
			name := l.Endpoint()
			if !s.Sockets.Approximate {
				name += fmt.Sprintf(" (limit %d)", l.Limit)
			}
			st.Listeners = append(st.Listeners, name)
		}
		slices.Sort(st.Listeners)
		st.Listeners = slices.Compact(st.Listeners)
	}
	return st
}

// Forbidden is the first error that the planned state would bring in.
func (p Plan) Forbidden() (Finding, bool) {
	for _, f := range p.Worse {
		if f.Severity == rules.Error {
			return f, true
		}
	}
	return Finding{}, false
}

// worse are the warnings and errors of the second report whose rules do not fire
// in the first, also not as redundant ones.
func worse(now, then Report) []Finding {
	fired := map[string]bool{}
	for _, f := range now.Findings {
		fired[f.Rule] = true
	}
	for _, r := range now.Redundant {
		fired[r.Rule] = true
	}
	added := []Finding{}
	for _, f := range then.Findings {
		if f.Severity.AtLeast(rules.Warning) && !fired[f.Rule] {
			added = append(added, f)
		}
	}
	return added
}
