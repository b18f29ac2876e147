package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// watchLeast is the shortest period: two looks should not run into each other.
const watchLeast = 100 * time.Millisecond

// watch tells of findings as they come and go, until a signal ends the process or
// ctx ends.
func (a *app) watch(ctx context.Context, host hostFlags, set rules.Set, period time.Duration, format string, shown rules.Severity) error {
	o, err := host.options()
	if err != nil {
		return err
	}
	o.Interval = period
	series, err := observe.NewSeries(o)
	if err != nil {
		return unreadable(err)
	}
	fmt.Fprintf(a.err, "tcptune: looking every %v; what appears and what is gone is told\n", period)
	watch := advisor.Watch{}
	for {
		s, err := series.Next(ctx)
		if err != nil {
			return unreadable(err)
		}
		for _, event := range watch.Next(advisor.Advise(s, set, nil), time.Now().Truncate(time.Second)) {
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
