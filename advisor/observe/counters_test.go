package observe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
)

func TestTablesArePairedByPosition(t *testing.T) {
	text := "Tcp: MaxConn CurrEstab InSegs\nTcp: -1 18446744073709551615 5\nTcpExt: A\nTcpExt: 7\n"
	got, err := parseTable(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]facts.Counters{"Tcp": {"MaxConn": -1, "CurrEstab": -1, "InSegs": 5}, "TcpExt": {"A": 7}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"Tcp: A\n", "Tcp: A\nUdp: 1\n", "Tcp: A B\nTcp: 1\n", "Tcp: A\nTcp: x\n", "Tcp: A\nTcp: 18446744073709551616\n", "nonsense\nnonsense\n"} {
		if _, err := parseTable(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("TcpExt: A B\nTcpExt: 1 2\n")
	f.Add("Tcp: MaxConn\nTcp: -1\n")
	f.Fuzz(func(t *testing.T, text string) {
		groups, err := parseTable(strings.NewReader(text))
		if err == nil && groups == nil {
			t.Error("neither counters nor an error")
		}
	})
}
