package advisor

import (
	"maps"
	"slices"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
)

// A Change is what became of a finding.
type Change string

const (
	Appeared Change = "appeared"
	Gone     Change = "gone"
)

// An Event is a finding that came or went in a network namespace. Of one that
// went the finding is as it was last seen.
type Event struct {
	Time      time.Time       `json:"time"`
	Change    Change          `json:"change"`
	Namespace facts.Namespace `json:"namespace"`
	Finding   Finding         `json:"finding"`
}

// A Watch compares the reports of a host, one for each network namespace that is
// looked into, with those before.
type Watch struct{ present map[string]Event }

// Next tells what has changed: for each namespace what appeared, the gravest
// first; then what is gone. Other numbers in the same finding are no change. A
// finding stays while its rule lacks evidence or another one says the same and
// more. With a namespace its findings are gone.
func (w *Watch) Next(at time.Time, reports ...Report) []Event {
	undecided := map[string]bool{}
	var events []Event
	present := map[string]Event{}
	for _, r := range reports {
		for _, i := range r.Inconclusive {
			undecided[r.Namespace.ID+i.Rule] = true
		}
		for _, x := range r.Redundant {
			undecided[r.Namespace.ID+x.Rule] = true
		}
		for _, f := range r.Findings {
			event := Event{at, Appeared, r.Namespace, f}
			key := identity(event)
			if _, known := w.present[key]; !known {
				events = append(events, event)
			}
			present[key] = event
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.present)) {
		event := w.present[key]
		_, still := present[key]
		switch {
		case still:
		case undecided[event.Namespace.ID+event.Finding.Rule]:
			present[key] = event
		default:
			event.Time, event.Change = at, Gone
			events = append(events, event)
		}
	}
	w.present = present
	return events
}

// identity is what makes two findings the same at different times.
func identity(e Event) string {
	key := e.Namespace.ID + e.Finding.Rule
	for _, place := range e.Finding.Places {
		key += "\n" + place.String()
	}
	return key
}
