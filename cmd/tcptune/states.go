package main

import (
	"context"
	"fmt"
	"io"
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

In JSON a look is one object, with --netns all, too. With --watch it has the time
and stands on a line of its own.

With --bpf programs in the kernel look at descriptors and into all network
namespaces, which costs much less on hosts with many sockets, and no program is
estimated. Where they cannot be had it says why and goes on without.`,
		Example: `  tcptune states
  tcptune states --by destination
  tcptune states --by listener --format json
  sudo tcptune states --by program
  tcptune states --watch 5s
  tcptune states --watch 1m --format json >> states.jsonl
  sudo tcptune states --by namespace
  sudo tcptune states --netns web --by program
  sudo tcptune states --netns all --by listener
  sudo tcptune states --netns all --bpf`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			if by == byNamespace {
				if host.netns != "" && host.netns != everyNamespace {
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
			if cmd.Flags().Changed("sample-above") && breakdown == facts.ByState {
				return usage("", "--sample-above is for --by destination, listener or program: states are counted exactly, whatever their number")
			}
			if watch == 0 {
				return show(time.Time{})
			}
			for looks := time.NewTicker(watch); ; {
				at := time.Now().Truncate(time.Millisecond)
				if format == "text" {
					if _, err := fmt.Fprintf(a.out, "\n%s\n", at.Format(time.RFC3339)); err != nil {
						return err
					}
				}
				if err := show(at); err != nil {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return unreadable(cmd.Context().Err())
				case <-looks.C:
				}
			}
		},
	}
	cmd.Flags().StringVar(&by, "by", string(facts.ByState), "break down by "+breakdowns())
	registerFormat(cmd, &format)
	cmd.Flags().DurationVar(&watch, "watch", 0, "count again and again, this often, until interrupted")
	cmd.Flags().StringVar(&host.facts, "facts", "", "take the snapshot in `FILE` (of 'tcptune facts', - for standard input) instead of this host")
	cmd.MarkFlagsMutuallyExclusive("facts", "watch")
	host.registerNetns(cmd, true)
	host.registerSampleAbove(cmd, fmt.Sprintf("for --by destination, estimate from a sample where there are more than `N` sockets (default %d); for --by program, where there are more descriptors (default %d); for --by listener, tell less where there are more sockets (default %d); states are counted exactly",
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

// showStates gives a function that looks and prints what it sees, with the time of
// the look if it is one of a series.
func (a *app) showStates(ctx context.Context, host hostFlags, by facts.Breakdown, format string) (func(at time.Time) error, error) {
	if err := host.check(); err != nil {
		return nil, err
	}
	var byBPF func(refused error)
	if host.bpf {
		byBPF = func(refused error) {
			a.warnOnce("bpf", fmt.Sprintf("--bpf is left aside: %v", refused))
		}
	}
	var look func() (*facts.Snapshot, *facts.Survey, error)
	switch {
	case host.facts != "":
		look = func() (*facts.Snapshot, *facts.Survey, error) {
			s, all, err := host.read(a)
			if s != nil && host.netns == everyNamespace {
				return nil, nil, &failure{exitUnreadable, fmt.Errorf("%s: holds one network namespace", host.facts), "'tcptune facts --netns all' takes a snapshot of all"}
			}
			return s, all, err
		}
	case host.netns == everyNamespace:
		o := host.observing(a)
		o.BPF = byBPF
		look = func() (*facts.Snapshot, *facts.Survey, error) {
			survey, err := a.socketsEverywhere(ctx, o, by)
			return nil, survey, err
		}
	default:
		o, err := host.options(a)
		if err != nil {
			return nil, err
		}
		o.BPF = byBPF
		look = func() (*facts.Snapshot, *facts.Survey, error) {
			defer a.progress("looking at the sockets")()
			s, err := observe.Sockets(ctx, o, by)
			return s, nil, unreadable(err)
		}
	}
	return func(at time.Time) error {
		s, all, err := look()
		switch {
		case err != nil:
			return err
		case all != nil:
			return a.printStatesOfAll(all, by, at, format)
		}
		r := advisor.StatesOf(s, by)
		if format == "json" {
			r.Time = at
			return a.printLook(r, at)
		}
		return a.atOnce(func(w io.Writer) error { return a.text(rules.Info).States(w, r) })
	}, nil
}

// printLook prints a look as JSON: on one line if it is one of a series.
func (a *app) printLook(r any, at time.Time) error {
	if at.IsZero() {
		return printable.JSON(a.out, r)
	}
	return printable.JSONLine(a.out, r)
}
