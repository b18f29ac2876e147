package report

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
)

func sarif(t *testing.T, r Results) sarifRun {
	t.Helper()
	var log sarifLog
	if err := json.Unmarshal([]byte(render(t, SARIF, r)), &log); err != nil {
		t.Fatal(err)
	}
	return log.Runs[0]
}

func TestSARIFIsValid(t *testing.T) {
	file, err := os.Open("testdata/results/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		log, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(log)
	}
	for name, results := range allKinds(t) {
		if err := validate(render(t, SARIF, results)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := render(t, SARIF, lintResults(t))
	for old, wrong := range map[string]string{
		`"level": "error"`: `"level": "grave"`, `"startLine": 3`: `"startLine": 0`, `"kind": "open"`: `"kind": "shut"`,
		`"unicodeCodePoints"`: `"bytes"`, `"kind": "inSource"`: `"kind": "inside"`, `"ruleIndex": 0`: `"index": 0`,
	} {
		spoiled := strings.Replace(text, old, wrong, 1)
		if spoiled == text || validate(spoiled) == nil {
			t.Errorf("%s in place of %s passes", wrong, old)
		}
	}
}

// Everything that GitHub, the strictest of its readers, wants of a result.
func TestSARIFResultsCanBeShown(t *testing.T) {
	for name, results := range allKinds(t) {
		run := sarif(t, results)
		if want := len(results.Findings) + len(results.Suppressed) + len(results.Inconclusive); len(run.Results) != want {
			t.Errorf("%s: %d results, want %d", name, len(run.Results), want)
		}
		used := map[string]bool{}
		for _, r := range run.Results {
			used[r.RuleID] = true
			if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
				t.Errorf("%s: the rule of %q is %q", name, r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
			}
			if r.Message.Text == "" || len(r.Locations) != 1 {
				t.Errorf("%s: %q: message %q, %d locations", name, r.RuleID, r.Message.Text, len(r.Locations))
				continue
			}
			at := r.Locations[0].Physical.Artifact
			if uri, err := url.Parse(at.URI); err != nil || at.URI == "" || (at.BaseID == "") == (uri.Scheme == "" && !strings.HasPrefix(uri.Path, "..")) {
				t.Errorf("%s: %q: location %+v: %v", name, r.RuleID, at, err)
			}
			if (r.Kind == "open") != (r.Level == "none") {
				t.Errorf("%s: %q: kind %q and level %q", name, r.RuleID, r.Kind, r.Level)
			}
		}
		if len(used) != len(run.Tool.Driver.Rules) {
			t.Errorf("%s: %d rules are described and %d used", name, len(run.Tool.Driver.Rules), len(used))
		}
	}
}

// Files are named by URIs from which a reader gets the path back.
func TestSARIFNamesFiles(t *testing.T) {
	for _, c := range []struct {
		file string
		want sarifArtifact
	}{
		{"etc/sysctl.conf", sarifArtifact{"etc/sysctl.conf", sourceRoot}},
		{"./etc//sysctl.conf", sarifArtifact{"etc/sysctl.conf", sourceRoot}},
		{"a b#1?%20.conf", sarifArtifact{"a%20b%231%3F%2520.conf", sourceRoot}},
		{"c:d", sarifArtifact{"./c:d", sourceRoot}},
		{"\xff\n", sarifArtifact{"%FF%0A", sourceRoot}},
		{"grün", sarifArtifact{"gr%C3%BCn", sourceRoot}},
		{"/etc/sysctl.d/10 x.conf", sarifArtifact{"file:///etc/sysctl.d/10%20x.conf", ""}},
		{"../up", sarifArtifact{"../up", ""}},
	} {
		if got := artifact(c.file); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.file, got, c.want)
		}
	}
}

func TestSARIFMarksTheTextMeant(t *testing.T) {
	place := facts.Place{File: "x", Line: 4, Column: 5, EndColumn: 7, Text: "größer = 1"}
	got := physical(place)
	line := &sarifRegion{StartLine: 4, Snippet: &sarifText{"größer = 1"}}
	want := sarifPhysical{Artifact: sarifArtifact{"x", sourceRoot}, Region: &sarifRegion{4, 5, 7, &sarifText{"er"}}, Context: line}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	place.Column, place.EndColumn = 1, 11
	if got := physical(place); got.Context != nil || got.Region.Snippet.Text != place.Text {
		t.Errorf("the whole line: %+v", got)
	}
	place.EndColumn = 99 // a line that changed meanwhile
	if got := physical(place); got.Region.Snippet != nil {
		t.Errorf("beyond the line: %+v", got.Region)
	}
	if got := physical(facts.Place{File: "x", Line: 4}); got.Region.StartColumn != 0 || got.Region.Snippet != nil {
		t.Errorf("no column: %+v", got.Region)
	}
	if got := physical(facts.Place{File: "x"}); got.Region != nil {
		t.Errorf("a whole file: %+v", got)
	}
}

// A finding is the same one when lines above it come and go, and another where
// the line says something else.
func TestSARIFFingerprintsDoNotMove(t *testing.T) {
	fingerprints := func(places ...facts.Place) []string {
		r := Results{Command: "lint"}
		for _, p := range places {
			r.Findings = append(r.Findings, advisor.Finding{Rule: "timewait/recycle", Severity: rules.Error, Title: "t", Message: "m", Places: []facts.Place{p}})
		}
		var prints []string
		for _, result := range sarif(t, r).Results {
			prints = append(prints, result.Fingerprints["tcptune/v1"])
		}
		return prints
	}
	before := fingerprints(facts.Place{File: "x", Line: 3, Text: "a = 1"}, facts.Place{File: "x", Line: 5, Text: "a = 1"}, facts.Place{File: "x", Line: 6, Text: "a = 2"})
	after := fingerprints(facts.Place{File: "x", Line: 13, Text: "  a = 1"}, facts.Place{File: "x", Line: 15, Text: "a = 1"}, facts.Place{File: "x", Line: 26, Text: "a = 2"})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if before[0] == before[1] || before[0] == before[2] {
		t.Errorf("two findings have one fingerprint: %q", before)
	}
}

func TestSARIFSuppressions(t *testing.T) {
	results := lintResults(t)
	var got []sarifSuppression
	for _, r := range sarif(t, results).Results {
		got = append(got, r.Suppressions...)
	}
	if diff := cmp.Diff([]sarifSuppression{{"inSource", "gone with the host"}, {"external", "in the baseline"}}, got); diff != "" {
		t.Error(diff)
	}
}

// Readers put a link where a message has one, and look up arguments for {0}.
func TestSARIFMessagesHoldNoMarks(t *testing.T) {
	run := sarif(t, hostileResults("check"))
	texts := []string{}
	for _, r := range run.Results {
		texts = append(texts, r.Message.Text)
	}
	for _, r := range run.Tool.Driver.Rules {
		texts = append(texts, r.ShortDescription.Text)
		if r.Help != nil {
			texts = append(texts, r.FullDescription.Text, r.Help.Text, r.Help.Markdown)
		}
	}
	marks := regexp.MustCompile(`(^|[^{])\{\d|[^\\]\]\(`)
	for _, text := range texts {
		if mark := marks.FindString(text); mark != "" || !strings.Contains(text, "{{0}}") {
			t.Errorf("%q in %q", mark, text)
		}
	}
}

// The parameter that a finding without a place is about is its place.
func TestSARIFPlacesOfTheHost(t *testing.T) {
	for want, f := range map[string]advisor.Finding{
		"file:///proc/sys/net/ipv4/tcp_fin_timeout": {Evidence: []advisor.Evidence{{Fact: "sockets.total"}, {Fact: "net.ipv4.tcp_fin_timeout"}}},
		"file:///proc/sys/net/core/somaxconn":       {Suggest: []advisor.Suggestion{{Key: "net.core.somaxconn"}}, Evidence: []advisor.Evidence{{Fact: "net.ipv4.tcp_fin_timeout"}}},
		"file:///proc/net/":                         {Evidence: []advisor.Evidence{{Fact: "sockets.total"}}},
	} {
		if got := ofHost(f).Physical.Artifact.URI; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// The rules' pages that results point to exist, and a rule of the site's, even in
// place of a built-in one, points to none.
func TestSARIFPointsToPages(t *testing.T) {
	for _, r := range sarif(t, everyRule(t)).Tool.Driver.Rules {
		page := strings.TrimPrefix(r.HelpURI, pages)
		if _, err := os.Stat(rulePages + "/" + page); err != nil || page == r.HelpURI {
			t.Errorf("%s: %q: %v", r.ID, r.HelpURI, err)
		}
	}
	if got := pageURL(rules.Rule{Name: "timewait/recycle", Origin: "/etc/tcptune/rules.d/timewait/recycle.toml"}); got != "" {
		t.Errorf("a site's rule points to %s", got)
	}
}
