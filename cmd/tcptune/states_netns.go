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
func (a *app) statesEverywhere(ctx context.Context, sampleAbove int64, by facts.Breakdown, format string) error {
	defer a.progress("looking into all network namespaces")()
	seen, err := observe.SocketsEverywhere(ctx, observe.Options{SampleAbove: sampleAbove, Version: versionText()}, by)
	if err != nil {
		return unreadable(err)
	}
	var all []advisor.States
	for _, inside := range seen {
		if inside.Err != nil {
			fmt.Fprintf(a.err, "tcptune: warning: %s skipped: %s\n", printable.Text(inside.String()), printable.Text(inside.Err.Error()))
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
