package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// JUnit writes a test report in the form that Jenkins's junit-10.xsd describes
// and GitLab reads. A test is a rule or, where a finding is about a file, that
// file. Warnings and errors are failures; what is suppressed, or lacks evidence,
// is skipped.
func JUnit(w io.Writer, r Results) error {
	suite := junitSuite{Name: "tcptune " + r.Command, Properties: []junitProperty{
		{"version", xmlText(r.Version)}, {"subject", xmlText(r.Subject)}}}
	for _, test := range junitTests(r) {
		c := test.result(r)
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Skipped != nil {
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(junitSuites{Tests: suite.Tests, Failures: suite.Failures, Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Classname string        `xml:"classname,attr"`
	Name      string        `xml:"name,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Line      int           `xml:"line,attr,omitempty"`
	Failure   *junitOutcome `xml:"failure"`
	Skipped   *junitOutcome `xml:"skipped"`
	Output    *junitOutput  `xml:"system-out"`
}

type junitOutput struct {
	Text string `xml:",cdata"`
}

type junitOutcome struct {
	Message string         `xml:"message,attr"`
	Type    rules.Severity `xml:"type,attr,omitempty"`
	Body    string         `xml:",cdata"`
}

// A junitTest is what was found under one name: readers take the first of two
// tests of one name, and the first failure of a test.
type junitTest struct {
	class, name  string
	failures     []advisor.Finding
	remarks      []advisor.Finding // of severity info
	suppressed   []advisor.Suppressed
	inconclusive []advisor.Inconclusive
}

// junitTests are the tests by their names.
func junitTests(r Results) []*junitTest {
	type id struct{ class, name string }
	byID := map[id]*junitTest{}
	at := func(class, name string) *junitTest {
		key := id{"tcptune." + xmlText(class), xmlText(name)}
		if byID[key] == nil {
			byID[key] = &junitTest{class: key.class, name: key.name}
		}
		return byID[key]
	}
	byRule := func(rule string) *junitTest { return at(group(rule), rule) }
	of := func(f advisor.Finding) *junitTest {
		if r.Command == "lint" && len(f.Places) > 0 {
			return at(r.Command, f.Places[0].File)
		}
		return byRule(f.Rule)
	}
	for _, f := range r.Findings {
		test := of(f)
		if f.Severity == rules.Info {
			test.remarks = append(test.remarks, f)
		} else {
			test.failures = append(test.failures, f)
		}
	}
	for _, s := range r.Suppressed {
		test := of(s.Finding)
		test.suppressed = append(test.suppressed, s)
	}
	for _, i := range r.Inconclusive {
		test := byRule(i.Rule)
		test.inconclusive = append(test.inconclusive, i)
	}
	for _, name := range r.Passed {
		if r.Command == "lint" {
			at(r.Command, name)
		} else {
			byRule(name)
		}
	}
	tests := make([]*junitTest, 0, len(byID))
	for _, test := range byID {
		tests = append(tests, test)
	}
	slices.SortFunc(tests, func(a, b *junitTest) int {
		return cmp.Or(strings.Compare(a.class, b.class), strings.Compare(a.name, b.name))
	})
	return tests
}

func (t *junitTest) result(r Results) junitCase {
	c := junitCase{Classname: t.class, Name: t.name}
	for _, f := range append(slices.Clone(t.failures), t.remarks...) {
		if len(f.Places) > 0 {
			c.File, c.Line = xmlText(f.Places[0].File), f.Places[0].Line
			break
		}
	}
	var skipped, output []string
	for _, f := range t.remarks {
		output = append(output, junitText(f, r))
	}
	for _, s := range t.suppressed {
		reason := "suppressed by " + s.By + ": " + s.Reason
		skipped = append(skipped, xmlText(reason))
		output = append(output, xmlText(reason)+"\n"+junitText(s.Finding, r))
	}
	for _, i := range t.inconclusive {
		skipped = append(skipped, xmlText("evidence is missing: "+strings.Join(i.Missing, "; ")))
	}
	if len(output) > 0 {
		c.Output = &junitOutput{strings.Join(output, "\n")}
	}
	switch {
	case len(t.failures) > 0:
		c.Failure = &junitOutcome{Message: xmlText(r.message(t.failures[0]))}
		if more := len(t.failures) - 1; more > 0 {
			c.Failure.Message += fmt.Sprintf(" (and %d more)", more)
		}
		var bodies []string
		for _, f := range t.failures {
			if f.Severity.AtLeast(c.Failure.Type) {
				c.Failure.Type = f.Severity
			}
			bodies = append(bodies, junitText(f, r))
		}
		c.Failure.Body = strings.Join(bodies, "\n")
	case len(skipped) > 0:
		c.Skipped = &junitOutcome{Message: strings.Join(skipped, "; ")}
	}
	return c
}

// xmlText is text on one line of the characters that XML 1.0 allows (production
// Char); of those that it does not, printable leaves two.
func xmlText(text string) string {
	return strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`).Replace(printable.Text(text))
}

// junitText is a finding as lines of text.
func junitText(f advisor.Finding, r Results) string {
	var b strings.Builder
	for _, place := range f.Places {
		fmt.Fprintf(&b, "%s: ", xmlText(place.String()))
	}
	fmt.Fprintf(&b, "%s: %s: %s\n", f.Severity, xmlText(f.Rule), xmlText(r.message(f)))
	for _, place := range f.Places {
		if place.Text != "" {
			fmt.Fprintf(&b, "    %s\n", xmlText(place.Text))
		}
	}
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "seen: %s\n", xmlText(fmt.Sprintf("%s = %s (%s)", e.Fact, e.Value, e.Source)))
	}
	for _, part := range []struct{ label, text string }{{"why", f.Why}, {"fix", f.Fix}} {
		if part.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", part.label, xmlText(paragraph(part.text)))
		}
	}
	return b.String()
}
