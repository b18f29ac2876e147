package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

func (a *app) statesCommand() *cobra.Command {
	var (
		host        hostFlags
		by, format  string
		sampleAbove int64
		watch       time.Duration
	)
	cmd := &cobra.Command{
		Use:   "states",
		Short: "Count sockets by state, destination, listener or program",
		Long: `States counts the TCP sockets of the network namespace it runs in, fetching no
more of them than the question needs. It needs no privilege, but to name programs
of other users. Every state is counted exactly; destinations are estimated on
hosts with very many sockets, and the estimate says how far off it may be.`,
		Example: `  tcptune states
  tcptune states --by destination
  tcptune states --by listener --format json
  sudo tcptune states --by program
  tcptune states --watch 5s
  sudo tcptune states --netns all`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			breakdown, err := parseBreakdown(by)
			if err != nil {
				return err
			}
			switch {
			case sampleAbove < 0:
				return usage("", "--sample-above %d is negative", sampleAbove)
			case watch < 0:
				return usage("", "--watch %v is negative", watch)
			case host.netns == everyNamespace && watch > 0:
				return usage("", "--watch is for one network namespace")
			case host.netns == everyNamespace:
				return a.statesEverywhere(cmd.Context(), sampleAbove, breakdown, format)
			}
			options, err := host.options()
			if err != nil {
				return err
			}
			options.SampleAbove = sampleAbove
			look := func() (*facts.Snapshot, error) {
				s, err := observe.Sockets(cmd.Context(), options, breakdown)
				return s, unreadable(err)
			}
			if host.facts != "" {
				look = func() (*facts.Snapshot, error) { return host.read(a) }
			}
			for {
				if err := a.printStates(look, breakdown, format); err != nil || watch == 0 {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return unreadable(cmd.Context().Err())
				case <-time.After(watch):
				}
			}
		},
	}
	cmd.Flags().StringVar(&by, "by", string(facts.ByState), "break down by state, destination, listener or program")
	registerFormat(cmd, &format)
	cmd.Flags().Int64Var(&sampleAbove, "sample-above", 0, fmt.Sprintf("estimate from a sample where there are more than `N` sockets (destinations; default %d) or descriptors (programs; default %d), and tell less of listeners (default %d)",
		observe.DefaultSampleAbove, observe.DefaultDescriptors, observe.DefaultQueuesAbove))
	cmd.Flags().DurationVar(&watch, "watch", 0, "count again after this time, until interrupted")
	cmd.Flags().StringVar(&host.facts, "facts", "", "take the snapshot in `FILE` (of 'tcptune facts', - for standard input) instead of this host")
	cmd.MarkFlagsMutuallyExclusive("facts", "watch")
	host.registerNetns(cmd, true)
	return cmd
}

func parseBreakdown(text string) (facts.Breakdown, error) {
	names := make([]string, len(facts.Breakdowns))
	for i, b := range facts.Breakdowns {
		if names[i] = string(b); names[i] == text {
			return b, nil
		}
	}
	return "", usage("", "--by %q is none of %s", text, strings.Join(names, ", "))
}

func (a *app) printStates(look func() (*facts.Snapshot, error), by facts.Breakdown, format string) error {
	s, err := look()
	if err != nil {
		return err
	}
	r := advisor.StatesOf(s, by)
	if format == "json" {
		return printable.JSON(a.out, r)
	}
	return a.text(rules.Info).States(a.out, r)
}
