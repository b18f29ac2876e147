package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// State explains a TCP state.
func (t Text) State(w io.Writer, info tcpstate.Info) error {
	p := t.printer(w)
	p.raw(p.bold(info.Name))
	p.field("means", info.Meaning)
	p.field("side", info.Side)
	p.field("ends by", info.Leaves)
	for _, key := range info.Governs {
		param, _ := sysctl.Lookup(key)
		p.field("governs", string(key)+": "+param.Meaning)
	}
	if len(info.Governs) == 0 {
		p.field("governs", "no parameter")
	}
	p.field("program", info.Program)
	return p.err
}

// Rule explains a rule.
func (t Text) Rule(w io.Writer, r rules.Rule) error {
	p := t.printer(w)
	p.raw(p.bold(r.Name) + "  " + p.severity(r.Severity) + "  (" + printable.Text(r.Origin) + ")")
	p.field("", r.Title)
	if kernels := r.Kernels.String(); kernels != "" {
		p.field("kernels", kernels)
	}
	for _, e := range r.When {
		p.field("when", e.String())
	}
	for i, e := range r.Any {
		label := "or"
		if i == 0 {
			label = "one of"
		}
		p.field(label, e.String())
	}
	p.field("says", r.Message.String())
	p.field("why", r.Why)
	p.field("fix", r.Fix)
	for _, s := range r.Suggest {
		words := make([]string, len(s.Fields))
		for i, field := range s.Fields {
			words[i] = field.String()
		}
		p.field("set", fmt.Sprintf("%s = %s", s.Key, strings.Join(words, " ")))
	}
	for _, other := range r.RedundantWith {
		p.field("yields", "to "+other)
	}
	for _, ref := range r.References {
		p.field("source", ref)
	}
	return p.err
}

// Fact explains a fact.
func (t Text) Fact(w io.Writer, def facts.Def) error {
	p := t.printer(w)
	p.raw(p.bold(string(def.Name)))
	p.field("is", def.Doc)
	p.field("kind", string(def.Kind))
	return p.err
}

// Parameter explains a parameter, on the host of the snapshot and in general.
func (t Text) Parameter(w io.Writer, param sysctl.Param, s *facts.Snapshot, rulesOnIt []string) error {
	p := t.printer(w)
	p.raw(p.bold(string(param.Key)))
	p.field("is", param.Meaning)
	reading := s.Sysctls[param.Key]
	here := spaced(reading.Value)
	if reading.Absent != "" {
		here = facts.Gap{Cause: reading.Absent, Detail: reading.Detail}.String()
	}
	p.field("here", here)
	p.field("default", defaultOf(param, s))
	p.field("unit", string(param.Unit))
	p.field("sane", param.Sane.String())
	if accepted, known := param.Accepted(s.Kernel); known && accepted != param.Sane {
		p.field("accepts", accepted.String()+", whether it makes sense or not")
	}
	if kernels := (sysctl.ReleasesBetween(param.Since, param.Until)).String(); kernels != "" {
		p.field("kernels", kernels)
	}
	p.field("scope", scope(param, s.Kernel))
	p.field("acts", string(param.Acts))
	if param.Override != "" {
		p.field("program", "can decide for itself: "+param.Override)
	}
	if param.Instead != "" {
		p.field("note", param.Instead)
	}
	p.seconds(param, s)
	for _, name := range rulesOnIt {
		p.field("rule", name)
	}
	for _, source := range param.Sources {
		p.field("source", source)
	}
	return p.err
}

// defaultOf is the default on the snapshot's host, and the rule by which the
// kernel computes it.
func defaultOf(param sysctl.Param, s *facts.Snapshot) string {
	host := s.SizingHost()
	text := param.DefaultText(host)
	if v, known := param.Default(host); known && v != "" && spaced(v) != text {
		return spaced(v) + " here: " + text
	}
	return text
}

func scope(param sysctl.Param, r sysctl.Release) string {
	switch {
	case param.IsNamespaced(r):
		return "each network namespace has its own value and starts with the kernel's default, not the host's value"
	case param.ReadOnlyInChild:
		return "one value for the host; other network namespaces see it read-only"
	}
	return "one value for the host; other network namespaces do not see it"
}

// seconds prints what each setting of a parameter that counts retries, or of
// tcp_fin_timeout, comes to.
func (p *printer) seconds(param sysctl.Param, s *facts.Snapshot) {
	lasts := s.Lasts(param.Key)
	if lasts == nil {
		return
	}
	settings := []int64{1, 2, 3, 4, 5, 6, 7, 8, 10, 15}
	switch param.Key {
	case "net.ipv4.tcp_orphan_retries":
		settings = append([]int64{0}, settings...)
	case "net.ipv4.tcp_fin_timeout":
		settings = []int64{5, 15, 30, 60, 61, 65, 90, 120}
	}
	rows := []table.Row{}
	for _, n := range settings {
		rows = append(rows, table.Row{n, fmt.Sprintf("%.4g s", lasts(n).Seconds())})
	}
	p.table(table.Row{"setting", "lasts at least"}, rows, 0, 1)
}
