package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// errNotTheHosts refuses the host's drop-in to a container.
var errNotTheHosts = &failure{exitRefused, errors.New("refused: in a network namespace other than the host's first the drop-in would set the host's values at its next boot"),
	"--drop-in FILE names a file of the namespace's own"}

// planDropIn is the drop-in of a plan as it is and as it would be, and what the
// files that are read at boot will make of it.
func (a *app) planDropIn(f planFlags, p planned) (*advisor.PlannedDropIn, error) {
	if !p.snapshot.Namespace.Initial && !f.dropInNamed {
		return nil, errNotTheHosts
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
	r := change.Request{Profile: p.Profile, Force: p.force}
	if !p.FilesOnly {
		r.Changes = p.Changes()
	}
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

func (a *app) unpersistCommand() *cobra.Command {
	var stateDir, path, reason, format string
	var force bool
	cmd := &cobra.Command{
		Use:   "unpersist",
		Short: "Remove the drop-in, so that nothing of it outlasts a reboot",
		Long: `Unpersist removes the drop-in of all transactions and writes no parameter. It is a
transaction itself: 'tcptune rollback' brings the file back.`,
		Example: "  sudo tcptune unpersist --reason 'now in the image'",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if err := checkReason(reason); err != nil {
				return err
			}
			path, err := filepath.Abs(path)
			if err != nil {
				return err
			}
			s, err := a.openStore(stateDir)
			if err != nil {
				return err
			}
			if s.tree.IsChild() && !cmd.Flags().Changed("drop-in") {
				return errNotTheHosts
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			var result change.Result
			err = s.whenFree(ctx, func() error {
				result, err = change.Apply(ctx, s.tree, s.journal, change.Request{Persist: &change.Layer{Path: path, Alone: true}, Force: force, By: change.CurrentAuthor(), Reason: reason})
				return err
			})
			if err != nil {
				return errors.Join(a.printUndone(format, err), classify(err, exitRefused))
			}
			return a.printProven(format, "removed", result, a.text(rules.Info).Unpersisted)
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	registerReason(cmd, &reason)
	cmd.Flags().StringVar(&path, "drop-in", change.DefaultDropIn, "the drop-in's `FILE`")
	cmd.Flags().BoolVar(&force, "force", false, "remove it even if somebody edited it")
	return cmd
}
