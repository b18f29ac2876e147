package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
)

func (a *app) factsCommand() *cobra.Command {
	var host hostFlags
	var values bool
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Print what is seen of a host, as JSON",
		Long: `Facts prints a snapshot of the host: kernel, parameters, what files set at boot,
sockets by state, queues, destinations and counters. 'tcptune check --facts FILE'
judges it on any machine. With --netns all it is of all network namespaces, and
judged as 'tcptune check --netns all' judges them. With --values it prints the
named facts that rules speak of instead, with their sources.`,
		Example: `  tcptune facts > host.json
  tcptune facts --interval 10s > host.json
  sudo tcptune facts --netns all > all.json
  sudo tcptune facts --netns all --values | grep host.
  tcptune facts --values | grep ports`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			host.destinations = true
			s, all, err := host.look(cmd.Context(), a)
			if err != nil {
				return err
			}
			if s != nil {
				return a.printFacts(s, values)
			}
			a.skipped(all.Skipped)
			if !values {
				return printable.JSON(a.out, all)
			}
			for _, n := range all.Namespaces {
				at := n.Snapshot.Namespace
				if _, err := fmt.Fprintf(a.out, "# %s\n", printable.Text(cmp.Or(at.Name, at.ID))); err != nil {
					return err
				}
				if err := a.printFacts(n.Snapshot, true); err != nil {
					return err
				}
			}
			return nil
		},
	}
	host.register(cmd)
	host.registerNetns(cmd, true)
	cmd.Flags().BoolVar(&values, "values", false, "print the named facts instead of the snapshot")
	return cmd
}

// printFacts prints a snapshot or the values of the facts that it gives.
func (a *app) printFacts(s *facts.Snapshot, values bool) error {
	if !values {
		return facts.Encode(a.out, s)
	}
	f := facts.Derive(s)
	for _, name := range slices.Sorted(maps.Keys(facts.Schema())) {
		text := "unknown: "
		if v := f.Get(name); v.Missing != nil {
			text += v.Missing.String()
		} else {
			text = facts.Format(v.Content) + "  (" + v.Source + ")"
		}
		if _, err := fmt.Fprintf(a.out, "%s = %s\n", name, printable.Text(text)); err != nil {
			return err
		}
	}
	return nil
}
