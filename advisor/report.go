package advisor

import (
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// ReportSchema is the version of the report's form in JSON
// (docs/report.schema.json).
const ReportSchema = 1

// A Report is what tcptune has to say about a host. The same snapshot, rules and
// profile give the same report on any machine.
type Report struct {
	Schema    int             `json:"schema"`
	Kernel    sysctl.Release  `json:"kernel"`
	Vendor    string          `json:"vendor,omitempty"`
	Namespace facts.Namespace `json:"namespace"`
	// WindowSeconds is how long the counters were watched; 0 if they were read
	// once, and then they count since boot.
	WindowSeconds float64 `json:"window_seconds"`
	States        []State `json:"states"`
	StatesFrom    string  `json:"states_from"` // how they were counted, or why not
	// Turnover is how fast sockets pass through states, as far as that is known
	// from a window; none without one.
	Turnover []Evidence `json:"turnover,omitempty"`
	Headroom []Headroom `json:"headroom"`
	// Findings are ordered by severity, gravest first, then by rule.
	Findings     []Finding      `json:"findings"`
	Inconclusive []Inconclusive `json:"inconclusive"`
	// Redundant findings say nothing that another one does not.
	Redundant     []Redundant     `json:"redundant"`
	NotApplicable []NotApplicable `json:"not_applicable"`
	Silent        []string        `json:"silent"`
	Profile       *ProfileStatus  `json:"profile,omitempty"`
}

// State is a row of the table of sockets.
type State struct {
	State string `json:"state"`
	IPv4  int64  `json:"ipv4"`
	IPv6  int64  `json:"ipv6"`
	// Either are those that the kernel counts without telling the family.
	Either int64 `json:"either"`
	// Server are those on the server's side, of all families; nil if that was not
	// looked at.
	Server *int64 `json:"server,omitempty"`
	// Governs names the parameters that act on leaving the state, or the program.
	Governs string `json:"governs"`
}

// All are the sockets of all families.
func (s State) All() int64 { return s.IPv4 + s.IPv6 + s.Either }

// Headroom is how much of a limit is used.
type Headroom struct {
	What    string `json:"what"`
	Used    int    `json:"used"`
	Limit   int    `json:"limit"`
	Percent int    `json:"percent"`
	Governs string `json:"governs"`
	Note    string `json:"note,omitempty"`
	// Unknown says why there are no numbers.
	Unknown string `json:"unknown,omitempty"`
}

// Confidence is how sure a finding is.
type Confidence string

const (
	// Certain: seen as it is now.
	Certain Confidence = "certain"
	// SinceBootOnly: it rests on counts since boot; what they saw may be over.
	SinceBootOnly Confidence = "since boot only"
)

// A Finding is a rule that fired.
type Finding struct {
	Rule       string         `json:"rule"`
	Severity   rules.Severity `json:"severity"`
	Confidence Confidence     `json:"confidence"`
	Title      string         `json:"title"`
	Message    string         `json:"message"`
	// Places are the lines of files that the finding is about, if it is about
	// any.
	Places []facts.Place `json:"places,omitempty"`
	// Kernels are those for which it holds, where files were judged for several.
	Kernels    []string     `json:"kernels,omitempty"`
	Evidence   []Evidence   `json:"evidence"`
	Why        string       `json:"why"`
	Fix        string       `json:"fix"`
	Suggest    []Suggestion `json:"suggest"`
	References []string     `json:"references"`
}

// A Suppressed finding is one that somebody has decided to live with.
type Suppressed struct {
	Finding
	// By is "comment" for a line in the file itself, or "baseline".
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Evidence is one fact on which a finding rests.
type Evidence struct {
	Fact   facts.Name `json:"fact"`
	Value  string     `json:"value"`
	Source string     `json:"source"`
}

// A Suggestion is a better value for a parameter.
type Suggestion struct {
	Key  sysctl.Key   `json:"key"`
	From sysctl.Value `json:"from"`
	To   sysctl.Value `json:"to"`
}

// Inconclusive is a rule that lacked evidence.
type Inconclusive struct {
	Rule     string         `json:"rule"`
	Severity rules.Severity `json:"severity"` // that a finding would have had
	Title    string         `json:"title"`
	Missing  []string       `json:"missing"`
}

// Redundant is a finding that is left out in favour of another.
type Redundant struct {
	Rule string `json:"rule"`
	By   string `json:"by"`
}

// NotApplicable is a rule about something that does not exist here.
type NotApplicable struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// ProfileStatus compares a host with a profile.
type ProfileStatus struct {
	Name    string        `json:"name"`
	Met     int           `json:"met"`
	Differs []Difference  `json:"differs"`
	Skipped []SkippedWant `json:"skipped"`
}

// Difference is a parameter that is not as the profile wants it.
type Difference struct {
	Key    sysctl.Key   `json:"key"`
	Wanted string       `json:"wanted"`
	Value  sysctl.Value `json:"value"`
	Why    string       `json:"why"`
}

// SkippedWant is a want that this host cannot have.
type SkippedWant struct {
	Key    sysctl.Key `json:"key"`
	Reason string     `json:"reason"`
}

// Judged is how many rules came to a verdict, of how many that apply here.
func (r Report) Judged() (judged, all int) {
	judged = len(r.Findings) + len(r.Redundant) + len(r.Silent)
	return judged, judged + len(r.Inconclusive)
}

// Worst is the gravest severity among the findings, a difference from the
// profile counting as a warning; "" if there are none.
func (r Report) Worst() rules.Severity {
	worst := rules.Severity("")
	for _, f := range r.Findings {
		if f.Severity.AtLeast(worst) {
			worst = f.Severity
		}
	}
	if r.Profile != nil && len(r.Profile.Differs) > 0 && rules.Warning.AtLeast(worst) {
		worst = rules.Warning
	}
	return worst
}
