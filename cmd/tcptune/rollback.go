package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
)

func (a *app) rollbackCommand() *cobra.Command {
	var (
		stateDir, format string
		undo             change.Undo
	)
	cmd := &cobra.Command{
		Use:   "rollback [ID]",
		Short: "Take back the last transaction, the one named, or all since one",
		Long: `Rollback puts back the values that a transaction replaced. A parameter that
somebody else has changed since is left as it is and said, and the exit code is
then 1; --force puts it back all the same, also later. What a newer transaction has set stays,
and what that one puts back is then the older value: transactions may be taken back
in any order. It also undoes one that was cut off in the middle.`,
		Example: `  sudo tcptune rollback
  sudo tcptune rollback 20261120T140000.000Z --dry-run
  sudo tcptune rollback --to 20261120T140000.000Z`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkFormat(format); err != nil {
				return err
			}
			if undo.ID, err = namedID(args, "without an argument it takes back the last transaction"); err != nil {
				return err
			}
			if undo.ID != "" && undo.To != "" {
				return usage("", "--to takes back all transactions after one, and so no ID besides")
			}
			if undo.Force && undo.ID == "" && undo.To == "" {
				return usage("'tcptune history' lists them", "--force needs the transaction's ID: after a rollback that left something the newest would be another one")
			}
			s, err := a.openStore(stateDir)
			if err != nil {
				return err
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			var results []change.Result
			err = s.whenFree(ctx, func() error {
				results, err = change.Rollback(ctx, s.tree, s.journal, undo)
				return err
			})
			err = a.ended(format, results, err)
			for _, r := range results {
				if len(r.Left) > 0 && !undo.Force {
					a.hint("'tcptune rollback --force %s' puts back what was left, too", r.ID)
				}
			}
			return err
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	cmd.Flags().StringVar(&undo.To, "to", "", "take back all transactions after the one with this `ID`, the newest first")
	cmd.Flags().BoolVar(&undo.Force, "force", false, "put back also what somebody else has changed since")
	cmd.Flags().BoolVar(&undo.DryRun, "dry-run", false, "show what would be done and write nothing")
	return cmd
}

// printRolledBack prints what became of transactions, in JSON each by itself.
func (a *app) printRolledBack(format string, results []change.Result) error {
	for _, r := range results {
		var err error
		switch {
		case format == "json":
			err = printable.JSON(a.out, r)
		default:
			err = a.text(rules.Info).RolledBack(a.out, r)
		}
		if err != nil && !r.DryRun {
			return &failure{exitUnreadable, fmt.Errorf("rolled back transaction %s, and that could not be printed: %w", r.ID, err), ""}
		} else if err != nil {
			return err
		}
	}
	return nil
}
