package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// A store is what transactions act on: the parameters and the journal.
type store struct {
	app     *app // tells what is being waited for
	tree    *sysctl.Tree
	journal *change.Journal
}

func (a *app) openStore(stateDir string) (store, error) {
	tree, err := openTree()
	if err != nil {
		return store{}, err
	}
	journal, err := change.OpenJournal(stateDir)
	return store{a, tree, journal}, classify(err, exitRefused)
}

func openTree() (*sysctl.Tree, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, unreadable(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	return tree, unreadable(err)
}

// holds reports whether a parameter has a value.
func (s store) holds(k sysctl.Key, v sysctl.Value) bool {
	now, err := s.tree.Get(k)
	param, _ := sysctl.Lookup(k)
	return err == nil && param.Type.Equal(now, v)
}

// confirm confirms a transaction however long another tcptune is busy.
func (s store) confirm(id string) (result change.Result, err error) {
	s.patiently(func() error {
		result, err = change.Confirm(context.Background(), s.tree, s.journal, id)
		return err
	})
	return result, err
}

// takeBack rolls a transaction back whose window is not decided, or whose undo has
// failed, whatever signals come and however long another tcptune is busy. What was
// decided, or given more time, in the meantime stays: that is seen under the lock.
func (s store) takeBack(id string, because error) (err error) {
	s.patiently(func() error {
		err = s.takeBackNow(id, because)
		return err
	})
	return err
}

func (s store) takeBackNow(id string, because error) error {
	unlock, err := s.journal.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	e, err := s.journal.Entry(id)
	switch {
	case err != nil:
		return err
	case !undecided(e) && !undoFailed(e):
		return nil
	case because == errCutOff && !betweenStates(e): // it was not cut off
		return nil
	}
	if because == errNotInTime {
		if remaining, err := s.journal.Remaining(e); err != nil || remaining > 0 {
			return err
		}
	}
	results, err := change.Rollback(context.Background(), s.tree, s.journal, change.Undo{ID: id, Because: because.Error()})
	if err != nil && len(results) > 0 && !errors.As(err, new(*change.UndoFailedError)) {
		return fmt.Errorf("transaction %s was taken back: %v; the journal does not say so: %w", id, because, err)
	}
	return err
}

// undecided reports whether a transaction with a window is neither confirmed nor
// taken back.
func undecided(e change.Entry) bool {
	return e.AwaitsConfirmation() || e.Window != nil && e.Window.Confirmed.IsZero() && e.State == change.RollingBack
}

// undoFailed reports whether a transaction was to be taken back at the end of its
// window and could not be.
func undoFailed(e change.Entry) bool {
	return e.State == change.UndoFailed && e.Window != nil && e.Window.Confirmed.IsZero()
}

// betweenStates reports whether another tcptune is about to decide, with the
// lock, or was killed while it did.
func betweenStates(e change.Entry) bool {
	return e.State == change.Confirming || e.State == change.RollingBack
}

var (
	errNotInTime  = errors.New("not confirmed in time")
	errCutOff     = errors.New("the decision was cut off")
	errUndoFailed = errors.New("an undo had failed, and was tried again")
)

const (
	lockPeriod   = 20 * time.Millisecond
	lockPatience = 3 * time.Second // who holds the lock is changing a handful of parameters
)

// patiently waits for the lock, as long as it takes: two may never write at once,
// so the lock of a process that lives is not broken, nor is the process ended. But
// one that was stopped in the middle, as by Ctrl-Z, would keep the undo waiting for
// ever, so it is let go on: it ends what it was about, in milliseconds.
func (s store) patiently(do func() error) {
	for look := time.Now().Add(lockPatience); errors.Is(do(), change.ErrLocked); time.Sleep(lockPeriod) {
		if time.Now().Before(look) {
			continue
		}
		look = time.Now().Add(lockPatience)
		by, ok := s.journal.Holder()
		if !ok {
			continue
		}
		s.app.warn("waiting for %v", by)
		if by.Stopped {
			_ = syscall.Kill(by.PID, syscall.SIGCONT)
		}
	}
}

// whenFree does what needs the lock, and waits a little where another process has
// it: the end of a window or a health check's confirmation takes an instant.
func (s store) whenFree(ctx context.Context, do func() error) error {
	began, told := time.Now(), false
	for {
		err := do()
		if !errors.Is(err, change.ErrLocked) || ctx.Err() != nil {
			return err
		}
		waited := time.Since(began)
		if waited < lockPatience/10 || told && waited < lockPatience {
			select {
			case <-ctx.Done():
			case <-time.After(lockPeriod):
			}
			continue
		}
		by, ok := s.journal.Holder()
		if waited < lockPatience {
			told = true
			if ok {
				s.app.warn("waiting for %v, which holds the lock of the journal", by)
			} else {
				s.app.warn("waiting for another tcptune")
			}
			continue
		}
		hint := "wait for the other tcptune to end"
		if ok {
			err = fmt.Errorf("%w: %v", err, by)
		}
		if by.Stopped {
			hint = fmt.Sprintf("'kill -CONT %d' lets it go on", by.PID)
		}
		return &failure{exitRefused, err, hint}
	}
}
