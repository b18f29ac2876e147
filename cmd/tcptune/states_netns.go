package main

import (
	"context"
	"io"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/rules"
)

// socketsEverywhere looks at the sockets of every network namespace that can be
// looked into, the host's first.
func (a *app) socketsEverywhere(ctx context.Context, options observe.Options, by facts.Breakdown) (*facts.Survey, error) {
	defer a.progress("looking into all network namespaces")()
	seen, err := observe.SocketsEverywhere(ctx, options, by)
	if err != nil {
		return nil, unreadable(err)
	}
	survey := surveyOf(seen)
	if len(survey.Namespaces) == 0 {
		return nil, unreadable(seen[0].Err)
	}
	return survey, nil
}

// printStatesOfAll prints the sockets of all network namespaces, in JSON as one
// document.
func (a *app) printStatesOfAll(survey *facts.Survey, by facts.Breakdown, at time.Time, format string) error {
	r := advisor.StatesOfAll(survey, by)
	a.unseenProcesses(survey.Host())
	a.skipped(r.Skipped)
	if format == "json" {
		r.Time = at
		return a.printLook(r, at)
	}
	return a.atOnce(func(w io.Writer) error { return a.text(rules.Info).StatesByNamespace(w, r.Namespaces) })
}
