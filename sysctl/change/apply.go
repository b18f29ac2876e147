package change

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tcptune/tcptune/sysctl"
)

// Apply makes all changes of a request or none; see the package comment for the
// steps. It writes only what differs. If nothing does, the Result has no ID and
// the journal no new entry.
//
// A plan that is no longer true is a [*MovedError], an earlier half-finished
// transaction an [*UnfinishedError], one that waits to be confirmed an
// [*UnconfirmedError] or, if its values have come back, a [*TakenBackError], an
// unreadable entry a [*DamagedError], a foreign file at the drop-in's path a
// [*NotOursError], one of ours that somebody edited an [*EditedError], another run
// [ErrLocked]; in all these cases nothing was written. A failure on the way is an [*UndoneError] or an [*UndoFailedError]
// around its cause. An error of any other kind with a Result that has an ID means
// that all was written, and that this could not be recorded for good. A context
// that is cancelled counts as a failure up to the last write.
func Apply(ctx context.Context, p Params, j *Journal, r Request) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	unlock, err := j.lockUnlessHeld()
	if err != nil {
		return Result{}, err
	}
	defer unlock()

	v, err := j.see()
	if err != nil {
		return Result{}, err
	}
	if err := v.refuse(p); err != nil {
		return Result{}, err
	}
	entry := Entry{ID: v.newID(), Identity: v.here, By: r.By, Reason: r.Reason, Profile: r.Profile}
	if entry.Changes, entry.Met, err = look(p, r.Changes); err != nil {
		return Result{}, err
	}
	entry.Changes = entry.Changes.inOrder()
	result := Result{Schema: ResultSchema, State: Unchanged, Same: entry.Met}
	var file *dropIn
	if r.Persist != nil {
		if err := placeable(r.Persist.Path); err != nil {
			return Result{}, err
		}
		layer := *r.Persist
		entry.Layer = &layer
		if file, err = v.dropIn(&entry, r.Force); err != nil {
			return Result{}, err
		}
		result.DropIn = file.outcome(FileWritten)
	}
	if len(entry.Changes) == 0 && (file == nil || file.same()) {
		return result, nil
	}
	if r.Window > 0 {
		result.DropIn = nil // not yet
		if entry.Window, err = j.window(r.Window); err != nil {
			return Result{}, err
		}
	}
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("interrupted before anything was done: %w", context.Cause(ctx))
	}
	if err := j.begin(&entry, v); err != nil {
		return Result{}, err
	}

	w := writing{view: v, p: p, entry: &entry, from: Begun, file: file}
	if err := w.all(ctx, r); err != nil {
		return w.goBack(err)
	}
	result.ID, result.State, result.Written, result.Window = entry.ID, entry.State, entry.Changes, entry.Window
	return result, nil
}

// refuse keeps Apply away from a journal that says, or may say, that something
// is half done or not decided.
func (v view) refuse(p Params) error {
	if unfinished := v.unfinished(); len(unfinished) > 0 {
		return &UnfinishedError{unfinished}
	}
	if open := v.unconfirmed(); len(open) > 0 {
		if v.takenBack(p, open[0]) {
			return &TakenBackError{open[0].ID}
		}
		remaining, err := v.j.Remaining(open[0])
		if err != nil {
			return err
		}
		return &UnconfirmedError{open[0], remaining}
	}
	return v.damaged()
}

// look reads every parameter again and splits the set into what is to be
// written, with the values just read, and what holds its value already. All that
// is to be written must be such that it can be.
func look(p Params, changes Set) (differ, met Set, err error) {
	var moved []Moved
	var refused []error
	for _, c := range changes {
		now, err := p.Get(c.Key)
		switch {
		case err != nil:
			refused = append(refused, err)
		case same(c.Key, now, c.To):
			c.From = now
			met = append(met, c)
		case same(c.Key, now, c.From):
			c.From = now // to the letter, as it will have to come back
			differ = append(differ, c)
			err := p.Writable(c.Key)
			if sysctl.CauseOf(err) == sysctl.ReadOnlyTree {
				return nil, nil, err // and so is all the rest
			}
			if err != nil {
				refused = append(refused, err)
			}
		default:
			moved = append(moved, Moved{Key: c.Key, Expected: c.From, Found: now})
		}
	}
	if moved != nil {
		return nil, nil, &MovedError{moved}
	}
	return differ, met, errors.Join(refused...)
}

// writing is a transaction from its first write on.
type writing struct {
	view
	p     Params
	entry *Entry
	from  State   // what the journal said before
	file  *dropIn // nil if the transaction has none

	begun  Set        // the changes whose write was begun
	failed sysctl.Key // the one whose write failed, or ""
	filed  bool       // the drop-in was begun
}

// all does steps 3 to 5. A transaction with a window stops before the drop-in.
func (w *writing) all(ctx context.Context, r Request) error {
	if r.Window > 0 && r.Arm != nil {
		if err := r.Arm(*w.entry); err != nil {
			return fmt.Errorf("arm the undo: %w", err)
		}
	}
	if err := w.values(ctx, w.entry.Changes); err != nil {
		return err
	}
	if r.Window > 0 {
		var err error
		if w.entry.Window, err = w.j.window(r.Window); err != nil {
			return err
		}
		return w.j.save(w.entry, Unconfirmed)
	}
	if err := w.dropIn(ctx); err != nil {
		return err
	}
	return w.j.save(w.entry, Applied)
}

func (w *writing) values(ctx context.Context, changes Set) error {
	for _, c := range changes {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted before %s was set: %w", c.Key, context.Cause(ctx))
		}
		now, err := w.p.Get(c.Key)
		if err != nil {
			return err
		}
		if !same(c.Key, now, c.From) {
			return &MovedError{[]Moved{{Key: c.Key, Expected: c.From, Found: now}}}
		}
		w.begun = append(w.begun, c)
		if err := w.p.Set(c.Key, c.To); err != nil {
			w.failed = c.Key
			return err
		}
		w.j.did("set " + string(c.Key))
	}
	return nil
}

func (w *writing) dropIn(ctx context.Context) error {
	if w.file == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted before %s was written: %w", w.file.path, context.Cause(ctx))
	}
	w.filed = true
	return w.j.put(w.file, w.entry.ID)
}

// goBack undoes what was written, whatever the context says by now.
func (w *writing) goBack(cause error) (Result, error) {
	if err := w.takeBack(); err != nil {
		return Result{Schema: ResultSchema, ID: w.entry.ID, State: w.entry.State, Written: w.entry.Changes, Window: w.entry.Window},
			fmt.Errorf("transaction %s is %s, and may not be any more after a power loss: %w", w.entry.ID, w.entry.State, cause)
	}
	u := undoing{view: w.view, p: w.p, entry: w.entry, rebooted: w.entry.Boot != w.here.Boot}
	if w.filed {
		u.file()
	}
	slices.Reverse(w.begun)
	u.changes(w.begun, w.failed)
	result, err := u.settle(Undone, cause)
	if u.failed != nil {
		return result, err
	}
	// If it cannot be recorded the entry stays begun, and Recover finds every
	// value old.
	return result, &UndoneError{Cause: errors.Join(cause, err), Result: result}
}

// takeBack has the journal say again that the transaction is under way, if it may
// say by now that it is done: that may have been renamed, though it could not be
// made durable. A journal that would go on to say so while the values go back is worse than one
// that may forget.
func (w *writing) takeBack() error {
	if w.entry.State == w.from {
		return nil // it did not come so far
	}
	done := *w.entry
	err := w.j.save(w.entry, w.from)
	if on, errRead := w.j.Entry(done.ID); err != nil && (errRead != nil || on.State != w.from) {
		*w.entry = done
		return err
	}
	return nil
}
