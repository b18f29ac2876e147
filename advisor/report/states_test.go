package report

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// statesText is what 'tcptune states' prints of a snapshot.
func statesText(t *testing.T, s *facts.Snapshot, by facts.Breakdown) string {
	t.Helper()
	var b strings.Builder
	if err := (Text{Width: 100, MinSeverity: rules.Info}).States(&b, advisor.StatesOf(s, by)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What was not looked at is not called absent.
func TestStatesClaimNothingThatWasNotSeen(t *testing.T) {
	uncounted := factstest.Healthy("6.12")
	uncounted.Sockets, uncounted.Gaps = nil, map[facts.Part]facts.Gap{facts.PartSockets: {Cause: sysctl.NotPermitted}}
	nothing := factstest.Healthy("6.12")
	nothing.Sockets = &facts.Sockets{Source: facts.ByDump}
	for by, claim := range map[facts.Breakdown]string{
		facts.ByListener: "Nothing listens.", facts.ByDestination: "No connection was made from here.", facts.ByProgram: "No socket waits for its program",
	} {
		if text := statesText(t, uncounted, by); strings.Contains(text, claim) || strings.Count(text, "not counted: ") != 1 {
			t.Errorf("by %s, not counted:\n%s", by, text)
		}
		if text := statesText(t, nothing, by); !strings.Contains(text, claim) {
			t.Errorf("by %s, without a socket:\n%s", by, text)
		}
	}
	nothing.Sockets.Unseen = "SYN-RECV: not counted"
	if text := statesText(t, nothing, facts.ByListener); !strings.Contains(text, "Nothing listens.") || strings.Contains(text, "SYN-RECV") {
		t.Errorf("without a listener half-open connections are no matter:\n%s", text)
	}
	leak := factstest.Healthy("6.12") // as in a snapshot for a judgement, which names no program for so few
	leak.Sockets.IPv4["close_wait"], leak.Sockets.Owners = 45, nil
	if text := statesText(t, leak, facts.ByProgram); strings.Contains(text, "No socket waits") || !strings.Contains(text, "programs were not looked for") || !strings.Contains(text, " 45 sockets") {
		t.Errorf("45 sockets in CLOSE-WAIT of nobody knows whom:\n%s", text)
	}
	together := factstest.Healthy("6.12") // likewise
	together.Sockets.Outbound = facts.Spread{Together: true, Sockets: 9000, Top: []facts.Target{}}
	if text := statesText(t, together, facts.ByDestination); strings.Contains(text, "No connection") || strings.Contains(text, "Made from here") ||
		!strings.Contains(text, "destinations were not told apart") || !strings.Contains(text, "9000 sockets") {
		t.Errorf("destinations that were not told apart:\n%s", text)
	}
}

func TestListenersWithoutALimitAreNotCalledFull(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Sockets.Approximate = true
	s.Sockets.Listeners = []facts.Listener{{Address: "::", Port: 80, Queue: 1}, {Address: "::", Port: 443, Queue: 50}}
	text := statesText(t, s, facts.ByListener)
	if strings.Contains(text, "%") || !strings.Contains(text, "50      ?") || strings.Index(text, ":443") > strings.Index(text, ":80") {
		t.Errorf("the longest queue should come first, with its limit unknown:\n%s", text)
	}
}

// The heading of several namespaces tells how each was counted, and a namespace
// that was not counted is no empty one.
func TestStatesOfNamespacesTellHowTheyWereCounted(t *testing.T) {
	var all []advisor.States
	for i, source := range []facts.SocketSource{facts.ByBPF, facts.ByArithmetic, facts.ByBPF, ""} {
		s := factstest.Healthy("6.12")
		s.Namespace = facts.Namespace{Initial: i == 0, ID: "net:[7]", Name: "web"}
		if s.Sockets.Source = source; source == "" {
			s.Sockets, s.Gaps = nil, map[facts.Part]facts.Gap{facts.PartSockets: {Cause: sysctl.NotPermitted}}
		}
		all = append(all, advisor.StatesOf(s, facts.ByState))
	}
	var b strings.Builder
	if err := (Text{Width: 100, Piped: true}).StatesByNamespace(&b, all); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"\nSOCKETS  in 4 network namespaces; BPF; sock_diag, sockstat\n", "web (net:[7]): not counted: not permitted", "  ?       ?            ?           ?          ?  web"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %q in:\n%s", part, b.String())
		}
	}
}

func TestFewConnectionsASecondAreNotCalledNone(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Sysctls["net.ipv4.ip_local_port_range"], s.Sysctls["net.ipv4.tcp_tw_reuse"] = facts.Reading{Value: "40000\t40009"}, facts.Reading{Value: "0"}
	s.Sockets.Outbound = facts.Spread{Distinct: 1, Exact: true, Top: []facts.Target{{Source: "10.0.0.1", Destination: "10.0.0.2", Port: 80, Sockets: 8}}}
	if text := statesText(t, s, facts.ByDestination); !strings.Contains(text, "  0.033 more connections a second\n") {
		t.Errorf("two ports in a minute:\n%s", text)
	}
}

// A program that could not be looked for has some number of processes.
func TestProcessesThatAreNotKnownAreNotCalledNone(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Sockets.Owners = []facts.Ownership{{State: facts.OwnedCloseWait, Sockets: 12, Top: []facts.Owner{{Program: "app", Processes: 2, Sockets: 7}, {User: "33", Sockets: 5}}}}
	if text := statesText(t, s, facts.ByProgram); !strings.Contains(text, "        5          ?  of user 33\n") || !strings.Contains(text, "        7          2  app") {
		t.Errorf("5 sockets of a user:\n%s", text)
	}
}

// crowded are the states of namespaces in which there are sockets of many states.
func crowded(names ...string) []advisor.States {
	all := []advisor.States{}
	for i, name := range names {
		s := factstest.Healthy("6.12")
		s.Namespace = facts.Namespace{Initial: name == "", ID: fmt.Sprintf("net:[%d]", 4026532000+i), Name: name}
		s.Sockets.IPv4 = facts.StateCounts{"listen": 100, "syn_sent": 12, "syn_recv": 28_044, "established": 331_606, "fin_wait1": 7_952, "fin_wait2": 13_432, "close_wait": 4_302, "closing": 35, "last_ack": 9_095, "time_wait": 6_418}
		s.Sockets.IPv6 = nil
		all = append(all, advisor.StatesOf(s, facts.ByState))
	}
	return all
}

// Where not every state has room for a column the rarest go together, and names
// stand behind their numbers.
func TestTableOfNamespacesFitsTheTerminal(t *testing.T) {
	names := []string{"", "podman web-frontend", "kafka", "process 4711 python3"}
	for width, columns := range map[int]string{
		60:  "all SYN-RECV ESTAB-LISHED others namespace",
		80:  "all SYN-RECV ESTAB-LISHED FIN-WAIT-1 FIN-WAIT-2 LAST-ACK others namespace",
		140: "all LISTEN SYN-SENT SYN-RECV ESTAB-LISHED FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT namespace",
	} {
		var b strings.Builder
		if err := (Text{Width: width}).StatesByNamespace(&b, crowded(names...)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		var head []string // of two lines, above one another
		for at, word := 0, 0; at <= len(lines[2]); at++ {
			if at == len(lines[2]) || strings.HasPrefix(lines[2][at:], "  ") {
				if cell := strings.TrimSpace(lines[2][word:at]); cell != "" {
					above := ""
					if word < len(lines[1]) {
						above = strings.TrimSpace(lines[1][word:min(at, len(lines[1]))])
					}
					head = append(head, above+cell)
				}
				word = at
			}
		}
		if got := strings.Join(head, " "); got != columns {
			t.Errorf("%d columns wide, the heading is %s\nwant %s", width, got, columns)
		}
		for _, line := range lines {
			if len(line) > width {
				t.Errorf("%d columns wide, of %d: %s", width, len(line), line)
			}
		}
		for i, name := range []string{"the host", "podman web-frontend", "kafka", "process 4711 python3", "all of these"} {
			fields, factor := strings.Fields(strings.TrimSuffix(lines[3+i], name)), 1
			if i == 4 {
				factor = 4
			}
			sum := 0
			for _, field := range fields[1:] {
				n, _ := strconv.Atoi(field)
				sum += n
			}
			if !strings.HasSuffix(lines[3+i], "  "+name) || fields[0] != strconv.Itoa(factor*400_996) || sum != factor*400_996 || len(fields) != len(head)-1 {
				t.Errorf("%d columns wide, of %s: %s", width, name, lines[3+i])
			}
		}
		if folded := strings.Contains(b.String(), "\nOthers: LISTEN, SYN-SENT, "); folded != (width < 140) {
			t.Errorf("%d columns wide, what others are:\n%s", width, b.String())
		}
	}
}

// In a pipe a namespace is a line, and a state a column, however long that gets.
func TestTableOfNamespacesInAPipe(t *testing.T) {
	var b strings.Builder
	long := strings.Repeat("name", 30)
	if err := (Text{Width: 80, Piped: true}).StatesByNamespace(&b, crowded("", long, "web", "web", "\x1b[31m")); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 8 || len(strings.Fields(lines[1])) != 12 || !strings.Contains(lines[1], "  ESTABLISHED  FIN-WAIT-1  ") {
		t.Fatalf("not a heading of 12 columns and a row for each of 5 namespaces and their sum:\n%s", b.String())
	}
	for i, name := range []string{"the host", long, "web (net:[4026532002])", "web (net:[4026532003])", `\u001b[31m`, "all of these"} {
		if fields := strings.Fields(strings.TrimSuffix(lines[2+i], "  "+name)); len(fields) != 11 {
			t.Errorf("of %s: %s", name, lines[2+i])
		}
	}
}

func TestDestinationsBeyondThoseToldApartAreAtLeastSoMany(t *testing.T) {
	many := facts.Spread{Distinct: 4096, Error: 1, Top: []facts.Target{{Destination: "192.0.2.1", Port: 80, Sockets: 2}}}
	for exact, want := range map[bool][2]string{true: {"And 4095 more.", "the others to 4095 more"}, false: {"And at least 4095 more.", "the others to at least 4095 more"}} {
		s := factstest.Healthy("6.12")
		many.Exact = exact
		s.Sockets.Outbound, s.Sockets.SynSent = many, many
		if text := statesText(t, s, facts.ByDestination); !strings.Contains(text, want[0]) {
			t.Errorf("no %q in:\n%s", want[0], text)
		}
		if text := statesText(t, s, facts.ByState); !strings.Contains(text, want[1]) {
			t.Errorf("no %q in:\n%s", want[1], text)
		}
	}
}
