package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	// guardPatience is how long the guard tries again what fails, when the window is
	// over: a disk may have filled up, or a file system be away. Its pauses grow up
	// to longestPause.
	guardPatience = 15 * time.Minute
	longestPause  = 30 * time.Second
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
			ctx, release := uninterrupted(cmd.Context())
			defer release()
			g := guard{id: args[0], patience: guardPatience}
			// What fails here may be over soon; where a timer starts the guard at the end of
			// the window there is nobody else any more.
			err := g.trying(a, func() (over bool, err error) {
				if g.store, err = a.openStore(stateDir); err == nil {
					g.health, err = newHealth(checks, chosen, fired)
				}
				return err == nil, err
			})
			if err != nil {
				return err
			}
			switch leave, err := g.journal.Guard(g.id); {
			case errors.Is(err, change.ErrGuarded), errors.Is(err, change.ErrNoEntry):
				return classify(err, exitRefused)
			case err != nil:
				a.warn("nobody can see that this process guards the transaction: %v", err)
			default:
				defer leave()
			}
			fmt.Fprintln(a.out, guardSays)
			return classify(g.trying(a, func() (bool, error) { return g.look(ctx) }), exitUndoFailed)
		},
	}
	registerStateDir(cmd, &stateDir)
	checks.register(cmd)
	chosen.register(cmd)
	cmd.Flags().StringArrayVar(&fired, "fired", nil, "a rule that fired before the change")
	return cmd
}

// A guard watches a transaction until it is decided, and decides at the end of the
// window. A signal, as when the host shuts down the session that it belongs to,
// takes the change back at once.
type guard struct {
	store
	id       string
	health   health
	patience time.Duration

	checkAt time.Time
	end     time.Time // of the window, as it was known last
	why     error     // the transaction is to be taken back, and is not yet
}

// trying calls step over and over, until it is done with. An error may pass, so
// there is an end only if errors go on for so long after the end of the window:
// whoever comes next is told then.
func (g *guard) trying(a *app, step func() (over bool, err error)) error {
	var failing time.Time // since when
	pause := guardPeriod
	for {
		over, err := step()
		switch {
		case over:
			return nil
		case err == nil:
			failing, pause = time.Time{}, guardPeriod
			continue
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) >= g.patience && !time.Now().Before(g.end):
			return err
		}
		a.warn("%v; trying again in %v", err, pause)
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

// look looks once, does what is to be done, and waits for the next time. The
// transaction is over if it is decided, or is no more.
func (g *guard) look(ctx context.Context) (over bool, err error) {
	e, err := g.journal.Entry(g.id)
	switch {
	case errors.Is(err, change.ErrNoEntry):
		return true, nil
	case err != nil:
		return false, err
	case undoFailed(e):
		g.why = cmp.Or(g.why, errUndoFailed)
	case !undecided(e):
		return true, nil
	case betweenStates(e):
		g.why = cmp.Or(g.why, errCutOff)
	}
	remaining, err := g.journal.Remaining(e)
	if err != nil {
		return false, err
	}
	g.end = time.Now().Add(remaining)
	if g.why == nil {
		g.why = g.judge(ctx, e, remaining)
	}
	if g.why != nil {
		if err := g.takeBack(g.id, g.why); err != nil {
			return false, err
		}
		g.why = nil
		return false, nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(max(time.Until(g.end), time.Millisecond), guardPeriod)):
	}
	return false, nil
}

// judge is why a transaction is to be taken back now, or nil. At the end of a
// window that was well it confirms.
func (g *guard) judge(ctx context.Context, e change.Entry, remaining time.Duration) error {
	var unwell error
	checked := g.health.asked() && e.State == change.Unconfirmed && (remaining <= 0 || !time.Now().Before(g.checkAt))
	if checked {
		unwell = g.health.check(ctx, min(healthLimit, max(remaining, lastCheck)))
		g.checkAt = time.Now().Add(healthPeriod)
		// A check that took until the end of the window was the last one. The window may
		// have been extended meanwhile.
		if now, err := g.journal.Entry(g.id); err == nil && now.Window != nil {
			if left, err := g.journal.Remaining(now); err == nil {
				remaining = left
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("what watched the window was told to end: %w", context.Cause(ctx))
	case unwell != nil:
		return unwell
	case remaining <= 0 && checked:
		if _, err := g.confirm(g.id); err != nil && !errors.Is(err, change.ErrNoWindow) { // which is to say, it is decided
			return err
		}
		return nil
	case remaining <= 0:
		return errNotInTime
	}
	return nil
}

// armAgain is for [change.Extend]: it arms the undo of a window whose guard is
// gone. What health checks it made the journal does not know, so that it is for
// people to confirm, and otherwise the change is taken back. What there is to say is
// kept until the lock is free: a terminal that hangs must not hold it.
func armAgain(s store, stateDir string, length time.Duration, say *string) (func(change.Entry) error, error) {
	start, err := arm(s.journal, stateDir, windowFlags{length: length}, ruleFlags{}, health{})
	if err != nil {
		return nil, err
	}
	return func(e change.Entry) error {
		g, err := guardOf(s.journal, e.ID)
		switch {
		case err != nil:
			*say = fmt.Sprintf("whether the undo is still armed cannot be seen: %v", err)
			return nil
		case g.Stopped:
			*say = fmt.Sprintf("%v, and is to take the change back: 'kill -CONT %d' lets it go on", g.Process, g.PID)
		case !g.armed:
			*say = "the undo was not armed any more, and is armed again; if there were health checks they are not made any more, and 'tcptune confirm' confirms"
			return start(e)
		}
		return nil
	}, nil
}

// arm is how the guard of a window is started, for [change.Request].
func arm(journal *change.Journal, stateDir string, w windowFlags, chosen ruleFlags, h health) (func(change.Entry) error, error) {
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
		args := append(slices.Clone(args), e.ID)
		var err error
		if isUnderSystemd() {
			err = armBySystemd(e.ID, w, e.State != change.Begun, append([]string{program}, args...))
		} else {
			err = armByProcess(program, args)
		}
		if err != nil {
			return err
		}
		return awaitGuard(journal, e.ID)
	}, nil
}

// awaitGuard waits until it can be seen that a transaction is guarded.
func awaitGuard(journal *change.Journal, id string) error {
	for end := time.Now().Add(armTime); ; time.Sleep(20 * time.Millisecond) {
		switch g, err := guardOf(journal, id); {
		case err != nil:
			return err
		case g.armed:
			return nil
		case time.Now().After(end):
			return errors.New("there is no sign of it")
		}
	}
}

// A guarded transaction has a process that holds the lock of its guard, or systemd
// has a timer for it, and then the Process is none.
type guarded struct {
	armed bool
	change.Process
}

// guardOf finds out whether a transaction's undo is armed. It is an error if that
// cannot be seen.
func guardOf(journal *change.Journal, id string) (guarded, error) {
	by, ok, err := journal.GuardOf(id)
	if err != nil || ok {
		return guarded{ok, by}, err
	}
	if !isBootedBySystemd() {
		return guarded{}, nil
	}
	// The process that a timer has just started holds no lock yet.
	out, err := exec.Command(systemctl, "show", "--property=SubState", windowUnit(id)+"*").Output()
	if err != nil {
		return guarded{}, fmt.Errorf("%s: %w", systemctl, err)
	}
	for _, state := range strings.Fields(string(out)) {
		switch strings.TrimPrefix(state, "SubState=") {
		case "waiting", "running", "start":
			return guarded{armed: true}, nil
		}
	}
	return guarded{}, nil
}

// windowUnit is how units are called that systemd runs for a window. One that is
// armed again has a suffix: the name of a unit that failed may not be free yet.
func windowUnit(id string) string { return "tcptune-window-" + id }

// These are not looked for in PATH, which may be somebody else's.
const (
	systemdRun = "/usr/bin/systemd-run"
	systemctl  = "/usr/bin/systemctl"
)

func isBootedBySystemd() bool {
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	return err == nil
}

// isUnderSystemd reports whether systemd could run the guard where this process
// is: among the same parameters and files.
func isUnderSystemd() bool {
	if !isBootedBySystemd() {
		return false
	}
	for _, program := range []string{systemdRun, systemctl} {
		if _, err := os.Stat(program); err != nil {
			return false
		}
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
func armBySystemd(id string, w windowFlags, again bool, command []string) error {
	unit := windowUnit(id)
	if again {
		unit += fmt.Sprintf("-%d", os.Getpid())
	}
	args := []string{"--no-ask-password", "--unit=" + unit, "--description=tcptune: the window of transaction " + id}
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
