package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// SARIF writes a log of SARIF 2.1.0, the Static Analysis Results Interchange
// Format (OASIS).
func SARIF(w io.Writer, r Results) error {
	b := sarifBuilder{of: r, index: map[string]int{}, seen: map[string]int{},
		run: sarifRun{
			Tool:              sarifTool{sarifDriver{Name: "tcptune", Version: r.Version, InformationURI: "https://github.com/tcptune/tcptune", Rules: []sarifRule{}}},
			AutomationDetails: sarifAutomation{"tcptune/" + r.Command + "/"},
			// Places count characters.
			ColumnKind: "unicodeCodePoints",
			BaseIDs:    map[string]sarifBase{sourceRoot: {sarifText{"the folder in which tcptune ran"}}},
			Results:    []sarifResult{},
		}}
	for _, f := range r.Findings {
		b.add(b.result(f))
	}
	for _, s := range r.Suppressed {
		result := b.result(s.Finding)
		kind := "external"
		if s.By == "comment" {
			kind = "inSource"
		}
		result.Suppressions = []sarifSuppression{{kind, s.Reason}}
		b.add(result)
	}
	for _, i := range r.Inconclusive {
		f := advisor.Finding{Rule: i.Rule, Severity: i.Severity, Title: i.Title, Message: "evidence is missing: " + strings.Join(i.Missing, "; ")}
		if rule, known := r.Rules.Get(i.Rule); known {
			f.Why, f.Fix, f.References = rule.Why, rule.Fix, rule.References
		}
		result := b.result(f)
		result.Kind, result.Level = "open", "none" // section 3.27.9: too little information to decide
		b.add(result)
	}
	return printable.JSON(w, sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{b.run}})
}

const sourceRoot = "%SRCROOT%"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool sarifTool `json:"tool"`
	// AutomationDetails keep the results of one command apart from those of
	// another.
	AutomationDetails sarifAutomation      `json:"automationDetails"`
	ColumnKind        string               `json:"columnKind"`
	BaseIDs           map[string]sarifBase `json:"originalUriBaseIds"`
	Results           []sarifResult        `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifBase struct {
	Description sarifText `json:"description"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID               string              `json:"id"`
	ShortDescription sarifText           `json:"shortDescription"`
	FullDescription  *sarifText          `json:"fullDescription,omitempty"`
	Help             *sarifHelp          `json:"help,omitempty"`
	HelpURI          string              `json:"helpUri,omitempty"`
	Default          sarifDefault        `json:"defaultConfiguration"`
	Properties       sarifRuleProperties `json:"properties"`
}

type sarifHelp struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown"`
}

type sarifDefault struct {
	Level string `json:"level"`
}

type sarifRuleProperties struct {
	Tags    []string `json:"tags"`
	Kernels string   `json:"kernels,omitempty"` // on which the rule is true
}

type sarifResult struct {
	RuleID       string                `json:"ruleId"`
	RuleIndex    int                   `json:"ruleIndex"`
	Kind         string                `json:"kind,omitempty"`
	Level        string                `json:"level"`
	Message      sarifText             `json:"message"`
	Locations    []sarifLocation       `json:"locations"`
	Related      []sarifLocation       `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string     `json:"partialFingerprints"`
	Suppressions []sarifSuppression    `json:"suppressions,omitempty"`
	Properties   sarifResultProperties `json:"properties"`
}

type sarifResultProperties struct {
	Severity   rules.Severity     `json:"severity"`
	Confidence advisor.Confidence `json:"confidence,omitempty"`
	Kernels    []string           `json:"kernels,omitempty"` // for which the finding holds
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
	Context  *sarifRegion  `json:"contextRegion,omitempty"`
}

type sarifArtifact struct {
	URI    string `json:"uri"`
	BaseID string `json:"uriBaseId,omitempty"`
}

type sarifRegion struct {
	StartLine   int        `json:"startLine"`
	StartColumn int        `json:"startColumn,omitempty"`
	EndColumn   int        `json:"endColumn,omitempty"`
	Snippet     *sarifText `json:"snippet,omitempty"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification,omitempty"`
}

type sarifBuilder struct {
	of    Results
	run   sarifRun
	index map[string]int // of rules
	seen  map[string]int // fingerprints, by file
}

func (b *sarifBuilder) add(result sarifResult) { b.run.Results = append(b.run.Results, result) }

func (b *sarifBuilder) result(f advisor.Finding) sarifResult {
	result := sarifResult{RuleID: f.Rule, RuleIndex: b.rule(f), Level: level(f.Severity), Message: sarifMessage(b.of.message(f)),
		Properties: sarifResultProperties{f.Severity, f.Confidence, f.Kernels}}
	for i, place := range f.Places {
		location := sarifLocation{Physical: physical(place)}
		if i == 0 {
			result.Locations = append(result.Locations, location)
			continue
		}
		location.Message = &sarifText{"it is about this line, too"}
		result.Related = append(result.Related, location)
	}
	about := ""
	if len(f.Places) == 0 {
		location := ofHost(f)
		about = location.Logical[0].FullyQualifiedName
		result.Locations = []sarifLocation{location}
	}
	result.Fingerprints = map[string]string{"tcptune/v1": b.fingerprint(f, about)}
	return result
}

// ofHost is where a finding about the host stands: GitHub refuses a whole log if
// one result has no file, so it is the parameter's or, of others, the kernel's
// folder of the network.
func ofHost(f advisor.Finding) sarifLocation {
	if key, ok := parameter(f); ok {
		return sarifLocation{Physical: sarifPhysical{Artifact: artifact("/proc/sys/" + key.Path())}, Logical: []sarifLogical{{string(key)}}}
	}
	return sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{URI: "file:///proc/net/"}}, Logical: []sarifLogical{{"host"}}}
}

// rule is the index of a finding's rule.
func (b *sarifBuilder) rule(f advisor.Finding) int {
	if i, known := b.index[f.Rule]; known {
		return i
	}
	known, _ := b.of.Rules.Get(f.Rule)
	described := sarifRule{ID: f.Rule, ShortDescription: sarifMessage(f.Title), HelpURI: pageURL(known), Default: sarifDefault{level(f.Severity)},
		Properties: sarifRuleProperties{[]string{group(f.Rule)}, known.Kernels.String()}}
	if f.Why != "" {
		why := sarifMessage(paragraph(f.Why))
		described.FullDescription = &why
	}
	if f.Fix != "" {
		text, marked := paragraph(f.Fix), markdown(f.Fix)
		if len(f.References) > 0 {
			text += "\n\nSources:\n" + strings.Join(f.References, "\n")
			marked += "\n\nSources:\n\n" + markdownList(f.References)
		}
		described.Help = &sarifHelp{sarifMessage(text).Text, braces.Replace(marked)}
	}
	i := len(b.run.Tool.Driver.Rules)
	b.index[f.Rule] = i
	b.run.Tool.Driver.Rules = append(b.run.Tool.Driver.Rules, described)
	return i
}

// fingerprint tells a finding from others of its file, and stays when lines move.
func (b *sarifBuilder) fingerprint(f advisor.Finding, about string) string {
	file := ""
	if len(f.Places) > 0 {
		file, about = f.Places[0].File, strings.TrimSpace(f.Places[0].Text)
	}
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + about))
	print := hex.EncodeToString(sum[:16])
	b.seen[file+"\x00"+print]++
	return fmt.Sprintf("%s:%d", print, b.seen[file+"\x00"+print])
}

func level(s rules.Severity) string {
	if s == rules.Info {
		return "note"
	}
	return string(s)
}

func physical(p facts.Place) sarifPhysical {
	at := sarifPhysical{Artifact: artifact(p.File)}
	if p.Line == 0 {
		return at
	}
	line := &sarifRegion{StartLine: p.Line}
	if p.Text != "" {
		line.Snippet = &sarifText{p.Text}
	}
	at.Region = line
	if p.Column == 0 {
		return at
	}
	at.Region = &sarifRegion{StartLine: p.Line, StartColumn: p.Column, EndColumn: p.EndColumn}
	if text := []rune(p.Text); p.Column < p.EndColumn && p.EndColumn <= len(text)+1 {
		at.Region.Snippet = &sarifText{string(text[p.Column-1 : p.EndColumn-1])}
		if p.EndColumn-p.Column < len(text) { // section 3.29.5: the context holds more than the region
			at.Context = line
		}
	}
	return at
}

// artifact names a file: one of the tree in which tcptune ran by its path from
// there, any other as it is.
func artifact(file string) sarifArtifact {
	path := filepath.Clean(file)
	switch {
	case filepath.IsAbs(path):
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: path}).String()}
	case path == ".." || strings.HasPrefix(path, "../"):
		return sarifArtifact{URI: (&url.URL{Path: path}).String()}
	}
	return sarifArtifact{URI: (&url.URL{Path: path}).String(), BaseID: sourceRoot}
}

var (
	braces   = strings.NewReplacer("{", "{{", "}", "}}")
	brackets = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`)
)

// sarifMessage is a text without what would be a placeholder or a link (sections
// 3.11.5 and 3.11.6).
func sarifMessage(text string) sarifText {
	if strings.Contains(text, "](") {
		text = brackets.Replace(text)
	}
	return sarifText{braces.Replace(text)}
}
