package tcpstate

import "testing"

func TestParseReadsTheSpellingsOfToolsAndBooks(t *testing.T) {
	for text, want := range map[string]State{
		"ESTABLISHED": Established, "ESTAB": Established, "SYN_RECV": SynRecv, "SYN-RECEIVED": SynRecv,
		"FIN_WAIT1": FinWait1, "FIN-WAIT-1": FinWait1, "FIN_WAIT_2": FinWait2, "time_wait": TimeWait,
		"TIME-WAIT": TimeWait, "CLOSE_WAIT": CloseWait, "LAST_ACK": LastAck, "CLOSED": Close, "closing": Closing,
		"LISTEN": Listen, "SYN_SENT": SynSent,
	} {
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
	if s, ok := Parse("WAITING"); ok {
		t.Errorf("Parse(WAITING) = %v", s)
	}
}

func TestElevenStatesAreDescribed(t *testing.T) {
	if len(All()) != 11 {
		t.Fatalf("%d states are described", len(All()))
	}
	for _, info := range All() {
		if info.Meaning == "" || info.Side == "" || info.Leaves == "" || info.Program == "" {
			t.Errorf("%s: a part of the description is empty", info.Name)
		}
		if back, ok := Parse(info.Name); !ok || back != info.State {
			t.Errorf("%s does not parse back", info.Name)
		}
	}
}
