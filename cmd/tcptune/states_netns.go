package main

import (
	"context"

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
	a.unseenProcesses(seen[0].Snapshot)
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
