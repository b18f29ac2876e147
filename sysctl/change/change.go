package change

import (
	"fmt"
	"slices"
	"time"

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

func (s Set) index(k sysctl.Key) int {
	return slices.IndexFunc(s, func(c Change) bool { return c.Key == k })
}

func (s Set) find(k sysctl.Key) (Change, bool) {
	if i := s.index(k); i >= 0 {
		return s[i], true
	}
	return Change{}, false
}

// Params reads and writes parameters; [sysctl.Tree] does. Set judges whether
// the value makes sense, Restore does not; both read back what they wrote.
// Writable says beforehand why a write would be refused, whatever the value.
type Params interface {
	Get(sysctl.Key) (sysctl.Value, error)
	Set(sysctl.Key, sysctl.Value) error
	Restore(sysctl.Key, sysctl.Value) error
	Writable(sysctl.Key) error
}

// A Request is what Apply is asked to do, by whom and why.
type Request struct {
	// Changes is everything that is wanted, also what holds already: it becomes
	// the transaction's too, so that a rollback of an older one leaves it. Empty
	// if only the drop-in is to be written.
	Changes Set
	Profile string // the profile that the changes come from, or ""
	Persist *Layer // nil unless something is to outlast a reboot
	// Force replaces a drop-in that somebody edited.
	Force bool
	// Window, if it is not 0, is how long the transaction waits to be confirmed.
	// Until [Confirm] it is Unconfirmed, and the drop-in is not written.
	Window time.Duration
	// Arm is called with the entry once that is on disk and before the first
	// write, to arrange for the undo at the end of the window. Its error undoes
	// the transaction. It must not wait for the journal's lock.
	Arm    func(Entry) error
	By     Author
	Reason string // the person's own words, or ""
}

// check refuses a request that could only fail half-way.
func (r Request) check() error {
	seen := make(map[sysctl.Key]bool)
	for _, c := range r.Changes {
		if seen[c.Key] {
			return fmt.Errorf("set %s: named twice in one set of changes", c.Key)
		}
		seen[c.Key] = true
		if err := r.checkValue(c.Key, c.To); err != nil {
			return err
		}
	}
	if r.Window < 0 {
		return fmt.Errorf("wait %v to be confirmed: want a positive time", r.Window)
	}
	if r.Persist == nil {
		return nil
	}
	if err := r.Persist.check(); err != nil {
		return err
	}
	for _, s := range r.Persist.Settings {
		if err := r.checkValue(s.Key, s.Value); err != nil {
			return err
		}
	}
	return nil
}

// checkValue asks whether a value makes sense, unless it is to stay as it is:
// then that is for others to judge.
func (r Request) checkValue(k sysctl.Key, v sysctl.Value) error {
	if c, ok := r.Changes.find(k); ok && same(k, c.From, v) {
		return writable(k, v)
	}
	return sysctl.Check(k, v)
}

// inOrder returns the set in an order in which the kernel takes every step, and
// none gives away what another one is about to keep. It is the same order whether
// values go there or back.
func (s Set) inOrder() Set {
	s = slices.Clone(s)
	ports, start := s.index("net.ipv4.ip_local_port_range"), s.index("net.ipv4.ip_unprivileged_port_start")
	if ports >= 0 && start >= 0 && s.portsFirst(ports, start) != (ports < start) {
		s[ports], s[start] = s[start], s[ports]
		ports = start
	}
	reserved := s.index("net.ipv4.ip_local_reserved_ports")
	if ports >= 0 && reserved >= 0 && s.narrows(ports) != (ports < reserved) {
		c := s[reserved]
		s = slices.Delete(s, reserved, reserved+1)
		s = slices.Insert(s, ports, c) // which is behind the range if it stood before, else before it
	}
	return s
}

// portsFirst reports whether the port range goes before the first unprivileged
// port. Since Linux 4.11 the low end of the one may not lie below the other,
// whichever of the two is written (net/ipv4/sysctl_net_ipv4.c,
// ipv4_local_port_range and ipv4_privileged_ports). If the new range suits the old
// start the range goes first, otherwise the start does: as both pairs are valid,
// one of the two ways always is.
func (s Set) portsFirst(ports, start int) bool {
	newPorts, errPorts := s[ports].To.Ints()
	oldStart, errStart := s[start].From.Ints()
	if errPorts != nil || errStart != nil || len(newPorts) == 0 || len(oldStart) == 0 {
		return ports < start // who knows
	}
	return oldStart[0] <= newPorts[0]
}

// narrows reports whether a port range gives ports up and takes none in. Then the
// reserved ports are changed after it, and otherwise before: connect(2) would
// hand out in between what is to be reserved, and a service could not have it
// (net/ipv4/inet_hashtables.c, __inet_hash_connect).
func (s Set) narrows(ports int) bool {
	before, errBefore := s[ports].From.Ints()
	after, errAfter := s[ports].To.Ints()
	return errBefore == nil && errAfter == nil && len(before) == 2 && len(after) == 2 && before[0] <= after[0] && after[1] <= before[1]
}

// same reports whether two values of a parameter mean the same. A parameter
// that the catalogue does not have is compared field by field.
func same(k sysctl.Key, a, b sysctl.Value) bool {
	param, _ := sysctl.Lookup(k)
	return param.Type.Equal(a, b)
}
