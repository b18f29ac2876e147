package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/sysctl"
)

// warnOfManagers names the programs that will write over what a plan sets, or
// may. A drop-in below one of the folders that a program applies again after its
// own values holds against it. Programs act on the host's first network
// namespace only.
func (a *app) warnOfManagers(p planned) {
	if !p.snapshot.Namespace.Initial {
		return
	}
	for _, m := range p.snapshot.Managers {
		if !m.Active || m.Rereads && p.DropIn != nil && slices.Contains([]string{"/etc/sysctl.d", "/run/sysctl.d"}, filepath.Dir(p.DropIn.Path)) {
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
