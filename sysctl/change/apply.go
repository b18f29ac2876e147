package change

import (
	"context"
	"errors"
	"fmt"
)

// Apply makes all changes of a request or none; see the package comment for the
// steps. It writes only what differs. If nothing does, the Result has no ID and
// the journal no new entry.
//
// A plan that is no longer true is a [*MovedError], an earlier half-finished
// transaction an [*UnfinishedError], an unreadable entry a [*DamagedError], a
// foreign file at the drop-in's path a [*NotOursError], another run [ErrLocked];
// in all these cases nothing was written. A failure on the way is an
// [*UndoneError] or an [*UndoFailedError] around its cause. A context that is
// cancelled counts as a failure up to the last write.
func Apply(ctx context.Context, p Params, j *Journal, r Request) (Result, error) {
	if err := r.check(); err != nil {
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
	if err := refuse(records, here); err != nil {
		return Result{}, err
	}
	entry := Entry{Identity: here, By: r.By, Reason: r.Reason, Profile: r.Profile}
	result := Result{Schema: ResultSchema, State: Unchanged}
	if entry.Changes, result.Same, err = look(p, r.Changes); err != nil {
		return Result{}, err
	}
	entry.Changes = entry.Changes.inOrder()
	if r.DropIn != nil {
		if entry.DropIn, err = r.DropIn.look(); err != nil {
			return Result{}, err
		}
		result.DropIn = &FileResult{Path: entry.DropIn.Path, Outcome: FileWritten}
		if entry.DropIn.kept() {
			result.DropIn.Outcome = FileSame
		}
	}
	if len(entry.Changes) == 0 && (entry.DropIn == nil || entry.DropIn.kept()) {
		return result, nil
	}
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("interrupted before anything was done: %w", context.Cause(ctx))
	}
	if err := j.begin(&entry, records); err != nil {
		return Result{}, err
	}

	tried, err := write(ctx, p, j, &entry, r.DropIn)
	if err != nil {
		return goBack(p, j, &entry, tried, err)
	}
	result.ID, result.State, result.Written = entry.ID, entry.State, entry.Changes
	return result, nil
}

// refuse keeps Apply away from a journal that says, or may say, that something
// is half done.
func refuse(records []Record, here Identity) error {
	if unfinished := unfinishedIn(records, here); len(unfinished) > 0 {
		return &UnfinishedError{unfinished}
	}
	var damaged []error
	for _, r := range records {
		if r.Damaged != nil {
			damaged = append(damaged, r.Damaged)
		}
	}
	return errors.Join(damaged...)
}

// look reads every parameter again and splits the set into what is to be
// written, with the values just read, and what holds its value already.
func look(p Params, changes Set) (differ, alike Set, err error) {
	var moved []Moved
	for _, c := range changes {
		now, err := p.Get(c.Key)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case same(c.Key, now, c.To):
			c.From = now
			alike = append(alike, c)
		case same(c.Key, now, c.From):
			c.From = now // to the letter, as it will have to come back
			differ = append(differ, c)
		default:
			moved = append(moved, Moved{Key: c.Key, Expected: c.From, Found: now})
		}
	}
	if moved != nil {
		return nil, nil, &MovedError{moved}
	}
	return differ, alike, nil
}

// tried is how far write came.
type tried struct {
	changes int  // so many were begun; the last one may have failed
	dropIn  bool // the drop-in was begun
	failed  bool // the last change's write is what failed
}

// write does steps 3 to 5.
func write(ctx context.Context, p Params, j *Journal, entry *Entry, dropIn *DropIn) (t tried, err error) {
	for _, c := range entry.Changes {
		if ctx.Err() != nil {
			return t, fmt.Errorf("interrupted before %s was set: %w", c.Key, context.Cause(ctx))
		}
		now, err := p.Get(c.Key)
		if err != nil {
			return t, err
		}
		if !same(c.Key, now, c.From) {
			return t, &MovedError{[]Moved{{Key: c.Key, Expected: c.From, Found: now}}}
		}
		t.changes++
		if err := p.Set(c.Key, c.To); err != nil {
			t.failed = true
			return t, err
		}
		j.did("set " + string(c.Key))
	}
	if dropIn != nil {
		if ctx.Err() != nil {
			return t, fmt.Errorf("interrupted before %s was written: %w", dropIn.path(), context.Cause(ctx))
		}
		t.dropIn = true
		if err := entry.DropIn.write(dropIn.Content, j.did); err != nil {
			return t, err
		}
	}
	return t, j.save(entry, Applied)
}

// goBack undoes what write did, whatever the context says by now.
func goBack(p Params, j *Journal, entry *Entry, t tried, cause error) (Result, error) {
	u := undoing{p: p, did: j.did}
	if t.dropIn {
		u.file(entry.DropIn)
	}
	for i := t.changes - 1; i >= 0; i-- {
		// What a write that failed left behind is ours whatever it is: the
		// kernel may have kept something else.
		u.change(entry.Changes[i], t.failed && i == t.changes-1)
	}
	result, err := u.settle(j, entry, Undone, cause)
	if u.failed != nil {
		return result, err
	}
	// If it cannot be recorded the entry stays begun, and a Rollback finds every
	// value old.
	return result, &UndoneError{Cause: errors.Join(cause, err), Result: result}
}
