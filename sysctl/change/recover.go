package change

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// A Direction is what Recover makes of a transaction that was cut off.
type Direction string

const (
	Back    Direction = "back"    // as if it had never begun
	Forward Direction = "forward" // to where it was going
)

// Recover deals with every transaction that a run left in the middle, newest
// first, and gives a Result for each; [ErrNothingToUndo] if there is none, or a
// [*DamagedError] where one that cannot be read may be it.
//
// Back undoes it as [Rollback] does. Forward writes what is missing, be it the
// new values or, where a rollback was cut off, the old ones; it counts as the
// confirmation of a transaction that was to wait for one. A parameter that holds
// neither the old value nor the new one, or any other failure on the way
// forward, makes it go back: an [*UndoneError].
//
// Of a transaction of an earlier boot only the drop-in is left: Forward keeps it.
func Recover(ctx context.Context, p Params, j *Journal, way Direction) ([]Result, error) {
	if way != Back && way != Forward {
		return nil, fmt.Errorf("recover: direction %q is not known", way)
	}
	if j.absent() {
		return nil, fmt.Errorf("recover: %w", ErrNothingToUndo)
	}
	unlock, err := j.lockUnlessHeld()
	if err != nil {
		return nil, err
	}
	defer unlock()
	v, err := j.see()
	if err != nil {
		return nil, err
	}
	unfinished := v.unfinished()
	if len(unfinished) == 0 {
		return nil, fmt.Errorf("recover: %w", cmp.Or(v.damaged(), ErrNothingToUndo))
	}
	if err := v.damaged(); err != nil && way == Forward {
		return nil, fmt.Errorf("recover: %w", err) // as Apply would refuse
	}
	return each(ctx, unfinished, func(e Entry) (Result, error) {
		if way == Forward && e.State != RollingBack {
			return v.finish(ctx, p, e)
		}
		return v.undo(p, e, Undo{})
	})
}

// finish goes on where a transaction was cut off.
func (v view) finish(ctx context.Context, p Params, e Entry) (Result, error) {
	w := writing{view: v, p: p, entry: &e, from: e.State, filed: e.Layer != nil}
	if e.Boot == v.here.Boot {
		w.begun = slices.Clone(e.Changes)
	}
	written, met, err := w.rest(ctx)
	if err != nil {
		return w.goBack(err)
	}
	v.update(e)
	result := Result{Schema: ResultSchema, ID: e.ID, State: e.State, Written: written, Same: met, Rebooted: e.Boot != v.here.Boot}
	if w.file != nil {
		result.DropIn = w.file.outcome(FileWritten)
	}
	return result, nil
}

// rest writes what is not as it is to be.
func (w *writing) rest(ctx context.Context) (written, met Set, err error) {
	e := w.entry
	if e.State == Begun && e.Boot == w.here.Boot {
		if written, met, err = look(w.p, e.Changes); err != nil {
			return nil, nil, err
		}
		written = written.inOrder()
		// By the run that was cut off, or it comes to the same.
		w.begun = slices.DeleteFunc(slices.Clone(e.Changes), func(c Change) bool { _, open := written.find(c.Key); return open })
		if err := w.values(ctx, written); err != nil {
			return nil, nil, err
		}
	}
	if e.Layer != nil {
		if err := placeable(e.Layer.Path); err != nil {
			return nil, nil, err
		}
		if w.file, err = w.view.dropIn(e, false); err != nil {
			return nil, nil, err
		}
		if err := w.dropIn(ctx); err != nil {
			return nil, nil, err
		}
	}
	if e.Window != nil {
		e.Window.Confirmed = w.j.now().UTC()
	}
	return written, met, w.j.save(e, Applied)
}
