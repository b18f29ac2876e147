package facts

import (
	"maps"

	"github.com/tcptune/tcptune/sysctl"
)

// NoHost is why what only a look at a host would tell is missing of one of which
// nothing is known.
var NoHost = Gap{Cause: sysctl.NotMeasured, Detail: "no host was looked at"}

// Untouched is a host of which nothing is known but its kernel, and on which
// nobody has set a parameter: they have the kernel's defaults as far as these do
// not follow from the host's size. Modules are taken for loaded. In a container
// parameters of the whole host are out of sight.
func Untouched(kernel sysctl.Release, container bool) *Snapshot {
	s := &Snapshot{Schema: SchemaVersion, Kernel: kernel, Namespace: Namespace{Initial: !container}, Sysctls: map[sysctl.Key]Reading{},
		Asked: []Assignment{}, NAT: []NATEvidence{}, Gaps: map[Part]Gap{}}
	for _, part := range []Part{PartHost, PartSockets, PartSockstat, PartNetstat, PartSNMP, PartConntrack, PartSoftnet, PartNAT} {
		s.Gaps[part] = NoHost
	}
	for _, p := range sysctl.Catalogue() {
		value, known := p.Default(sysctl.Host{Release: kernel})
		cause, detail := p.WhyAbsent(kernel, container)
		switch {
		case cause == sysctl.Removed || cause == sysctl.NotYet || cause == sysctl.HostWide:
			s.Sysctls[p.Key] = Reading{Absent: cause, Detail: detail}
		case known:
			s.Sysctls[p.Key] = Reading{Value: value, origin: "the kernel's default"}
		default:
			s.Sysctls[p.Key] = Reading{Absent: sysctl.NotMeasured, Detail: "the default is not known"}
		}
	}
	return s
}

// After is the host once lines have been applied to it in their order, and the
// parameters that they reached.
func (s *Snapshot) After(lines []Assignment) (after *Snapshot, reached []sysctl.Key) {
	next := *s
	next.Asked = lines
	next.Sysctls = maps.Clone(s.Sysctls)
	read := func(key sysctl.Key) sysctl.Value { return next.Sysctls[key].Value }
	for _, line := range lines {
		param, known := sysctl.Lookup(line.Key)
		old := next.Sysctls[line.Key]
		if !known || line.Loses != "" || old.Absent != "" && old.Absent != sysctl.NotMeasured {
			continue
		}
		predicted := param.Predict(s.Kernel, line.Value, read)
		if predicted.Refused != "" {
			continue
		}
		place := line.Place()
		reading := Reading{Value: predicted.Kept, origin: place.String(), place: &place}
		if predicted.Kept == "" && param.Type != sysctl.PortSet {
			reading = Reading{Absent: sysctl.NotMeasured, Detail: predicted.Swallowed}
		}
		for _, key := range aliases(line.Key) {
			next.Sysctls[key] = reading
			reached = append(reached, key)
		}
	}
	return &next, reached
}

// Showing is the host with the values that a listing of its parameters gives,
// and with no others, and the parameters that the listing has. What it does not
// show is not known.
func (s *Snapshot) Showing(lines []Assignment) (shown *Snapshot, listed []sysctl.Key) {
	next := *s
	next.Sysctls = map[sysctl.Key]Reading{}
	for key, reading := range s.Sysctls {
		if reading.Absent == "" {
			reading = Reading{Absent: sysctl.NotMeasured, Detail: "the listing does not show it"}
		}
		next.Sysctls[key] = reading
	}
	for _, line := range lines {
		if _, known := sysctl.Lookup(line.Key); known {
			place := line.Place()
			next.Sysctls[line.Key] = Reading{Value: line.Value, origin: place.String(), place: &place}
			listed = append(listed, line.Key)
		}
	}
	return &next, listed
}

// Restate derives the facts of a snapshot that differs from one whose facts are
// known in some parameters and in the lines asked for, and in nothing else. It
// gives what [Derive] gives, in a fraction of the time, and the names of the
// facts that differ.
func (f Facts) Restate(s *Snapshot, changed []sysctl.Key) (restated Facts, differ []Name) {
	d := deriver{snapshot: s, values: map[Name]Value{}}
	for _, key := range changed {
		param, _ := sysctl.Lookup(key)
		d.sysctl(param)
	}
	d.asked()
	d.tcpMem()
	d.ports()
	d.seconds()
	for name, value := range d.values {
		if old := f.Get(name); value.Content == old.Content && value.Place == nil && value.Content != nil {
			delete(d.values, name)
			continue
		}
		differ = append(differ, name)
	}
	return Facts{Kernel: s.Kernel, values: d.values, under: &f}, differ
}
