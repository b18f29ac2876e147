package facts

import (
	"maps"
	"slices"

	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// SchemaVersion is the version of the snapshot's form. It rises when a reader of
// the former version would misunderstand a snapshot.
const SchemaVersion = 1

// A Snapshot is everything that was seen on one host, in one network namespace.
// What could not be seen stands in Gaps with the reason.
type Snapshot struct {
	Schema    int                    `json:"schema"`
	Version   string                 `json:"tcptune"` // the version that wrote it
	Kernel    sysctl.Release         `json:"kernel"`
	Host      Host                   `json:"host"`
	Namespace Namespace              `json:"namespace"`
	Sysctls   map[sysctl.Key]Reading `json:"sysctls"`
	// Asked lists the lines of the files that are read at boot, in the order in
	// which they take effect: of two on one parameter the later holds.
	Asked    []Assignment        `json:"asked"`
	Boot     *Boot               `json:"boot,omitempty"`
	Managers []Manager           `json:"managers,omitzero"` // other programs that set parameters; nil if they were not looked for
	Sockets  *Sockets            `json:"sockets,omitempty"`
	Sockstat *Sockstat           `json:"sockstat,omitempty"`
	Counters map[string]Counters `json:"counters,omitempty"` // since the namespace was made, by group
	Window   *Window             `json:"window,omitempty"`
	NAT      []NATEvidence       `json:"nat"`
	// Everywhere is set in the snapshot of a host whose namespaces were all looked
	// at.
	Everywhere *Everywhere  `json:"everywhere,omitempty"`
	Gaps       map[Part]Gap `json:"gaps,omitempty"`
}

// Part names a part of a snapshot that may be missing.
type Part string

const (
	PartHost      Part = "host"
	PartSockets   Part = "sockets"
	PartSockstat  Part = "sockstat"
	PartNetstat   Part = "netstat"   // TcpExt and IpExt
	PartSNMP      Part = "snmp"      // Tcp
	PartConntrack Part = "conntrack" // its counters
	PartSoftnet   Part = "softnet"
	PartFiles     Part = "files" // of sysctl.d and sysctl.conf
	PartManagers  Part = "managers"
	PartNAT       Part = "nat"
)

// Host is the machine below.
type Host struct {
	MemoryKiB int64 `json:"memory_kib"`
	PageSize  int64 `json:"page_size"`
	CPUs      int   `json:"cpus"`
}

// Namespace tells which network namespace was looked at.
type Namespace struct {
	Initial bool   `json:"initial"` // the host's first
	ID      string `json:"id"`      // as in /proc/self/ns/net
	Name    string `json:"name,omitempty"`
}

// Everywhere is what the network namespaces of a host hold together, those that
// could be looked at.
type Everywhere struct {
	Namespaces int64 `json:"namespaces"` // the host's first included
	Unseen     int64 `json:"unseen"`     // namespaces that were found and could not be looked at
	// UnseenProcesses are those whose namespace could not be told: it may be one
	// that was not found.
	UnseenProcesses int64 `json:"unseen_processes"`
	Sockets         int64 `json:"sockets"`
	TimeWait        int64 `json:"time_wait"` // FIN-WAIT-2 mini-sockets included
	Tracked         int64 `json:"tracked"`   // connections tracked
}

// Reading is a parameter's value, or why there is none.
type Reading struct {
	Value  sysctl.Value `json:"value"`
	Absent sysctl.Cause `json:"absent,omitempty"`
	Detail string       `json:"detail,omitempty"`

	origin string // where it comes from, if not from the kernel; see With
	place  *Place // the line that gives it, if one does
}

// Boot is how parameters are set from files when the host starts.
type Boot struct {
	// Loader is what sets them: "systemd-sysctl" or "procps", or "" if neither
	// was found. Evidence tells how that is known.
	Loader   string     `json:"loader"`
	Evidence string     `json:"evidence"`
	Ignored  []BootFile `json:"ignored"` // files that would set something and are not read
}

// BootFile is a file that has no effect at boot.
type BootFile struct {
	Path       string `json:"path"`
	Unreadable bool   `json:"unreadable,omitempty"` // to the loader's rules it is read, and it could not be read here
	Reason     string `json:"reason"`
}

// Assignment is one line of a configuration file.
type Assignment struct {
	Key   sysctl.Key   `json:"key"` // or a pattern, as net.ipv4.conf.*.rp_filter
	Value sysctl.Value `json:"value"`
	File  string       `json:"file"`
	Line  int          `json:"line"`
	// Column and EndColumn bound the assignment within Text, the whole line, in
	// characters from 1, the end excluded.
	Column    int    `json:"column,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
	Text      string `json:"text,omitempty"`
	// Lenient: its author lets the write fail.
	Lenient bool `json:"lenient,omitempty"`
	// Loses says why the line does not hold; "" if it does. LosesTo is the line
	// that holds instead, if one does.
	Loses   string `json:"loses,omitempty"`
	LosesTo *Place `json:"loses_to,omitempty"`
	// Malformed says why the line is no assignment; it has then no Key and Value.
	Malformed string `json:"malformed,omitempty"`
	// Unmatched: it names parameters by a pattern that none matches.
	Unmatched bool `json:"unmatched,omitempty"`
	// NoFile: the kernel shows no such parameter. It is told only of parameters
	// that the snapshot does not hold.
	NoFile bool `json:"no_file,omitempty"`

	// Container: it is for the network namespace of a container.
	Container bool `json:"container,omitempty"`
}

// Place is where the assignment stands.
func (a Assignment) Place() Place { return Place{a.File, a.Line, a.Column, a.EndColumn, a.Text} }

// Sockets is what a walk over the namespace's TCP sockets found. Its size does
// not depend on how many there are.
type Sockets struct {
	// Source is how they were counted.
	Source SocketSource `json:"source"`
	// Approximate: ByProcNet counts some sockets twice while connections come and
	// go, and does not show the limits of listeners.
	Approximate bool        `json:"approximate,omitempty"`
	IPv4        StateCounts `json:"ipv4"` // sockets of family AF_INET
	IPv6        StateCounts `json:"ipv6"` // AF_INET6, those with IPv4 peers included
	// EitherFamily are sockets of states that the kernel counts for both families
	// together: those in TIME-WAIT, of [ByArithmetic]. IPv4 and IPv6 are without
	// the state then.
	EitherFamily StateCounts `json:"either_family,omitempty"`
	// Served are those of both families on the server's side: their local port is
	// one that something listens on. A state is left out if its sockets were not
	// looked at one by one, as is LISTEN.
	Served StateCounts `json:"served,omitempty"`
	// Orphans counts full sockets without a program; FinWait2Orphans those in
	// FIN-WAIT-2 without one, whether full or mini-socket.
	Orphans         int64 `json:"orphans"`
	FinWait2Orphans int64 `json:"fin_wait2_orphans"`
	// CloseWaitUnaccepted are in CLOSE-WAIT while still in an accept queue.
	CloseWaitUnaccepted int64      `json:"close_wait_unaccepted"`
	Listeners           []Listener `json:"listeners"`
	// Outbound are the connections made from here, by source address,
	// destination address and destination port; SynSent the unanswered attempts.
	Outbound Spread `json:"outbound"`
	SynSent  Spread `json:"syn_sent"`
	// Owners tell who holds the sockets that only a program can end; nil if that
	// was not asked.
	Owners []Ownership `json:"owners,omitempty"`
	// Unseen says what of the listeners was not looked for or found, and why.
	Unseen string `json:"unseen,omitempty"`
}

// SocketSource is a way to count sockets. All ways agree where nothing moves.
type SocketSource string

const (
	// ByArithmetic: the kernel lists the sockets that are neither ESTABLISHED nor
	// in TIME-WAIT, and its counters of all of them tell how many those are.
	ByArithmetic SocketSource = "sock_diag, sockstat"
	// ByDump: the kernel lists all of them.
	ByDump SocketSource = "sock_diag"
	// ByProcNet: where sock_diag is refused.
	ByProcNet SocketSource = "/proc/net/tcp"
	// ByBPF: programs in the kernel walk over its tables.
	ByBPF SocketSource = "BPF"
)

// A Breakdown is what sockets are told apart by.
type Breakdown string

const (
	ByState       Breakdown = "state"
	ByDestination Breakdown = "destination"
	ByListener    Breakdown = "listener"
	ByProgram     Breakdown = "program"
)

// Breakdowns are all there are.
var Breakdowns = []Breakdown{ByState, ByDestination, ByListener, ByProgram}

// Of is the number of sockets in a state, of both families.
func (so *Sockets) Of(state tcpstate.State) int64 {
	return so.IPv4.Of(state) + so.IPv6.Of(state) + so.EitherFamily.Of(state)
}

// StateCounts is sockets by state; the keys are the states' words, such as
// "time_wait".
type StateCounts map[string]int64

// Of is the number of sockets in a state.
func (c StateCounts) Of(s tcpstate.State) int64 { return c[s.Info().Word] }

// Listener is one listening socket.
type Listener struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	Queue   int64  `json:"queue"` // connections that wait for accept()
	Limit   int64  `json:"limit"` // min(backlog of listen(), somaxconn at that time); see Approximate
	// SynRecv are half-open connections to it; nil if they were not counted.
	SynRecv *int64 `json:"syn_recv,omitempty"`
	// Who listens, as far as that was looked for: the name and number of a process,
	// the systemd unit or container, and the number of the user.
	Program string `json:"program,omitempty"`
	PID     int64  `json:"pid,omitempty"`
	Unit    string `json:"unit,omitempty"`
	User    string `json:"user,omitempty"`
}

// Spread tells how sockets spread over destinations.
type Spread struct {
	// Distinct is how many destinations there are; if Exact is not set then at
	// least that many, and the sockets of each may be too many by up to Error; of a
	// Sample, too many or too few, at 95 in 100.
	Distinct int64   `json:"distinct"`
	Exact    bool    `json:"exact"`
	Error    int64   `json:"error,omitempty"`
	Sockets  int64   `json:"sockets,omitempty"` // towards all destinations
	Sample   *Sample `json:"sample,omitempty"`
	// Together: destinations were not told apart, since all Sockets together, those
	// made by the other side included, leave half of the ports free. Top is empty
	// then.
	Together bool     `json:"together,omitempty"`
	Top      []Target `json:"top"` // the most used, most first
}

// Sample is how many sockets were looked at, in some stripes of the range of
// ephemeral ports, and about how many there are in all of it.
type Sample struct {
	Looked int64 `json:"looked"`
	Of     int64 `json:"of"`
}

// Ownership tells who holds the sockets of one state.
type Ownership struct {
	State   OwnedState `json:"state"`
	Sockets int64      `json:"sockets"` // all of that state
	Top     []Owner    `json:"top"`     // those that hold most, most first
	More    int64      `json:"more"`    // how many owners stand behind them
	// Estimated: not all descriptors of the processes were looked at.
	Estimated bool `json:"estimated,omitempty"`
	// Reason says why no program is named for some or all of them.
	Reason string `json:"reason,omitempty"`
}

// OwnedState is a state whose end lies with a program, or did.
type OwnedState string

const (
	OwnedCloseWait OwnedState = "close_wait"
	OwnedLastAck   OwnedState = "last_ack" // with a program: it has shut down and not closed
	OwnedOrphan    OwnedState = "orphan"   // full sockets that no program holds
	// OwnedUnaccepted are in CLOSE-WAIT, and wait in an accept queue for a program
	// to take them.
	OwnedUnaccepted OwnedState = "unaccepted"
)

// Owner holds sockets: a program, or as much as is known of it.
type Owner struct {
	Program   string `json:"program,omitempty"` // the name of its processes
	Unit      string `json:"unit,omitempty"`    // systemd's, or the container
	User      string `json:"user,omitempty"`    // a number
	Processes int64  `json:"processes"`         // that hold some; 0 if not known
	PID       int64  `json:"pid,omitempty"`     // of the process that holds most; 0 if not known
	Sockets   int64  `json:"sockets"`
}

// Target is one destination.
type Target struct {
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination"`
	Port        int    `json:"port"`
	Sockets     int64  `json:"sockets"` // local ports of the ephemeral range in use towards it
	TimeWait    int64  `json:"time_wait"`
}

// CountsTimeWaitByNamespace is the first release in which each namespace shows its
// own tw; up to 4.10 all show that of all (net/ipv4/proc.c, sockstat_seq_show).
var CountsTimeWaitByNamespace = sysctl.Release{Major: 4, Minor: 11}

// Sockstat is the TCP line of /proc/net/sockstat and sockstat6.
type Sockstat struct {
	InUse    int64 `json:"inuse"` // IPv4, of this namespace
	InUse6   int64 `json:"inuse6"`
	TimeWait int64 `json:"tw"`     // TIME-WAIT and FIN-WAIT-2 mini-sockets, of this namespace since 4.11
	Orphan   int64 `json:"orphan"` // of the whole host
	Alloc    int64 `json:"alloc"`  // of the whole host
	MemPages int64 `json:"mem"`    // of the whole host
}

// Counters is a group of the kernel's counters by their names.
type Counters map[string]int64

// Window is how much the counters grew between two samples.
type Window struct {
	Seconds  float64             `json:"seconds"`
	Increase map[string]Counters `json:"increase"`
	// TimeWaitGrowth is how many more sockets were in TIME-WAIT at its end.
	TimeWaitGrowth int64 `json:"time_wait_growth"`
}

// NATEvidence is one sign of address translation and where it was seen.
type NATEvidence struct {
	Kind  string `json:"kind"`  // "operator", "paws", "masquerade", "nat table", "conntrack", "forwarding"
	Where string `json:"where"` // file, table or option
	What  string `json:"what"`
}

// Gap says why a part of the snapshot is missing.
type Gap struct {
	Cause  sysctl.Cause `json:"cause"`
	Detail string       `json:"detail,omitempty"`
}

// String is the cause, and the detail if there is one.
func (g Gap) String() string {
	if g.Detail == "" {
		return string(g.Cause)
	}
	return string(g.Cause) + " (" + g.Detail + ")"
}

// With is a copy of the snapshot in which parameters have other values, as they
// would after a change. Values for parameters that the kernel does not have are
// recorded as asked for by origin, so that rules on vain requests see them.
func (s *Snapshot) With(values map[sysctl.Key]sysctl.Value, origin string) *Snapshot {
	planned := *s
	planned.Sysctls = maps.Clone(s.Sysctls)
	planned.Asked = slices.Clone(s.Asked)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if reading, ok := s.Sysctls[key]; ok && reading.Absent == "" {
			planned.Sysctls[key] = Reading{Value: values[key], origin: origin}
		} else {
			planned.Asked = append(planned.Asked, Assignment{Key: key, Value: values[key], File: origin})
		}
	}
	return &planned
}

// KnowsParameters reports whether the value of any parameter is known.
func (s *Snapshot) KnowsParameters() bool {
	for _, reading := range s.Sysctls {
		if reading.Absent == "" {
			return true
		}
	}
	return false
}

// SizingHost is what the kernel's own sizing of its tables depends on.
func (s *Snapshot) SizingHost() sysctl.Host {
	host := sysctl.Host{Release: s.Kernel, MemoryKiB: s.Host.MemoryKiB, PageSize: s.Host.PageSize}
	// Negative: the size of the host's table, which this namespace shares
	// (net/ipv4/sysctl_net_ipv4.c, proc_tcp_ehash_entries).
	buckets, _ := s.number("net.ipv4.tcp_ehash_entries")
	host.EhashBuckets = max(buckets, -buckets)
	return host
}
