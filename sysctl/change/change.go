package change

import (
	"fmt"
	"slices"

	"github.com/tcptune/tcptune/sysctl"
)

// A Change gives one parameter another value.
type Change struct {
	Key     sysctl.Key   `json:"key"`
	From    sysctl.Value `json:"from"` // what it held when the change was thought of
	To      sysctl.Value `json:"to"`
	Because string       `json:"because,omitempty"`
}

// A Set is the changes of one transaction, in the order in which they are to be
// written. Apply departs from the order only where the kernel forces it to.
type Set []Change

// Params reads and writes parameters; [sysctl.Tree] does. Set judges whether
// the value makes sense, Restore does not; both read back what they wrote.
type Params interface {
	Get(sysctl.Key) (sysctl.Value, error)
	Set(sysctl.Key, sysctl.Value) error
	Restore(sysctl.Key, sysctl.Value) error
}

// A Request is what Apply is asked to do, by whom and why.
type Request struct {
	Changes Set
	Profile string  // the profile that the changes come from, or ""
	DropIn  *DropIn // nil unless the changes are to outlast a reboot
	By      Author
	Reason  string // the person's own words, or ""
}

// check refuses a request that could only fail half-way.
func (r Request) check() error {
	seen := make(map[sysctl.Key]bool)
	for _, c := range r.Changes {
		if seen[c.Key] {
			return fmt.Errorf("set %s: named twice in one set of changes", c.Key)
		}
		seen[c.Key] = true
		if err := sysctl.Check(c.Key, c.To); err != nil {
			return err
		}
	}
	if r.DropIn != nil {
		return r.DropIn.check()
	}
	return nil
}

// inOrder returns the set in an order in which the kernel takes every step.
//
// Since Linux 4.11 the low end of the port range may not lie below the first
// unprivileged port, whichever of the two is written (net/ipv4/sysctl_net_ipv4.c,
// ipv4_local_port_range and ipv4_privileged_ports). If the new range suits the
// old start the range goes first, otherwise the start does: as both pairs are
// valid, one of the two ways always is. Undo goes the same way back.
func (s Set) inOrder() Set {
	ports := slices.IndexFunc(s, func(c Change) bool { return c.Key == "net.ipv4.ip_local_port_range" })
	start := slices.IndexFunc(s, func(c Change) bool { return c.Key == "net.ipv4.ip_unprivileged_port_start" })
	if ports < 0 || start < 0 {
		return s
	}
	newPorts, errPorts := s[ports].To.Ints()
	oldStart, errStart := s[start].From.Ints()
	if errPorts != nil || errStart != nil || len(newPorts) == 0 || len(oldStart) == 0 {
		return s
	}
	if portsFirst := oldStart[0] <= newPorts[0]; portsFirst == (ports < start) {
		return s
	}
	s = slices.Clone(s)
	s[ports], s[start] = s[start], s[ports]
	return s
}

// same reports whether two values of a parameter mean the same. A parameter
// that the catalogue does not have is compared field by field.
func same(k sysctl.Key, a, b sysctl.Value) bool {
	param, _ := sysctl.Lookup(k)
	return param.Type.Equal(a, b)
}
