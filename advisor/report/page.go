package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// Page writes a rule's page of the documentation, in Markdown.
func Page(w io.Writer, r rules.Rule) error {
	examples, err := r.Examples()
	if err != nil {
		return err
	}
	var b strings.Builder
	block := func(text string) { b.WriteString(text + "\n\n") }
	block("# " + markdown(r.Title))
	block(fmt.Sprintf("%s · %s · %s", code(r.Name), r.Severity, kernels(r)))

	block("## When it fires")
	if len(r.When) > 0 {
		block(markdownCode(r.When))
	}
	if len(r.Any) > 0 {
		lead := "One of these holds:"
		if len(r.When) > 0 {
			lead = "And one of these:"
		}
		block(lead)
		block(markdownCode(r.Any))
	}
	needs := r.Needs()
	slices.Sort(needs)
	needs = slices.Compact(needs)
	meanings := [][]string{{"fact", "what it is"}}
	for _, name := range needs {
		meanings = append(meanings, []string{code(string(name)), markdown(facts.Schema()[name].Doc)})
	}
	block(markdownTable(meanings))

	block("## What it says")
	block(code(r.Message.String()))
	block("## Why")
	block(markdown(r.Why))
	block("## What to do")
	block(markdown(r.Fix))
	for _, s := range r.Suggest {
		words := make([]string, len(s.Fields))
		for i, field := range s.Fields {
			words[i] = field.String()
		}
		block("It suggests " + code(string(s.Key)+" = "+strings.Join(words, " ")) + ".")
	}
	if r.Repair == rules.CommentOut {
		block("'tcptune lint --fix' comments the line out.")
	}
	if len(r.RedundantWith) > 0 {
		others := make([]string, len(r.RedundantWith))
		for i, other := range r.RedundantWith {
			others[i] = code(other)
		}
		block("It is left out where one of these speaks: " + strings.Join(others, ", ") + ".")
	}

	block("## Examples")
	told := append(slices.Clone(needs), r.Message.Needs()...)
	slices.Sort(told)
	told = slices.Compact(told)
	shown := [][]string{{"example", "Linux", "facts", "verdict"}}
	for _, e := range examples {
		shown = append(shown, []string{markdown(e.Note), e.Facts.Kernel.String(), strings.Join(given(e, needs, told), "<br>"), string(e.Verdict)})
	}
	block(markdownTable(shown))
	block("## Sources")
	b.WriteString(markdownList(r.References) + "\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// PageIndex writes the list of the rules' pages, by group.
func PageIndex(w io.Writer, all []rules.Rule) error {
	var b strings.Builder
	b.WriteString("# Rules\n\nWhat tcptune judges by. 'tcptune explain RULE' tells the same of any rule, a site's own included.\n")
	for len(all) > 0 {
		name := group(all[0].Name)
		end := slices.IndexFunc(all, func(r rules.Rule) bool { return group(r.Name) != name })
		if end < 0 {
			end = len(all)
		}
		rows := [][]string{{"rule", "severity", "kernels", "what is wrong"}}
		for _, r := range all[:end] {
			rows = append(rows, []string{fmt.Sprintf("[%s](%s.md)", r.Name, r.Name), string(r.Severity), kernels(r), markdown(r.Title)})
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, markdownTable(rows))
		all = all[end:]
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func kernels(r rules.Rule) string {
	if text := r.Kernels.String(); text != "" {
		return "Linux " + code(text)
	}
	return "every Linux"
}

// given is what an example says of the facts told, and which of those needed are
// missing.
func given(e rules.Example, needs, told []facts.Name) []string {
	var lines []string
	for _, name := range told {
		switch v := e.Facts.Get(name); {
		case v.Missing == nil:
			lines = append(lines, code(string(name)+" = "+facts.Format(v.Content)))
		case v.Missing.Cause != sysctl.NotMeasured || e.Verdict == rules.Inconclusive && slices.Contains(needs, name):
			lines = append(lines, code(string(name))+": "+markdown(v.Missing.String()))
		}
	}
	return lines
}
