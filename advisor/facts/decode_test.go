package facts

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func busyServer(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/busy-server.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSnapshotSurvivesPrintingAndReading(t *testing.T) {
	s, err := Decode(bytes.NewReader(busyServer(t)))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := Encode(&again, s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(busyServer(t)), again.String()); diff != "" {
		t.Errorf("printed anew, the snapshot differs:\n%s", diff)
	}
}

func TestForeignSnapshotsAreRefusedWithAReason(t *testing.T) {
	good := string(busyServer(t))
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the snapshot has no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", "ends in the middle"},
		"cut short":            {good[:len(good)/2], "ends in the middle"},
		"not JSON":             {"sysctl: cannot stat", "is not JSON: line 1"},
		"other JSON":           {`{"a": 1}`, "no \"schema\""},
		"newer":                {`{"schema": 2, "tcptune": "v9", "new": {}}`, "written by tcptune \"v9\"; this tcptune reads up to 1"},
		"older than any":       {`{"schema": 0}`, "never was"},
		"unknown field":        {replace(`"sysctls"`, `"sysctls2"`), `unknown field "sysctls2"`},
		"two snapshots":        {good + good, "after top-level value"},
		"no kernel":            {`{"schema": 1}`, "no kernel release"},
		"nonsense kernel":      {replace(`"kernel": "`, `"kernel": "x`), "parse kernel release"},
		"negative sockets":     {replace(`"time_wait": 1443`, `"time_wait": -1`), "time_wait\" is -1"},
		"a state that is none": {replace(`"time_wait"`, `"sleeping"`), `"sleeping" is not a TCP state`},
		"number too large":     {replace(`"time_wait": 1443`, `"time_wait": 9223372036854775807`), "9223372036854775807"},
		"overflowing sum":      {replace(`"time_wait": 1443`, `"time_wait": 4611686018427387904`), "4611686018427387904"},
		"page size":            {`{"schema": 1, "kernel": "6.1", "host": {"memory_kib": 1, "page_size": 1}}`, "host.page_size is 1"},
		"key with a newline":   {replace(`"net.ipv4.tcp_sack"`, `"net.ipv4\nx"`), "not a parameter's name"},
		"port":                 {replace(`"port": 443`, `"port": 70000`), "70000 is not a port"},
		"deep":                 {`{"schema": 1, "x": ` + strings.Repeat("[", 20000), "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(strings.NewReader(c.text))
			if err == nil {
				t.Fatal("was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("refused with %q, which does not say %q", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(busyServer(f))
	f.Add([]byte(`{"schema":1,"kernel":"6.1","sockets":{"listeners":[{"port":1}],"outbound":{"top":[{}]}},"window":{"seconds":0.1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		Derive(s) // must not panic, whatever a snapshot holds
		printed, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(bytes.NewReader(printed)); err != nil {
			t.Errorf("what was printed is refused: %v\n%s", err, printed)
		}
	})
}
