package lint

import (
	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/rules"
)

// ReportSchema is the version of the report's form in JSON
// (docs/lint.schema.json).
const ReportSchema = 1

// A Report is the results of many units together.
type Report struct {
	Schema     int                  `json:"schema"`
	Kernels    []string             `json:"kernels"`
	Files      int                  `json:"files"`
	Findings   []advisor.Finding    `json:"findings"`
	Suppressed []advisor.Suppressed `json:"suppressed"`
	// Unread are files that could not be read or understood, Skipped what may set
	// a parameter and was not judged.
	Unread  []Remark `json:"unread"`
	Skipped []Remark `json:"skipped"`
	// Clean names the files without a finding.
	Clean []string `json:"-"`
}

// NewReport is the report of a linter for no files yet.
func (l *Linter) NewReport() *Report {
	r := &Report{Schema: ReportSchema, Kernels: []string{}, Findings: []advisor.Finding{}, Suppressed: []advisor.Suppressed{}, Unread: []Remark{}, Skipped: []Remark{}}
	for _, t := range l.targets {
		r.Kernels = append(r.Kernels, t.Name)
	}
	return r
}

// Add takes the results of one more unit.
func (r *Report) Add(result Result) {
	r.Files += result.Files
	r.Findings = append(r.Findings, result.Findings...)
	r.Suppressed = append(r.Suppressed, result.Suppressed...)
	r.Unread = append(r.Unread, result.Unread...)
	r.Skipped = append(r.Skipped, result.Skipped...)
	r.Clean = append(r.Clean, result.Clean...)
}

// Count is how many of the findings have a severity.
func Count(findings []advisor.Finding, s rules.Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}
