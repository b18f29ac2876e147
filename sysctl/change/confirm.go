package change

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Confirm makes an unconfirmed transaction an applied one, and puts its drop-in
// in place if it has one. An empty id means the one that waits here. It is not
// too late after the end of the window as long as nobody rolled it back.
//
// Values that somebody else changed in the meantime are in the Result's Left, and
// are theirs; if ours are back it is a [*TakenBackError]. If the drop-in cannot be written the transaction stays unconfirmed,
// and the window goes on.
func Confirm(ctx context.Context, p Params, j *Journal, id string) (Result, error) {
	unlock, v, e, err := j.open(id)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if v.takenBack(p, e) {
		return Result{}, &TakenBackError{e.ID}
	}
	result := Result{Schema: ResultSchema, ID: e.ID}
	result.Same, result.Left = e.compare(p)
	if ctx.Err() != nil {
		return Result{}, fmt.Errorf("interrupted before anything was done: %w", context.Cause(ctx))
	}
	if e.Layer != nil {
		if result.DropIn, err = v.confirmLayer(&e); err != nil {
			return Result{}, fmt.Errorf("transaction %s is not confirmed: %w", e.ID, err)
		}
	}
	e.Window.Confirmed = j.now().UTC()
	if err := j.save(&e, Applied); err != nil {
		return Result{}, err
	}
	result.State = e.State
	return result, nil
}

// compare finds out which values are still as the transaction made them.
func (e Entry) compare(p Params) (held Set, left []Left) {
	for _, c := range slices.Concat(e.Changes, e.Met) {
		switch now, err := p.Get(c.Key); {
		case err != nil:
			left = append(left, Left{Key: c.Key, Wanted: c.To, Why: err.Error()})
		case !same(c.Key, now, c.To):
			left = append(left, Left{Key: c.Key, Wanted: c.To, Found: now, Why: changedSince})
		default:
			held = append(held, c)
		}
	}
	return held, left
}

// TakenBack reports whether nothing of an entry's values is left, though it waits
// to be confirmed: a rollback put them back and could not record it, as on a full
// disk, or somebody else did. There is nothing to confirm then.
func (j *Journal) TakenBack(p Params, e Entry) bool {
	v, err := j.see()
	return err == nil && v.takenBack(p, e)
}

// takenBack asks whether a rollback would find some values as it leaves them, and
// those of others. That may be older ones than the transaction replaced.
func (v view) takenBack(p Params, e Entry) (back bool) {
	if e.State != Unconfirmed {
		return false
	}
	for _, c := range e.Changes {
		now, err := p.Get(c.Key)
		if err != nil || same(c.Key, now, c.To) {
			return false
		}
		back = back || same(c.Key, now, v.beneath(e, c))
	}
	return back
}

// confirmLayer puts the drop-in in place, or leaves all as it was.
func (v view) confirmLayer(e *Entry) (*FileResult, error) {
	if err := placeable(e.Layer.Path); err != nil {
		return nil, err
	}
	file, err := v.dropIn(e, false)
	if err != nil {
		return nil, err
	}
	if err = v.j.save(e, Confirming); err == nil {
		if err = v.j.put(file, e.ID); err == nil {
			return file.outcome(FileWritten), nil
		}
		// It may be in place, though not for certain. If it cannot be taken away the
		// transaction stays Confirming, for Recover.
		now, errRead := readDropIn(v.j.disk, file.path)
		if errRead != nil || !bytes.Equal(now, file.now) && v.j.put(&dropIn{file.path, now, file.now}, e.ID) != nil {
			return nil, err
		}
	}
	_ = v.j.save(e, Unconfirmed)
	return nil, err
}

// Extend gives an unconfirmed transaction that much time from now on. An empty
// id means the one that waits here. Whoever is to roll it back at the end reads
// the journal again when that comes; arm is called before the new time is written,
// with the lock held, to see to it that there is somebody, and its error keeps the
// window as it is. After the end it is too late, and the answer is an
// [*UnconfirmedError] or, if the values have come back, a [*TakenBackError].
func Extend(p Params, j *Journal, id string, length time.Duration, arm func(Entry) error) (Entry, error) {
	if length <= 0 {
		return Entry{}, fmt.Errorf("extend by %v: want a positive time", length)
	}
	unlock, v, e, err := j.open(id)
	if err != nil {
		return Entry{}, err
	}
	defer unlock()
	if v.takenBack(p, e) {
		return Entry{}, &TakenBackError{e.ID}
	}
	if remaining, err := j.Remaining(e); err != nil || remaining <= 0 {
		return Entry{}, cmp.Or(err, error(&UnconfirmedError{e, remaining}))
	}
	if err := arm(e); err != nil {
		return Entry{}, fmt.Errorf("arm the undo again: %w", err)
	}
	if e.Window, err = j.window(length); err != nil {
		return Entry{}, err
	}
	return e, j.save(&e, Unconfirmed)
}

// open locks the journal and finds the transaction whose window is open here.
func (j *Journal) open(id string) (unlock func(), v view, e Entry, err error) {
	if j.absent() {
		return nil, view{}, Entry{}, ErrNoWindow
	}
	if unlock, err = j.lockUnlessHeld(); err != nil {
		return nil, view{}, Entry{}, err
	}
	if v, err = j.see(); err == nil {
		e, err = v.open(id)
	}
	if err != nil {
		unlock()
		return nil, view{}, Entry{}, err
	}
	return unlock, v, e, nil
}

func (v view) open(id string) (Entry, error) {
	if id == "" {
		if unfinished := v.unfinished(); len(unfinished) > 0 {
			return Entry{}, &UnfinishedError{unfinished}
		}
		if open := v.unconfirmed(); len(open) > 0 {
			return open[0], nil
		}
		return Entry{}, cmp.Or(v.damaged(), ErrNoWindow)
	}
	e, err := v.named(id)
	switch {
	case err != nil:
		return Entry{}, err
	case e.EndedByReboot(v.here):
		return Entry{}, fmt.Errorf("transaction %s: %w: a reboot ended it", id, ErrNoWindow)
	case e.State.unfinished():
		return Entry{}, &UnfinishedError{[]Entry{e}}
	case e.State != Unconfirmed:
		return Entry{}, fmt.Errorf("transaction %s: %w: it is %s", id, ErrNoWindow, e.State)
	case !e.Namespace.Same(v.here.Namespace):
		return Entry{}, &NamespaceError{ID: id, Made: e.Namespace, Here: v.here.Namespace}
	}
	return e, nil
}
