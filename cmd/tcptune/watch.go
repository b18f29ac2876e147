package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// watchLeast is the shortest period: two looks should not run into each other.
const watchLeast = 100 * time.Millisecond

// watch tells of findings as they come and go, until a signal ends the process or
// ctx ends.
func (a *app) watch(ctx context.Context, host hostFlags, set rules.Set, period time.Duration, format string, shown rules.Severity) error {
	next, err := a.reports(ctx, host, set, period)
	if err != nil {
		return unreadable(err)
	}
	fmt.Fprintf(a.err, "tcptune: looking every %v; what appears and what is gone is told\n", period)
	watch := advisor.Watch{}
	for {
		reports, err := next()
		if err != nil {
			return unreadable(err)
		}
		for _, event := range watch.Next(time.Now().Truncate(time.Second), reports...) {
			if format == "json" {
				err = printable.JSONLine(a.out, event)
			} else {
				err = a.text(shown).Event(a.out, event)
			}
			if err != nil {
				return err
			}
		}
	}
}

// reports gives a function that waits for the next look and judges what it sees:
// one namespace or, of all, the host and how each other differs from it.
func (a *app) reports(ctx context.Context, host hostFlags, set rules.Set, period time.Duration) (func() ([]advisor.Report, error), error) {
	if host.netns != everyNamespace {
		o, err := host.options(a)
		if err != nil {
			return nil, err
		}
		o.Interval = period
		series, err := observe.NewSeries(o)
		return func() ([]advisor.Report, error) {
			s, err := series.Next(ctx)
			if err != nil {
				return nil, err
			}
			return []advisor.Report{advisor.Advise(s, set, nil)}, nil
		}, err
	}
	o := host.observing(a)
	o.Interval = period
	series, err := observe.NewSeriesEverywhere(o)
	return func() ([]advisor.Report, error) {
		seen, err := series.Next(ctx)
		if err != nil {
			return nil, err
		}
		a.unseenProcesses(seen[0].Snapshot)
		var skipped []facts.SkippedNamespace
		reports := []advisor.Report{advisor.Advise(seen[0].Snapshot, set, nil)}
		for _, inside := range seen[1:] {
			if inside.Err != nil {
				skipped = append(skipped, skippedOf(inside))
				continue
			}
			reports = append(reports, advisor.Advise(inside.Snapshot, set, nil).Beside(reports[0]))
		}
		a.skipped(skipped)
		return reports, nil
	}, err
}
