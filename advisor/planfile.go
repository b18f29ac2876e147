package advisor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// PlanFileSchema is the version of the form of a plan's file
// (docs/plan-file.schema.json).
const PlanFileSchema = 1

// A PlanFile is a plan that is kept, to be carried out as it is or not at all.
type PlanFile struct {
	Schema  int            `json:"schema"`
	Version string         `json:"tcptune"` // that made it
	Made    time.Time      `json:"made"`
	Kernel  sysctl.Release `json:"kernel"`
	change.Identity
	Profile  string   `json:"profile"`
	Cautions []string `json:"cautions"`
	// Values are those of all parameters that the profile wants and this host has,
	// also of those that need no change: they are part of the state.
	Values []PlannedValue `json:"values"`
	// DropIn is nil unless the plan is to outlast a reboot.
	DropIn *PlannedFile `json:"drop_in,omitempty"`
	// State is the SHA-256 of what the plan was made from.
	State string `json:"state"`
}

// A PlannedValue is one parameter's value in a plan's file.
type PlannedValue struct {
	Key     sysctl.Key   `json:"key"`
	Held    sysctl.Value `json:"held"` // when the plan was made
	To      sysctl.Value `json:"to"`
	Because string       `json:"because"`
}

// A PlannedFile is the drop-in in a plan's file.
type PlannedFile struct {
	Path string `json:"path"`
	// Held is the SHA-256 of its content when the plan was made; "" if it was not
	// there.
	Held string `json:"held"`
}

// NewPlanFile keeps a plan that was made in a network namespace of a boot.
func NewPlanFile(plan Plan, s *facts.Snapshot, here change.Identity, version string, now time.Time) PlanFile {
	f := PlanFile{Schema: PlanFileSchema, Version: version, Made: now.UTC().Truncate(time.Second), Kernel: s.Kernel, Identity: here,
		Profile: plan.Profile, Cautions: plan.Cautions, Values: []PlannedValue{}}
	for _, goal := range plan.Goals {
		if goal.Skip == nil {
			f.Values = append(f.Values, PlannedValue{goal.Key, goal.Current, goal.Target(), goal.Why})
		}
	}
	if plan.DropIn != nil {
		f.DropIn = &PlannedFile{Path: plan.DropIn.Path, Held: plan.DropIn.held()}
	}
	f.State = f.state()
	return f
}

// held is the SHA-256 of the content that the drop-in has; "" if it is not there.
func (d PlannedDropIn) held() string {
	if d.Before == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(*d.Before))
	return hex.EncodeToString(sum[:])
}

// state is the hash of what the plan was made from.
func (f PlanFile) state() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %v %s\n", f.Boot, f.Namespace, f.Kernel)
	for _, v := range f.Values {
		fmt.Fprintf(h, "%s = %s\n", v.Key, v.Held)
	}
	if f.DropIn != nil {
		fmt.Fprintf(h, "%s %s\n", f.DropIn.Path, f.DropIn.Held)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// DecodePlanFile reads a plan's file. What it does not know it refuses, since it
// could not do it.
func DecodePlanFile(text []byte) (PlanFile, error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return PlanFile{}, fmt.Errorf("not a plan: %w", err)
	}
	if head.Schema > PlanFileSchema {
		return PlanFile{}, fmt.Errorf("written by a newer tcptune: schema %d, and this one knows %d", head.Schema, PlanFileSchema)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f PlanFile
	if err := decoder.Decode(&f); err != nil {
		return PlanFile{}, fmt.Errorf("not a plan to be applied, as 'tcptune plan --out' writes it: %w", err)
	}
	return f, f.check()
}

func (f PlanFile) check() error {
	seen := map[sysctl.Key]bool{}
	for _, v := range f.Values {
		param, known := sysctl.Lookup(v.Key)
		switch {
		case !known || param.ReadOnly:
			return fmt.Errorf("%q is not a parameter that tcptune sets", v.Key)
		case seen[v.Key]:
			return fmt.Errorf("%s is named twice", v.Key)
		}
		seen[v.Key] = true
		if same(v.Key, v.Held, v.To) {
			continue // whatever it holds, it stays
		}
		if err := sysctl.Check(v.Key, v.To); err != nil {
			return err
		}
	}
	switch {
	case f.Schema != PlanFileSchema:
		return fmt.Errorf("schema %d is not known", f.Schema)
	case f.Boot == "" || f.Namespace.Inode == 0:
		return errors.New("where it was made is missing")
	case f.DropIn != nil && filepath.Clean("/"+f.DropIn.Path) != f.DropIn.Path:
		return errors.New("the drop-in's path is not absolute")
	case f.State != f.state():
		return errors.New("edited: the state that it names is not that of its values")
	}
	return nil
}

// Goals are what the file wants of the host that it was made on.
func (f PlanFile) Goals() []profiles.Goal {
	goals := make([]profiles.Goal, len(f.Values))
	for i, v := range f.Values {
		goals[i] = profiles.Goal{Want: profiles.Want{Key: v.Key, Bound: profiles.Exactly, Why: v.Because}, Value: v.To, Current: v.Held, Met: same(v.Key, v.Held, v.To)}
	}
	return goals
}

func same(key sysctl.Key, a, b sysctl.Value) bool {
	param, _ := sysctl.Lookup(key)
	return param.Type.Equal(a, b)
}

// A StaleError refuses a plan's file that is not of this state.
type StaleError struct{ Moved []string }

func (e *StaleError) Error() string {
	return "the plan is not of this state: " + strings.Join(e.Moved, "; ")
}

// Plan is the plan of a file on the host that it was made on. It is a
// [*StaleError] if anything is not as it was then; if all is as it was to become,
// the plan has no changes left. dropIn is the file's as it is now and would be,
// nil if there is none.
func (f PlanFile) Plan(s *facts.Snapshot, here change.Identity, dropIn *PlannedDropIn, set rules.Set) (Plan, error) {
	var moved []string
	note := func(format string, args ...any) { moved = append(moved, fmt.Sprintf(format, args...)) }
	switch {
	case f.Boot != here.Boot:
		note("it was made in another boot")
	case !f.Namespace.Same(here.Namespace):
		note("it was made in network namespace %v, and this is %v", f.Namespace, here.Namespace)
	}
	if f.Kernel != s.Kernel {
		note("it was made for Linux %s, and this is %s", f.Kernel, s.Kernel)
	}
	goals, done := f.Goals(), true
	for i := range goals {
		goal := &goals[i]
		reading, read := s.Sysctls[goal.Key]
		if !read || reading.Absent != "" {
			note("%s is not there any more (%s)", goal.Key, facts.Gap{Cause: reading.Absent, Detail: reading.Detail})
			continue
		}
		goal.Current, goal.Met = reading.Value, same(goal.Key, reading.Value, goal.Value)
		done = done && goal.Met
	}
	if moved == nil && !done {
		for i, v := range f.Values {
			if !same(v.Key, goals[i].Current, v.Held) {
				note("%s is %q and was %q", v.Key, goals[i].Current, v.Held)
			}
		}
	}
	if dropIn != nil && dropIn.held() != f.DropIn.Held && !(done && dropIn.kept()) {
		note("%s has another content", f.DropIn.Path)
	}
	if moved != nil {
		return Plan{}, &StaleError{moved}
	}
	plan := planGoals(s, set, f.Profile, f.Cautions, goals)
	plan.DropIn = dropIn
	return plan, nil
}
