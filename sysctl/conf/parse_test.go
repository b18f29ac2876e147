package conf

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseAll(t *testing.T, text string, loader Loader) (lines []string, faults []Fault) {
	t.Helper()
	read, faults, err := Parse(strings.NewReader(text), "f.conf", loader)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range read {
		lines = append(lines, fmt.Sprintf("%d:%d %s", l.Number, l.Column, l))
	}
	return lines, faults
}

func TestParseSaysWhereEachLineStands(t *testing.T) {
	text := strings.Join([]string{
		"# a comment", "; another", "",
		"net.ipv4.tcp_fin_timeout = 30",
		"net/ipv4/conf/eth0.100/forwarding=1",
		"-net.ipv4.tcp_tw_recycle = 1",
		"  net.ipv4.ip_local_port_range\t=\t10240 65535  ",
		"net.core.somaxconn = 1024 # kept, as the loaders keep it",
		"kernel.core_pattern = |/bin/dump a=b",
		"\t-net.ipv4.conf.eth0.rp_filter",
		"net.ipv4.conf.*.rp_filter = 1\r",
		"",
	}, "\n")
	want := []string{
		"4:1 net.ipv4.tcp_fin_timeout = 30",
		"5:1 net.ipv4.conf.eth0/100.forwarding = 1",
		"6:1 -net.ipv4.tcp_tw_recycle = 1",
		"7:3 net.ipv4.ip_local_port_range = 10240 65535",
		"8:1 net.core.somaxconn = 1024 # kept, as the loaders keep it",
		"9:1 kernel.core_pattern = |/bin/dump a=b",
		"10:2 -net.ipv4.conf.eth0.rp_filter",
		"11:1 net.ipv4.conf.*.rp_filter = 1",
	}
	for _, loader := range append(Loaders, "") {
		lines, faults := parseAll(t, text, loader)
		if diff := cmp.Diff(want, lines); diff != "" || len(faults) > 0 {
			t.Errorf("%s: faults %v, lines:\n%s", loader, faults, diff)
		}
	}
	lines, _, _ := Parse(strings.NewReader(" -a.b = c \r\n-d\r\n"), "f.conf", Systemd)
	wantLines := []Line{
		{Key: "a.b", Value: "c", Lenient: true, File: "f.conf", Number: 1, Column: 2, Text: " -a.b = c "},
		{Key: "d", Exclusion: true, File: "f.conf", Number: 2, Column: 1, Text: "-d"},
	}
	if diff := cmp.Diff(wantLines, lines); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, systemd, procps, both string }{
		{"nonsense", "no =", "no =", "no ="},
		{"= 5", "names no parameter", "names no parameter", "names no parameter"},
		{"\ufeffa.b = 1", "byte order mark", "byte order mark", "byte order mark"},
		{"a..b = 1", "", "", ""},
		{"a.b. = 1", "", "a directory to procps", "procps does not understand it"},
		{"a.c/./b = 1", "", "", ""},
		{"a/c/../b = 1", "leads out", "", "systemd-sysctl does not understand it"},
		{"- a.b = 1", "", "no parameter", "procps does not understand it"},
		{"--a.b = 1", "no parameter", "", "systemd-sysctl does not understand it"},
		{"a. b = 1", "is not allowed", "is not allowed", "is not allowed"},
		{"a.b = 1\rc.d = 2", "", "", `'\r'`},
		{"a.b = 1\x00c.d = 2", "", "", `'\x00'`},
		{"a.b = 1\f", "", "", "differently"},
		{"\va.b = 1", "no parameter", "", "systemd-sysctl does not understand it"},
	} {
		for loader, want := range map[Loader]string{Systemd: c.systemd, Procps: c.procps, "": c.both} {
			_, faults := parseAll(t, c.text, loader)
			switch {
			case want == "" && len(faults) > 0:
				t.Errorf("%q, %q: %v", c.text, loader, faults)
			case want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Reason, want)):
				t.Errorf("%q, %q: faults %v, want %q", c.text, loader, faults, want)
			}
		}
	}
	_, faults := parseAll(t, "a.b = 1\n  äö nonsense\r\n", "")
	want := Fault{File: "f.conf", Number: 2, Column: 3, Text: "  äö nonsense", Reason: "not an assignment: there is no ="}
	if len(faults) != 1 || faults[0] != want || faults[0].Error() != "f.conf:2: "+want.Reason {
		t.Errorf("faults %+v", faults)
	}
}

func TestEndlessInputIsCutOff(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("a.b = 1\n"), forever{})
	for _, loader := range append(Loaders, "") {
		lines, _, err := Parse(endless, "f.conf", loader)
		if len(lines) != 1 && loader == Systemd || err == nil || !strings.HasPrefix(err.Error(), "f.conf: ") {
			t.Errorf("%q: %d lines, %v", loader, len(lines), err)
		}
	}
}

type forever struct{}

func (forever) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestParseLoader(t *testing.T) {
	for text, want := range map[string]Loader{"systemd": Systemd, "systemd-sysctl": Systemd, "procps": Procps} {
		if got, err := ParseLoader(text); got != want || err != nil {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "both", "Systemd"} {
		if got, err := ParseLoader(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestTheKernelsCommandLine(t *testing.T) {
	text := `BOOT_IMAGE=/vmlinuz quiet sysctl.net.ipv4.tcp_fin_timeout=5 sysctl/net/core/somaxconn=9 sysctl.net.ipv4.ip_local_port_range="1024 2048" ` +
		`"sysctl.net.ipv4.tcp_syncookies=1 2" sysctl.net.ipv4.tcp_sack= sysctl.net.ipv4.tcp_dsack sysctlnet.x=1 sysctl=1 xsysctl.net.a=1 -- sysctl.net.ipv4.tcp_fack=1` + "\n"
	var got []string
	for _, l := range parseCommandLine(text) {
		got = append(got, l.String()+" <- "+l.Text)
	}
	want := []string{
		"net.ipv4.tcp_fin_timeout = 5 <- sysctl.net.ipv4.tcp_fin_timeout=5",
		"net.core.somaxconn = 9 <- sysctl/net/core/somaxconn=9",
		"net.ipv4.ip_local_port_range = 1024 2048 <- sysctl.net.ipv4.ip_local_port_range=1024 2048",
		"net.ipv4.tcp_syncookies = 1 2 <- sysctl.net.ipv4.tcp_syncookies=1 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("# a comment\nnet.ipv4.tcp_fin_timeout = 30\nnet.ipv4.ip_local_port_range = 10240 65535\n\n", 5)
	for _, loader := range append(Loaders, "") {
		b.Run(string(loader), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if lines, _, _ := Parse(strings.NewReader(text), "f", loader); len(lines) != 10 {
					b.Fatal(len(lines))
				}
			}
		})
	}
}

// The numbers are those of systemd 252's own complaints.
func TestLinesAreCountedAsSystemdDoes(t *testing.T) {
	_, faults := parseAll(t, "a.b=1\x00\nn1\n\rn2\r\n\r\nn3\x00\x00n4\r\x00\nn5\n", Systemd)
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprint(f.Number, " ", f.Text))
	}
	if diff := cmp.Diff([]string{"3 n1", "4 n2", "6 n3", "8 n4", "10 n5"}, got); diff != "" {
		t.Error(diff)
	}
}
