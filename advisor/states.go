package advisor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// StatesSchema is the version of the form of [States] in JSON
// (docs/states.schema.json).
const StatesSchema = 1

// States is the sockets of a namespace by one of the things that tell them apart.
type States struct {
	Schema int `json:"schema"`
	// Time is when it was looked, in a series of looks; zero otherwise.
	Time      time.Time       `json:"time,omitzero"`
	Kernel    sysctl.Release  `json:"kernel"`
	Namespace facts.Namespace `json:"namespace"`
	By        facts.Breakdown `json:"by"`
	From      string          `json:"from"` // how they were counted
	// One of these is filled, the others are empty.
	States       []State           `json:"states"`
	Listeners    []QueueRow        `json:"listeners"`
	Destinations DestinationRows   `json:"destinations"`
	Programs     []facts.Ownership `json:"programs"`
	// SynSent tells where attempts to connect go that are not answered; nil if there
	// are none. Orphans are full sockets that no program holds; FinWait2Orphans all
	// in FIN-WAIT-2 that none does, mini-sockets included. All three are beside
	// States.
	SynSent         *facts.Spread `json:"syn_sent,omitempty"`
	Orphans         int64         `json:"orphans,omitempty"`
	FinWait2Orphans int64         `json:"fin_wait2_orphans,omitempty"`
	// Unseen says what was not looked for or found, and why.
	Unseen string `json:"unseen,omitempty"`
}

// StatesByNamespaceSchema is the version of the form of [StatesByNamespace] in
// JSON (docs/states-namespaces.schema.json).
const StatesByNamespaceSchema = 1

// StatesByNamespace is the sockets of all network namespaces of a host.
type StatesByNamespace struct {
	Schema int `json:"schema"`
	// Time is when they were looked at, in a series of looks; zero otherwise.
	Time       time.Time                `json:"time,omitzero"`
	Namespaces []States                 `json:"namespaces"` // the host's first
	Skipped    []facts.SkippedNamespace `json:"skipped"`
	// UnseenProcesses are those whose namespace could not be told, for lack of
	// permission: it may be one that is missing here.
	UnseenProcesses int64 `json:"unseen_processes"`
}

// StatesOfAll tells what a survey holds of the sockets, broken down one way.
func StatesOfAll(survey *facts.Survey, by facts.Breakdown) StatesByNamespace {
	r := StatesByNamespace{Schema: StatesByNamespaceSchema, Namespaces: []States{}, Skipped: append([]facts.SkippedNamespace{}, survey.Skipped...)}
	if sums := survey.Host().Everywhere; sums != nil {
		r.UnseenProcesses = sums.UnseenProcesses
	}
	for _, n := range survey.Namespaces {
		r.Namespaces = append(r.Namespaces, StatesOf(n.Snapshot, by))
	}
	return r
}

// QueueRow is a listener and what its limit is.
type QueueRow struct {
	Listener facts.Listener `json:"listener"`
	// Percent is how full the queue is; nil where the limit is not known.
	Percent *int `json:"percent,omitempty"`
	// LimitedBy names what gives the limit: the program's backlog or
	// net.core.somaxconn, as it is or as it was.
	LimitedBy string `json:"limited_by"`
}

// DestinationRows are the destinations with most connections, and how exactly
// that is known.
type DestinationRows struct {
	Distinct int64         `json:"distinct"`
	Exact    bool          `json:"exact"`
	Error    int64         `json:"error"`
	Sample   *facts.Sample `json:"sample,omitempty"`
	// Sockets are towards all of them, of about Of that are connected, on either
	// side; 0 if that is not known.
	Sockets int64            `json:"sockets"`
	Of      int64            `json:"of,omitempty"`
	Top     []DestinationRow `json:"top"`
}

// DestinationRow is a destination and what the port range still carries to it.
type DestinationRow struct {
	Target facts.Target `json:"target"`
	Size   int          `json:"size"` // ports of the range
	// Percent of them may not be taken by connect(); PerSecond is how many more connections a second
	// the others carry.
	Percent   int     `json:"percent"`
	PerSecond float64 `json:"per_second"`
	// Unknown says why there are no numbers.
	Unknown string `json:"unknown,omitempty"`
}

// StatesOf tells what a snapshot holds of the sockets, broken down one way.
// Without sockets in the snapshot all is empty, and From says why.
func StatesOf(s *facts.Snapshot, by facts.Breakdown) States {
	r := States{Schema: StatesSchema, Kernel: s.Kernel, Namespace: s.Namespace, By: by, From: statesFrom(s),
		States: []State{}, Listeners: []QueueRow{}, Destinations: DestinationRows{Top: []DestinationRow{}}, Programs: []facts.Ownership{}}
	so := s.Sockets
	if so == nil {
		r.Unseen = r.From
		return r
	}
	switch by {
	case facts.ByListener:
		r.Listeners, r.Unseen = queues(s), so.Unseen
	case facts.ByDestination:
		if all := so.Outbound; all.Together {
			r.Unseen = fmt.Sprintf("destinations were not told apart when the snapshot was taken: all %d sockets together leave half of the ports free", all.Sockets)
			break
		}
		r.Destinations = destinations(s)
	case facts.ByProgram:
		r.Programs = append(r.Programs, so.Owners...)
		// A judgement looks for programs only where there are many such sockets.
		if n := so.Of(tcpstate.CloseWait) + so.Of(tcpstate.LastAck) + so.Orphans; n > 0 && len(r.Programs) == 0 {
			r.Unseen = fmt.Sprintf("programs were not looked for when the snapshot was taken; in CLOSE-WAIT or LAST-ACK, or orphans, are %d sockets", n)
		}
	default:
		r.States, r.Orphans, r.FinWait2Orphans = states(s), so.Orphans, so.FinWait2Orphans
		if so.SynSent.Distinct > 0 {
			r.SynSent = &so.SynSent
		}
	}
	return r
}

// queues lists the listeners, the fullest first or, where limits are not known,
// the longest queue.
func queues(s *facts.Snapshot) []QueueRow {
	somaxconn := int64(-1)
	if numbers, err := s.Sysctls["net.core.somaxconn"].Value.Ints(); err == nil && len(numbers) == 1 {
		somaxconn = numbers[0]
	}
	rows := []QueueRow{}
	for _, l := range s.Sockets.Listeners {
		row := QueueRow{Listener: l, LimitedBy: "not known"}
		if !s.Sockets.Approximate {
			percent := l.FillPercent()
			row.Percent = &percent
			if somaxconn >= 0 {
				row.LimitedBy = l.LimitedBy(somaxconn)
			}
		}
		rows = append(rows, row)
	}
	fullness := func(row QueueRow) int64 {
		if row.Percent == nil {
			return row.Listener.Queue
		}
		return int64(*row.Percent)
	}
	slices.SortStableFunc(rows, func(a, b QueueRow) int {
		return cmp.Or(cmp.Compare(fullness(b), fullness(a)), cmp.Compare(halfOpen(b), halfOpen(a)))
	})
	return rows
}

func halfOpen(row QueueRow) int64 {
	if row.Listener.SynRecv == nil {
		return 0
	}
	return *row.Listener.SynRecv
}

func destinations(s *facts.Snapshot) DestinationRows {
	spread := s.Sockets.Outbound
	rows := DestinationRows{Distinct: spread.Distinct, Exact: spread.Exact, Error: spread.Error, Sample: spread.Sample, Sockets: spread.Sockets, Top: []DestinationRow{}}
	if stat := s.Sockstat; stat != nil && !s.Kernel.Before(facts.CountsTimeWaitByNamespace) {
		rows.Of = max(spread.Sockets, stat.InUse+stat.InUse6+stat.TimeWait-int64(len(s.Sockets.Listeners)))
	}
	for _, target := range spread.Top {
		row := DestinationRow{Target: target}
		if h, gap := s.PortHeadroom(target); gap != (facts.Gap{}) {
			row.Unknown = gap.String()
		} else {
			row.Size, row.Percent, row.PerSecond = h.Size, h.Percent, h.PerSecond
		}
		rows.Top = append(rows.Top, row)
	}
	slices.SortStableFunc(rows.Top, func(a, b DestinationRow) int { return cmp.Compare(b.Percent, a.Percent) })
	return rows
}

// Total is how many sockets the table of states holds.
func (r States) Total() int64 {
	n := int64(0)
	for _, state := range r.States {
		n += state.All()
	}
	return n
}

// NameOf is a state's name by its word in a snapshot, or what is said in place of
// one.
func NameOf(state facts.OwnedState) string {
	if state == facts.OwnedUnaccepted {
		return "CLOSE-WAIT, not accepted"
	}
	if s, ok := tcpstate.Parse(string(state)); ok {
		return s.Info().Name
	}
	return "without a program"
}
