package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tomlfile"
	"github.com/tcptune/tcptune/sysctl"
)

// An Example is a test of its rule and shows a reader what it is about.
type Example struct {
	Note    string
	Verdict Verdict
	Facts   facts.Facts
	line    int
}

// exampleKernel is where an example plays that names none.
const exampleKernel = "6.12"

// exampleText is an example as the file has it. What is below Given and Missing
// is free in form.
type exampleText struct {
	Note    string         `toml:"note"`
	Verdict string         `toml:"verdict"`
	Kernel  string         `toml:"kernel"`
	Given   map[string]any `toml:"given"`
	Missing map[string]any `toml:"missing"`
}

// Examples reads the rule's examples. They stand at the end of its file.
func (r Rule) Examples() ([]Example, error) {
	text := r.text()
	_, tail, found := strings.Cut(text, exampleMark)
	if !found {
		return nil, nil
	}
	// Empty lines in place of the head keep the line numbers of errors.
	above := strings.Repeat("\n", strings.Count(text, "\n")-strings.Count(tail, "\n")-1)
	var doc struct {
		Examples []exampleText `toml:"example"`
	}
	if err := tomlfile.Decode(above+exampleMark+tail, &doc, "given", "missing"); err != nil {
		return nil, err
	}
	examples := make([]Example, len(doc.Examples))
	for i, given := range doc.Examples {
		e, err := given.example()
		e.line = tomlfile.Line(text, "[[example]]", i)
		if err != nil {
			return nil, fmt.Errorf("line %d: example %q: %w", e.line, given.Note, err)
		}
		examples[i] = e
	}
	return examples, nil
}

func (text exampleText) example() (Example, error) {
	e := Example{Note: text.Note, Verdict: Verdict(text.Verdict)}
	if !slices.Contains([]Verdict{Fires, Silent, Inconclusive, NotApplicable}, e.Verdict) {
		return e, fmt.Errorf("verdict %q is none of fires, silent, inconclusive, not applicable", text.Verdict)
	}
	kernel := text.Kernel
	if kernel == "" {
		kernel = exampleKernel
	}
	release, err := sysctl.ParseRelease(kernel)
	if err != nil {
		return e, err
	}
	contents, gaps := map[facts.Name]any{}, map[facts.Name]facts.Gap{}
	for name, content := range facts.Flatten(text.Given) {
		def, known := facts.Schema()[name]
		if !known {
			return e, fmt.Errorf("no fact is called %s", name)
		}
		coerced, fits := facts.Coerce(def, content)
		if !fits {
			return e, fmt.Errorf("%s is a %s, not %v", name, def.Kind, content)
		}
		contents[name] = coerced
	}
	for name, cause := range facts.Flatten(text.Missing) {
		if _, known := facts.Schema()[name]; !known {
			return e, fmt.Errorf("no fact is called %s", name)
		}
		c := sysctl.Cause(fmt.Sprint(cause))
		if !slices.Contains(sysctl.Causes, c) {
			return e, fmt.Errorf("missing: %q is no cause; there are %q", c, sysctl.Causes)
		}
		gaps[name] = facts.Gap{Cause: c}
	}
	e.Facts = facts.Given(release, contents, gaps)
	return e, nil
}
