package rules

import "fmt"

// Severity grades a finding. The same words are printed and parsed.
type Severity string

const (
	Info    Severity = "info"    // worth knowing; nothing is wrong
	Warning Severity = "warning" // wrong, wasteful or risky; works for now
	Error   Severity = "error"   // breaks connections, now or when it matters
)

// Severities lists them, least first.
var Severities = []Severity{Info, Warning, Error}

// ParseSeverity reads a severity's word.
func ParseSeverity(text string) (Severity, error) {
	for _, s := range Severities {
		if text == string(s) {
			return s, nil
		}
	}
	return "", fmt.Errorf("%q is not a severity; want info, warning or error", text)
}

// AtLeast reports whether s is as grave as o, or graver.
func (s Severity) AtLeast(o Severity) bool { return s.rank() >= o.rank() }

func (s Severity) rank() int {
	for i, known := range Severities {
		if s == known {
			return i
		}
	}
	return -1
}
