package facts

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// Derive computes the facts of a snapshot. It reads nothing else, so that the
// same snapshot gives the same facts on any machine.
func Derive(s *Snapshot) Facts {
	d := deriver{snapshot: s, values: make(map[Name]Value, len(Schema()))}
	d.host()
	d.sysctls()
	d.files()
	d.counters()
	d.sockets()
	d.sockstat()
	d.listeners()
	d.ports()
	d.synSent()
	d.nat()
	d.seconds()
	d.turnover()
	d.everywhere()
	return Facts{Kernel: s.Kernel, values: d.values}
}

type deriver struct {
	snapshot *Snapshot
	values   map[Name]Value
}

func (d *deriver) set(name Name, content any, source string) {
	if n, ok := content.(int64); ok {
		content = int(n)
	}
	d.values[name] = Value{Content: content, Source: source}
}

// at records the line that gives a fact.
func (d *deriver) at(name Name, place *Place) {
	v := d.values[name]
	v.Place = place
	d.values[name] = v
}

func (d *deriver) miss(name Name, gap Gap) { d.values[name] = Value{Missing: &gap} }

// missPrefix marks every fact of a group as missing for one reason.
func (d *deriver) missPrefix(prefix string, gap Gap) {
	for name := range Schema() {
		if strings.HasPrefix(string(name), prefix) {
			d.miss(name, gap)
		}
	}
}

// gap is why a part is missing.
func (d *deriver) gap(part Part) Gap {
	if g, ok := d.snapshot.Gaps[part]; ok {
		return g
	}
	return Gap{Cause: sysctl.NotMeasured, Detail: "the snapshot holds no " + string(part)}
}

func (d *deriver) host() {
	s, sizing := d.snapshot, d.snapshot.SizingHost()
	d.set("kernel.release", s.Kernel.String(), "uname")
	d.set("namespace.initial", s.Namespace.Initial, "/proc/sys")
	d.missPrefix("host.", d.gap(PartHost))
	d.miss("memory.total_pages", d.gap(PartHost))
	if s.Host.CPUs > 0 {
		d.set("host.cpus", s.Host.CPUs, "/proc/cpuinfo")
	}
	if s.Host.MemoryKiB > 0 {
		d.set("host.memory_mib", s.Host.MemoryKiB/1024, "/proc/meminfo")
		d.set("host.ehash_buckets", sizing.Buckets(), "estimated from memory")
	}
	if s.Host.MemoryKiB > 0 && s.Host.PageSize > 0 {
		d.set("memory.total_pages", s.Host.MemoryKiB/(s.Host.PageSize/1024), "/proc/meminfo")
	}
	if sizing.EhashBuckets > 0 {
		d.set("host.ehash_buckets", sizing.Buckets(), "net.ipv4.tcp_ehash_entries")
	}
}

func (d *deriver) sysctls() {
	host := d.snapshot.SizingHost()
	for _, p := range sysctl.Catalogue() {
		d.sysctl(p)
		if p.Type != sysctl.Number {
			continue
		}
		name := Name("default." + p.Key)
		if v, known := p.Default(host); known {
			d.parameter(name, p, v, "the kernel's source")
		} else {
			d.miss(name, Gap{Cause: sysctl.NotMeasured, Detail: "the default on this kernel is not known"})
		}
	}
}

func (d *deriver) sysctl(p sysctl.Param) {
	reading, read := d.snapshot.Sysctls[p.Key]
	switch {
	case !read:
		d.miss(Name(p.Key), Gap{Cause: sysctl.NotMeasured, Detail: "the snapshot does not hold it"})
	case reading.Absent != "":
		d.miss(Name(p.Key), Gap{reading.Absent, reading.Detail})
	default:
		d.parameter(Name(p.Key), p, reading.Value, cmp.Or(reading.origin, "/proc/sys"))
		d.at(Name(p.Key), reading.place)
	}
}

// parameter sets a fact from a parameter's value.
func (d *deriver) parameter(name Name, p sysctl.Param, v sysctl.Value, source string) {
	if p.Type != sysctl.Number {
		d.set(name, strings.Join(v.Fields(), " "), source)
		return
	}
	ints, err := v.Ints()
	if err != nil || len(ints) != 1 {
		d.miss(name, Gap{Cause: sysctl.Failed, Detail: fmt.Sprintf("%q is not a number", v)})
		return
	}
	d.set(name, ints[0], source)
}

// reading is a parameter's value, or why it is not known.
func (d *deriver) reading(key sysctl.Key) (sysctl.Value, Gap) {
	reading, read := d.snapshot.Sysctls[key]
	if !read {
		return "", Gap{Cause: sysctl.NotMeasured, Detail: "the snapshot does not hold " + string(key)}
	}
	if reading.Absent != "" {
		return "", Gap{reading.Absent, strings.TrimSuffix(string(key)+": "+reading.Detail, ": ")}
	}
	return reading.Value, Gap{}
}

// vector is a parameter's numbers; nil, and why, if they are not known.
func (d *deriver) vector(key sysctl.Key, fields int) ([]int64, Gap) {
	value, gap := d.reading(key)
	if gap != (Gap{}) {
		return nil, gap
	}
	ints, err := value.Ints()
	if err != nil || len(ints) != fields {
		return nil, Gap{Cause: sysctl.Failed, Detail: fmt.Sprintf("%s is %q", key, value)}
	}
	return ints, Gap{}
}

func (d *deriver) files() {
	// A file that could not be read does not unsay what another one asks for.
	gap, incomplete := d.snapshot.Gaps[PartFiles]
	if !incomplete {
		gap = Gap{Cause: sysctl.NotAsked}
	}
	d.missPrefix("asked.", gap)
	for _, group := range Groups {
		d.missPrefix(group+".", gap)
	}
	if gap, none := d.snapshot.noDrift(); none {
		d.missPrefix("drift.", gap)
	}
	d.asked()
}

func (d *deriver) asked() {
	for _, a := range d.snapshot.Asked {
		if p, known := sysctl.Lookup(a.Key); known && a.Loses == "" {
			place := a.Place()
			d.parameter(Name("asked."+a.Key), p, a.Value, place.String())
			d.at(Name("asked."+a.Key), &place)
		}
	}
}

func (d *deriver) counters() {
	s := d.snapshot
	parts := map[string]Part{"Tcp": PartSNMP, "TcpExt": PartNetstat, "conntrack": PartConntrack, "softnet": PartSoftnet}
	for name := range Schema() {
		rest, isTotal := strings.CutPrefix(string(name), "totals.")
		if !isTotal {
			continue
		}
		group, counter, _ := strings.Cut(rest, ".")
		total, known := s.Counters[group][counter]
		gap := d.gap(parts[group])
		if s.Counters[group] != nil {
			gap = Gap{Cause: sysctl.NotBuilt, Detail: "the kernel does not count " + rest}
		}
		if !known {
			d.miss(name, gap)
			d.miss(Name("counters."+rest), gap)
			d.miss(Name("rates."+rest), gap)
			continue
		}
		d.set(name, total, SinceBoot)
		if s.Window == nil {
			d.set(Name("counters."+rest), total, SinceBoot)
			d.miss(Name("rates."+rest), Gap{Cause: sysctl.NotMeasured, Detail: "needs --interval"})
			continue
		}
		window := d.window()
		increase := s.Window.Increase[group][counter]
		d.set(Name("counters."+rest), increase, window)
		d.set(Name("rates."+rest), float64(increase)/s.Window.Seconds, window)
	}
}

// window is the source of what was seen between two samples.
func (d *deriver) window() string { return fmt.Sprintf("within %.3g s", d.snapshot.Window.Seconds) }

func (d *deriver) sockets() {
	so := d.snapshot.Sockets
	if so == nil {
		gap := d.gap(PartSockets)
		for _, prefix := range []string{"sockets.", "listeners.", "syn_sent.", "closewait.", "ports.busiest.", "ports.listening"} {
			d.missPrefix(prefix, gap)
		}
		return
	}
	total := int64(0)
	for _, info := range tcpstate.All() {
		if so.EitherFamily.Of(info.State) > 0 {
			gap := Gap{Cause: sysctl.NotMeasured, Detail: "/proc/net/sockstat counts both families together"}
			d.miss(Name("sockets.ipv4."+info.Word), gap)
			d.miss(Name("sockets.ipv6."+info.Word), gap)
		} else {
			d.set(Name("sockets.ipv4."+info.Word), so.IPv4.Of(info.State), string(so.Source))
			d.set(Name("sockets.ipv6."+info.Word), so.IPv6.Of(info.State), string(so.Source))
		}
		d.set(Name("sockets."+info.Word), so.Of(info.State), string(so.Source))
		total += so.Of(info.State)
	}
	source := string(so.Source)
	d.set("sockets.total", total, source)
	d.set("sockets.orphans", so.Orphans, source)
	d.set("sockets.fin_wait2_orphans", so.FinWait2Orphans, source)
	d.set("sockets.fin_wait2_held", max(0, so.Of(tcpstate.FinWait2)-so.FinWait2Orphans), source)
	d.set("sockets.close_wait_unaccepted", so.CloseWaitUnaccepted, source)
	d.set("sockets.source", source, source)
	d.closeWaitOwner(so)
}

// closeWaitOwner names whoever holds most of the sockets in CLOSE-WAIT.
func (d *deriver) closeWaitOwner(so *Sockets) {
	for _, ownership := range so.Owners {
		if ownership.State != OwnedCloseWait || len(ownership.Top) == 0 {
			continue
		}
		most := ownership.Top[0]
		source := "/proc/PID/fd"
		if ownership.Estimated {
			source += ", some of them"
		}
		d.set("closewait.most", most.Sockets, source)
		d.set("closewait.most_program", most.String(), source)
		return
	}
	d.set("closewait.most", 0, "/proc/PID/fd")
	d.set("closewait.most_program", "not looked for", "/proc/PID/fd")
}

func (d *deriver) sockstat() {
	if st := d.snapshot.Sockstat; st != nil {
		d.set("sockstat.inuse", st.InUse+st.InUse6, "/proc/net/sockstat")
		d.set("sockstat.tw", st.TimeWait, "/proc/net/sockstat")
		d.set("sockstat.orphan", st.Orphan, "/proc/net/sockstat")
		d.set("memory.tcp_pages", st.MemPages, "/proc/net/sockstat")
	} else {
		d.missPrefix("sockstat.", d.gap(PartSockstat))
		d.miss("memory.tcp_pages", d.gap(PartSockstat))
	}
	d.tcpMem()
}

func (d *deriver) tcpMem() {
	if mem, gap := d.vector("net.ipv4.tcp_mem", 3); mem != nil {
		d.set("memory.tcp_pressure_pages", mem[1], "net.ipv4.tcp_mem")
		d.set("memory.tcp_max_pages", mem[2], "net.ipv4.tcp_mem")
	} else {
		d.miss("memory.tcp_pressure_pages", gap)
		d.miss("memory.tcp_max_pages", gap)
	}
}

func (d *deriver) nat() {
	var where []string
	seen := false
	for _, e := range d.snapshot.NAT {
		where = append(where, e.What+" ("+e.Where+")")
		seen = seen || e.Kind != "conntrack" // tracking alone translates nothing
	}
	if gap, missing := d.snapshot.Gaps[PartNAT]; missing && !seen {
		d.missPrefix("nat.", gap)
		return
	}
	d.set("nat.seen", seen, "address translation")
	d.set("nat.where", list(where), "address translation")
}

// list joins items for a sentence, at most three of them.
func list(items []string) string {
	if len(items) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:3], ", "), len(items)-3)
	}
	return strings.Join(items, ", ")
}
