package facts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/advisor/printable"
)

// survey is of a host and a container.
func survey() *facts.Survey {
	host, container := factstest.BusyServer("6.12"), factstest.Healthy("6.12")
	host.Everywhere = &facts.Everywhere{Namespaces: 2, Unseen: 1, Sockets: 9}
	container.Everywhere = nil
	container.Namespace = facts.Namespace{ID: "net:[7]", Name: "docker \x1b[31m"}
	return &facts.Survey{Schema: facts.SurveySchema, Version: "v1", Namespaces: []facts.Surveyed{{Processes: -1, Snapshot: host}, {Processes: 3, Snapshot: container}},
		Skipped: []facts.SkippedNamespace{{Name: "dead", ID: "net:[8]", Reason: "the network namespace is gone"}}}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	if err := printable.JSON(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSurveyComesBackAsItWas(t *testing.T) {
	want := survey()
	s, got, err := facts.DecodeEither(strings.NewReader(encoded(t, want)))
	if err != nil || s != nil {
		t.Fatal(s, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(facts.Reading{})); diff != "" {
		t.Error(diff)
	}
	if got.Host().Everywhere == nil {
		t.Error("the sums are lost")
	}
	if s, got, err := facts.DecodeEither(strings.NewReader(encoded(t, want.Host()))); err != nil || s == nil || got != nil {
		t.Errorf("a snapshot is read as %v, %v, %v", s, got, err)
	}
	many := (*facts.SurveyError)(nil)
	if s, err := facts.Decode(strings.NewReader(encoded(t, want))); s != nil || !errors.As(err, &many) || many.Namespaces != 2 {
		t.Errorf("where one snapshot is wanted a survey is %v, %v", s, err)
	}
}

func TestSurveysThatAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*facts.Survey){
		"no network namespace in it":      func(v *facts.Survey) { v.Namespaces = v.Namespaces[:0] },
		`namespace 2 has no snapshot`:     func(v *facts.Survey) { v.Namespaces[1].Snapshot = nil },
		"survey of namespaces has schema": func(v *facts.Survey) { v.Schema = 2 },
		`namespace 2, "net:[7]": snapshot has schema 7, written by tcptune "v9"`: func(v *facts.Survey) {
			v.Namespaces[1].Snapshot.Schema, v.Namespaces[1].Snapshot.Version = 7, "v9"
		},
		`namespace 2, "net:[7]": snapshot makes no sense: "sockets.orphans" is -1`: func(v *facts.Survey) { v.Namespaces[1].Snapshot.Sockets.Orphans = -1 },
		`namespaces 1 and 2 are both`: func(v *facts.Survey) { v.Namespaces[1].Snapshot.Namespace = v.Host().Namespace },
		"namespace 2 is on Linux 5.10, and the first on 6.12": func(v *facts.Survey) {
			v.Namespaces[1].Snapshot.Kernel.Major, v.Namespaces[1].Snapshot.Kernel.Minor = 5, 10
		},
		"namespace 2 holds the sums of all": func(v *facts.Survey) { v.Namespaces[1].Snapshot.Everywhere = v.Host().Everywhere },
	} {
		v := survey()
		spoil(v)
		if s, got, err := facts.DecodeEither(strings.NewReader(encoded(t, v))); err == nil || !strings.Contains(err.Error(), want) || s != nil || got != nil {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	whole := encoded(t, survey())
	for name, text := range map[string]string{
		"ends in the middle": whole[:len(whole)/2], `unknown field "surplus"`: strings.Replace(whole, `"processes"`, `"surplus": 1, "processes"`, 1),
		"after top-level value": whole + whole,
	} {
		if s, got, err := facts.DecodeEither(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), name) || s != nil || got != nil {
			t.Errorf("the error is %v, want %q", err, name)
		}
	}
	var plain map[string]any
	if err := json.Unmarshal([]byte(whole), &plain); err != nil || strings.Contains(whole, "\x1b") {
		t.Errorf("%v; a name reaches the terminal as it is", err)
	}
}
