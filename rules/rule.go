package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// A Rule is one thing that can be wrong.
type Rule struct {
	Name     string
	Origin   string // the file it was read from, below "built in" for those in the program
	Title    string
	Severity Severity
	// Group is the group of facts that the rule asks, if it is about each of many
	// things ([facts.Groups]); "" if it is about the host.
	Group string
	// Kernels limits the rule to those on which it is true.
	Kernels sysctl.Releases
	// When lists conditions all of which must hold; Any, conditions of which one
	// must, if there are any.
	When, Any []facts.Expr
	Message   facts.Template // one sentence, with the number and the limit
	Why       string         // what happens, and what the parameter really does
	Fix       string         // what to do, and what not
	Suggest   []Suggestion
	// Repair says what may be done, without asking anybody, to a line that the
	// rule finds fault with; "" for nothing.
	Repair Repair
	// RedundantWith names rules, or patterns of names, whose finding says all that
	// this one would; of a rule about lines, whose finding about the same line.
	RedundantWith []string
	References    []string

	text func() string // of its file, for the examples
}

// A Suggestion is a parameter's better value, a number or several.
type Suggestion struct {
	Key    sysctl.Key
	Fields []facts.Expr
}

// A Repair is a change to a line that is safe wherever the rule fires.
type Repair string

// CommentOut: without the line nothing that is in effect changes, or what does
// was never right.
const CommentOut Repair = "comment out"

// IsBuiltIn reports whether the rule is one of the program's own.
func (r Rule) IsBuiltIn() bool { return strings.HasPrefix(r.Origin, BuiltIn+"/") }

// YieldsTo reports whether the rule's finding is redundant where the other rule
// has one.
func (r Rule) YieldsTo(other string) bool {
	return slices.ContainsFunc(r.RedundantWith, func(pattern string) bool {
		match, _ := path.Match(pattern, other)
		return match
	})
}

// Needs are the facts on which the rule's judgement rests.
func (r Rule) Needs() []facts.Name {
	var needs []facts.Name
	for _, e := range append(append([]facts.Expr{}, r.When...), r.Any...) {
		needs = append(needs, e.Needs()...)
	}
	return needs
}
