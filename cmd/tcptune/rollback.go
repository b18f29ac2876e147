package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
)

func (a *app) rollbackCommand() *cobra.Command {
	var stateDir, format string
	cmd := &cobra.Command{
		Use:   "rollback [ID]",
		Short: "Take back the last transaction, or the one named",
		Long: `Rollback puts back the values that a transaction replaced. A parameter that
somebody else has changed since is left as it is and said, and the exit code is
then 1. It also undoes a transaction that was cut off in the middle.`,
		Example: "  sudo tcptune rollback\n  sudo tcptune rollback 20261120T140000.000Z",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			id := ""
			if len(args) == 1 {
				if id = args[0]; id == "" {
					return usage("without an argument it takes back the last transaction", "the transaction's ID is empty")
				}
			}
			tree, err := openTree()
			if err != nil {
				return err
			}
			journal, err := change.OpenJournal(stateDir)
			if err != nil {
				return classify(err, exitRefused)
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			var result change.Result
			results, err := change.Rollback(ctx, tree, journal, change.Undo{ID: id})
			if len(results) > 0 {
				result = results[0]
			}
			if err != nil && result.ID == "" {
				return errors.Join(a.printUndone(format, err), classify(err, exitRefused))
			}
			print := a.text(rules.Info).RolledBack
			if format == "json" {
				print = func(w io.Writer, r change.Result) error { return printable.JSON(w, r) }
			}
			if printing := print(a.out, result); printing != nil {
				err = errors.Join(err, fmt.Errorf("rolled back transaction %s, and that could not be printed: %w", result.ID, printing))
				return classify(err, exitUnreadable)
			}
			if err == nil && len(result.Left) > 0 {
				return &failure{code: exitFindings}
			}
			// All was put back, and the journal does not say so.
			return classify(err, exitUndoFailed)
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	return cmd
}
