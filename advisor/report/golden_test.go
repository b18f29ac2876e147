package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
)

var update = flag.Bool("update", false, "write what is rendered into the golden files")

// golden compares with a file below testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./advisor/report -update writes it):\n%s", path, diff)
	}
}

// What a user sees of every built-in rule, from its own example, by folder.
func TestFindingsOfBuiltInRules(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	rendered := map[string]*bytes.Buffer{}
	text := Text{Width: 100}
	for _, r := range set.All() {
		folder, _, _ := strings.Cut(r.Name, "/")
		if rendered[folder] == nil {
			rendered[folder] = &bytes.Buffer{}
		}
		examples, err := r.Examples()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			if e.Verdict != rules.Fires {
				continue
			}
			f := advisor.NewFinding(r, rules.Opinion{Judgement: r.Judge(e.Facts), Facts: e.Facts})
			for _, name := range r.Message.Needs() {
				if e.Facts.Get(name).Missing != nil {
					t.Errorf("%s: example %q: the message speaks of %s, which is not given", r.Name, e.Note, name)
				}
			}
			text.printer(rendered[folder]).finding(f)
			break
		}
	}
	for folder, buffer := range rendered {
		golden(t, filepath.Join("findings", folder+".golden"), buffer.String())
	}
}

func TestReportOfABusyServer(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	r := advisor.Advise(factstest.BusyServer("6.12.95"), set, &profile)
	for name, text := range map[string]Text{
		"busy-server.golden":        {Width: 100},
		"busy-server-narrow.golden": {Width: 60, MinSeverity: rules.Warning},
	} {
		var b bytes.Buffer
		if err := text.Report(&b, r); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if len([]rune(line)) > text.Width && strings.Count(strings.TrimSpace(line), " ") > 0 && !strings.Contains(line, "  ") {
				t.Errorf("%s: a line is wider than %d: %q", name, text.Width, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s: blanks at the end of %q", name, line)
			}
		}
		golden(t, name, b.String())
	}
	var b bytes.Buffer
	if err := printable.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "busy-server.json", b.String())
}
