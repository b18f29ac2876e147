package facts

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// listeners computes what the queues of listening sockets say.
func (d *deriver) listeners() {
	so := d.snapshot.Sockets
	if so == nil {
		return
	}
	d.set("listeners.count", len(so.Listeners), string(so.Source))
	d.synRecv(so)

	if so.Approximate {
		gap := Gap{Cause: sysctl.NotMeasured, Detail: string(so.Source) + " does not show the limit of a listener"}
		for _, prefix := range []string{"listeners.full", "listeners.busiest", "listeners.at_cap", "listeners.below_cap"} {
			d.missPrefix(prefix, gap)
		}
		return
	}
	all := d.selectListeners("listeners.", func(Listener) bool { return true })
	full := slices.DeleteFunc(all, func(l Listener) bool { return !l.IsFull() })
	somaxconn, gap := d.vector("net.core.somaxconn", 1)
	limit := func(l Listener) string {
		if somaxconn == nil {
			return ""
		}
		return "limited by " + l.LimitedBy(somaxconn[0])
	}
	d.set("listeners.full", len(full), string(so.Source))
	d.set("listeners.full_list", describe(full, limit), string(so.Source))

	for name, keep := range map[string]func(Listener) bool{
		"at_cap":    func(l Listener) bool { return l.Limit == somaxconn[0] },
		"below_cap": func(l Listener) bool { return l.Limit < somaxconn[0] },
	} {
		prefix := "listeners." + name
		if somaxconn == nil {
			d.missPrefix(prefix, gap)
			continue
		}
		some := d.selectListeners(Name(prefix+"_"), keep)
		d.set(Name(prefix), len(some), string(so.Source))
		d.set(Name(prefix+"_list"), describe(some), string(so.Source))
	}
}

// synRecv names the listener with most half-open connections.
func (d *deriver) synRecv(so *Sockets) {
	most, name := int64(0), "none"
	for _, l := range so.Listeners {
		if l.SynRecv == nil {
			d.missPrefix("listeners.syn_recv_", Gap{Cause: sysctl.NotMeasured, Detail: "half-open connections were not counted by listener"})
			return
		}
		if *l.SynRecv > most {
			most, name = *l.SynRecv, l.Endpoint()
			if holder := l.Holder(); holder != "" {
				name += " (" + holder + ")"
			}
		}
	}
	d.set("listeners.syn_recv_most", most, string(so.Source))
	d.set("listeners.syn_recv_listener", name, string(so.Source))
}

// selectListeners returns the listeners that are kept, fullest first, and sets
// the facts busiest_percent, and busiest where it is declared, below the prefix.
func (d *deriver) selectListeners(prefix Name, keep func(Listener) bool) []Listener {
	some := []Listener{}
	for _, l := range d.snapshot.Sockets.Listeners {
		if keep(l) {
			some = append(some, l)
		}
	}
	slices.SortStableFunc(some, func(a, b Listener) int { return cmp.Compare(b.fill(), a.fill()) })
	percent, name := 0, "none"
	if len(some) > 0 {
		percent, name = int(some[0].fill()), describe(some[:1])
	}
	d.set(prefix+"busiest_percent", percent, string(d.snapshot.Sockets.Source))
	if _, declared := Schema()[prefix+"busiest"]; declared {
		d.set(prefix+"busiest", name, string(d.snapshot.Sockets.Source))
	}
	return some
}

// fill is how full the accept queue is, in percent: 100 when the next connection
// is dropped. A queue admits one connection more than its limit
// (include/net/sock.h, sk_acceptq_is_full).
func (l Listener) fill() float64 { return 100 * float64(l.Queue) / float64(l.Limit+1) }

// FillPercent is how full the accept queue is: 100 when the next connection is
// dropped.
func (l Listener) FillPercent() int { return int(l.fill()) }

// IsFull reports whether the next connection is dropped.
func (l Listener) IsFull() bool { return l.Queue > l.Limit }

// LimitedBy names what gives the limit, for which listen() takes the lesser of two
// numbers (net/socket.c, __sys_listen).
func (l Listener) LimitedBy(somaxconn int64) string {
	switch {
	case l.Limit == somaxconn:
		return "net.core.somaxconn"
	case l.Limit > somaxconn:
		return "net.core.somaxconn as it was when the program began to listen"
	default:
		return "the program, or a lower net.core.somaxconn when it began to listen"
	}
}

// Endpoint is the address and port.
func (l Listener) Endpoint() string { return net.JoinHostPort(l.Address, strconv.Itoa(l.Port)) }

// Holder is who listens, as far as that is known, or "".
func (l Listener) Holder() string {
	if l.Program+l.Unit+l.User == "" {
		return ""
	}
	return Owner{Program: l.Program, PID: l.PID, Unit: l.Unit, User: l.User}.String()
}

// describe lists listeners with their queues, their limits and who holds them, and
// what else is to be said of each.
func describe(listeners []Listener, more ...func(Listener) string) string {
	items := make([]string, len(listeners))
	for i, l := range listeners {
		parts := []string{fmt.Sprintf("%d of %d", l.Queue, l.Limit), l.Holder()}
		for _, of := range more {
			parts = append(parts, of(l))
		}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		items[i] = fmt.Sprintf("%s (%s)", l.Endpoint(), strings.Join(parts, ", "))
	}
	return list(items)
}

// ports computes what the range of ephemeral ports carries. Ports run out per
// source address, destination address and destination port
// (net/ipv4/inet_hashtables.c, __inet_hash_connect).
func (d *deriver) ports() {
	bounds, gap := d.vector("net.ipv4.ip_local_port_range", 2)
	if bounds == nil {
		d.missPrefix("ports.", gap)
		return
	}
	low, high := int(bounds[0]), int(bounds[1])
	reserved, gap := d.reservedPorts()
	if gap != (Gap{}) {
		d.missPrefix("ports.", gap)
		return
	}
	inRange := reserved.Within(low, high)
	size := max(0, high-low+1-inRange)
	const source = "net.ipv4.ip_local_port_range"
	d.set("ports.low", low, source)
	d.set("ports.high", high, source)
	d.set("ports.reserved", inRange, "net.ipv4.ip_local_reserved_ports")
	d.set("ports.size", size, source)
	d.set("ports.same_parity", low%2 == high%2, source)
	d.set("ports.per_second", float64(size)/sysctl.TimeWait.Seconds(), source)

	var services []string
	count := 0
	for _, service := range servicePorts {
		first, last := max(service.first, low), min(service.last, high)
		if free := last - first + 1 - reserved.Within(first, last); free > 0 {
			services = append(services, service.String())
			count += free
		}
	}
	d.set("ports.services", count, source)
	d.set("ports.services_list", list(services), source)

	so := d.snapshot.Sockets
	if so == nil {
		return
	}
	taken := map[int]bool{}
	for _, l := range so.Listeners {
		if low <= l.Port && l.Port <= high && !reserved.Contains(l.Port) {
			taken[l.Port] = true
		}
	}
	listening := make([]int, 0, len(taken))
	for port := range taken {
		listening = append(listening, port)
	}
	slices.Sort(listening)
	names := make([]string, len(listening))
	for i, port := range listening {
		names[i] = strconv.Itoa(port)
	}
	d.set("ports.listening", len(listening), string(so.Source))
	d.set("ports.listening_list", list(names), string(so.Source))

	busiest, from := d.busiest(so.Outbound.Top), so.outboundSource()
	if so.Outbound.Together {
		busiest = Target{Sockets: so.Outbound.Sockets, TimeWait: so.Of(tcpstate.TimeWait)}
	}
	d.set("ports.busiest.used", busiest.Sockets, from)
	d.set("ports.busiest.time_wait", busiest.TimeWait, from)
	d.reusable(busiest)
	d.set("ports.busiest.percent", percent(busiest.Sockets, int64(max(size, 1))), from)
	d.set("ports.busiest.name", so.Outbound.name(busiest), from)
}

// busiest is the destination towards which ports run out first: TIME-WAIT entries
// that connect() may take over leave their ports free.
func (d *deriver) busiest(targets []Target) Target {
	most, held := Target{}, int64(-1)
	for _, t := range targets {
		n := t.Sockets
		if reuses, gap := d.reusesTowards(t); reuses && gap == (Gap{}) {
			n -= t.TimeWait
		}
		if n > held {
			most, held = t, n
		}
	}
	return most
}

// reservedPorts are those of net.ipv4.ip_local_reserved_ports; none on a kernel
// without it.
func (d *deriver) reservedPorts() (sysctl.Ports, Gap) {
	const key = "net.ipv4.ip_local_reserved_ports"
	value, gap := d.reading(key)
	if gap.Cause.Definitive() {
		return nil, Gap{}
	}
	ports, err := sysctl.ParsePorts(value)
	if err != nil {
		gap = Gap{Cause: sysctl.Failed, Detail: key + ": " + err.Error()}
	}
	return ports, gap
}

// reusable computes how many TIME-WAIT entries towards a destination connect()
// may take over.
func (d *deriver) reusable(t Target) {
	const name = "ports.busiest.reusable"
	reuses, gap := d.reusesTowards(t)
	switch {
	case gap != Gap{}:
		d.miss(name, gap)
	case reuses:
		d.set(name, t.TimeWait, "net.ipv4.tcp_tw_reuse")
	default:
		d.set(name, 0, "net.ipv4.tcp_tw_reuse")
	}
}

// reusesTowards reports whether connect() may take over TIME-WAIT entries towards
// a destination (net/ipv4/tcp_ipv4.c, tcp_twsk_unique). The value 2 is for
// loopback addresses from Linux 4.18 on; before, it means 1.
func (d *deriver) reusesTowards(t Target) (bool, Gap) {
	reuse, gap := d.vector("net.ipv4.tcp_tw_reuse", 1)
	if reuse == nil {
		return false, gap
	}
	timestamps, gap := d.vector("net.ipv4.tcp_timestamps", 1)
	if timestamps == nil {
		return false, gap
	}
	loopbackOnly := reuse[0] == 2 && !d.snapshot.Kernel.Before(sysctl.Release{Major: 4, Minor: 18})
	return reuse[0] != 0 && timestamps[0] != 0 && (!loopbackOnly || isLoopback(t.Destination) || isLoopback(t.Source)), Gap{}
}

// PortHeadroom is how much of the range of ephemeral ports one destination takes.
type PortHeadroom struct {
	Size    int // ports of the range that are not reserved
	Percent int // of them that connect() may not take
	// PerSecond is how many more connections a second the free ports carry while
	// each rests in TIME-WAIT afterwards: 60 s, or 1 s where connect() may take such
	// ports over.
	PerSecond float64
}

// PortHeadroom tells what the range still carries towards a destination, or why
// that is not known.
func (s *Snapshot) PortHeadroom(t Target) (PortHeadroom, Gap) {
	d := deriver{snapshot: s}
	bounds, gap := d.vector("net.ipv4.ip_local_port_range", 2)
	if bounds == nil {
		return PortHeadroom{}, gap
	}
	reserved, gap := d.reservedPorts()
	if gap != (Gap{}) {
		return PortHeadroom{}, gap
	}
	reuses, gap := d.reusesTowards(t)
	if gap != (Gap{}) {
		return PortHeadroom{}, gap
	}
	low, high := int(bounds[0]), int(bounds[1])
	h := PortHeadroom{Size: max(0, high-low+1-reserved.Within(low, high))}
	rest, taken := sysctl.TimeWait.Seconds(), t.Sockets
	if reuses {
		rest, taken = 1, taken-t.TimeWait
	}
	h.Percent = percent(taken, int64(max(h.Size, 1)))
	h.PerSecond = float64(max(0, int64(h.Size)-taken)) / rest
	return h, Gap{}
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.Unmap().IsLoopback()
}

// synSent tells a dead destination from a scan.
func (d *deriver) synSent() {
	so := d.snapshot.Sockets
	if so == nil {
		return
	}
	most, all := Target{}, so.Of(tcpstate.SynSent)
	if len(so.SynSent.Top) > 0 {
		most = so.SynSent.Top[0]
	}
	d.set("syn_sent.destinations", so.SynSent.Distinct, string(so.Source))
	d.set("syn_sent.most", most.Sockets, string(so.Source))
	d.set("syn_sent.most_percent", percent(most.Sockets, max(all, 1)), string(so.Source))
	d.set("syn_sent.most_name", most.String(), string(so.Source))
}

// name is what a target of a spread is called.
func (s Spread) name(t Target) string {
	if s.Together {
		return "all destinations together, at most"
	}
	return t.String()
}

// String is the destination, and the source address where it matters.
func (t Target) String() string {
	if t.Destination == "" {
		return "none"
	}
	text := net.JoinHostPort(t.Destination, strconv.Itoa(t.Port))
	if t.Source != "" {
		text += " from " + t.Source
	}
	return text
}

// outboundSource says how destinations were counted.
func (so *Sockets) outboundSource() string {
	switch sample := so.Outbound.Sample; {
	case so.Source == ByProcNet, so.Outbound.Together:
		return string(so.Source)
	case sample != nil:
		return fmt.Sprintf("sock_diag, a sample of %d of about %d sockets: give or take %d", sample.Looked, sample.Of, so.Outbound.Error)
	}
	return string(ByDump)
}

// String is the program with the number of its process, its unit and how many
// processes, or the user.
func (o Owner) String() string {
	var parts []string
	switch {
	case o.Program != "" && o.PID != 0 && o.Processes <= 1:
		parts = append(parts, fmt.Sprintf("%s[%d]", o.Program, o.PID))
	case o.Program != "":
		parts = append(parts, o.Program)
	}
	if o.Unit != "" {
		parts = append(parts, "in "+o.Unit)
	}
	if o.Program == "" && o.User != "" {
		parts = append(parts, "of user "+o.User)
	}
	switch {
	case o.Processes > 1 && o.PID != 0:
		parts = append(parts, fmt.Sprintf("(%d processes, most by %d)", o.Processes, o.PID))
	case o.Processes > 1:
		parts = append(parts, fmt.Sprintf("(%d processes)", o.Processes))
	}
	if len(parts) == 0 {
		return "nobody that could be seen"
	}
	return strings.Join(parts, " ")
}

func percent(part, whole int64) int { return int(100 * float64(part) / float64(whole)) }
