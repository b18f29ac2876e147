package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
)

func (a *app) historyCommand() *cobra.Command {
	var stateDir, format string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List what was applied, when, by whom and why, and what of it still holds",
		Long: `History lists the transactions, the newest first: who logged in and who called
sudo, the reason given, and how many of the values are still as the transaction made
them.`,
		Example: "  sudo tcptune history\n  sudo tcptune history --format json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			journal, err := change.OpenJournal(stateDir)
			if err != nil {
				return unreadable(err)
			}
			records, err := journal.List()
			if err != nil {
				return unreadable(err)
			}
			here, _ := change.Here() // without /proc, all are elsewhere
			if tree, err := openTree(); err == nil {
				for i := range records {
					records[i].Look(tree, here)
				}
			}
			if format == "json" {
				err = printable.JSON(a.out, records)
			} else {
				err = a.text(rules.Info).History(a.out, records, here)
			}
			if err != nil {
				return err
			}
			a.tellPending(stateDir)
			for _, r := range records {
				if r.Damaged != nil {
					return &failure{exitUnreadable, fmt.Errorf("%w", r.Damaged), ""}
				}
			}
			return nil
		},
	}
	registerFormat(cmd, &format)
	registerStateDir(cmd, &stateDir)
	return cmd
}
