package sysctl

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Param is one row of the catalogue: what is known about a parameter,
// whichever kernel runs. Every claim in it is backed by Sources.
type Param struct {
	Key     Key
	Meaning string // one line: what it governs
	Type    Type
	Unit    Unit
	// Fields is how many numbers the value of a [Vector] holds.
	Fields int
	// Sane is the range that makes sense for each number. It is narrower than
	// what the kernel takes: tcp_fin_timeout = -5 is accepted and means nothing.
	Sane Range
	// Accepts is what each number may be for the kernel to take it without an
	// error and give it back, oldest first; the last one whose From is not newer
	// than the kernel holds. Empty: not known.
	Accepts []Accept
	// Defaults of the initial namespace, oldest first, chosen as in Accepts.
	Defaults []Default
	// Since is the first release that has it, or zero if all that are supported
	// (2.6.32 and later) do. Until is the first that no longer has it.
	Since, Until Release
	// Instead says what to use, or what to know, where the parameter is gone, has
	// no effect, or another one than is commonly believed.
	Instead string
	// Namespaced lists the kernels on which each network namespace has its own
	// value. On the others it belongs to the host, and a child namespace either
	// does not show it or shows it read-only ([Param.ReadOnlyInChild]).
	Namespaced []Releases
	// ReadOnlyInChild: host-wide and yet visible, without write permission, in a
	// child namespace, from the release ReadOnlyInChildFrom on.
	ReadOnlyInChild     bool
	ReadOnlyInChildFrom Release
	// ReadOnly: nobody may write it.
	ReadOnly bool
	// Module is the kernel module that brings the parameter, or "".
	Module string
	Acts   Acts
	// Override is the socket option or other means by which a program decides
	// for itself, or "".
	Override string
	// Sources names where the claims can be read: file and function, commit,
	// manual page or RFC.
	Sources []string
}

// A Unit is what a parameter's numbers count.
type Unit string

const (
	Seconds      Unit = "seconds"
	Milliseconds Unit = "milliseconds"
	Microseconds Unit = "microseconds"
	Count        Unit = "count"
	Pages        Unit = "pages"
	Bytes        Unit = "bytes"
	PortNumber   Unit = "ports"
	PerSecond    Unit = "per second"
	Switch       Unit = "switch" // 0, 1 or a mode
	BitMask      Unit = "bit mask"
	Name         Unit = "name"
)

// behind is the unit as it follows a number.
func (u Unit) behind() string {
	switch u {
	case Switch, BitMask, Count, Name:
		return ""
	}
	return " " + string(u)
}

// Acts says when a change of a parameter begins to matter.
type Acts string

const (
	ActsAtOnce    Acts = "at once"                             // read at every packet or timer
	ActsNew       Acts = "for new connections"                 // copied into a socket when it is made
	ActsClose     Acts = "for timers armed from now on"        // existing entries keep their timer
	ActsListen    Acts = "when a program calls listen() again" // copied into the listener
	ActsNamespace Acts = "for network namespaces made from now on"
	ActsNever     Acts = "never: this kernel no longer reads it"
	ActsNotAsked  Acts = "not applicable: the kernel computes it"
	ActsEntry     Acts = "with the next packet of each connection tracked" // conntrack timeouts
)

// Range is the numbers from Min to Max, both included.
type Range struct{ Min, Max int64 }

// Contains reports whether n lies in the range.
func (r Range) Contains(n int64) bool { return r.Min <= n && n <= r.Max }

func (r Range) String() string {
	switch {
	case r.Max == r.Min:
		return fmt.Sprint(r.Min)
	case r.Max >= math.MaxInt32 && r.Min <= math.MinInt32:
		return "any number"
	case r.Max >= math.MaxInt32:
		return fmt.Sprintf("%d or more", r.Min)
	}
	return fmt.Sprintf("%d to %d", r.Min, r.Max)
}

// Accept is what the kernel takes from a release on.
type Accept struct {
	From Release
	Range
}

// A Default is a parameter's value at boot from a release on: either Value, or
// a rule by which the kernel computes it.
type Default struct {
	From  Release
	Value Value
	Rule  *DefaultRule
	// Perhaps are older releases that may have it, too: long-term kernels took it
	// over at a number that is not known.
	Perhaps []Releases
}

// A DefaultRule computes a default from the host's size.
type DefaultRule struct {
	Text string // for people
	// Compute gives "" where the inputs do not tell; it is nil where they never
	// do.
	Compute func(Host) Value
}

// Host is what the kernel's own sizing depends on.
type Host struct {
	Release   Release
	MemoryKiB int64 // MemTotal of /proc/meminfo
	PageSize  int64 // bytes, at least 4096; 0 if not known
	// EhashBuckets is the size of the established hash; 0 if not known, and then
	// it is estimated from MemoryKiB.
	EhashBuckets int64
}

// Buckets is the size of the hash of established connections: the known one,
// or one bucket per 128 KiB of memory, rounded up to a power of two, at most
// 524288 (net/ipv4/tcp.c, tcp_init; mm/mm_init.c, alloc_large_system_hash).
func (h Host) Buckets() int64 {
	if h.EhashBuckets > 0 {
		return h.EhashBuckets
	}
	buckets := int64(1)
	for buckets < 1<<19 && buckets < (h.MemoryKiB+127)/128 {
		buckets *= 2
	}
	return buckets
}

// Default is the parameter's value on an untouched host, and whether that is
// known.
func (p Param) Default(h Host) (Value, bool) {
	defaults := p.defaults(h.Release)
	if len(defaults) != 1 || !p.presentByNumber(h.Release) {
		return "", false
	}
	d := defaults[0]
	if d.Rule == nil {
		return d.Value, true
	}
	if d.Rule.Compute == nil {
		return "", false
	}
	v := d.Rule.Compute(h)
	return v, v != ""
}

// DefaultText describes the default on that kernel for people.
func (p Param) DefaultText(h Host) string {
	var texts []string
	for _, d := range p.defaults(h.Release) {
		switch {
		case d.Rule != nil:
			texts = append(texts, d.Rule.Text)
		case d.Value == "":
			texts = append(texts, "empty")
		default:
			texts = append(texts, string(d.Value))
		}
	}
	if len(texts) == 0 {
		return "not known"
	}
	return strings.Join(texts, " or ")
}

// defaults are those that a release may have: that of its number and, if its
// number does not tell, those of later ones.
func (p Param) defaults(r Release) []Default {
	var defaults []Default
	if d, ok := newestFrom(p.Defaults, r, func(d Default) Release { return d.From }); ok {
		defaults = append(defaults, d)
	}
	newest := r
	if r.Vendor() != "" {
		newest.Patch = math.MaxInt // 5.10.0-46-amd64 is 5.10.262
	}
	for _, d := range p.Defaults {
		if r.Before(d.From) && slices.ContainsFunc(d.Perhaps, func(rs Releases) bool { return rs.Contains(newest) }) {
			defaults = append(defaults, d)
		}
	}
	return defaults
}

// Accepted is the range that the kernel of that release takes, and whether it
// is known.
func (p Param) Accepted(r Release) (Range, bool) {
	a, ok := newestFrom(p.Accepts, r, func(a Accept) Release { return a.From })
	return a.Range, ok
}

// IsNamespaced reports whether each network namespace has its own value.
func (p Param) IsNamespaced(r Release) bool {
	for _, span := range p.Namespaced {
		if span.Contains(r) {
			return true
		}
	}
	return false
}

// ShownInChild reports whether a namespace other than the host's first shows
// the parameter at all.
func (p Param) ShownInChild(r Release) bool {
	return p.IsNamespaced(r) || p.ReadOnlyInChild && !r.Before(p.ReadOnlyInChildFrom)
}

// presentByNumber is what the release number says; the file outranks it.
func (p Param) presentByNumber(r Release) bool {
	return Releases{p.Since, p.Until}.Contains(r)
}

// WhyAbsent explains why a parameter has no file on a kernel of that release.
// child tells whether the namespace is not the host's first.
func (p Param) WhyAbsent(r Release, child bool) (Cause, string) {
	instead := ""
	if !p.Until.IsZero() && p.Instead != "" {
		instead = "; " + p.Instead
	}
	switch {
	case !p.Until.IsZero() && !r.Before(p.Until):
		return Removed, fmt.Sprintf("removed in Linux %v%s", p.Until, instead)
	case r.Before(p.Since):
		return NotYet, fmt.Sprintf("appears in Linux %v", p.Since)
	case child && !p.ShownInChild(r):
		return HostWide, ""
	case p.Module != "":
		return ModuleMissing, p.Module + instead
	}
	return NotBuilt, "this kernel should have it by its release number and does not"
}

// CheckSane says what is wrong with a value, or nil. It judges what makes
// sense, which is narrower than what the kernel takes.
func (p Param) CheckSane(v Value) error {
	v, err := p.Type.Normalize(v)
	if err != nil {
		return err
	}
	if p.Type == Word && v == "" {
		return errors.New("empty; the kernel would take it and change nothing")
	}
	if p.Type != Number && p.Type != Vector {
		return nil
	}
	ints, _ := v.Ints()
	if p.Type == Vector && len(ints) != p.Fields {
		return fmt.Errorf("want %d numbers, not %d; the kernel would leave the others as they are or fill them with garbage", p.Fields, len(ints))
	}
	for i, n := range ints {
		if !p.Sane.Contains(n) {
			return fmt.Errorf("%d is outside the range that makes sense, %v%s", n, p.Sane, p.Unit.behind())
		}
		if i > 0 && n < ints[i-1] {
			return fmt.Errorf("%d is less than the %d before it", n, ints[i-1])
		}
	}
	return nil
}

// newestFrom picks the last entry of an oldest-first list that is not newer
// than the release.
func newestFrom[T any](list []T, r Release, from func(T) Release) (newest T, ok bool) {
	for _, entry := range list {
		if r.Before(from(entry)) {
			break
		}
		newest, ok = entry, true
	}
	return newest, ok
}
