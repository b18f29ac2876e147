package report

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// BootFiles writes, for each loader, every line on each parameter and why it
// holds or not, the files in the order in which they apply, and what is wrong
// with them.
func (t Text) BootFiles(w io.Writer, b advisor.BootFiles) error {
	p := t.printer(w)
	for i, loader := range b.Loaders {
		if i > 0 {
			p.raw("")
		}
		p.loader(loader)
	}
	return p.err
}

func (p *printer) loader(b advisor.BootLoader) {
	use := ""
	if b.InUse {
		use = "  in use"
	}
	p.raw(p.bold(string(b.Loader)) + use)
	p.line("%s", b.Evidence)
	p.section("PARAMETERS", "the line that holds comes last")
	if len(b.Settings) == 0 {
		p.line("No file sets one.")
	}
	for _, s := range b.Settings {
		p.raw("  " + p.bold(string(s.Key)))
		for _, d := range s.Definitions {
			p.definition(d)
		}
	}
	p.section("FILES", "in the order in which they apply")
	rows := []table.Row{}
	for n, f := range b.Files {
		order := ""
		if f.Status == conf.Read {
			order = fmt.Sprint(n + 1)
		}
		path := f.Path
		if f.Target != "" {
			path += " -> " + f.Target
		}
		rows = append(rows, table.Row{order, path, string(f.Status), f.Reason})
	}
	if len(rows) > 0 {
		p.table(table.Row{"", "file", "", "why"}, rows, 0)
	} else {
		p.line("There are none.")
	}
	if len(b.Findings) > 0 {
		p.section("FINDINGS", "")
		for _, f := range b.Findings {
			p.lintFinding(f, 0)
		}
	}
}

func (p *printer) definition(d advisor.BootDefinition) {
	where := fmt.Sprintf("%s:%d", d.File, d.Line)
	if d.Line == 0 {
		where = d.File
	}
	why := "holds"
	if !d.Holds {
		why = "loses, as " + d.Loses
	}
	if d.Pattern != "" {
		why += "; by the pattern " + string(d.Pattern)
	}
	if d.Lenient {
		why += "; may fail"
	}
	p.field(spaced(d.Value), where+": "+why)
}
