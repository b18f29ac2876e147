package profiles

import (
	"strconv"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/sysctl"
)

// A Profile is a wanted state of parameters.
type Profile struct {
	Name   string
	Origin string // the file it was read from, or "built in"
	// Files are those that it was read from, itself and what it extends, as they
	// were when they were read; none for a built-in one.
	Files    []regular.Source
	Summary  string
	Extends  string
	Suits    []string
	Cautions []string
	// Wants in the order of the file, those of the extended profile first.
	Wants []Want
}

// A Want is one parameter's wanted value.
type Want struct {
	Key     sysctl.Key
	Bound   Bound
	Fields  []facts.Expr // one for each of the value's numbers
	Kernels sysctl.Releases
	Why     string
	// Profile is the one that says so, if it was inherited.
	Profile string
}

// Bound says how a want's value binds.
type Bound string

const (
	AtLeast Bound = "at least"
	AtMost  Bound = "at most"
	Exactly Bound = "exactly"
)

// String is the want without its reason, such as "at least 4096".
func (w Want) String() string {
	text := string(w.Bound)
	for _, field := range w.Fields {
		text += " " + field.String()
	}
	return text
}

// A Goal is a want on one host: with its value computed, and compared with what
// is there.
type Goal struct {
	Want
	Value   sysctl.Value // wanted
	Current sysctl.Value // there
	// Met: the current value is as wanted, or better.
	Met bool
	// Skip says why nothing can be wanted here; the other fields are then empty.
	Skip *facts.Gap
}

// Goals computes what the profile wants of a host. Wants that concern other
// kernels are left out.
func (p Profile) Goals(s *facts.Snapshot, f facts.Facts) []Goal {
	goals := make([]Goal, 0, len(p.Wants))
	for _, want := range p.Wants {
		if want.Kernels.Contains(s.Kernel) {
			goals = append(goals, want.on(s, f))
		}
	}
	return goals
}

func (w Want) on(s *facts.Snapshot, f facts.Facts) Goal {
	goal := Goal{Want: w}
	skip := func(cause sysctl.Cause, detail string) Goal {
		goal.Skip = &facts.Gap{Cause: cause, Detail: detail}
		return goal
	}
	param, known := sysctl.Lookup(w.Key)
	reading, read := s.Sysctls[w.Key]
	switch {
	case !known:
		return skip(sysctl.Unknown, "")
	case !read:
		return skip(sysctl.NotMeasured, "")
	case reading.Absent != "":
		return skip(reading.Absent, reading.Detail)
	case param.ReadOnlyInChild && !s.Namespace.Initial:
		return skip(sysctl.NotPermitted, "belongs to the host; read-only in this network namespace")
	}
	value, missing := facts.EvalFields(w.Fields, f)
	if missing != nil {
		return skip(missing[0].Cause, missing[0].String())
	}
	if err := param.CheckSane(value); err != nil {
		return skip(sysctl.BadValue, err.Error())
	}
	goal.Value, goal.Current = value, reading.Value
	goal.Met = w.Bound.holds(param, reading.Value, value)
	return goal
}

// holds reports whether what is there satisfies what is wanted. A value too small
// to make sense never does: neither -1 nor 0 is "at most 60 seconds".
func (b Bound) holds(param sysctl.Param, current, wanted sysctl.Value) bool {
	if b == Exactly {
		return param.Type.Equal(current, wanted)
	}
	have, errHave := strconv.ParseInt(string(current), 10, 64)
	want, errWant := strconv.ParseInt(string(wanted), 10, 64)
	if errHave != nil || errWant != nil {
		return false
	}
	if b == AtLeast {
		return have >= want
	}
	return have >= param.Sane.Min && have <= want
}

// Target is the value after the profile is applied.
func (g Goal) Target() sysctl.Value {
	if g.Met {
		return g.Current
	}
	return g.Value
}
