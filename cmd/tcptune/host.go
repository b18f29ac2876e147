package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
)

// hostFlags choose what is looked at: this host or a snapshot.
type hostFlags struct {
	facts     string
	interval  time.Duration
	behindNAT bool
}

func (h *hostFlags) register(cmd *cobra.Command) {
	h.registerLive(cmd)
	cmd.Flags().StringVar(&h.facts, "facts", "", "judge the snapshot in `FILE` (of 'tcptune facts', - for standard input) instead of this host")
	cmd.MarkFlagsMutuallyExclusive("facts", "interval")
}

func (h *hostFlags) registerLive(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&h.interval, "interval", 0, "watch the counters this long, for what happens now instead of since boot")
	cmd.Flags().BoolVar(&h.behindNAT, "behind-nat", false, "clients come through address translation, which a host cannot see")
}

// snapshot looks at the host or reads the snapshot.
func (h *hostFlags) snapshot(ctx context.Context, a *app) (*facts.Snapshot, error) {
	if h.interval < 0 {
		return nil, usage("", "--interval %v is negative", h.interval)
	}
	if h.facts != "" {
		s, err := h.read(a)
		if err == nil && h.behindNAT {
			s.NAT = append(s.NAT, observe.OperatorSaysNAT)
		}
		return s, err
	}
	what := "looking at the host"
	if h.interval > 0 {
		what = fmt.Sprintf("watching the counters for %v", h.interval)
	}
	defer a.progress(what)()
	s, err := observe.Host(ctx, observe.Options{Interval: h.interval, BehindNAT: h.behindNAT, Version: versionText()})
	return s, unreadable(err)
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
