package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// planDropIn is the drop-in of a plan as it is and as it would be, and what the
// files that are read at boot will make of it.
func (a *app) planDropIn(f planFlags, p planned) (*advisor.PlannedDropIn, error) {
	if !p.snapshot.Namespace.Initial && !f.dropInNamed {
		return nil, &failure{exitRefused, errors.New("refused: --persist in a network namespace other than the host's first would set the host's values at its next boot"),
			"--drop-in FILE names a file of the namespace's own"}
	}
	journal, err := change.OpenJournal(f.stateDir)
	if err != nil {
		return nil, classify(err, exitRefused)
	}
	p.DropIn = &advisor.PlannedDropIn{Path: f.dropIn}
	before, after, err := journal.Preview(p.request())
	if err != nil {
		return nil, classify(err, exitRefused)
	}
	if before != nil {
		text := string(before)
		p.DropIn.Before = &text
	}
	p.DropIn.After = string(after)
	p.DropIn.AtBoot, err = advisor.ResolveAtBoot(conf.System{Root: "/"}, conf.FindLoader("/"), f.dropIn, after)
	return p.DropIn, err
}

// request is what the plan asks of a transaction.
func (p planned) request() change.Request {
	r := change.Request{Changes: p.Changes(), Profile: p.Profile}
	if p.DropIn != nil {
		r.Persist = &change.Layer{Path: p.DropIn.Path, Settings: p.Settings()}
	}
	return r
}

// proveAtBoot resolves the files again once the drop-in is written.
func proveAtBoot(path string) *advisor.AtBoot {
	inUse := conf.FindLoader("/")
	content, err := os.ReadFile(path)
	if err == nil {
		var proof advisor.AtBoot
		if proof, err = advisor.ResolveAtBoot(conf.System{Root: "/"}, inUse, path, content); err == nil {
			return &proof
		}
	}
	return &advisor.AtBoot{Loader: inUse.Loader, Evidence: inUse.Evidence, Unread: fmt.Sprintf("it could not be read again: %v", err), Beaten: []advisor.Beaten{}, Unseen: []string{}}
}
