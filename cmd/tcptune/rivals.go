package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// warnOfRivals names the lines of other files that set otherwise what the
// drop-in is to set, and says which of the two will hold after a reboot: files
// apply by base name, the last one wins, and procps reads sysctl.conf at the end.
func (a *app) warnOfRivals(dropIn *change.DropIn) {
	if !conf.IsDropIn(dropIn.Path) {
		fmt.Fprintf(a.err, "tcptune: warning: nothing reads %s at boot: it is not a .conf file in a folder of sysctl.d\n", printable.Text(dropIn.Path))
		return
	}
	ours, _, err := conf.Parse(bytes.NewReader(dropIn.Content), dropIn.Path)
	all, errAll := conf.System("/")
	for _, err := range []error{err, errAll} {
		if err != nil {
			fmt.Fprintf(a.err, "tcptune: warning: not all files that are read at boot could be read: %s\n", printable.Text(err.Error()))
		}
	}
	for _, mine := range ours {
		param, _ := sysctl.Lookup(mine.Key)
		for _, other := range all {
			if other.Key != mine.Key || other.File == dropIn.Path || param.Type.Equal(other.Value, mine.Value) {
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
