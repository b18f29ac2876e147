package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/rules"
)

// healthFlags say what must stay well while a change waits to be confirmed.
type healthFlags struct {
	command string
	rules   []string // names, or patterns of names
}

func (h *healthFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.command, "health", "", "with --confirm, run this shell `COMMAND` again and again; its failure takes the change back at once, otherwise the end of the time confirms it")
	cmd.Flags().StringArrayVar(&h.rules, "health-rule", nil, "the same for rules that match `PATTERN`, if one fires that did not before (may be repeated)")
}

// asked reports whether health decides at the end of the window.
func (h healthFlags) asked() bool { return h.command != "" || len(h.rules) > 0 }

func (h healthFlags) arguments() []string {
	var args []string
	if h.command != "" {
		args = append(args, "--health", h.command)
	}
	for _, pattern := range h.rules {
		args = append(args, "--health-rule", pattern)
	}
	return args
}

const (
	healthPeriod = 2 * time.Second // from the end of one check to the next one
	healthLimit  = 10 * time.Second
	// healthLook is how long counters are watched: what a rule says of all the time
	// since boot was so before the change.
	healthLook = time.Second
)

// health is what is checked, over and over.
type health struct {
	healthFlags
	set   rules.Set // the rules chosen, nothing else
	fired []string  // those that fired before the change
}

// newHealth finds the rules that are meant.
func newHealth(h healthFlags, chosen ruleFlags, fired []string) (health, error) {
	checks := health{healthFlags: h, fired: fired}
	if len(h.rules) == 0 {
		return checks, nil
	}
	all, err := chosen.load()
	if err != nil {
		return checks, err
	}
	if checks.set, err = all.Only(h.rules); err != nil {
		return checks, usage("'tcptune rules list' shows the rules there are", "--health-rule: %v", err)
	}
	return checks, nil
}

// before looks at what is to stay well before anything is changed. A command
// that fails already would tell nothing.
func (h *health) before(ctx context.Context) (err error) {
	err = h.runCommand(ctx, healthLimit)
	if err == nil {
		h.fired, err = h.firing(ctx)
	} else {
		err = &failure{exitRefused, fmt.Errorf("not applied: %w, before anything was changed", err), ""}
	}
	if ctx.Err() != nil {
		return &failure{exitRefused, fmt.Errorf("interrupted before anything was done: %w", context.Cause(ctx)), ""}
	}
	return err
}

// check is the first thing that is not well.
func (h health) check(ctx context.Context, limit time.Duration) error {
	if err := h.runCommand(ctx, limit); err != nil {
		return err
	}
	fired, err := h.firing(ctx)
	if err != nil {
		return fmt.Errorf("whether a rule fires could not be seen: %w", err)
	}
	for _, name := range fired {
		if !slices.Contains(h.fired, name) {
			return fmt.Errorf("rule %s fires, and did not before", name)
		}
	}
	return nil
}

// firing are the names of the chosen rules that fire now.
func (h health) firing(ctx context.Context) ([]string, error) {
	if len(h.rules) == 0 {
		return nil, nil
	}
	s, err := observe.Host(ctx, observe.Options{Interval: healthLook, Version: versionText()})
	if err != nil {
		return nil, unreadable(err)
	}
	var names []string
	for _, f := range advisor.Advise(s, h.set, nil).Findings {
		names = append(names, f.Rule)
	}
	return names, nil
}

// runCommand runs the command, with all that it starts, for so long at most.
func (h health) runCommand(ctx context.Context, limit time.Duration) error {
	if h.command == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var output tail
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", h.command)
	cmd.Dir = "/" // as the guard's, so that what is not found from there fails before the change
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Start()
	if err == nil {
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err = <-ended:
		case <-time.After(limit + 2*cmd.WaitDelay):
			// It waits for a disk that does not answer, say. The undo does not.
			return fmt.Errorf("health check %q failed: it hangs, and cannot be ended", h.command)
		}
		// What it left behind would pile up, one for each check. Numbers of processes are
		// given out in turn: this one is not somebody else's already.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it left something behind, and was well
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it took longer than %v", limit.Round(time.Millisecond))
	}
	said := ""
	if lines := output.lines(); lines != "" {
		said = ": " + lines
	}
	return fmt.Errorf("health check %q failed: %w%s", h.command, err, said)
}

// A tail keeps the end of what is written to it.
type tail struct{ text []byte }

const (
	tailBytes = 2000
	tailLines = 3
)

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// lines are the last ones, in one.
func (t *tail) lines() string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.text), "?")), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], " / ")
}
