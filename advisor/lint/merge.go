package lint

import (
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
)

// A merger makes one finding of what a rule says about a line on several
// kernels.
type merger struct {
	kernels []string // all that were judged, so far
	order   []*merged
	byID    map[string]*merged
}

type merged struct {
	finding advisor.Finding // as it is for the first kernel
	parts   [][]string      // of the message, by kernel
}

// add takes the conclusions for one kernel. What rests on no line is left out:
// it is true of every host with that kernel.
func (m *merger) add(kernel string, conclusions []advisor.Conclusion) {
	if m.byID == nil {
		m.byID = map[string]*merged{}
	}
	m.kernels = append(m.kernels, kernel)
	for _, c := range conclusions {
		found := advisor.NewFinding(c.Rule, c.Opinion)
		if len(found.Places) == 0 {
			continue
		}
		id := found.Rule + "\x00" + found.Places[0].String()
		one := m.byID[id]
		if one == nil {
			one = &merged{finding: found}
			m.byID[id] = one
			m.order = append(m.order, one)
		}
		if !slices.Contains(one.finding.Kernels, kernel) {
			one.finding.Kernels = append(one.finding.Kernels, kernel)
			one.parts = append(one.parts, c.Rule.Message.Parts(c.Opinion.Facts))
		}
	}
}

func (m *merger) findings() []advisor.Finding {
	all := make([]advisor.Finding, len(m.order))
	for i, one := range m.order {
		all[i] = one.finding
		all[i].Message = one.message(m.kernels)
	}
	return all
}

// message is the rule's sentence. What differs from kernel to kernel stands in
// it with the kernels for which it holds.
func (m *merged) message(judged []string) string {
	var b strings.Builder
	for i := range m.parts[0] {
		b.WriteString(m.part(i, judged))
	}
	return b.String()
}

func (m *merged) part(i int, judged []string) string {
	var values []string
	kernels := map[string][]string{}
	for k, parts := range m.parts {
		if !slices.Contains(values, parts[i]) {
			values = append(values, parts[i])
		}
		kernels[parts[i]] = append(kernels[parts[i]], m.finding.Kernels[k])
	}
	switch {
	case len(values) == 1:
		return values[0]
	case slices.Equal(values, m.finding.Kernels): // the kernel itself
		return span(values, judged)
	}
	for v, value := range values {
		values[v] = value + " on " + span(kernels[value], judged)
	}
	return strings.Join(values, ", ")
}

// span names kernels for a sentence: neighbours among those judged as "A to B".
func span(some, judged []string) string {
	last := len(some) - 1
	if first := slices.Index(judged, some[0]); last >= 2 && slices.Equal(judged[first:min(first+len(some), len(judged))], some) {
		return some[0] + " to " + some[last]
	}
	if last < 1 {
		return strings.Join(some, "")
	}
	return strings.Join(some[:last], ", ") + " and " + some[last]
}
