package report

import (
	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/rules"
)

// Results are what check, lint and drift have in common, for the formats that
// other programs read.
type Results struct {
	Command string // "check", "lint" or "drift"
	Version string // of tcptune
	// Subject is what was looked at, in one line.
	Subject      string
	Rules        rules.Set // by which it was judged
	Findings     []advisor.Finding
	Suppressed   []advisor.Suppressed
	Inconclusive []advisor.Inconclusive
	// Passed names what was looked at and is as it should be: rules or, of a lint,
	// files.
	Passed []string
}
