package observe

import (
	"os"
	"path/filepath"
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

func TestFilesOfNumbersAreReadOrRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct {
		text string
		read func() (any, error)
		want any // nil if it is refused
	}{
		{"sockets: used 5\nTCP: inuse 7 orphan -2 tw 3 alloc 9 mem 1\n", func() (any, error) { return protocol(file, "TCP") },
			map[string]int64{"inuse": 7, "orphan": 0, "tw": 3, "alloc": 9, "mem": 1}},
		{"TCP6: inuse 1\n", func() (any, error) { return protocol(file, "TCP") }, nil},
		{"TCP: inuse x\n", func() (any, error) { return protocol(file, "TCP") }, nil},
		{"drop found\n0000000a ff\n00000001 00\n", func() (any, error) { _, rows, err := hexRows(file, true); return rows, err }, [][]int64{{10, 255}, {1, 0}}},
		{"drop found\n00\n", func() (any, error) { _, rows, err := hexRows(file, true); return rows, err }, nil},
		{"0000002a 00000003 0\n", func() (any, error) { _, rows, err := hexRows(file, false); return rows, err }, [][]int64{{42, 3, 0}}},
		{"00 0x1\n", func() (any, error) { _, rows, err := hexRows(file, false); return rows, err }, nil},
		{"MemFree: 1 kB\nMemTotal:       24684116 kB\n", func() (any, error) { return memoryKiB(file) }, int64(24684116)},
		{"MemTotal: much kB\n", func() (any, error) { return memoryKiB(file) }, nil},
		{"", func() (any, error) { return memoryKiB(file) }, nil},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := c.read()
		switch {
		case c.want == nil && err == nil:
			t.Errorf("%q was taken: %v", c.text, got)
		case c.want != nil && (err != nil || !cmp.Equal(got, c.want)):
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}
