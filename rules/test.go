package rules

import "fmt"

// Test runs the rule's examples and returns what is wrong, empty if nothing is.
// A rule must show when it fires, when it stays silent, and what it says where
// evidence is missing.
func (r Rule) Test() []string {
	examples, err := r.Examples()
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", r.Origin, err)}
	}
	var faults []string
	shown := map[Verdict]bool{}
	for _, e := range examples {
		shown[e.Verdict] = true
		if got := r.Judge(e.Facts); got.Verdict != e.Verdict {
			faults = append(faults, fmt.Sprintf("%s:%d: example %q: the verdict is %q, not %q%s", r.Origin, e.line, e.Note, got.Verdict, e.Verdict, got.because()))
		}
	}
	for _, want := range []Verdict{Fires, Silent, Inconclusive} {
		if !shown[want] {
			faults = append(faults, fmt.Sprintf("%s: no example with the verdict %q", r.Origin, want))
		}
	}
	return faults
}

func (j Judgement) because() string {
	if len(j.Missing) > 0 {
		return " for want of " + j.Missing[0].String()
	}
	if j.Reason != "" {
		return " (" + j.Reason + ")"
	}
	return ""
}
