package report

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// A workflowCommand is a line as the runner of GitHub Actions reads it.
type workflowCommand struct {
	name       string
	properties map[string]string
	data       string
}

var workflowLine = regexp.MustCompile(`^::(\w+)(?: ([^:]*))?::(.*)$`)

// readCommand parses as the runner does: properties are separated by commas, end
// before the second "::", and are unescaped at the end.
func readCommand(line string) (workflowCommand, error) {
	parts := workflowLine.FindStringSubmatch(line)
	if parts == nil {
		return workflowCommand{}, fmt.Errorf("%q is no command", line)
	}
	c := workflowCommand{parts[1], map[string]string{}, strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(parts[3])}
	for _, property := range strings.Split(parts[2], ",") {
		name, value, ok := strings.Cut(property, "=")
		if !ok {
			return c, fmt.Errorf("%q is no property", property)
		}
		c.properties[name] = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%").Replace(value)
	}
	return c, nil
}

func commands(t *testing.T, r Results) []workflowCommand {
	t.Helper()
	var all []workflowCommand
	for line := range strings.Lines(render(t, GitHub, r)) {
		c, err := readCommand(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func TestGitHubAnnotations(t *testing.T) {
	got := commands(t, Results{Command: "lint", Findings: []advisor.Finding{
		{Rule: "a/b", Severity: rules.Error, Title: "One, two: three", Message: "100 % wrong", Fix: "Do\nthis.", Places: []facts.Place{{File: "x, y:z.conf", Line: 3, Column: 5, EndColumn: 9}}},
		{Rule: "a/c", Severity: rules.Warning, Title: "t", Message: "m", Places: []facts.Place{{File: "f"}}},
		{Rule: "a/d", Severity: rules.Info, Title: "t", Message: "m"},
	}, Inconclusive: []advisor.Inconclusive{{Rule: "a/e"}, {Rule: "a/f"}}})
	want := []workflowCommand{
		{"error", map[string]string{"file": "x, y:z.conf", "line": "3", "col": "5", "endColumn": "9", "title": "a/b: One, two: three"}, "100 % wrong\nfix: Do this."},
		{"warning", map[string]string{"file": "f", "title": "a/c: t"}, "m"},
		{"notice", map[string]string{"title": "a/d: t"}, "m"},
		{"notice", map[string]string{"title": "tcptune lint: 2 rules lacked evidence"}, "a/e, a/f"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(workflowCommand{})); diff != "" {
		t.Error(diff)
	}
}

// No text of a file becomes a command, a property or a line of its own.
func TestGitHubKeepsHostileTextInItsPlace(t *testing.T) {
	results := hostileResults("lint")
	got := commands(t, results)
	if len(got) != 3 {
		t.Fatalf("%d commands, want 3: %+v", len(got), got)
	}
	f := results.Findings[0]
	if want := printable.Text(f.Places[0].File); got[0].properties["file"] != want {
		t.Errorf("file is %q, want %q", got[0].properties["file"], want)
	}
	if len(got[0].properties) != 5 || !strings.HasPrefix(got[0].data, printable.Text(f.Message)+"\nfix: ") {
		t.Errorf("got %+v", got[0])
	}
}
