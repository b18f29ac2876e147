package facts

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tcptune/tcptune/sysctl/conf"
)

// BootFrom is what a loader's files come to: their lines on the network's
// parameters, in the order in which they stand, and the files that have no
// effect though they set something or that could not be read.
func BootFrom(r conf.Resolution, inUse conf.InUse) (*Boot, []Assignment) {
	boot := &Boot{Loader: string(inUse.Loader), Evidence: inUse.Evidence, Ignored: []BootFile{}}
	for _, f := range r.Files {
		switch f.Status {
		case conf.Unreadable:
			boot.Ignored = append(boot.Ignored, BootFile{Path: f.Path, Unreadable: true, Reason: f.Reason})
		case conf.NeverRead:
			boot.Ignored = append(boot.Ignored, BootFile{Path: f.Path, Reason: f.Reason})
		}
	}
	order := map[string]int{} // the kernel's command line, which is no file, comes first
	for i, f := range r.Files {
		order[f.Path] = i + 1
	}
	asked := []Assignment{}
	add := func(line conf.Line, change func(*Assignment)) {
		if !strings.HasPrefix(string(line.Key), "net.") {
			return
		}
		a := Assignment{Key: line.Key, Value: line.Value, Lenient: line.Lenient}
		a.stands(line.File, line.Number, line.Column, line.Text)
		change(&a)
		asked = append(asked, a)
	}
	for _, setting := range r.Settings {
		for _, d := range setting.Definitions {
			add(d.Line, func(a *Assignment) {
				a.Key, a.Loses = setting.Key, d.Loses
				if d.By != nil {
					a.LosesTo = &Place{File: d.By.File, Line: d.By.Number, Text: d.By.Text}
				}
			})
		}
	}
	for _, line := range r.Unmatched {
		add(line, func(a *Assignment) { a.Unmatched = !line.Exclusion })
	}
	for _, fault := range r.Faults {
		a := Assignment{Malformed: fault.Reason}
		a.stands(fault.File, fault.Number, fault.Column, fault.Text)
		asked = append(asked, a)
	}
	slices.SortStableFunc(asked, func(a, b Assignment) int { return cmp.Or(order[a.File]-order[b.File], a.Line-b.Line) })
	return boot, asked
}

// stands records a line as it stands in its file, less the blanks at its end.
func (a *Assignment) stands(file string, number, column int, text string) {
	a.File, a.Line, a.Column, a.Text = file, number, column, text
	a.EndColumn = 1 + utf8.RuneCountInString(strings.TrimRight(text, " \t\r"))
}
