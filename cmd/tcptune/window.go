package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/sysctl/change"
)

// windowFlags choose how long a change waits to be confirmed, and who confirms it.
type windowFlags struct {
	length time.Duration
	detach bool
	health healthFlags
}

func (w *windowFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.DurationVar(&w.length, "confirm", 0, "take the change back unless it is confirmed within this `DURATION`, by Enter or 'tcptune confirm'")
	flags.BoolVar(&w.detach, "detach", false, "with --confirm, return at once: 'tcptune confirm' confirms")
	w.health.register(cmd)
}

const (
	shortestWindow = time.Second
	longestWindow  = 24 * time.Hour
)

// check refuses what cannot be, before anything is looked at.
func (w *windowFlags) check(cmd *cobra.Command, a *app) error {
	if !cmd.Flags().Changed("confirm") {
		for _, name := range []string{"detach", "health", "health-rule"} {
			if cmd.Flags().Changed(name) {
				return usage("", "--%s goes with --confirm", name)
			}
		}
		return nil
	}
	if err := checkWindow(w.length); err != nil {
		return err
	}
	if w.detach && os.Getpid() == 1 {
		return &failure{exitRefused, errors.New("refused: this is the first process of a container, and with it whatever would take the change back ends, too"),
			"without --detach it waits here; in a container that stays, 'docker exec' or its like can run it"}
	}
	if _, ok := terminal(a.in); !ok && !w.detach && !w.health.asked() {
		return usage("--detach leaves that to 'tcptune confirm', --health to a command", "standard input is not a terminal, so nobody could confirm")
	}
	return nil
}

func checkWindow(length time.Duration) error {
	if length < shortestWindow || length > longestWindow {
		return usage("", "%v is no time to confirm in: it is between %v and %v", length, shortestWindow, longestWindow)
	}
	return nil
}

// await waits in the foreground until a transaction's window is decided. Enter
// confirms. A signal, the end of input, a terminal that is gone, or any other
// answer takes the change back. Health checks are the guard's business.
//
// It returns what Confirm did, or nil if it was not this process that confirmed.
func (a *app) await(ctx context.Context, s store, id string, w windowFlags) (confirmed *change.Result, err error) {
	answers := make(chan error)
	if fd, ok := terminal(a.in); ok {
		// What was typed before the question was seen is no answer to it.
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		go read(a.in, answers)
	}
	told := false
	for {
		unguarded := s.isUnguarded(id, w) // or has it done its work
		e, err := s.journal.Entry(id)
		if err != nil {
			return nil, err
		}
		if !undecided(e) {
			a.endCountdown()
			return nil, nil
		}
		if betweenStates(e) {
			if err := s.takeBack(id, errCutOff); err != nil {
				return nil, err
			}
			continue
		}
		remaining, err := s.journal.Remaining(e)
		if err != nil {
			return nil, err
		}
		overdue := -remaining
		if w.health.asked() {
			overdue -= guardGrace // it is for the guard to confirm
		}
		if unguarded && !w.health.asked() && !told {
			told = true
			a.endCountdown()
			a.warn("what would take the change back if this process were killed is gone: 'tcptune extend 5m', elsewhere, arms it again")
		}
		why := a.countDown(remaining, w)
		switch {
		case why != nil:
		case unguarded && w.health.asked():
			why = errUnguarded
		case ctx.Err() != nil:
			why = context.Cause(ctx)
		case overdue >= 0:
			why = errNotInTime
		default:
			select {
			case why = <-answers:
				if why == nil {
					a.endCountdown()
					result, err := s.confirm(id)
					if err == nil {
						return &result, nil
					}
					a.warn("%v", err) // the window goes on
				}
			case <-ctx.Done():
			case <-time.After(nextLook(remaining)):
			}
		}
		if why != nil {
			if err := s.takeBack(id, why); err != nil {
				a.endCountdown()
				return nil, err
			}
		}
	}
}

var errUnguarded = errors.New("what watched its health is gone")

// isUnguarded reports whether the process that should watch a window is gone.
// Where a timer of systemd's has that part there is none before the end.
func (s store) isUnguarded(id string, w windowFlags) bool {
	if !w.health.asked() && isUnderSystemd() {
		return false
	}
	_, guarded, err := s.journal.GuardOf(id)
	return err == nil && !guarded
}

// lookPeriod is how often the foreground looks what became of the window.
const lookPeriod = 200 * time.Millisecond

// nextLook is when the foreground looks again: at the end, but not all the time
// while a last health check goes on after it.
func nextLook(remaining time.Duration) time.Duration {
	if remaining <= 0 {
		return lookPeriod
	}
	return min(remaining, lookPeriod)
}

// read turns the lines that come from a terminal into answers: nil confirms.
func read(in io.Reader, answers chan<- error) {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		switch {
		case err == io.EOF:
			answers <- errors.New("the input ended")
			return
		case err != nil:
			answers <- fmt.Errorf("the terminal is gone: %w", err)
			return
		case line == "\n":
			answers <- nil
		default:
			answers <- errors.New("the answer was not Enter alone")
		}
	}
}

// countDown tells how much time there is. Its error is that of a terminal that
// is gone.
func (a *app) countDown(remaining time.Duration, w windowFlags) error {
	if _, ok := terminal(a.err); !ok {
		return nil
	}
	end := "taken back"
	if w.health.asked() {
		end = "kept, if it is healthy,"
	}
	how := ""
	if _, ok := terminal(a.in); ok {
		how = "Enter keeps the change, Ctrl-C takes it back; "
	}
	if _, err := fmt.Fprintf(a.err, "\r\x1b[Ktcptune: %sit is %s in %s ", how, end, report.Remaining(max(remaining, 0))); err != nil {
		return fmt.Errorf("the terminal is gone: %w", err)
	}
	return nil
}

func (a *app) endCountdown() {
	if _, ok := terminal(a.err); ok {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
}

// tellPending says on standard error what a journal has that somebody must
// decide. Only root can read it; for others, and where it cannot be read, there
// is no word.
func (a *app) tellPending(stateDir string) {
	journal, err := change.OpenJournal(stateDir)
	if err != nil {
		return
	}
	pending, err := journal.Pending()
	if err != nil {
		return
	}
	if pending.Damaged != nil {
		a.hint("a transaction that cannot be read may have left something to decide: %v", pending.Damaged)
	}
	if entries := pending.Unfinished; len(entries) > 0 {
		a.hint("transaction %s was cut off in the middle (%s): %s", entries[0].ID, entries[0].State, hintUnfinished)
	}
	if entries := pending.UndoFailed; len(entries) > 0 {
		still := ""
		if g, err := guardOf(journal, entries[0].ID); err == nil && g.armed {
			still = ", and is tried again"
		}
		a.hint("transaction %s was to be taken back and could not be%s: %s", entries[0].ID, still, hintUndoFailed)
	}
	if entries := pending.Unconfirmed; len(entries) > 0 {
		a.hint("%s", unconfirmed(journal, entries[0]))
	}
}

// unconfirmed is what there is to say of a transaction that waits to be confirmed.
func unconfirmed(journal *change.Journal, e change.Entry) string {
	if tree, err := openTree(); err == nil && journal.TakenBack(tree, e) {
		return fmt.Sprintf("%v: %s", &change.TakenBackError{ID: e.ID}, hintTakenBack)
	}
	remaining, err := journal.Remaining(e)
	if err != nil {
		return fmt.Sprintf("transaction %s waits to be confirmed: %v", e.ID, err)
	}
	g, errGuard := guardOf(journal, e.ID)
	alone := errGuard == nil && !g.armed
	switch waits := fmt.Sprintf("transaction %s waits another %s to be confirmed", e.ID, report.Remaining(remaining)); {
	case remaining > 0 && alone:
		return fmt.Sprintf("%s, and its undo is not armed any more: 'tcptune extend 5m' arms it again, %s", waits, hintOverdue)
	case remaining > 0 && g.Stopped:
		return fmt.Sprintf("%s, and %v, would not take it back: 'kill -CONT %d' lets it go on; %s", waits, g.Process, g.PID, hintUnconfirmed)
	case remaining > 0:
		return fmt.Sprintf("%s: %s", waits, hintUnconfirmed)
	case alone:
		return fmt.Sprintf("transaction %s was not confirmed in time, and nobody took it back: %s", e.ID, hintOverdue)
	}
	late := fmt.Sprintf("transaction %s was not confirmed in time, and is about to be taken back", e.ID)
	if errGuard != nil {
		late = fmt.Sprintf("transaction %s was not confirmed in time, and whether anybody takes it back cannot be seen: %v", e.ID, errGuard)
	} else if g.Stopped {
		late += fmt.Sprintf(", if 'kill -CONT %d' lets %v, go on", g.PID, g.Process)
	} else if by, ok := journal.Holder(); ok && by.PID != g.PID {
		late += fmt.Sprintf(" when the journal's lock is free, which is held by %v", by)
	}
	return late + ": " + hintOverdue
}

const (
	hintUnfinished  = "'tcptune recover' takes it back, 'tcptune recover --finish' completes it"
	hintUndoFailed  = "'tcptune history' says why, 'tcptune rollback' tries again"
	hintTakenBack   = "'tcptune rollback' records it"
	hintOverdue     = "'tcptune confirm' keeps it, 'tcptune rollback' takes it back"
	hintUnconfirmed = "'tcptune confirm' keeps it, 'tcptune rollback' takes it back, 'tcptune extend 5m' gives it more time"
)

// hint says on standard error what could be done.
func (a *app) hint(format string, args ...any) {
	fmt.Fprintf(a.err, "tcptune: hint: %s\n", printable.Text(fmt.Sprintf(format, args...)))
}
