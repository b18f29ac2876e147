package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

type applyFlags struct {
	host     hostFlags
	rules    ruleFlags
	profile  string
	stateDir string
	dropIn   string
	// dropInNamed: the user said where, the default did not.
	dropInNamed bool
	reason      string
	format      string
	yes         bool
	dryRun      bool
	persist     bool
}

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply --profile NAME",
		Short: "Apply a profile as one transaction that can be undone",
		Long: `Apply shows the plan and asks. Then it records the old values on disk, writes only
what differs, reads each value back, and on the first failure puts everything back
in reverse. 'tcptune rollback' takes it back later. It acts on the network
namespace it runs in.

It refuses a plan whose result its own rules call an error, and a profile's file
that others than root may write.`,
		Example: `  sudo tcptune apply --profile highconn --dry-run
  sudo tcptune apply --profile highconn --reason 'OPS-1234 reconnect storm'
  sudo tcptune apply --profile highconn --persist --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(f.format); err != nil {
				return err
			}
			f.dropInNamed = cmd.Flags().Changed("drop-in")
			if f.dropInNamed && !f.persist {
				return usage("", "--drop-in goes with --persist")
			}
			if len(f.reason) > maxReason {
				return usage("", "--reason is longer than %d characters", maxReason)
			}
			if f.format == "json" && !f.yes && !f.dryRun {
				return usage("", "--format json goes with --yes or --dry-run")
			}
			return a.apply(cmd.Context(), f)
		},
	}
	f.host.registerLive(cmd)
	f.rules.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "the profile's `NAME` or file")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan and write nothing")
	flags.BoolVar(&f.persist, "persist", false, "also write a drop-in, so that the values outlast a reboot")
	flags.StringVar(&f.dropIn, "drop-in", change.DefaultDropIn, "the drop-in's `FILE`")
	flags.StringVar(&f.reason, "reason", "", "a note for the history")
	registerFormat(cmd, &f.format)
	registerStateDir(cmd, &f.stateDir)
	return cmd
}

// maxReason keeps a note for the history a note.
const maxReason = 500

func registerStateDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "state-dir", change.DefaultDir, "`FOLDER` of the journal")
}

func (a *app) apply(ctx context.Context, f applyFlags) error {
	p, err := a.plan(ctx, f.profile, f.rules, f.host)
	if err != nil {
		return err
	}
	request := change.Request{Changes: p.Changes(), Profile: p.profile.Name, By: change.CurrentAuthor(), Reason: f.reason}
	if f.persist {
		path, err := filepath.Abs(f.dropIn)
		if err != nil {
			return err
		}
		if !p.snapshot.Namespace.Initial && !f.dropInNamed {
			return &failure{exitRefused, errors.New("refused: --persist in a network namespace other than the host's first would set the host's values at its next boot"),
				"--drop-in FILE names a file of the namespace's own"}
		}
		request.Persist = &change.Layer{Path: path, Settings: p.Settings()}
		a.warnOfRivals(request.Persist)
	}
	a.warnOfManagers(p, request.Persist)
	if f.format == "text" {
		if err := a.text(rules.Info).Plan(a.out, p.Plan); err != nil {
			return err
		}
		if f.persist {
			if err := a.previewDropIn(f.stateDir, request); err != nil {
				return err
			}
		}
	}
	if f.dryRun && f.format == "json" {
		if err := printable.JSON(a.out, p.Plan); err != nil {
			return err
		}
	}
	if err := refuseForbidden(p.Plan, f.rules); err != nil {
		return err
	}
	if f.dryRun && f.format == "json" {
		return nil
	}
	if f.dryRun {
		fmt.Fprintln(a.out, "\nDry run: nothing was written.")
		return nil
	}
	if err := trusted(p.profile); err != nil {
		return err
	}
	if (len(p.Steps) > 0 || f.persist) && !f.yes {
		question := "Apply this plan?"
		if f.persist {
			question = "Apply this plan and write the drop-in?"
		}
		ok, err := a.confirm(question)
		if err != nil {
			return err
		}
		if !ok {
			return &failure{exitRefused, fmt.Errorf("not applied: the answer was no"), ""}
		}
	}
	return a.carryOut(ctx, f, p, request)
}

// previewDropIn prints the drop-in as it would be.
func (a *app) previewDropIn(stateDir string, r change.Request) error {
	journal, err := change.OpenJournal(stateDir)
	if err != nil {
		return classify(err, exitRefused)
	}
	_, content, err := journal.Preview(r)
	if err != nil {
		return classify(err, exitRefused)
	}
	fmt.Fprintf(a.out, "\nDrop-in %s:\n%s\n", printable.Text(r.Persist.Path), printable.Lines(strings.TrimSpace(string(content))))
	return nil
}

func (a *app) carryOut(ctx context.Context, f applyFlags, p planned, request change.Request) error {
	tree, err := openTree()
	if err != nil {
		return err
	}
	journal, err := change.OpenJournal(f.stateDir)
	if err != nil {
		return classify(err, exitRefused)
	}
	ctx, release := uninterrupted(ctx)
	defer release()
	result, err := change.Apply(ctx, tree, journal, request)
	if err != nil {
		return errors.Join(a.printUndone(f.format, err), classify(err, exitRefused))
	}
	print := a.text(rules.Info).Applied
	if f.format == "json" {
		print = func(w io.Writer, r change.Result) error { return printable.JSON(w, r) }
	}
	if err := print(a.out, result); err != nil {
		return &failure{exitUnreadable, fmt.Errorf("applied as transaction %q, and that could not be printed: %w", result.ID, err), ""}
	}
	return nil
}

// printUndone prints, as JSON, what became of a transaction that failed on the
// way; the text form has it in the error.
func (a *app) printUndone(format string, err error) error {
	var undone *change.UndoneError
	var failed *change.UndoFailedError
	switch {
	case format != "json":
		return nil
	case errors.As(err, &failed):
		return printable.JSON(a.out, failed.Result)
	case errors.As(err, &undone):
		return printable.JSON(a.out, undone.Result)
	}
	return nil
}

func openTree() (*sysctl.Tree, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, unreadable(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	return tree, unreadable(err)
}

// trusted refuses, for root, a profile that somebody else may have written.
func trusted(p profiles.Profile) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, file := range p.Files {
		if err := file.OnlyRoot(); err != nil {
			return &failure{exitRefused, fmt.Errorf("refused: profile %s: %w; root applies only what no one else can write", p.Name, err),
				"review it, then give it and its folder to root: chown root, chmod go-w"}
		}
	}
	return nil
}
