// Package tcpstate names the eleven states of a TCP connection as the field
// does, and says of each what it means, how it is left and who can change that.
package tcpstate

import (
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// State is a connection's state with the kernel's number
// (include/net/tcp_states.h).
type State uint8

const (
	Established State = 1 + iota
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Close
	CloseWait
	LastAck
	Listen
	Closing
	// NewSynRecv is how the kernel (4.4 and later) marks a half-open request that
	// has no socket yet. sock_diag reports it as SynRecv.
	NewSynRecv
)

// Info describes a state.
type Info struct {
	State State
	// Name is the state's name in RFC 9293 and in ss(8); Word is the same for a
	// fact's name.
	Name, Word string
	Meaning    string // what has happened
	Side       string // which end is in it
	Leaves     string // how it ends
	// Governs are the parameters that act on leaving it; empty where none does.
	Governs []sysctl.Key
	// Program says what only the program can do.
	Program string
}

// All lists the states in the order in which a connection may pass through
// them.
func All() []Info { return infos }

var infos = []Info{
	{
		State: Listen, Name: "LISTEN", Word: "listen",
		Meaning: "a program waits for connections. The kernel completes handshakes for it and keeps them in the accept queue until the program calls accept().",
		Side:    "server",
		Leaves:  "the program closes the socket or ends",
		Governs: []sysctl.Key{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_abort_on_overflow", "net.ipv4.tcp_syncookies"},
		Program: "the backlog it passes to listen(), and how fast it accepts",
	},
	{
		State: SynSent, Name: "SYN-SENT", Word: "syn_sent",
		Meaning: "connect() has sent a SYN and nothing has come back.",
		Side:    "client",
		Leaves:  "a SYN-ACK (ESTABLISHED), a RST (refused), or the last retry (ETIMEDOUT)",
		Governs: []sysctl.Key{"net.ipv4.tcp_syn_retries", "net.ipv4.tcp_syn_linear_timeouts"},
		Program: "TCP_SYNCNT, or a time-out of its own",
	},
	{
		State: SynRecv, Name: "SYN-RECV", Word: "syn_recv",
		Meaning: "a SYN has come, a SYN-ACK has gone out, and the final ACK of the handshake is missing: half open.",
		Side:    "server",
		Leaves:  "the ACK (ESTABLISHED, into the accept queue), a RST, or the last retry",
		Governs: []sysctl.Key{"net.ipv4.tcp_synack_retries", "net.ipv4.tcp_syncookies", "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"},
		Program: "the backlog it passes to listen() is the limit of these per listener (Linux 4.4 and later)",
	},
	{
		State: Established, Name: "ESTABLISHED", Word: "established",
		Meaning: "both ends may send.",
		Side:    "both",
		Leaves:  "close() here (FIN-WAIT-1), the peer's FIN (CLOSE-WAIT), a RST, or a time-out of data or keepalive",
		Governs: []sysctl.Key{"net.ipv4.tcp_retries2", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"},
		Program: "SO_KEEPALIVE, TCP_USER_TIMEOUT, and time-outs of its own",
	},
	{
		State: FinWait1, Name: "FIN-WAIT-1", Word: "fin_wait1",
		Meaning: "this end has closed, or shut down sending, and its FIN is not acknowledged yet; data may still be waiting in front of it.",
		Side:    "the end that closes first",
		Leaves:  "the ACK (FIN-WAIT-2), a FIN with the ACK (TIME-WAIT at once), a FIN without it (CLOSING), or the last retry",
		Governs: []sysctl.Key{"net.ipv4.tcp_orphan_retries", "net.ipv4.tcp_max_orphans"},
		Program: "nothing once it has closed: the socket is an orphan",
	},
	{
		State: FinWait2, Name: "FIN-WAIT-2", Word: "fin_wait2",
		Meaning: "the peer has acknowledged our FIN and has not closed its own side.",
		Side:    "the end that closes first",
		Leaves:  "the peer's FIN (TIME-WAIT), or, if no program holds the socket, tcp_fin_timeout",
		Governs: []sysctl.Key{"net.ipv4.tcp_fin_timeout"},
		Program: "a program that only called shutdown() still holds the socket, and then no time-out applies; TCP_LINGER2",
	},
	{
		State: CloseWait, Name: "CLOSE-WAIT", Word: "close_wait",
		Meaning: "the peer has closed and the local program has not. It lasts until the program calls close().",
		Side:    "the end that is closed upon",
		Leaves:  "close() by the local program (LAST-ACK), a RST of the peer, or, if the program asked for keepalive, probes that meet a RST or no answer",
		Program: "it must close the socket when read() returns 0; no parameter does it for it",
	},
	{
		State: Closing, Name: "CLOSING", Word: "closing",
		Meaning: "both ends closed at the same moment: our FIN is not acknowledged, the peer's has come.",
		Side:    "both",
		Leaves:  "the ACK (TIME-WAIT), or the last retry",
		Governs: []sysctl.Key{"net.ipv4.tcp_orphan_retries"},
		Program: "nothing once it has closed",
	},
	{
		State: LastAck, Name: "LAST-ACK", Word: "last_ack",
		Meaning: "the peer closed first, then this end did; our FIN is not acknowledged yet.",
		Side:    "the end that is closed upon",
		Leaves:  "the ACK (gone), or the last retry",
		Governs: []sysctl.Key{"net.ipv4.tcp_orphan_retries", "net.ipv4.tcp_max_orphans"},
		Program: "nothing once it has closed",
	},
	{
		State: TimeWait, Name: "TIME-WAIT", Word: "time_wait",
		Meaning: "the connection is over; this end remembers it so that a lost final ACK can be sent again and late segments cannot reach a new connection on the same ports (RFC 9293, 3.6).",
		Side:    "the end that closed first (both after a simultaneous close)",
		Leaves:  "after 60 s, a constant of the kernel's source that no parameter changes",
		Governs: []sysctl.Key{"net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_max_tw_buckets"},
		Program: "keeping connections open and letting the peer close first; not SO_LINGER 0, which loses data",
	},
	{
		State: Close, Name: "CLOSE", Word: "close",
		Meaning: "no connection: a socket that is bound and neither listens nor is connected.",
		Side:    "either",
		Leaves:  "connect(), listen() or close()",
		Program: "all of it",
	},
}

// Info is the state's description.
func (s State) Info() Info {
	if s == NewSynRecv {
		s = SynRecv
	}
	for _, info := range infos {
		if info.State == s {
			return info
		}
	}
	return Info{State: s, Name: "unknown", Word: "unknown"}
}

// String is the state's name, such as "TIME-WAIT".
func (s State) String() string { return s.Info().Name }

// Parse reads a state in any of the spellings in use: TIME-WAIT, TIME_WAIT,
// time_wait, FIN_WAIT_1, ESTAB, SYN-RECEIVED, CLOSED.
func Parse(text string) (State, bool) {
	letters := squeeze(text)
	switch letters {
	case "estab":
		return Established, true
	case "synreceived":
		return SynRecv, true
	case "closed":
		return Close, true
	}
	for _, info := range infos {
		if squeeze(info.Word) == letters {
			return info.State, true
		}
	}
	return 0, false
}

func squeeze(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}
