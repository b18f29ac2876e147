package facts

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// A Name is a fact's name, such as "sockets.time_wait".
type Name string

// A Kind is the type of a fact's value.
type Kind string

const (
	Whole   Kind = "whole number"
	Decimal Kind = "number"
	Text    Kind = "text"
	YesNo   Kind = "yes or no"
)

// A Def declares a fact.
type Def struct {
	Name Name
	Kind Kind
	Doc  string
}

//go:embed counters.txt
var counterNames string

// Schema declares every fact there is: those listed here, the parameters of
// the catalogue and the kernel's counters.
var Schema = sync.OnceValue(func() map[Name]Def {
	schema := map[Name]Def{}
	add := func(name Name, kind Kind, doc string) { schema[name] = Def{name, kind, doc} }
	for _, d := range declared {
		add(d.Name, d.Kind, d.Doc)
	}
	for _, info := range tcpstate.All() {
		add(Name("sockets."+info.Word), Whole, "sockets in "+info.Name+", IPv4 and IPv6")
		add(Name("sockets.ipv4."+info.Word), Whole, "IPv4 sockets in "+info.Name)
		add(Name("sockets.ipv6."+info.Word), Whole, "IPv6 sockets in "+info.Name)
	}
	for _, p := range sysctl.Catalogue() {
		kind := Text
		if p.Type == sysctl.Number {
			kind = Whole
			add(Name("default."+p.Key), Whole, "what the kernel of this host gives "+string(p.Key)+" at boot")
		}
		add(Name(p.Key), kind, p.Meaning)
		add(Name("asked."+p.Key), kind, "what a file read at boot sets "+string(p.Key)+" to; the last such line")
	}
	for _, line := range strings.Split(counterNames, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		add(Name("counters."+line), Whole, line+": the increase over the window observed, or since the namespace was made")
		add(Name("totals."+line), Whole, line+": since the namespace was made")
		add(Name("rates."+line), Decimal, line+": per second over the window observed")
	}
	return schema
})

// declared are the facts that Derive computes one by one.
var declared = []Def{
	{"kernel.release", Text, "the kernel's release, as uname -r prints it"},
	{"namespace.initial", YesNo, "whether this is the host's first network namespace"},
	{"host.memory_mib", Whole, "the host's memory in MiB"},
	{"host.cpus", Whole, "processors"},
	{"host.ehash_buckets", Whole, "buckets of the hash of connections, from which the kernel sizes its TCP tables; estimated from memory before Linux 6.1"},

	{"sockets.total", Whole, "TCP sockets of all states"},
	{"sockets.orphans", Whole, "full sockets of this namespace that no program holds"},
	{"sockets.fin_wait2_orphans", Whole, "sockets in FIN-WAIT-2 that no program holds"},
	{"sockets.fin_wait2_held", Whole, "sockets in FIN-WAIT-2 that a program still holds"},
	{"sockets.close_wait_unaccepted", Whole, "sockets in CLOSE-WAIT that no program has accepted yet"},
	{"sockets.source", Text, "how the sockets were counted"},

	{"closewait.most", Whole, "sockets in CLOSE-WAIT of the program that holds most of them, which is looked for where there are hundreds; 0 otherwise"},
	{"closewait.most_program", Text, "that program, with its unit or container and how many processes; or the user, where processes may not be looked at"},

	{"sockstat.inuse", Whole, "full sockets, IPv4 and IPv6"},
	{"sockstat.tw", Whole, "TIME-WAIT sockets and FIN-WAIT-2 mini-sockets together"},
	{"sockstat.orphan", Whole, "orphans of the whole host, whichever namespace is looked at"},

	{"memory.tcp_pages", Whole, "pages that TCP's buffers hold, on the whole host"},
	{"memory.tcp_pressure_pages", Whole, "second number of net.ipv4.tcp_mem"},
	{"memory.tcp_max_pages", Whole, "third number of net.ipv4.tcp_mem"},
	{"memory.total_pages", Whole, "the host's memory in pages"},

	{"listeners.count", Whole, "listening sockets"},
	{"listeners.full", Whole, "listeners whose accept queue holds more than its limit, so that the next connection is dropped"},
	{"listeners.full_list", Text, "those listeners"},
	{"listeners.busiest_percent", Whole, "fill of the fullest accept queue"},
	{"listeners.busiest", Text, "the listener with the fullest accept queue"},
	{"listeners.at_cap", Whole, "listeners whose limit equals net.core.somaxconn as it is now"},
	{"listeners.at_cap_list", Text, "those listeners"},
	{"listeners.at_cap_busiest_percent", Whole, "fill of the fullest accept queue among them"},
	{"listeners.below_cap", Whole, "listeners whose limit is below net.core.somaxconn: the program's own number, or an older value of the parameter"},
	{"listeners.below_cap_list", Text, "those listeners"},
	{"listeners.below_cap_busiest_percent", Whole, "fill of the fullest accept queue among them"},
	{"listeners.syn_recv_most", Whole, "half-open connections of the listener that has most"},
	{"listeners.syn_recv_listener", Text, "that listener"},

	{"ports.low", Whole, "first port of net.ipv4.ip_local_port_range"},
	{"ports.high", Whole, "last port of net.ipv4.ip_local_port_range"},
	{"ports.size", Whole, "ports of the range that are not reserved"},
	{"ports.reserved", Whole, "reserved ports within the range"},
	{"ports.same_parity", YesNo, "whether both ends of the range are even or both odd"},
	{"ports.per_second", Decimal, "new connections a second towards one destination that the range carries while each port rests 60 s in TIME-WAIT"},
	{"ports.listening", Whole, "ports of the range on which a program listens and which are not reserved"},
	{"ports.listening_list", Text, "those ports"},
	{"ports.services", Whole, "well-known ports of services in the range that are not reserved"},
	{"ports.services_list", Text, "those ports"},
	{"ports.busiest.used", Whole, "local ports in use towards the destination for which they run out first; if all sockets together leave half of the range free, theirs"},
	{"ports.busiest.time_wait", Whole, "those of them in TIME-WAIT"},
	{"ports.busiest.reusable", Whole, "those in TIME-WAIT that connect() may take over, by net.ipv4.tcp_tw_reuse"},
	{"ports.busiest.percent", Whole, "share of the range that they are"},
	{"ports.busiest.name", Text, "that destination"},

	{"syn_sent.destinations", Whole, "destinations that have not answered a SYN, at least"},
	{"syn_sent.most", Whole, "unanswered SYNs towards the destination that has most"},
	{"syn_sent.most_percent", Whole, "share of all unanswered SYNs that they are"},
	{"syn_sent.most_name", Text, "that destination"},

	{"nat.seen", YesNo, "whether anything speaks for address translation between this host and its clients"},
	{"nat.where", Text, "what does, and where it was seen"},

	// Of each line of the files that are read at boot, or of a file that is
	// checked; see Subjects.
	{"line.key", Text, "the parameter that the line sets"},
	{"line.value", Text, "what it sets it to"},
	{"line.malformed", YesNo, "whether it is no assignment"},
	{"line.malformed_why", Text, "why it is none"},
	{"line.removed", YesNo, "whether this kernel no longer has the parameter"},
	{"line.not_yet", YesNo, "whether this kernel does not have it yet"},
	{"line.unknown", YesNo, "whether no kernel ever had it"},
	{"line.absent", YesNo, "whether this kernel has no such parameter, for a reason that is not known"},
	{"line.absent_why", Text, "since when it is gone or there, and what to use instead; or the nearest real name"},
	{"line.host_wide", YesNo, "whether it is for a container, and the parameter belongs to the host"},
	{"line.refused", YesNo, "whether the kernel refuses the value"},
	{"line.refused_why", Text, "why it does"},
	{"line.swallowed", YesNo, "whether the kernel takes the value for another one, without an error"},
	{"line.swallowed_why", Text, "for which one"},
	{"line.senseless", YesNo, "whether the kernel takes a value that makes no sense"},
	{"line.senseless_why", Text, "why it makes none"},
	{"line.loses", YesNo, "whether another line holds instead"},
	{"line.loses_why", Text, "which one, and why"},
	{"line.administrators", YesNo, "whether it stands in a file of the administrator, not of a package"},
	{"line.contradicted", YesNo, "whether a later line of the same file sets another value"},
	{"line.contradicted_by", Text, "that line, as in line 40"},
	{"line.unmatched", YesNo, "whether it names parameters by a pattern that none matches"},
	{"line.legacy_conntrack", YesNo, "whether it sets connection tracking by a name from before net.netfilter.nf_conntrack_"},
	{"line.ipv6_tcp", YesNo, "whether it sets net.ipv6.tcp_*, which never was"},
	{"line.ignore_text", Text, "a comment that suppresses findings"},
	{"line.ignore_malformed", YesNo, "whether the comment cannot be understood"},
	{"line.ignore_unreasoned", YesNo, "whether the comment gives no reason"},
	{"line.ignore_expired", YesNo, "whether the comment's last day is over"},
	{"line.ignore_unused", YesNo, "whether there is nothing that the comment suppresses"},
	{"line.ignore_why", Text, "what is wrong with the comment, or its last day"},

	// Of each file that would set something at boot and is not read.
	{"file.never_read", YesNo, "whether the loader of this system does not read it"},
	{"file.unreadable", YesNo, "whether it could not be read"},
	{"file.path", Text, "the file"},
	{"file.reason", Text, "why it has no effect, or could not be read"},

	// Of each parameter that the host shows, if somebody can set it; see Futures.
	{"drift.key", Text, "the parameter"},
	{"drift.running", Text, "its value now"},
	{"drift.next_boot", Text, "its value after the next boot"},
	{"drift.next_boot_from", Text, "what gives it that value: a file and line, a manager, the kernel's default"},
	{"drift.default", Text, "what the kernel gives it on this host"},
	{"drift.lost", YesNo, "whether it was set at run time only: it differs from the default, and nothing that was found sets it at boot"},
	{"drift.changes", YesNo, "whether a file or a manager sets it to something else at boot"},

	{"turnover.time_wait_per_second", Decimal, "connections that enter TIME-WAIT or become mini-sockets in FIN-WAIT-2: counted over the window observed or, without one, estimated"},
	{"turnover.time_wait_estimate", Decimal, "the same, estimated from how many are in TIME-WAIT and the 60 s that each stays"},
	{"turnover.time_wait_steady", YesNo, "whether the estimate and the count agree within a quarter: it has gone on like this for a minute"},
	{"turnover.time_wait_ahead", Whole, "how many will be in TIME-WAIT in a minute if it goes on like this"},
	{"turnover.connected_per_second", Decimal, "connections made from here, without attempts that failed; too few where clients reset half-open connections, which count as failed, too"},
	{"turnover.accepted_per_second", Decimal, "connections accepted here"},
	{"turnover.opened_per_second", Decimal, "both: one with both its ends here, as over loopback, counts twice"},
	{"turnover.established_seconds", Decimal, "how long a connection lasts on average, if as many are opened as are closed"},

	{"host.namespaces", Whole, "network namespaces that were looked at, the host's first included"},
	{"host.sockets", Whole, "TCP sockets in all of them, which share one hash of connections"},
	{"host.time_wait", Whole, "TIME-WAIT sockets and FIN-WAIT-2 mini-sockets in all of them"},
	{"host.tracked", Whole, "connections tracked in all of them, which share one hash"},

	{"seconds.connect", Decimal, "how long connect() tries"},
	{"seconds.synack", Decimal, "how long a half-open connection is kept"},
	{"seconds.established", Decimal, "how long sent data may stay unacknowledged, at least"},
	{"seconds.orphan", Decimal, "how long a closed connection waits for its last acknowledgement, at least"},
	{"seconds.fin_wait2", Decimal, "how long an orphan really stays in FIN-WAIT-2"},
	{"seconds.keepalive", Decimal, "how long until keepalive notices a peer that is gone"},
}
