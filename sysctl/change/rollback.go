package change

import (
	"context"
	"errors"
	"fmt"

	"github.com/tcptune/tcptune/sysctl"
)

// Undo is what Rollback is asked to undo, and how.
type Undo struct {
	// ID names one transaction; "" stands for the unfinished one if there is one,
	// else for the newest that can be undone here.
	ID string
	// To names a transaction that stays: all newer ones go, the newest first.
	To string
	// Force puts back also what somebody else has changed since, a drop-in
	// included. What a newer transaction holds it leaves. Of a transaction that is
	// rolled back already, and was named, it puts back the parameters that were
	// left then.
	Force bool
	// DryRun writes nothing, and tells what would be done.
	DryRun bool
	// Because, if it is not "", is recorded as the Failure for which the
	// transaction had to go, where nobody asked for that.
	Because string
}

// Rollback undoes transactions, and gives a Result for each.
//
// It puts back what still is as the transaction made it; the Result lists what
// was put back and what was left, and why. What cannot be put back makes an
// [*UndoFailedError], and Rollback may be tried again. An error of any other
// kind with a Result that has an ID means that all was put back but could not
// be recorded. Either ends a Rollback of several.
//
// The context counts only before the first write of each transaction: to stop
// half-way would help nobody.
func Rollback(ctx context.Context, p Params, j *Journal, u Undo) ([]Result, error) {
	if u.ID != "" && u.To != "" {
		return nil, errors.New("roll back: one transaction, or all after one; not both")
	}
	if j.absent() {
		_, err := view{j: j}.choose(u)
		return nil, err
	}
	if u.DryRun {
		p = rehearsal{p, make(map[sysctl.Key]sysctl.Value)}
	} else {
		unlock, err := j.lockUnlessHeld()
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	v, err := j.see()
	if err != nil {
		return nil, err
	}
	entries, err := v.choose(u)
	if err != nil {
		return nil, err
	}
	return each(ctx, entries, func(e Entry) (Result, error) { return v.undo(p, e, u) })
}

// each deals with transactions one after the other, up to the first error.
func each(ctx context.Context, entries []Entry, do func(Entry) (Result, error)) ([]Result, error) {
	var results []Result
	for _, e := range entries {
		if ctx.Err() != nil {
			return results, fmt.Errorf("interrupted before transaction %s was touched: %w", e.ID, context.Cause(ctx))
		}
		result, err := do(e)
		if results = append(results, result); err != nil {
			return results, err
		}
	}
	return results, nil
}

// undo undoes one transaction.
func (v view) undo(p Params, e Entry, how Undo) (Result, error) {
	done := RolledBack
	switch {
	case !e.State.live():
		return v.undoRest(p, e, how)
	case e.State == Begun:
		done = Undone
	case !how.DryRun:
		// Where this cannot be recorded the values still come back: a full disk is
		// no reason to keep them.
		_ = v.j.save(&e, RollingBack)
	}
	u := undoing{view: v, p: p, entry: &e, rebooted: e.Boot != v.here.Boot, force: how.Force, dry: how.DryRun}
	u.all()
	var cause error
	if how.Because != "" {
		cause = errors.New(how.Because)
	}
	return u.settle(done, cause)
}

// undoRest puts back what an earlier undo of a transaction has left. Its state
// stays: each of these parameters is by itself, and none is the transaction's, so
// that whoever is cut off here leaves nothing half done.
func (v view) undoRest(p Params, e Entry, how Undo) (Result, error) {
	u := undoing{view: v, p: p, entry: &e, force: true, rest: true, dry: how.DryRun}
	var rest Set
	for _, l := range e.Left {
		if c, ok := e.wrote(l.Key); ok {
			rest = append(rest, c)
		}
	}
	u.changes(rest, "")
	return u.settleRest()
}

// choose finds the entries to roll back.
func (v view) choose(u Undo) ([]Entry, error) {
	if u.To != "" {
		return v.chooseAfter(u.To)
	}
	if u.ID == "" {
		return v.chooseNewest()
	}
	e, err := v.named(u.ID)
	switch {
	case err != nil:
		return nil, err
	case !e.State.live() && (!u.Force || len(e.Left) == 0):
		return nil, fmt.Errorf("roll back %s: %w: it is %s already", u.ID, ErrNothingToUndo, e.State)
	case e.Boot == v.here.Boot && !e.Namespace.Same(v.here.Namespace):
		return nil, &NamespaceError{ID: u.ID, Made: e.Namespace, Here: v.here.Namespace}
	case e.EndedByReboot(v.here), !e.State.live() && e.Boot != v.here.Boot:
		return nil, fmt.Errorf("roll back %s: %w: its values were gone with the reboot", u.ID, ErrNothingToUndo)
	}
	return []Entry{e}, nil
}

func (v view) named(id string) (Entry, error) {
	for _, r := range v.records {
		switch {
		case r.ID != id:
		case r.Damaged != nil:
			return Entry{}, r.Damaged
		default:
			return r.Entry, nil
		}
	}
	return Entry{}, fmt.Errorf("transaction %q: %w", id, ErrNoEntry)
}

// chooseNewest does not step over a damaged entry: that one may be the newest
// that can be undone.
func (v view) chooseNewest() ([]Entry, error) {
	if unfinished := v.unfinished(); len(unfinished) > 0 {
		return unfinished[:1], nil
	}
	for _, r := range v.records {
		switch {
		case r.Damaged != nil:
			return nil, r.Damaged
		case v.undoable(r.Entry):
			return []Entry{r.Entry}, nil
		}
	}
	return nil, fmt.Errorf("roll back: %w", ErrNothingToUndo)
}

func (v view) chooseAfter(id string) ([]Entry, error) {
	if _, err := v.named(id); err != nil {
		return nil, err
	}
	for _, r := range v.records {
		if r.ID > id && r.Damaged != nil {
			return nil, r.Damaged
		}
	}
	entries := v.entries(func(e Entry) bool { return e.ID > id && v.undoable(e) })
	if len(entries) == 0 {
		return nil, fmt.Errorf("roll back to %s: %w: nothing newer is in effect here", id, ErrNothingToUndo)
	}
	return entries, nil
}
