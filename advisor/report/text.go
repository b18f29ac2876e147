package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// Text renders for people.
type Text struct {
	Width       int  // columns; lines are wrapped to it
	Piped       bool // no window cuts lines: the table of namespaces keeps one for each
	Color       bool // whether to colour at all
	MinSeverity rules.Severity
	// Verbose adds what was not applicable and the names of silent rules.
	Verbose bool
}

// Report writes a whole report: the sockets and limits first, then what is
// wrong, then what could not be judged.
func (t Text) Report(w io.Writer, r advisor.Report) error {
	p := t.printer(w)
	p.line("%s", heading(r))
	p.states(r.States, r.StatesFrom, false)
	p.turnover(r)
	p.headroom(r)
	p.findings(r)
	p.inconclusive(r)
	p.profile(r)
	if t.Verbose {
		p.rest(r)
	}
	return p.err
}

// Table writes rows of text under a heading, the first row; its last column is
// wrapped.
func (t Text) Table(w io.Writer, rows [][]string) error {
	p := t.printer(w)
	converted := make([]table.Row, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			converted[i] = append(converted[i], cell)
		}
	}
	p.table(converted[0], converted[1:])
	return p.err
}

func heading(r advisor.Report) string {
	parts := []string{"Linux " + r.Kernel.String()}
	if r.Vendor != "" {
		parts = append(parts, r.Vendor+" kernel, may carry changes of later releases")
	}
	switch {
	case r.Namespace.Initial:
		parts = append(parts, "the host's network namespace")
	case r.Namespace.ID == "":
		parts = append(parts, "network namespace not known")
	default:
		parts = append(parts, "network namespace "+named(r.Namespace.Name, r.Namespace.ID)+": host-wide parameters are out of sight")
	}
	if r.WindowSeconds > 0 {
		parts = append(parts, fmt.Sprintf("counters over %.3g s", r.WindowSeconds))
	} else {
		parts = append(parts, "counters since boot (use --interval 5s for what happens now)")
	}
	return strings.Join(parts, " · ")
}

// states is the table of sockets by state, by side as well if that is wanted.
func (p *printer) states(states []advisor.State, from string, sides bool) {
	p.section("SOCKETS", from)
	if len(states) == 0 {
		return
	}
	rows, none := []table.Row{}, []string{}
	for _, s := range states {
		if s.All() == 0 {
			none = append(none, s.State)
			continue
		}
		row := table.Row{s.State, s.IPv4, s.IPv6, s.All()}
		if s.Either > 0 {
			row = table.Row{s.State, "", "", s.All()}
		}
		switch {
		case sides && s.Server != nil:
			row = append(row, s.All()-*s.Server, *s.Server)
		case sides:
			row = append(row, "", "")
		}
		rows = append(rows, append(row, short(s.Governs)))
	}
	head, numbers := table.Row{"state", "IPv4", "IPv6", "both"}, []int{1, 2, 3}
	if sides {
		head, numbers = append(head, "client", "server"), append(numbers, 4, 5)
	}
	if len(rows) > 0 {
		p.table(append(head, "leaving it is governed by"), rows, numbers...)
	}
	if len(none) > 0 {
		p.field("none in", strings.Join(none, ", "))
	}
}

// short leaves out the prefix that all of TCP's parameters have.
func short(keys string) string { return strings.ReplaceAll(keys, "net.ipv4.", "") }

func (p *printer) turnover(r advisor.Report) {
	if len(r.Turnover) == 0 {
		return
	}
	rows := []table.Row{}
	for _, e := range r.Turnover {
		rows = append(rows, table.Row{strings.TrimPrefix(string(e.Fact), "turnover."), e.Value, facts.Schema()[e.Fact].Doc})
	}
	p.section("TURNOVER", "")
	p.table(table.Row{"what", "", ""}, rows, 1)
}

func (p *printer) headroom(r advisor.Report) {
	p.section("HEAD-ROOM", "")
	rows := []table.Row{}
	for _, h := range r.Headroom {
		if h.Unknown != "" {
			rows = append(rows, table.Row{h.What, "", "", "", "unknown: " + h.Unknown})
			continue
		}
		rows = append(rows, table.Row{h.What, h.Used, h.Limit, p.fill(h.Percent), join(short(h.Governs), h.Note)})
	}
	p.table(table.Row{"what", "used", "limit", "", "governed by"}, rows, 1, 2, 3)
}

// fill colours a share of a limit by how near it is.
func (p *printer) fill(percent int) painted {
	text := fmt.Sprintf("%d %%", percent)
	switch {
	case percent >= 95:
		text = p.paint(text, color.FgRed, color.Bold)
	case percent >= 80:
		text = p.paint(text, color.FgYellow, color.Bold)
	}
	return painted(text)
}

// painted is text that may hold the terminal's commands for colours: ours.
type painted string

func join(parts ...string) string {
	kept := []string{}
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

func (p *printer) findings(r advisor.Report) {
	counts := map[rules.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	judged, all := r.Judged()
	p.section("FINDINGS", fmt.Sprintf("%s, %s, %s", count(counts[rules.Error], "error"), count(counts[rules.Warning], "warning"), count(counts[rules.Info], "info")))
	hidden := 0
	for _, f := range r.Findings {
		if !f.Severity.AtLeast(p.MinSeverity) {
			hidden++
			continue
		}
		p.finding(f)
	}
	if hidden > 0 {
		p.line("%s below %s not shown (--min-severity info shows all).", count(hidden, "finding"), p.MinSeverity)
	}
	if len(r.Findings) == 0 {
		switch {
		case judged == 0:
			p.line("Nothing could be judged.")
		case judged < all:
			p.line("Nothing is wrong, as far as could be seen.")
		default:
			p.line("Nothing is wrong.")
		}
	}
}

func (p *printer) finding(f advisor.Finding) {
	p.line("")
	title := p.severity(f.Severity) + "  " + p.bold(f.Rule)
	if f.Confidence != advisor.Certain {
		title += "  (since boot only: it may be over; --interval 5s tells)"
	}
	p.raw(title)
	p.field("", f.Message)
	for _, place := range f.Places {
		p.field("at", strings.TrimSuffix(place.String()+": "+strings.TrimSpace(place.Text), ": "))
	}
	for _, e := range f.Evidence {
		// What a line says stands there already.
		if !slices.ContainsFunc(f.Places, func(place facts.Place) bool { return place.String() == e.Source }) {
			p.field("seen", fmt.Sprintf("%s = %s (%s)", e.Fact, e.Value, e.Source))
		}
	}
	p.field("why", f.Why)
	p.field("fix", f.Fix)
	for _, s := range f.Suggest {
		p.field("set", fmt.Sprintf("%s = %s (now %s)", s.Key, spaced(s.To), spaced(s.From)))
	}
	for _, ref := range f.References {
		p.field("source", ref)
	}
}

// needsInterval ends the reason of everything that two samples would tell.
const needsInterval = ": not measured (needs --interval)"

func (p *printer) inconclusive(r advisor.Report) {
	if len(r.Inconclusive) == 0 {
		return
	}
	_, all := r.Judged()
	p.section("INCONCLUSIVE", fmt.Sprintf("%d of %d rules lacked evidence", len(r.Inconclusive), all))
	// By what is missing: one reason often silences several rules.
	var reasons []string
	silenced := map[string][]string{}
	for _, i := range r.Inconclusive {
		reason := strings.Join(i.Missing, "; ")
		if !slices.ContainsFunc(i.Missing, func(m string) bool { return !strings.HasSuffix(m, needsInterval) }) {
			reason = "rates of counters" + needsInterval
		}
		if silenced[reason] == nil {
			reasons = append(reasons, reason)
		}
		silenced[reason] = append(silenced[reason], i.Rule)
	}
	for _, reason := range reasons {
		p.field("missing", reason)
		p.field("for", strings.Join(silenced[reason], ", "))
	}
}

func (p *printer) profile(r advisor.Report) {
	if r.Profile == nil {
		return
	}
	p.section("PROFILE "+r.Profile.Name, fmt.Sprintf("%d as wanted, %s, %d not to be had here", r.Profile.Met, count(len(r.Profile.Differs), "difference"), len(r.Profile.Skipped)))
	for _, d := range r.Profile.Differs {
		p.field(string(d.Key), fmt.Sprintf("is %s, wanted %s: %s", spaced(d.Value), d.Wanted, d.Why))
	}
	for _, s := range r.Profile.Skipped {
		p.field(string(s.Key), "skipped: "+s.Reason)
	}
}

func (p *printer) rest(r advisor.Report) {
	p.section("REDUNDANT", count(len(r.Redundant), "finding"))
	for _, x := range r.Redundant {
		p.field(x.Rule, "said by "+x.By)
	}
	p.section("NOT APPLICABLE", count(len(r.NotApplicable), "rule"))
	for _, x := range r.NotApplicable {
		p.field(x.Rule, x.Reason)
	}
	p.section("SILENT", count(len(r.Silent), "rule"))
	p.line("%s", strings.Join(r.Silent, ", "))
}

// count is "1 error", "2 errors".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A printer writes lines and keeps the first error.
type printer struct {
	Text
	w   io.Writer
	err error
}

func (t Text) printer(w io.Writer) *printer {
	if t.Width < 40 {
		t.Width = 40
	}
	return &printer{Text: t, w: w}
}

// raw writes a line that is safe already.
func (p *printer) raw(line string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(line, " "))
	}
}

// line writes foreign text, wrapped.
func (p *printer) line(format string, args ...any) {
	for line := range strings.SplitSeq(text.WrapSoft(printable.Text(fmt.Sprintf(format, args...)), p.Width), "\n") {
		p.raw(line)
	}
}

func (p *printer) section(title, note string) {
	p.raw("")
	if note != "" {
		note = "  " + printable.Text(note)
	}
	p.raw(p.bold(title) + note)
}

// labelWidth is where the text behind a short label begins.
const labelWidth = 11

// field writes a labelled paragraph; a label too long for its column gets a line
// of its own.
func (p *printer) field(label, content string) {
	label, lead := printable.Text(label), ""
	if len(label) >= labelWidth-2 {
		p.raw("  " + label)
		label = ""
	}
	lead = "  " + text.Pad(label, labelWidth-2, ' ')
	paragraph := printable.Text(strings.Join(strings.Fields(content), " "))
	for line := range strings.SplitSeq(text.WrapSoft(paragraph, p.Width-labelWidth), "\n") {
		p.raw(lead + strings.TrimSpace(line))
		lead = strings.Repeat(" ", labelWidth)
	}
}

// leastColumn is the width below which a table's last column would break the
// names of parameters.
const leastColumn = 32

// table writes rows whose last column takes the rest of the width or, if that is
// too little, lines of its own.
func (p *printer) table(head table.Row, rows []table.Row, numbers ...int) {
	shown(rows)
	last := len(head) - 1
	rest := p.Width - 2
	for _, width := range widths(head[:last], rows) {
		rest -= width + 2
	}
	if rest >= leastColumn {
		for _, line := range rendered(head, rows, rest, numbers) {
			p.raw("  " + line)
		}
		return
	}
	below := make([]string, len(rows))
	for i, row := range rows {
		below[i] = fmt.Sprint(row[last])
		rows[i] = row[:last]
	}
	for i, line := range rendered(head[:last], rows, 0, numbers) {
		p.raw("  " + line)
		if i > 0 && below[i-1] != "" {
			for line := range strings.SplitSeq(text.WrapSoft(below[i-1], p.Width-4), "\n") {
				p.raw("    " + strings.TrimSpace(line))
			}
		}
	}
}

// shown makes foreign text in rows fit to be shown.
func shown(rows []table.Row) {
	for _, row := range rows {
		for i, cell := range row {
			if s, ok := cell.(string); ok {
				row[i] = printable.Text(s)
			}
		}
	}
}

// widths are those of the columns that have a heading.
func widths(head table.Row, rows []table.Row) []int {
	widths := make([]int, len(head))
	for i := range head {
		widths[i] = text.LongestLineLen(fmt.Sprint(head[i]))
		for _, row := range rows {
			widths[i] = max(widths[i], text.LongestLineLen(fmt.Sprint(row[i])))
		}
	}
	return widths
}

// rendered are the lines of a table whose last column is wrapped to a width, if
// one is given.
func rendered(head table.Row, rows []table.Row, last int, numbers []int) []string {
	columns := make([]table.ColumnConfig, len(head))
	for i := range columns {
		columns[i] = table.ColumnConfig{Number: i + 1, VAlignHeader: text.VAlignBottom}
	}
	for _, n := range numbers {
		columns[n].Align, columns[n].AlignHeader = text.AlignRight, text.AlignRight
	}
	if last > 0 {
		columns[len(columns)-1].WidthMax, columns[len(columns)-1].WidthMaxEnforcer = last, text.WrapSoft
	}
	tw := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	tw.SetStyle(style)
	tw.SetColumnConfigs(columns)
	tw.AppendHeader(head)
	tw.AppendRows(rows)
	return strings.Split(tw.Render(), "\n")
}

func (p *printer) severity(s rules.Severity) string {
	attributes := map[rules.Severity][]color.Attribute{
		rules.Error: {color.FgRed, color.Bold}, rules.Warning: {color.FgYellow, color.Bold}, rules.Info: {color.FgCyan},
	}
	return p.paint(string(s), attributes[s]...)
}

func (p *printer) bold(text string) string { return p.paint(printable.Text(text), color.Bold) }

func (p *printer) paint(text string, attributes ...color.Attribute) string {
	c := color.New(attributes...)
	if p.Color {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(text)
}
