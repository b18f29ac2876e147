package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

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
	window      windowFlags
	reason      string
	format      string
	yes         bool
	dryRun      bool
	runtimeOnly bool
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

With --confirm it takes the change back at the end of the time unless somebody
confirms: here by Enter, or with --detach by 'tcptune confirm'. That is armed before
the first write, and needs neither this terminal nor this process. Hang-up, Ctrl-C
and the end of input take it back at once. A reboot does too: a drop-in is put in
place only when the change is confirmed.

FILE is a plan that 'tcptune plan --out' kept. Exactly that is done, or nothing
because a value is not as it was when the plan was made.

It refuses a plan whose result its own rules call an error and, for root, files of
profiles, plans and rules that others may have written.`,
		Example: `  sudo tcptune apply --profile highconn --dry-run
  sudo tcptune apply --profile highconn --reason 'OPS-1234 reconnect storm'
  sudo tcptune apply --profile highconn --persist --yes
  sudo tcptune apply --profile highconn --confirm 60s
  sudo tcptune apply --profile highconn --confirm 5m --detach --yes --health 'curl -fsm 3 http://localhost/'
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
				for _, name := range []string{"profile", "persist", "persist-only", "runtime-only"} {
					if cmd.Flags().Changed(name) {
						return usage("", "--%s has no part in applying a plan's file: that says it", name)
					}
				}
			}
			if err := checkReason(f.reason); err != nil {
				return err
			}
			if err := f.window.check(cmd, a); err != nil {
				return err
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
	flags.BoolVar(&f.filesOnly, "persist-only", false, "write the drop-in and no parameter, for the next boot")
	flags.BoolVar(&f.runtimeOnly, "runtime-only", false, "write parameters and no drop-in, which is the default")
	cmd.MarkFlagsMutuallyExclusive("persist", "persist-only", "runtime-only")
	registerReason(cmd, &f.reason)
	f.window.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("persist-only", "confirm") // nothing of it acts before the next boot
	registerFormat(cmd, &f.format)
	return cmd
}

// maxReason keeps a note for the history a note.
const maxReason = 500

func registerReason(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "a note for the history")
}

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return usage("", "--reason is longer than %d characters", maxReason)
	}
	return nil
}

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
	s, err := a.openStore(f.stateDir)
	if err != nil {
		return err
	}
	ctx, release := uninterrupted(ctx)
	defer release()
	request := p.request()
	request.By, request.Reason, request.Window = change.CurrentAuthor(), f.reason, f.window.length
	if request.Window > 0 && !p.Idle() {
		h, err := newHealth(f.window.health, f.rules, nil)
		if err != nil {
			return err
		}
		if err := h.before(ctx); err != nil {
			return err
		}
		if request.Arm, err = arm(s.journal, f.stateDir, f.window, f.rules, h); err != nil {
			return err
		}
	}
	var result change.Result
	err = s.whenFree(ctx, func() error {
		result, err = change.Apply(ctx, s.tree, s.journal, request)
		return err
	})
	if err != nil {
		return errors.Join(a.printUndone(f.format, err), classify(err, exitRefused))
	}
	if result.State == change.Unconfirmed && !f.window.detach {
		return a.decide(ctx, s, f, result)
	}
	return a.printApplied(f, result)
}

// decide waits for the decision on a change that is in effect.
func (a *app) decide(ctx context.Context, s store, f applyFlags, result change.Result) error {
	if f.format == "text" {
		// A terminal that is gone is found out below.
		_ = a.text(rules.Info).Applied(a.out, advisor.Applied{Result: result, Watched: f.window.health.asked()})
	}
	confirmed, err := a.await(ctx, s, result.ID, f.window)
	if err != nil {
		return errors.Join(a.printUndone(f.format, err), classify(err, exitUndoFailed))
	}
	e, err := s.journal.Entry(result.ID)
	if err != nil {
		return classify(err, exitUndoFailed)
	}
	if e.State == change.Applied {
		result.State, result.Window = e.State, nil
		if confirmed != nil {
			result.DropIn, result.Left = confirmed.DropIn, confirmed.Left
		} else if e.Layer != nil {
			result.DropIn = &change.FileResult{Path: e.Layer.Path, Outcome: change.FileWritten}
		}
		if f.format == "json" {
			return a.printApplied(f, result)
		}
		return a.printConfirmed(f.format, result)
	}
	back := change.Result{Schema: change.ResultSchema, ID: e.ID, State: e.State, Left: e.Left, Covered: e.Covered}
	for _, c := range e.Changes {
		_, covered := e.Covered[c.Key]
		failed := e.State == change.UndoFailed && !s.holds(c.Key, c.From) // of which keys that is, the journal has in words alone
		if !covered && !failed && !left(e.Left, c.Key) {
			back.Restored = append(back.Restored, c)
		}
	}
	if e.State == change.UndoFailed {
		err = &failure{exitUndoFailed, fmt.Errorf("transaction %s was to be taken back and could not be: %s", e.ID, e.Failure), hintUndoFailed}
		if f.format == "json" {
			err = errors.Join(err, printable.JSON(a.out, back))
		}
		return err
	}
	err = &failure{exitUndone, fmt.Errorf("transaction %s was taken back: %s", e.ID, cmp.Or(e.Failure, "by another tcptune")), ""}
	return errors.Join(err, a.printRolledBack(f.format, []change.Result{back})) // in this order: the terminal may be gone
}

func left(list []change.Left, key sysctl.Key) bool {
	return slices.ContainsFunc(list, func(l change.Left) bool { return l.Key == key })
}

// printApplied prints what is in effect, and proves what of it will outlast a
// reboot.
func (a *app) printApplied(f applyFlags, result change.Result) error {
	return a.printProven(f.format, "applied", result, func(w io.Writer, r advisor.Applied) error {
		r.Watched = f.window.health.asked()
		return a.text(rules.Info).Applied(w, r)
	})
}

func (a *app) printProven(format, done string, result change.Result, text func(io.Writer, advisor.Applied) error) error {
	applied := advisor.Applied{Result: result}
	if result.DropIn != nil && result.DropIn.Outcome != change.FileRemoved {
		applied.AtBoot = proveAtBoot(result.DropIn.Path)
	}
	if format == "json" {
		text = func(w io.Writer, r advisor.Applied) error { return printable.JSON(w, r) }
	}
	if err := text(a.out, applied); err != nil {
		return &failure{exitUnreadable, fmt.Errorf("%s as transaction %q, and that could not be printed: %w", done, result.ID, err), ""}
	}
	if applied.AtBoot != nil && len(applied.AtBoot.Beaten) > 0 || len(result.Left) > 0 {
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
