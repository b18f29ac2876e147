package sysctl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIntsReadsWhatTheKernelPrints(t *testing.T) {
	for in, want := range map[Value][]int64{
		"60": {60}, "-1": {-1}, "0": {0}, "32768\t60999": {32768, 60999}, " 4096  16384\t4194304\n": {4096, 16384, 4194304},
		"": nil, "4294967295": {4294967295},
	} {
		if got, err := in.Ints(); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("Ints of %q = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []Value{"010", "00", "-0", "+5", "0x10", "1e3", "1.5", "abc", "1,2", "1-2", "5 010", "18446744071579054647"} {
		if got, err := in.Ints(); err == nil {
			t.Errorf("Ints of %q = %v; want an error", in, got)
		}
	}
}

func TestNormalizeGivesOneSpelling(t *testing.T) {
	for _, c := range []struct {
		is       Type
		in, want Value
	}{
		{Number, " 60\n", "60"},
		{Number, "-1", "-1"},
		{Vector, "4096\t16384  4194304", "4096 16384 4194304"},
		{PortSet, " 8081,8080,9000-9010,9005-9020\n", "8080-8081,9000-9020"},
		{PortSet, "\n", ""}, {PortSet, "8080,", "8080"},
		{Word, " bbr\n", "bbr"},
	} {
		if got, err := c.is.Normalize(c.in); err != nil || got != c.want {
			t.Errorf("Normalize %s %q = %q, %v; want %q", c.is, c.in, got, err, c.want)
		}
	}
	for _, c := range []struct {
		is Type
		in Value
	}{
		{Number, "30 60"}, {Number, ""}, {Number, "010"}, {Vector, "1 x"}, {PortSet, "8080 9090"}, {PortSet, ",8080"}, {PortSet, "8080,,9090"}, {PortSet, ","},
	} {
		if got, err := c.is.Normalize(c.in); err == nil {
			t.Errorf("Normalize %s %q = %q; want an error", c.is, c.in, got)
		}
	}
}

func TestEqualComparesMeaningNotSpelling(t *testing.T) {
	for _, c := range []struct {
		is   Type
		a, b Value
		want bool
	}{
		{Vector, "32768\t60999", "32768 60999", true},
		{Vector, "32768 60999", "32768 61000", false},
		{Vector, "32768 60999", "32768", false},
		{Number, "60", "60\n", true},
		{Number, "60", "61", false},
		{Number, "10", "010", false}, // the kernel means eight
		{PortSet, "8080,8081", "8080-8081", true},
		{PortSet, "8080-8082", "8082,8080,8081", true},
		{PortSet, "", "\n", true},
		{PortSet, "8080", "8081", false},
		{PortSet, "8080", "", false},
		{PortSet, "garbage", "garbage", true},
		{PortSet, "garbage", "8080", false},
		{Word, "cubic", "cubic\n", true},
		{Word, "cubic", "bbr", false},
	} {
		if got := c.is.Equal(c.a, c.b); got != c.want || c.is.Equal(c.b, c.a) != got {
			t.Errorf("%s: %q equals %q: %v; want %v", c.is, c.a, c.b, got, c.want)
		}
	}
}

func TestParsePortsMergesRanges(t *testing.T) {
	for in, want := range map[Value]Ports{
		"":                          nil,
		" \n":                       nil,
		"8080":                      {{8080, 8080}},
		"8080,":                     {{8080, 8080}},
		"8080,8081":                 {{8080, 8081}},
		"8081,8080":                 {{8080, 8081}},
		"8080,8082":                 {{8080, 8080}, {8082, 8082}},
		"9000-9010,9005-9007,9011":  {{9000, 9011}},
		"0-65535":                   {{0, 65535}},
		"30000-32767,8080,1-1,8080": {{1, 1}, {8080, 8080}, {30000, 32767}},
	} {
		got, err := ParsePorts(in)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("ParsePorts(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []Value{"70000", "65536", "-1", "8080-", "-", "8082-8080", "8080 9090", "8080, 9090", ",8080", ",", "8080-8081-8082", "http", "010", "8080-09000", "0x50", "1_0", "+1"} {
		if got, err := ParsePorts(in); err == nil {
			t.Errorf("ParsePorts(%q) = %v; want an error", in, got)
		}
	}
}

func TestPortsAnswerForSinglePorts(t *testing.T) {
	ports, err := ParsePorts("8080,30000-30009,65535")
	if err != nil {
		t.Fatal(err)
	}
	for port, want := range map[int]bool{8079: false, 8080: true, 8081: false, 29999: false, 30000: true, 30009: true, 30010: false, 65535: true, 0: false} {
		if ports.Contains(port) != want {
			t.Errorf("%v contains %d: %v", ports, port, !want)
		}
	}
	for span, want := range map[PortRange]int{{0, 65535}: 12, {8080, 8080}: 1, {8081, 29999}: 0, {30005, 40000}: 5, {29000, 30001}: 2, {30002, 30003}: 2} {
		if n := ports.Within(span.First, span.Last); n != want {
			t.Errorf("%v has %d ports in %v; want %d", ports, n, span, want)
		}
	}
}

func FuzzParsePorts(f *testing.F) {
	for _, s := range []string{"8080,9000-9010", "0-65535", "1,3,2", " 80\n", "08", "5-4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ports, err := ParsePorts(Value(s))
		if err != nil {
			return
		}
		again, err := ParsePorts(ports.Value())
		if err != nil || cmp.Diff(ports, again) != "" {
			t.Errorf("%q parsed as %v, printed as %q, which parses as %v, %v", s, ports, ports.Value(), again, err)
		}
		total := 0
		for i, r := range ports {
			total += r.Last - r.First + 1
			if r.First < 0 || r.Last > 65535 || r.First > r.Last || i > 0 && ports[i-1].Last+1 >= r.First {
				t.Errorf("%q parsed as %v", s, ports)
			}
		}
		if n := ports.Within(0, 65535); n != total {
			t.Errorf("%v has %d ports by Within and %d by its ranges", ports, n, total)
		}
		if !PortSet.Equal(Value(s), ports.Value()) {
			t.Errorf("%q is not equal to its own print %q", s, ports.Value())
		}
	})
}
