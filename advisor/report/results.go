package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// Results are what check, lint and drift have in common, for the formats that
// other programs read.
type Results struct {
	Command string // "check", "lint" or "drift"
	Version string // of tcptune
	// Subject is what was looked at, in one line.
	Subject string
	// Kernels are those for which files were judged, if they were for any.
	Kernels      []string
	Rules        rules.Set // by which it was judged
	Findings     []advisor.Finding
	Suppressed   []advisor.Suppressed
	Inconclusive []advisor.Inconclusive
	// Passed names what was looked at and is as it should be: rules or, of a lint,
	// files.
	Passed []string
}

// ResultsOf are the results of a check. A difference from the profile is a
// finding of the rule "profile/NAME".
func ResultsOf(r advisor.Report, set rules.Set, version string) Results {
	results := Results{Command: "check", Version: version, Subject: heading(r), Rules: set,
		Findings: slices.Clone(r.Findings), Inconclusive: r.Inconclusive, Passed: r.Silent}
	if r.Profile == nil {
		return results
	}
	name := "profile/" + r.Profile.Name
	for _, d := range r.Profile.Differs {
		results.Findings = append(results.Findings, advisor.Finding{
			Rule: name, Severity: rules.Warning, Confidence: advisor.Certain, Title: "A parameter is not as the profile wants it",
			Message:  fmt.Sprintf("%s is %s, wanted %s", d.Key, spaced(d.Value), d.Wanted),
			Evidence: []advisor.Evidence{{Fact: facts.Name(d.Key), Value: string(d.Value)}},
			Why:      d.Why, Fix: "'tcptune apply --profile " + r.Profile.Name + "' sets it.",
		})
	}
	if len(r.Profile.Differs) == 0 {
		results.Passed = append(slices.Clone(r.Silent), name)
	}
	return results
}

// Count is how many findings have a severity.
func (r Results) Count(s rules.Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// message is what a finding says, and for which kernels if not for all.
func (r Results) message(f advisor.Finding) string {
	if len(f.Kernels) == 0 || len(f.Kernels) == len(r.Kernels) {
		return f.Message
	}
	return f.Message + " (Linux " + strings.Join(f.Kernels, ", ") + ")"
}

// byGravity lists the severities, gravest first.
func byGravity() []rules.Severity {
	severities := slices.Clone(rules.Severities)
	slices.Reverse(severities)
	return severities
}

// parameter is the parameter that a finding is about, if it is about one.
func parameter(f advisor.Finding) (sysctl.Key, bool) {
	for _, s := range f.Suggest {
		return s.Key, true
	}
	for _, e := range f.Evidence {
		if param, ok := sysctl.Lookup(sysctl.Key(e.Fact)); ok {
			return param.Key, true
		}
	}
	return "", false
}

// group is the first part of a rule's name.
func group(rule string) string {
	first, _, _ := strings.Cut(rule, "/")
	return first
}

// pages is where the pages of the built-in rules stand.
const pages = "https://github.com/tcptune/tcptune/blob/main/docs/rules/"

// pageURL is the address of a rule's page, or "" if it is not one of tcptune's
// own.
func pageURL(r rules.Rule) string {
	if !r.IsBuiltIn() {
		return ""
	}
	return pages + r.Name + ".md"
}

// paragraph is text without the line ends of the file that it comes from.
func paragraph(text string) string { return strings.Join(strings.Fields(text), " ") }
