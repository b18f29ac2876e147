package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// warnOfRivals names the lines of other files that set otherwise what the
// drop-in is to set, and says which of the two will hold after a reboot: files
// apply by base name, the last one wins, and procps reads sysctl.conf at the end.
func (a *app) warnOfRivals(dropIn *change.Layer) {
	if !conf.IsDropIn(dropIn.Path) {
		fmt.Fprintf(a.err, "tcptune: warning: nothing reads %s at boot: it is not a .conf file in a folder of sysctl.d\n", printable.Text(dropIn.Path))
		return
	}
	all := conf.System{Root: "/", Loader: conf.Procps}.Resolve() // reads every file that the other does
	if err := all.Err(); err != nil {
		fmt.Fprintf(a.err, "tcptune: warning: not all files that are read at boot could be read: %s\n", printable.Text(err.Error()))
	}
	for _, mine := range dropIn.Settings {
		param, _ := sysctl.Lookup(mine.Key)
		for _, other := range all.Lines {
			if other.Exclusion || other.File == conf.CommandLine || other.Key != mine.Key || other.File == dropIn.Path || param.Type.Equal(other.Value, mine.Value) {
				continue
			}
			fmt.Fprintf(a.err, "tcptune: warning: %s:%d sets %s = %s, and the drop-in sets %s: %s\n", printable.Text(other.File), other.Number,
				mine.Key, printable.Text(string(other.Value)), mine.Value, whoWins(other.File, dropIn.Path))
		}
	}
}

func whoWins(other, ours string) string {
	switch {
	case other == "/etc/sysctl.conf":
		return "that file holds where procps sets the parameters at boot, the drop-in where systemd-sysctl does"
	case filepath.Base(other) > filepath.Base(ours):
		return "that file is read later and will hold"
	}
	return "the drop-in is read later and will hold"
}

// warnOfManagers names the programs that will write over what a plan sets, or
// may. A drop-in below one of the folders that a program applies again after its
// own values holds against it. Programs act on the host's first network
// namespace only.
func (a *app) warnOfManagers(p planned, dropIn *change.Layer) {
	if !p.snapshot.Namespace.Initial {
		return
	}
	for _, m := range p.snapshot.Managers {
		if !m.Active || m.Rereads && dropIn != nil && slices.Contains([]string{"/etc/sysctl.d", "/run/sysctl.d"}, filepath.Dir(dropIn.Path)) {
			continue
		}
		if len(m.Sets) == 0 && m.Also != "" {
			a.warn("%s sets parameters %s: %s", m.Name, m.When, m.Also)
		}
		var untold []string
		for _, step := range p.Steps {
			hold, concerns := m.Concerns(step.Key)
			param, _ := sysctl.Lookup(step.Key)
			switch after, known := hold.Over(step.To); {
			case !concerns, known && hold.Value != "" && param.Type.Equal(after, step.To):
			case hold.Value == "":
				untold = append(untold, string(step.Key))
			case hold.Doubt != "":
				a.warn("%s may set %s = %s %s, and write over the plan's %s: %s", hold.By(m), step.Key, hold.Value, m.When, step.To, hold.Doubt)
			default:
				a.warn("%s sets %s = %s %s, and will write over the plan's %s", hold.By(m), step.Key, strings.TrimSpace(hold.Bound+" "+string(hold.Value)), m.When, step.To)
			}
		}
		if len(untold) > 0 {
			also := ""
			if m.Also != "" {
				also = "; " + m.Also
			}
			a.warn("%s sets %s %s, to values that cannot be told beforehand%s", m.Name, strings.Join(untold, ", "), m.When, also)
		}
	}
}

// warn says something on standard error that does not end the command.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "tcptune: warning: %s\n", printable.Text(fmt.Sprintf(format, args...)))
}
