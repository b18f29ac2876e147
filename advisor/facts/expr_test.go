package facts

import (
	"slices"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

func TestConditionsCompareFacts(t *testing.T) {
	f := Given(sysctl.Release{Major: 6, Minor: 1}, map[Name]any{
		"sockets.time_wait": 240_000, "net.ipv4.tcp_max_tw_buckets": 262_144, "seconds.fin_wait2": 0.7,
		"nat.seen": true, "ports.busiest.name": "10.0.0.5:3306",
	}, nil)
	for source, want := range map[string]bool{
		"sockets.time_wait > 0.8 * net.ipv4.tcp_max_tw_buckets":           true,
		"sockets.time_wait > net.ipv4.tcp_max_tw_buckets":                 false,
		"seconds.fin_wait2 < 1":                                           true,
		"nat.seen and sockets.time_wait > 0":                              true,
		"not nat.seen":                                                    false,
		`ports.busiest.name == "10.0.0.5:3306"`:                           true,
		"-1 * sockets.time_wait < 0":                                      true,
		"sockets.time_wait / 2 > 0.4 * net.ipv4.tcp_max_tw_buckets":       true,
		"(sockets.time_wait + 1) * 2 == 480002 or sockets.time_wait == 0": true,
	} {
		e, err := CompileCondition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, missing := e.Eval(f); got != want || missing != nil {
			t.Errorf("%s = %v, missing %v; want %v", source, got, missing, want)
		}
	}
}

func TestFaultyConditionsAreRefusedWithThePlace(t *testing.T) {
	for source, want := range map[string]string{
		"sockets.time_wiat > 1":           "did you mean sockets.time_wait?",
		"net.ipv4.tcp_fin_timeot == 1":    "did you mean net.ipv4.tcp_fin_timeout?",
		"sockets.time_wait > ":            "unexpected token EOF",
		"sockets.time_wait":               "a condition must be true or false",
		`sockets.time_wait > "many"`:      "mismatched types",
		"len(ports.busiest.name) > 1":     "only comparisons",
		"sockets > 1":                     "no fact is called sockets",
		"[1, 2] == 1":                     "only comparisons",
		"1..sockets.time_wait == 1":       "not available here",
		"sockets.time_wait % 2 == 0":      "not available here",
		`ports.busiest.name matches "a+"`: "not available here",
		"all([1], # > 0)":                 "only comparisons",
		"1 / sockets.time_wait > 1":       "to divide by",
		"sockets.time_wait / 0 > 1":       "to divide by",
		"9223372036854775807 + 1 < 0":     "too large",
		strings.Repeat("(", 2000) + "1":   "2001 characters is too long",
		"let x = 1; x > 0":                "only comparisons",
		"sockets?.time_wait > 1":          "only comparisons",
	} {
		_, err := CompileCondition(source)
		if err == nil {
			t.Errorf("%s was taken", source)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant it to say %q", source, err, want)
		}
	}
	if _, err := CompileCondition("1 > 2 or nothing.here > 1"); !strings.HasSuffix(err.Error(), "\n  1 > 2 or nothing.here > 1\n  "+strings.Repeat(" ", 9)+"^") {
		t.Errorf("the caret is not under the fault:\n%v", err)
	}
	if _, err := CompileCondition("sockets.time_wiat > 1"); !strings.Contains(err.Error(), "\n  ^") {
		t.Errorf("no caret under the fault: %v", err)
	}
	if _, err := CompileCondition(strings.Repeat("1 + ", 200) + "1 > 0"); err == nil {
		t.Error("an expression of 400 nodes was taken")
	}
}

func TestNearestIsTheSameInEveryOrder(t *testing.T) {
	for word, want := range map[string]string{"abcd": "abce", "abcf": "abcf", "xyz": "", "abc": "abce"} {
		for _, words := range [][]string{{"abcf", "abce", "zzzz"}, {"zzzz", "abce", "abcf"}} {
			if got, ok := Nearest(word, slices.Values(words)); got != want || ok != (want != "") {
				t.Errorf("nearest to %s among %v: %q, %v; want %q", word, words, got, ok, want)
			}
		}
	}
}

// An absent value must never pass for zero: expr itself would say that
// tcp_timestamps == 0 where it is not known.
func TestMissingFactsAreNotZero(t *testing.T) {
	e, err := CompileCondition("net.ipv4.tcp_timestamps == 0 or sockets.time_wait == 0")
	if err != nil {
		t.Fatal(err)
	}
	f := Given(sysctl.Release{}, nil, map[Name]Gap{
		"sockets.time_wait":       {Cause: sysctl.NotPermitted},
		"net.ipv4.tcp_timestamps": {Cause: sysctl.Removed},
	})
	answer, missing := e.Eval(f)
	if answer != nil || len(missing) != 2 {
		t.Fatalf("answered %v, missing %v", answer, missing)
	}
	if missing[0].Name != "net.ipv4.tcp_timestamps" {
		t.Errorf("what does not exist should come first: %v", missing)
	}
}

func TestTemplatesFillInFacts(t *testing.T) {
	tmpl, err := CompileTemplate("{sockets.time_wait} of {net.ipv4.tcp_max_tw_buckets} ({100 * sockets.time_wait / net.ipv4.tcp_max_tw_buckets} %), {seconds.synack} s, {nat.seen}")
	if err != nil {
		t.Fatal(err)
	}
	f := Given(sysctl.Release{}, map[Name]any{"sockets.time_wait": 1, "net.ipv4.tcp_max_tw_buckets": 3, "seconds.synack": 63.0, "sockets.listen": 0}, nil)
	if ratio, err := CompileTemplate("{sockets.time_wait / sockets.listen}"); err != nil || ratio.Render(f) != "unknown" {
		t.Errorf("a division by zero rendered as %q, %v", ratio.Render(f), err)
	}
	if got, want := tmpl.Render(f), "1 of 3 (33.3 %), 63 s, unknown"; got != want {
		t.Errorf("rendered %q, want %q", got, want)
	}
	for _, bad := range []string{"{sockets.time_wait", "{nothing.here}", "{}"} {
		if _, err := CompileTemplate(bad); err == nil {
			t.Errorf("template %q was taken", bad)
		}
	}
}

func FuzzCompileCondition(f *testing.F) {
	for _, s := range []string{"sockets.time_wait > 1", "a.b.c", "not (1 > 2) and nat.seen", "sockets['time_wait'] > 1", "((((", "1 ? 2 : 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := CompileCondition(source)
		if err != nil {
			return
		}
		if answer, missing := e.Eval(Facts{}); missing == nil {
			if _, isBool := answer.(bool); !isBool || len(e.Needs()) > 0 {
				t.Errorf("%q answered %v without any facts", source, answer)
			}
		}
	})
}
