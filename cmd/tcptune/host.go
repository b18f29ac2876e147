package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// hostFlags choose what is looked at: this host or a snapshot.
type hostFlags struct {
	facts        string
	interval     time.Duration
	behindNAT    bool
	netns        string
	sampleAbove  int64
	destinations bool // to be told apart whatever it takes, for a snapshot
	bpf          bool
	stateDir     string // of the journal; "" for the default
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
		what += "; " + everyNamespace + " for every one"
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

// snapshot looks at one network namespace of the host or reads its snapshot.
func (h *hostFlags) snapshot(ctx context.Context, a *app) (*facts.Snapshot, error) {
	if h.netns == everyNamespace {
		return nil, usage("'tcptune check', 'facts' and 'states' can", "this cannot look into all network namespaces at once")
	}
	s, all, err := h.look(ctx, a)
	if all != nil {
		return nil, &failure{exitUnreadable, fmt.Errorf("%s: %w", h.facts, &facts.SurveyError{Namespaces: len(all.Namespaces)}),
			"'tcptune check', 'facts' and 'states' take it; jq '.namespaces[0].snapshot' gives the host's"}
	}
	return s, err
}

// look looks at one network namespace of the host or, with --netns all, at all of
// them, or reads what was seen then. It gives one of the two.
func (h *hostFlags) look(ctx context.Context, a *app) (*facts.Snapshot, *facts.Survey, error) {
	if err := h.check(); err != nil {
		return nil, nil, err
	}
	if h.facts != "" {
		s, all, err := h.read(a)
		if err != nil || !h.behindNAT {
			return s, all, err
		}
		if s != nil {
			s.NAT = append(s.NAT, observe.OperatorSaysNAT)
			return s, nil, nil
		}
		for _, n := range all.Namespaces {
			n.Snapshot.NAT = append(n.Snapshot.NAT, observe.OperatorSaysNAT)
		}
		return nil, all, nil
	}
	if h.netns == everyNamespace {
		o := h.observing(a)
		defer a.progress(h.doing())()
		seen, err := observe.Everywhere(ctx, o)
		if err != nil {
			return nil, nil, unreadable(err)
		}
		return nil, surveyOf(seen), nil
	}
	o, err := h.options(a)
	if err != nil {
		return nil, nil, err
	}
	defer a.progress(h.doing())()
	s, err := observe.Host(ctx, o)
	return s, nil, unreadable(err)
}

// surveyOf is what was seen of all network namespaces. The host's was.
func surveyOf(seen []observe.Inside) *facts.Survey {
	survey := &facts.Survey{Schema: facts.SurveySchema, Version: versionText(), Skipped: []facts.SkippedNamespace{}}
	for _, inside := range seen {
		if inside.Err != nil {
			survey.Skipped = append(survey.Skipped, skippedOf(inside))
			continue
		}
		survey.Namespaces = append(survey.Namespaces, facts.Surveyed{Processes: inside.Processes, Snapshot: inside.Snapshot})
	}
	return survey
}

// observing says how to look, wherever. What waits for a decision here is told
// before anything else.
func (h *hostFlags) observing(a *app) observe.Options {
	a.tellPending(cmp.Or(h.stateDir, change.DefaultDir))
	return observe.Options{Interval: h.interval, BehindNAT: h.behindNAT, SampleAbove: h.sampleAbove, Destinations: h.destinations, Version: versionText()}
}

// options say how to look into one network namespace of this host.
func (h *hostFlags) options(a *app) (observe.Options, error) {
	o := h.observing(a)
	if h.netns == "" {
		return o, nil
	}
	n, err := netns.Lookup(h.netns)
	if err != nil {
		return o, unreadable(fmt.Errorf("--netns %s: %w", h.netns, err))
	}
	o.Namespace = &n
	return o, nil
}

// skipped says of namespaces that they were not looked into, in a series once.
func (a *app) skipped(namespaces []facts.SkippedNamespace) {
	for _, line := range report.Skipped(namespaces) {
		a.warnOnce(line, line)
	}
}

// skippedOf does not repeat the name in the reason: the same reason of several is
// told once.
func skippedOf(inside observe.Inside) facts.SkippedNamespace {
	why := inside.Err.Error()
	switch {
	case errors.Is(inside.Err, netns.ErrGone):
		why = netns.ErrGone.Error()
	case errors.Is(inside.Err, fs.ErrPermission):
		why = "to enter it needs CAP_SYS_ADMIN"
	}
	return facts.SkippedNamespace{Name: inside.String(), ID: inside.ID.String(), Reason: why}
}

// unseenProcesses says that there may be more namespaces than were found.
func (a *app) unseenProcesses(host *facts.Snapshot) {
	if host != nil && host.Everywhere.UnseenProcesses > 0 {
		a.warnOnce("others", fmt.Sprintf("there may be others: processes whose namespace may not be looked at: %d", host.Everywhere.UnseenProcesses))
	}
}

// warnOnce says what holds for every look of a series, once, though the text may
// change from look to look.
func (a *app) warnOnce(about, text string) {
	if a.warned[about] {
		return
	}
	if a.warned == nil {
		a.warned = map[string]bool{}
	}
	a.warned[about] = true
	fmt.Fprintf(a.err, "tcptune: warning: %s\n", printable.Text(text))
}

func (h *hostFlags) doing() string {
	if h.interval > 0 {
		return fmt.Sprintf("watching the counters for %v", h.interval)
	}
	return "looking at the host"
}

// read reads a file of 'tcptune facts'.
func (h *hostFlags) read(a *app) (*facts.Snapshot, *facts.Survey, error) {
	in, name := io.Reader(a.in), "standard input"
	if h.facts != "-" {
		file, err := os.Open(h.facts)
		if err != nil {
			return nil, nil, unreadable(err)
		}
		defer file.Close()
		in, name = file, h.facts
	}
	s, all, err := facts.DecodeEither(in)
	if err != nil {
		return nil, nil, &failure{exitUnreadable, fmt.Errorf("%s: %w", name, err), ""}
	}
	return s, all, nil
}
