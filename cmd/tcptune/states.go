package main

import (
	"context"
	"fmt"
	"slices"
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
		host       hostFlags
		by, format string
		watch      time.Duration
	)
	cmd := &cobra.Command{
		Use:   "states",
		Short: "Count sockets by state, destination, listener, program or namespace",
		Long: `States counts the TCP sockets of the network namespace it runs in, fetching no
more of them than the question needs. It needs no privilege, but to name programs
of other users. Every state is counted exactly; destinations are estimated on
hosts with very many sockets, and the estimate says how far off it may be.

--by namespace is another word for --netns all: the states of each namespace.

With --bpf programs in the kernel look at descriptors and into all network
namespaces, which costs much less on hosts with many sockets, and no program is
estimated. Where they cannot be had it says why and goes on without.`,
		Example: `  tcptune states
  tcptune states --by destination
  tcptune states --by listener --format json
  sudo tcptune states --by program
  tcptune states --watch 5s
  sudo tcptune states --by namespace
  sudo tcptune states --netns all --by listener
  sudo tcptune states --netns all --bpf`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if by == byNamespace {
				if host.netns != "" && host.netns != everyNamespace || host.facts != "" {
					return usage("", "--by %s counts all network namespaces of this host", byNamespace)
				}
				host.netns, by = everyNamespace, string(facts.ByState)
			}
			breakdown, err := parseBreakdown(by)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("watch") && watch < watchLeast {
				return usage("", "--watch %v is less than %v", watch, watchLeast)
			}
			if host.bpf && breakdown != facts.ByProgram && (breakdown != facts.ByState || host.netns != everyNamespace) {
				return usage("", "--bpf is for --by program, and for --by namespace")
			}
			show, err := a.showStates(cmd.Context(), host, breakdown, format)
			if err != nil {
				return err
			}
			for {
				if watch > 0 && format == "text" {
					fmt.Fprintf(a.out, "\n%s\n", time.Now().Format(time.RFC3339))
				}
				if err := show(); err != nil || watch == 0 {
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
	cmd.Flags().StringVar(&by, "by", string(facts.ByState), "break down by "+breakdowns())
	registerFormat(cmd, &format)
	cmd.Flags().DurationVar(&watch, "watch", 0, "count again after this time, until interrupted")
	cmd.Flags().StringVar(&host.facts, "facts", "", "take the snapshot in `FILE` (of 'tcptune facts', - for standard input) instead of this host")
	cmd.MarkFlagsMutuallyExclusive("facts", "watch")
	host.registerNetns(cmd, true)
	host.registerSampleAbove(cmd, fmt.Sprintf("estimate from a sample where there are more than `N` sockets (destinations; default %d) or descriptors (programs; default %d), and tell less of listeners (default %d)",
		observe.DefaultSampleAbove, observe.DefaultDescriptors, observe.DefaultQueuesAbove))
	cmd.Flags().BoolVar(&host.bpf, "bpf", false, "look with programs in the kernel, for --by program and --by namespace (needs CAP_BPF and CAP_PERFMON)")
	cmd.MarkFlagsMutuallyExclusive("facts", "bpf")
	return cmd
}

// byNamespace is the --by that is no breakdown of a namespace.
const byNamespace = "namespace"

func breakdowns() string {
	var names []string
	for _, b := range facts.Breakdowns {
		names = append(names, string(b))
	}
	return strings.Join(names, ", ") + " or " + byNamespace
}

func parseBreakdown(text string) (facts.Breakdown, error) {
	if b := facts.Breakdown(text); slices.Contains(facts.Breakdowns, b) {
		return b, nil
	}
	return "", usage("", "--by %q is none of %s", text, breakdowns())
}

// showStates gives a function that looks and prints what it sees.
func (a *app) showStates(ctx context.Context, host hostFlags, by facts.Breakdown, format string) (func() error, error) {
	if err := host.check(); err != nil {
		return nil, err
	}
	var byBPF func(refused error)
	if host.bpf {
		byBPF = func(refused error) {
			a.warnOnce("--bpf is left aside: %v", refused)
		}
	}
	if host.netns == everyNamespace {
		o := host.observing(a)
		o.BPF = byBPF
		return func() error { return a.statesEverywhere(ctx, o, by, format) }, nil
	}
	look := func() (*facts.Snapshot, error) { return host.read(a) }
	if host.facts == "" {
		options, err := host.options(a)
		if err != nil {
			return nil, err
		}
		options.BPF = byBPF
		look = func() (*facts.Snapshot, error) {
			s, err := observe.Sockets(ctx, options, by)
			return s, unreadable(err)
		}
	}
	return func() error {
		s, err := look()
		if err != nil {
			return err
		}
		r := advisor.StatesOf(s, by)
		if format == "json" {
			return printable.JSON(a.out, r)
		}
		return a.text(rules.Info).States(a.out, r)
	}, nil
}
