package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
)

func (a *app) confirmCommand() *cobra.Command {
	var stateDir, format string
	cmd := &cobra.Command{
		Use:   "confirm [ID]",
		Short: "Keep a change that waits to be confirmed",
		Long: `Confirm keeps what 'tcptune apply --confirm' put into effect, and writes the
drop-in if it was to have one.`,
		Example: "  sudo tcptune confirm",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			id, err := namedID(args, "without an argument it confirms the transaction that waits")
			if err != nil {
				return err
			}
			s, err := a.openStore(stateDir)
			if err != nil {
				return err
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			var result change.Result
			err = s.whenFree(ctx, func() error {
				result, err = change.Confirm(ctx, s.tree, s.journal, id)
				return err
			})
			if err != nil {
				return classify(err, exitRefused)
			}
			return a.printConfirmed(format, result)
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	return cmd
}

func (a *app) printConfirmed(format string, result change.Result) error {
	return a.printProven(format, "confirmed", result, a.text(rules.Info).Confirmed)
}

func (a *app) extendCommand() *cobra.Command {
	var stateDir string
	cmd := &cobra.Command{
		Use:   "extend DURATION [ID]",
		Short: "Give a change that waits to be confirmed more time, counted from now",
		Long: `Extend gives the change that waits to be confirmed this much time, counted from
now. If what is to take it back at the end is gone, it is armed again.`,
		Example: "  sudo tcptune extend 5m",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			length, err := time.ParseDuration(args[0])
			if err != nil {
				return usage("a time is written as 90s, 5m or 1h", "%q is no time", args[0])
			}
			if err := checkWindow(length); err != nil {
				return err
			}
			id, err := namedID(args[1:], "without an ID it extends the window of the transaction that waits")
			if err != nil {
				return err
			}
			s, err := a.openStore(stateDir)
			if err != nil {
				return err
			}
			say := ""
			again, err := armAgain(s, stateDir, length, &say)
			if err != nil {
				return err
			}
			var e change.Entry
			err = s.whenFree(cmd.Context(), func() error {
				e, err = change.Extend(s.tree, s.journal, id, length, again)
				return err
			})
			if say != "" {
				a.warn("%s", say)
			}
			if err != nil {
				return classify(err, exitRefused)
			}
			return a.text(rules.Info).Extended(a.out, e)
		},
	}
	registerStateDir(cmd, &stateDir)
	return cmd
}

// namedID is the ID that is named, or "".
func namedID(args []string, hint string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if args[0] == "" {
		return "", usage(hint, "the transaction's ID is empty")
	}
	return args[0], nil
}

func (a *app) recoverCommand() *cobra.Command {
	var (
		stateDir, format string
		finish           bool
	)
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Take back, or complete, what was cut off in the middle",
		Long: `Recover deals with transactions that a run left half done because it was killed,
or the machine went down. It puts the old values back or, with --finish, writes what
is missing. Until then nothing else is applied.`,
		Example: "  sudo tcptune recover\n  sudo tcptune recover --finish",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			s, err := a.openStore(stateDir)
			if err != nil {
				return err
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			way := change.Back
			if finish {
				way = change.Forward
			}
			var results []change.Result
			err = s.whenFree(ctx, func() error {
				results, err = change.Recover(ctx, s.tree, s.journal, way)
				return err
			})
			return a.ended(format, results, err)
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	cmd.Flags().BoolVar(&finish, "finish", false, "complete it instead")
	return cmd
}

// ended prints what became of transactions, and is what the command ends with.
func (a *app) ended(format string, results []change.Result, err error) error {
	if failed := errors.As(err, new(*change.UndoneError)) || errors.As(err, new(*change.UndoFailedError)); failed && len(results) > 0 {
		results = results[:len(results)-1] // the error has the last one
		err = errors.Join(a.printUndone(format, err), classify(err, exitRefused))
	} else if len(results) > 0 && err != nil {
		err = classify(err, exitUndoFailed) // all was put back, and the journal does not say so
	}
	if printing := a.printRolledBack(format, results); printing != nil {
		return errors.Join(classify(err, exitRefused), printing)
	}
	for _, r := range results {
		if err == nil && (len(r.Left) > 0 || r.DropIn != nil && r.DropIn.Outcome == change.FileLeft) {
			return &failure{code: exitFindings}
		}
	}
	return classify(err, exitRefused)
}
