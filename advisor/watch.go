package advisor

import (
	"maps"
	"slices"
	"time"
)

// A Change is what became of a finding.
type Change string

const (
	Appeared Change = "appeared"
	Gone     Change = "gone"
)

// An Event is a finding that came or went. Of one that went the finding is as it
// was last seen.
type Event struct {
	Time    time.Time `json:"time"`
	Change  Change    `json:"change"`
	Finding Finding   `json:"finding"`
}

// A Watch compares each report of a host with the one before.
type Watch struct{ present map[string]Finding }

// Next tells what has changed, the gravest first of what appeared, then what is
// gone. Other numbers in the same finding are no change. A finding stays while
// its rule lacks evidence or another one says the same and more.
func (w *Watch) Next(r Report, at time.Time) []Event {
	undecided := map[string]bool{}
	for _, i := range r.Inconclusive {
		undecided[i.Rule] = true
	}
	for _, x := range r.Redundant {
		undecided[x.Rule] = true
	}
	var events []Event
	present := map[string]Finding{}
	for _, f := range r.Findings {
		key := identity(f)
		if _, known := w.present[key]; !known {
			events = append(events, Event{at, Appeared, f})
		}
		present[key] = f
	}
	for _, key := range slices.Sorted(maps.Keys(w.present)) {
		f := w.present[key]
		_, still := present[key]
		switch {
		case still:
		case undecided[f.Rule]:
			present[key] = f
		default:
			events = append(events, Event{at, Gone, f})
		}
	}
	w.present = present
	return events
}

// identity is what makes two findings the same at different times.
func identity(f Finding) string {
	key := f.Rule
	for _, place := range f.Places {
		key += "\n" + place.String()
	}
	return key
}
