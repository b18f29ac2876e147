package change

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tcptune/tcptune/sysctl"
)

// Rollback undoes a transaction. An empty id means the unfinished one if there
// is one, else the newest that can be undone here.
//
// It puts back what still is as the transaction made it; the Result lists what
// was put back and what was left, and why. What cannot be put back makes an
// [*UndoFailedError], and Rollback may be tried again. An error of any other
// kind with a Result that has an ID means that all was put back but could not
// be recorded.
//
// The context counts only before the first write: to stop half-way would help
// nobody.
func Rollback(ctx context.Context, p Params, j *Journal, id string) (Result, error) {
	// The lock would create the journal: where there is none, nothing was done.
	if _, err := os.Lstat(j.dir); errors.Is(err, fs.ErrNotExist) {
		_, err := choose(nil, id, Identity{})
		return Result{}, err
	}
	unlock, err := j.lockUnlessHeld()
	if err != nil {
		return Result{}, err
	}
	defer unlock()

	here, err := j.here()
	if err != nil {
		return Result{}, err
	}
	records, err := j.List()
	if err != nil {
		return Result{}, err
	}
	entry, err := choose(records, id, here)
	if err != nil {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("interrupted before anything was done: %w", context.Cause(ctx))
	}

	// An entry that was only begun is unfinished as it is. Where this cannot be
	// recorded the values still come back: a full disk is no reason to keep them.
	if entry.State != Begun {
		_ = j.save(&entry, RollingBack)
	}
	u := undoing{p: p, did: j.did, held: heldByNewer(records, entry), rebooted: entry.Boot != here.Boot}
	if entry.DropIn != nil {
		u.file(entry.DropIn)
	}
	for i := len(entry.Changes) - 1; i >= 0 && !u.rebooted; i-- {
		u.change(entry.Changes[i], false)
	}
	return u.settle(j, &entry, RolledBack, nil)
}

// choose finds the entry to roll back.
func choose(records []Record, id string, here Identity) (Entry, error) {
	if id == "" {
		return chooseNewest(records, here)
	}
	for _, r := range records {
		switch {
		case r.ID != id:
			continue
		case r.Damaged != nil:
			return Entry{}, r.Damaged
		case !r.State.live():
			return Entry{}, fmt.Errorf("roll back %s: %w: it is %s already", id, ErrNothingToUndo, r.State)
		case r.Boot == here.Boot && !r.Namespace.Same(here.Namespace):
			return Entry{}, &NamespaceError{ID: id, Made: r.Namespace, Here: here.Namespace}
		case r.Boot != here.Boot && r.DropIn == nil:
			return Entry{}, fmt.Errorf("roll back %s: %w: its values were gone with the reboot", id, ErrNothingToUndo)
		}
		return r.Entry, nil
	}
	return Entry{}, fmt.Errorf("roll back %s: %w", id, ErrNoEntry)
}

// chooseNewest does not step over a damaged entry: that one may be the newest
// that can be undone.
func chooseNewest(records []Record, here Identity) (Entry, error) {
	if unfinished := unfinishedIn(records, here); len(unfinished) > 0 {
		return unfinished[0], nil
	}
	for _, r := range records {
		switch {
		case r.Damaged != nil:
			return Entry{}, r.Damaged
		case r.undoableIn(here):
			return r.Entry, nil
		}
	}
	return Entry{}, fmt.Errorf("roll back: %w", ErrNothingToUndo)
}

// held names, for what newer transactions changed, the newest of them.
type held struct {
	keys  map[sysctl.Key]string
	files map[string]string
}

func heldByNewer(records []Record, e Entry) held {
	h := held{make(map[sysctl.Key]string), make(map[string]string)}
	for _, r := range records { // newest first
		if r.ID <= e.ID {
			break
		}
		if r.Damaged != nil || !r.State.live() {
			continue
		}
		if f := r.DropIn; f != nil && h.files[f.Path] == "" {
			h.files[f.Path] = r.ID
		}
		if r.Boot != e.Boot || !r.Namespace.Same(e.Namespace) {
			continue
		}
		for _, c := range r.Changes {
			if h.keys[c.Key] == "" {
				h.keys[c.Key] = r.ID
			}
		}
	}
	return h
}
