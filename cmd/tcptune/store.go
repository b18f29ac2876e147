package main

import (
	"context"
	"errors"
	"time"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// A store is what transactions act on: the parameters and the journal.
type store struct {
	tree    *sysctl.Tree
	journal *change.Journal
}

func openStore(stateDir string) (store, error) {
	tree, err := openTree()
	if err != nil {
		return store{}, err
	}
	journal, err := change.OpenJournal(stateDir)
	return store{tree, journal}, classify(err, exitRefused)
}

func openTree() (*sysctl.Tree, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, unreadable(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	return tree, unreadable(err)
}

// confirm confirms a transaction however long another tcptune is busy.
func (s store) confirm(id string) (result change.Result, err error) {
	patiently(func() error {
		result, err = change.Confirm(context.Background(), s.tree, s.journal, id)
		return err
	})
	return result, err
}

// takeBack rolls a transaction back whose window is not decided, whatever signals
// come and however long another tcptune is busy. What was decided, or given more
// time, in the meantime stays: that is seen under the lock.
func (s store) takeBack(id string, because error) (err error) {
	patiently(func() error {
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
	if err != nil || !undecided(e) {
		return err
	}
	if because == errNotInTime {
		if remaining, err := s.journal.Remaining(e); err != nil || remaining > 0 {
			return err
		}
	}
	_, err = change.Rollback(context.Background(), s.tree, s.journal, change.Undo{ID: id, Because: because.Error()})
	return err
}

// undecided reports whether a transaction with a window is neither confirmed nor
// taken back.
func undecided(e change.Entry) bool {
	return e.AwaitsConfirmation() || e.Window != nil && e.Window.Confirmed.IsZero() && e.State == change.RollingBack
}

// betweenStates reports whether another tcptune is about to decide, with the
// lock, or was killed while it did.
func betweenStates(e change.Entry) bool {
	return e.State == change.Confirming || e.State == change.RollingBack
}

var (
	errNotInTime = errors.New("not confirmed in time")
	errCutOff    = errors.New("the decision was cut off")
)

// patiently waits for the lock. Who holds it is changing a handful of parameters.
func patiently(do func() error) {
	for errors.Is(do(), change.ErrLocked) {
		time.Sleep(20 * time.Millisecond)
	}
}
