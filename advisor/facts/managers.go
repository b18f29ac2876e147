package facts

import (
	"strconv"

	"github.com/tcptune/tcptune/sysctl"
)

// A Manager is a program or script, other than the loader that reads sysctl.d
// at boot, that sets parameters on this host.
type Manager struct {
	Name string `json:"name"` // as people know it, such as "TuneD"
	// Evidence is where it was found: files with their lines, and processes.
	Evidence []string `json:"evidence"`
	// Active: it runs now, or something starts it by itself. One that is merely
	// installed sets nothing.
	Active bool `json:"active"`
	// AtBoot: it acts after each boot without being asked, later than the loader.
	AtBoot bool `json:"at_boot"`
	// Rereads: after its own values it applies the files of /etc and /run again.
	Rereads bool   `json:"rereads,omitempty"`
	When    string `json:"when"` // it writes, as in "when it starts or is reloaded"
	Sets    []Hold `json:"sets"` // in the order in which they take effect
	// Also says what else it does to parameters, where keys or values cannot be
	// told; "" if nothing.
	Also string `json:"also,omitempty"`
}

// A Hold is one parameter that a manager sets.
type Hold struct {
	Key sysctl.Key `json:"key"`
	// Value is what it writes; "" if Doubt says that it cannot be told.
	Value sysctl.Value `json:"value"`
	// Bound is "at least" or "at most" where it writes only over what is lower or
	// higher.
	Bound string `json:"bound,omitempty"`
	// Doubt says why the value, or whether it is written at all, is not certain.
	Doubt string `json:"doubt,omitempty"`
	// Container: it is set in the network namespaces of containers only.
	Container bool `json:"container,omitempty"`
	// Place is the line that says so; it is empty where the program's own
	// defaults do.
	Place Place `json:"place,omitzero"`
}

// Over is what a parameter holds after the manager has acted on a value. It is
// known unless the comparison of a bound fails.
func (h Hold) Over(value sysctl.Value) (after sysctl.Value, known bool) {
	if h.Bound == "" {
		return h.Value, true
	}
	want, errWant := strconv.ParseInt(string(h.Value), 10, 64)
	have, errHave := strconv.ParseInt(string(value), 10, 64)
	switch {
	case errWant != nil || errHave != nil:
		return "", false
	case h.Bound == "at least" && have < want, h.Bound == "at most" && have > want:
		return h.Value, true
	}
	return value, true
}

// By names the manager and the line, as in "TuneD, /etc/tuned/ours/tuned.conf:7".
func (h Hold) By(m Manager) string {
	if h.Place.File == "" {
		return m.Name
	}
	return m.Name + ", " + h.Place.String()
}

// Concerns is what a manager sets a parameter to in the end, in the network
// namespace that was looked at, and whether it sets it.
func (m Manager) Concerns(key sysctl.Key) (Hold, bool) {
	var last Hold
	for _, hold := range m.Sets {
		if canonical(hold.Key) == canonical(key) && !hold.Container {
			last = hold
		}
	}
	return last, last.Key != ""
}
