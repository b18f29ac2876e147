package main

import (
	"context"
	"fmt"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// statesEverywhere prints the sockets of every network namespace that can be
// looked into, the host's first; in JSON one document each.
func (a *app) statesEverywhere(ctx context.Context, options observe.Options, by facts.Breakdown, format string) error {
	defer a.progress("looking into all network namespaces")()
	seen, err := observe.SocketsEverywhere(ctx, options, by)
	if err != nil {
		return unreadable(err)
	}
	if host := seen[0].Snapshot; host != nil && host.Everywhere.UnseenProcesses > 0 {
		fmt.Fprintf(a.err, "tcptune: warning: there may be others: processes whose namespace may not be looked at: %d\n", host.Everywhere.UnseenProcesses)
	}
	var all []advisor.States
	for _, inside := range seen {
		if inside.Err != nil {
			a.skipped(inside)
			continue
		}
		all = append(all, advisor.StatesOf(inside.Snapshot, by))
	}
	if format != "json" {
		return a.text(rules.Info).StatesByNamespace(a.out, all)
	}
	for _, r := range all {
		if err := printable.JSON(a.out, r); err != nil {
			return err
		}
	}
	return nil
}
