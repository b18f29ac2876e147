package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/change"
)

const (
	// guardPeriod is how often the guard looks at the journal: a window may have been
	// extended or decided. It is no timer to the end, since Go's do not count the
	// time that a machine sleeps, and the window does.
	guardPeriod = time.Second
	// guardGrace is how long a health check may still take when the window is over.
	guardGrace = lastCheck + healthLook + 2*time.Second
	lastCheck  = 4 * time.Second
	// armTime is how long the guard has to say that it is there.
	armTime = 10 * time.Second

	guardSays = "armed"
)

// guardCommand is what takes a change back when nobody confirms it. It is started
// before the first write, in a session of its own or by systemd, and outlives
// whoever applied the change.
func (a *app) guardCommand() *cobra.Command {
	var (
		stateDir string
		checks   healthFlags
		chosen   ruleFlags
		fired    []string
	)
	cmd := &cobra.Command{
		Use:    "guard ID",
		Short:  "Take a transaction back at the end of its window (started by apply --confirm)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := openStore(stateDir)
			if err != nil {
				return err
			}
			h, err := newHealth(checks, chosen, fired)
			if err != nil {
				return err
			}
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			fmt.Fprintln(a.out, guardSays)
			return classify(s.guard(ctx, args[0], h), exitUndoFailed)
		},
	}
	registerStateDir(cmd, &stateDir)
	checks.register(cmd)
	chosen.register(cmd)
	cmd.Flags().StringArrayVar(&fired, "fired", nil, "a rule that fired before the change")
	return cmd
}

// guard watches a transaction until it is decided, and decides at the end of the
// window. A signal, as when the host shuts down the session that it belongs to,
// takes the change back at once.
func (s store) guard(ctx context.Context, id string, h health) error {
	var checkAt time.Time
	for {
		e, err := s.journal.Entry(id)
		switch {
		case errors.Is(err, change.ErrNoEntry):
			return nil
		case err != nil:
			return err
		case !undecided(e):
			return nil
		case betweenStates(e):
			if err := s.takeBack(id, errCutOff); err != nil {
				return err
			}
			continue
		}
		remaining, err := s.journal.Remaining(e)
		if err != nil {
			return err
		}
		var unwell error
		checked := h.asked() && e.State == change.Unconfirmed && (remaining <= 0 || !time.Now().Before(checkAt))
		if checked {
			unwell = h.check(ctx, min(healthLimit, max(remaining, lastCheck)))
			checkAt = time.Now().Add(healthPeriod)
		}
		switch {
		case ctx.Err() != nil:
			unwell = fmt.Errorf("what watched the window was told to end: %w", context.Cause(ctx))
		case unwell != nil:
		case remaining <= 0 && checked:
			_, err := s.confirm(id)
			if err == nil || errors.Is(err, change.ErrNoWindow) { // which is to say, it is decided
				continue
			}
			unwell = err
		case remaining <= 0:
			unwell = errNotInTime
		}
		if unwell != nil {
			if err := s.takeBack(id, unwell); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(max(remaining, time.Millisecond), guardPeriod)):
		}
	}
}

// arm is how the guard of a window is started, for [change.Request].
func arm(stateDir string, w windowFlags, chosen ruleFlags, h health) (func(change.Entry) error, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, err
	}
	args := append([]string{"guard", "--state-dir", stateDir}, h.arguments()...)
	if len(h.rules) > 0 {
		rules, err := chosen.absolute()
		if err != nil {
			return nil, err
		}
		args = append(args, rules...)
		for _, name := range h.fired {
			args = append(args, "--fired", name)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return func(e change.Entry) error {
		if isUnderSystemd() {
			return armBySystemd(e.ID, w, append([]string{program}, append(args, e.ID)...))
		}
		return armByProcess(program, append(args, e.ID))
	}, nil
}

// systemdRun is not looked for in PATH, which may be somebody else's.
const systemdRun = "/usr/bin/systemd-run"

// isUnderSystemd reports whether systemd could run the guard where this process
// is: among the same parameters and files.
func isUnderSystemd() bool {
	if _, err := os.Stat("/run/systemd/system"); err != nil { // sd_booted(3)
		return false
	}
	if _, err := os.Stat(systemdRun); err != nil {
		return false
	}
	for _, kind := range []string{"net", "mnt"} {
		its, err := os.Readlink("/proc/1/ns/" + kind)
		ours, errOurs := os.Readlink("/proc/self/ns/" + kind)
		if err != nil || errOurs != nil || its != ours {
			return false
		}
	}
	return true
}

// armBySystemd makes a transient timer, which no end of a session touches, or,
// where health is to be watched all the time, a transient service.
func armBySystemd(id string, w windowFlags, command []string) error {
	args := []string{"--no-ask-password", "--unit=tcptune-window-" + id, "--description=tcptune: the window of transaction " + id}
	if !w.health.asked() {
		args = append(args, fmt.Sprintf("--on-active=%dms", w.length.Milliseconds()), "--timer-property=AccuracySec=100ms")
	}
	args = append(args, "--")
	for _, arg := range command {
		args = append(args, strings.ReplaceAll(arg, "$", "$$")) // as in a unit's command line (systemd.service(5))
	}
	out, err := exec.Command(systemdRun, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", systemdRun, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// armByProcess starts the guard in a session of its own, which a terminal's
// hang-up does not reach, and waits until it is there.
func armByProcess(program string, args []string) error {
	if err := inheritNothing(); err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := &exec.Cmd{Path: program, Args: append([]string{"tcptune"}, args...), Dir: "/", Stdout: in, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	err = cmd.Start()
	in.Close()
	if err != nil {
		return err
	}
	if err := out.SetReadDeadline(time.Now().Add(armTime)); err != nil {
		return err
	}
	if said, _ := bufio.NewReader(out).ReadString('\n'); said != guardSays+"\n" {
		_ = cmd.Process.Kill()
		return fmt.Errorf("it did not start: %w", errors.Join(cmd.Wait()))
	}
	return cmd.Process.Release()
}

// inheritNothing keeps from what this process starts the descriptors that its
// caller left open, such as the lock of flock(1) or the pipe of whoever waits for
// our end: the guard would hold them for the length of the window.
func inheritNothing() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
