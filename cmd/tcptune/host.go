package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// hostFlags choose what is looked at: this host or a snapshot.
type hostFlags struct {
	facts       string
	interval    time.Duration
	behindNAT   bool
	netns       string
	sampleAbove int64
	bpf         bool
	stateDir    string // of the journal; "" for the default
}

// everyNamespace is the --netns that means all.
const everyNamespace = "all"

func (h *hostFlags) register(cmd *cobra.Command) {
	h.registerLive(cmd)
	cmd.Flags().StringVar(&h.facts, "facts", "", "judge the snapshot in `FILE` (of 'tcptune facts', - for standard input) instead of this host")
	cmd.MarkFlagsMutuallyExclusive("facts", "interval")
}

// registerNetns adds --netns, after register. A command that cannot show several
// namespaces says so with one.
func (h *hostFlags) registerNetns(cmd *cobra.Command, several bool) {
	what := "look into the network namespace of this `NAME` (of ip-netns), process id or file"
	if several {
		what += ", or into " + everyNamespace
	}
	cmd.Flags().StringVar(&h.netns, "netns", "", what)
	cmd.MarkFlagsMutuallyExclusive("facts", "netns")
}

// registerSampleAbove adds --sample-above, after register.
func (h *hostFlags) registerSampleAbove(cmd *cobra.Command, what string) {
	cmd.Flags().Int64Var(&h.sampleAbove, "sample-above", 0, what)
	cmd.MarkFlagsMutuallyExclusive("facts", "sample-above")
}

// check refuses numbers that make no sense.
func (h *hostFlags) check() error {
	switch {
	case h.interval < 0:
		return usage("", "--interval %v is negative", h.interval)
	case h.sampleAbove < 0:
		return usage("", "--sample-above %d is negative", h.sampleAbove)
	}
	return nil
}

func (h *hostFlags) registerLive(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&h.interval, "interval", 0, "watch the counters this long, for what happens now instead of since boot")
	cmd.Flags().BoolVar(&h.behindNAT, "behind-nat", false, "clients come through address translation, which a host cannot see")
}

// snapshot looks at the host or reads the snapshot.
func (h *hostFlags) snapshot(ctx context.Context, a *app) (*facts.Snapshot, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	if h.facts != "" {
		s, err := h.read(a)
		if err == nil && h.behindNAT {
			s.NAT = append(s.NAT, observe.OperatorSaysNAT)
		}
		return s, err
	}
	o, err := h.options(a)
	if err != nil {
		return nil, err
	}
	defer a.progress(h.doing())()
	s, err := observe.Host(ctx, o)
	return s, unreadable(err)
}

// observing says how to look, wherever. What waits for a decision here is told
// before anything else.
func (h *hostFlags) observing(a *app) observe.Options {
	a.tellPending(cmp.Or(h.stateDir, change.DefaultDir))
	return observe.Options{Interval: h.interval, BehindNAT: h.behindNAT, SampleAbove: h.sampleAbove, Version: versionText()}
}

// options say how to look into one network namespace of this host.
func (h *hostFlags) options(a *app) (observe.Options, error) {
	o := h.observing(a)
	switch h.netns {
	case "":
		return o, nil
	case everyNamespace:
		return o, usage("'tcptune check', 'facts' and 'states' can", "this cannot look into all network namespaces at once")
	}
	n, err := netns.Lookup(h.netns)
	if err != nil {
		return o, unreadable(fmt.Errorf("--netns %s: %w", h.netns, err))
	}
	o.Namespace = &n
	return o, nil
}

// everywhere looks at the host and into all of its network namespaces.
func (h *hostFlags) everywhere(ctx context.Context, a *app) ([]observe.Inside, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	o := h.observing(a)
	defer a.progress(h.doing())()
	seen, err := observe.Everywhere(ctx, o)
	return seen, unreadable(err)
}

// skipped says of a namespace that it was not looked into.
func (a *app) skipped(inside observe.Inside) {
	fmt.Fprintf(a.err, "tcptune: warning: %s skipped: %s\n", printable.Text(inside.String()), printable.Text(whySkipped(inside)))
}

// whySkipped does not repeat the name.
func whySkipped(inside observe.Inside) string {
	if errors.Is(inside.Err, netns.ErrGone) {
		return netns.ErrGone.Error()
	}
	return inside.Err.Error()
}

// unseenProcesses says that there may be more namespaces than were found.
func (a *app) unseenProcesses(host *facts.Snapshot) {
	if host != nil && host.Everywhere.UnseenProcesses > 0 {
		a.warnOnce("there may be others: processes whose namespace may not be looked at: %d", host.Everywhere.UnseenProcesses)
	}
}

// warnOnce says what holds for every look of a series, once.
func (a *app) warnOnce(format string, args ...any) {
	if a.warned[format] {
		return
	}
	if a.warned == nil {
		a.warned = map[string]bool{}
	}
	a.warned[format] = true
	fmt.Fprintf(a.err, "tcptune: warning: %s\n", printable.Text(fmt.Sprintf(format, args...)))
}

func (h *hostFlags) doing() string {
	if h.interval > 0 {
		return fmt.Sprintf("watching the counters for %v", h.interval)
	}
	return "looking at the host"
}

func (h *hostFlags) read(a *app) (*facts.Snapshot, error) {
	in, name := io.Reader(a.in), "standard input"
	if h.facts != "-" {
		file, err := os.Open(h.facts)
		if err != nil {
			return nil, unreadable(err)
		}
		defer file.Close()
		in, name = file, h.facts
	}
	s, err := facts.Decode(in)
	if err != nil {
		return nil, &failure{exitUnreadable, fmt.Errorf("%s: %w", name, err), ""}
	}
	return s, nil
}
