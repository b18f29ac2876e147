package change

import (
	"errors"
	"io/fs"

	"github.com/tcptune/tcptune/sysctl"
)

// changedSince is why undo leaves what is not as the transaction made it.
const changedSince = "changed by somebody else since"

// undoing collects what became of each part of a transaction that is undone.
type undoing struct {
	p        Params
	did      func(string)
	held     held // by newer transactions
	rebooted bool // so only the drop-in is left to undo

	restored, same Set
	left           []Left
	failed         []NotRestored
	dropIn         *FileResult
}

// settle records how the undo went: done, or that it failed. cause is why it
// was needed, or nil.
func (u *undoing) settle(j *Journal, e *Entry, done State, cause error) (Result, error) {
	e.Left = u.left
	if cause != nil {
		e.Failure = cause.Error()
	}
	var failure *UndoFailedError
	if u.failed != nil {
		failure = &UndoFailedError{Cause: cause, Result: Result{Schema: ResultSchema, ID: e.ID, State: e.State}, Failed: u.failed}
		e.Failure, done = failure.Error(), UndoFailed
	}
	err := j.save(e, done)
	result := Result{Schema: ResultSchema, ID: e.ID, State: e.State, Restored: u.restored, Same: u.same, Left: u.left, DropIn: u.dropIn, Rebooted: u.rebooted}
	if failure == nil {
		return result, err
	}
	failure.Cause, failure.Result = errors.Join(cause, err), result
	return result, failure
}

// change puts one parameter back to its From if it still holds its To and no
// newer transaction set it. force does so whatever it holds.
func (u *undoing) change(c Change, force bool) {
	now, err := u.p.Get(c.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// A module was unloaded, and the value is gone with it.
		u.leave(c, "", "not there any more")
	case err != nil:
		u.fail(c, err)
	case same(c.Key, now, c.From):
		u.same = append(u.same, c)
	case u.held.keys[c.Key] != "":
		u.leave(c, now, "set by the newer transaction "+u.held.keys[c.Key])
	case !force && !same(c.Key, now, c.To):
		u.leave(c, now, changedSince)
	default:
		if err := u.p.Restore(c.Key, c.From); err != nil {
			u.fail(c, err)
			return
		}
		u.restored = append(u.restored, c)
		u.did("restore " + string(c.Key))
	}
}

func (u *undoing) leave(c Change, found sysctl.Value, why string) {
	u.left = append(u.left, Left{Key: c.Key, Wanted: c.From, Found: found, Why: why})
}

func (u *undoing) fail(c Change, err error) {
	actual, _ := u.p.Get(c.Key)
	u.failed = append(u.failed, NotRestored{Key: c.Key, Wanted: c.From, Actual: actual, Err: err})
}

// file undoes the drop-in.
func (u *undoing) file(f *FileChange) {
	if by := u.held.files[f.Path]; by != "" {
		u.dropIn = &FileResult{Path: f.Path, Outcome: FileLeft, Why: "written by the newer transaction " + by}
		return
	}
	result, err := f.undo(u.did)
	if err != nil {
		u.failed = append(u.failed, NotRestored{Path: f.Path, Err: err})
		return
	}
	u.dropIn = &result
}
