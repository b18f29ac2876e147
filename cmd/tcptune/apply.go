package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

type applyFlags struct {
	planFlags
	reason string
	format string
	yes    bool
	dryRun bool
}

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply {--profile NAME | FILE}",
		Short: "Apply a profile as one transaction that can be undone",
		Long: `Apply shows the plan and asks. Then it records the old values on disk, writes only
what differs, reads each value back, and on the first failure puts everything back
in reverse. 'tcptune rollback' takes it back later. It acts on the network
namespace it runs in.

FILE is a plan that 'tcptune plan --out' kept. Exactly that is done, or nothing
because a value is not as it was when the plan was made.

It refuses a plan whose result its own rules call an error and, for root, files of
profiles, plans and rules that others may have written.`,
		Example: `  sudo tcptune apply --profile highconn --dry-run
  sudo tcptune apply --profile highconn --reason 'OPS-1234 reconnect storm'
  sudo tcptune apply --profile highconn --persist --yes
  sudo tcptune apply edge-proxy.plan`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(f.format); err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			file := ""
			if len(args) == 1 {
				if file = args[0]; file == "" {
					return usage("", "the plan's file has an empty name")
				}
				for _, name := range []string{"profile", "persist"} {
					if cmd.Flags().Changed(name) {
						return usage("", "--%s has no part in applying a plan's file: that says it", name)
					}
				}
			}
			if len(f.reason) > maxReason {
				return usage("", "--reason is longer than %d characters", maxReason)
			}
			if f.format == "json" && !f.yes && !f.dryRun {
				return usage("", "--format json goes with --yes or --dry-run")
			}
			return a.apply(cmd.Context(), f, file)
		},
	}
	f.host.registerLive(cmd)
	f.register(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan and write nothing")
	flags.StringVar(&f.reason, "reason", "", "a note for the history")
	registerFormat(cmd, &f.format)
	return cmd
}

// maxReason keeps a note for the history a note.
const maxReason = 500

func registerStateDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "state-dir", change.DefaultDir, "`FOLDER` of the journal")
}

func (a *app) apply(ctx context.Context, f applyFlags, file string) error {
	p, err := a.chosenPlan(ctx, f, file)
	if err != nil {
		return err
	}
	a.warnOfManagers(p)
	if f.format == "text" || f.dryRun {
		if err := a.printPlan(p, f.format); err != nil {
			return err
		}
	}
	if err := refuseForbidden(p.Plan, f.rules); err != nil {
		return err
	}
	if f.dryRun {
		if f.format == "text" {
			fmt.Fprintln(a.out, "\nDry run: nothing was written.")
		}
		return nil
	}
	if err := p.trusted(f.rules); err != nil {
		return err
	}
	if !p.Idle() && !f.yes {
		question := "Apply this plan?"
		if p.DropIn != nil {
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
	return a.carryOut(ctx, f, p)
}

// chosenPlan is the plan of the file, or the profile's.
func (a *app) chosenPlan(ctx context.Context, f applyFlags, file string) (planned, error) {
	if file == "" {
		return a.plan(ctx, f.planFlags)
	}
	return a.planFromFile(ctx, file, f.planFlags)
}

func (a *app) carryOut(ctx context.Context, f applyFlags, p planned) error {
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
	request := p.request()
	request.By, request.Reason = change.CurrentAuthor(), f.reason
	result, err := change.Apply(ctx, tree, journal, request)
	if err != nil {
		return errors.Join(a.printUndone(f.format, err), classify(err, exitRefused))
	}
	applied := advisor.Applied{Result: result}
	if result.DropIn != nil {
		applied.AtBoot = proveAtBoot(result.DropIn.Path)
	}
	print := a.text(rules.Info).Applied
	if f.format == "json" {
		print = func(w io.Writer, r advisor.Applied) error { return printable.JSON(w, r) }
	}
	if err := print(a.out, applied); err != nil {
		return &failure{exitUnreadable, fmt.Errorf("applied as transaction %q, and that could not be printed: %w", result.ID, err), ""}
	}
	if applied.AtBoot != nil && len(applied.AtBoot.Beaten) > 0 {
		return &failure{code: exitFindings}
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

// trusted refuses, for root, what somebody else may have written: a profile or a
// plan's file, and rules, which say what must not be applied.
func (p planned) trusted(chosen ruleFlags) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, source := range p.sources {
		if source.Others != nil {
			return untrusted(source.Others)
		}
	}
	paths := chosen.folders()
	for _, r := range p.rules.All() {
		if !r.IsBuiltIn() {
			paths = append(paths, r.Origin)
		}
	}
	for _, path := range paths {
		if err := regular.Others(path); err != nil {
			return untrusted(err)
		}
	}
	return nil
}

func untrusted(err error) error {
	return &failure{exitRefused, fmt.Errorf("refused: %w; root applies only what no one else can write", err),
		"review it, then give it and its folders to root: chown root, chmod go-w"}
}
