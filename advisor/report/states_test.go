package report

import (
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
	leak := factstest.Healthy("6.12") // as in a snapshot for a judgement, which names no program for so few
	leak.Sockets.IPv4["close_wait"], leak.Sockets.Owners = 45, nil
	if text := statesText(t, leak, facts.ByProgram); strings.Contains(text, "No socket waits") || !strings.Contains(text, "programs were not looked for") || !strings.Contains(text, " 45 sockets") {
		t.Errorf("45 sockets in CLOSE-WAIT of nobody knows whom:\n%s", text)
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
	if err := (Text{Width: 100, MinSeverity: rules.Info}).StatesByNamespace(&b, all); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"\nSOCKETS  in 4 network namespaces; BPF; sock_diag, sockstat\n", "web (net:[7]): not counted: not permitted", "  ?       ?            ?           ?          ?  web"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %q in:\n%s", part, b.String())
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
