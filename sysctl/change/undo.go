package change

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/tcptune/tcptune/sysctl"
)

// changedSince is why undo leaves what is not as the transaction made it.
const changedSince = "changed by somebody else since"

// undoing collects what became of each part of a transaction that is undone.
type undoing struct {
	view
	p        Params
	entry    *Entry
	rebooted bool // so only the drop-in is left to undo
	force    bool // put back also what somebody else changed since
	rest     bool // it was undone before, and this is about what was left
	dry      bool // write nothing

	restored, same Set
	left           []Left
	covered        map[sysctl.Key]string
	failed         []NotRestored
	dropIn         *FileResult
}

// settle records how the undo went: done, or that it failed. cause is why it
// was needed, or nil.
func (u *undoing) settle(done State, cause error) (Result, error) {
	e := u.entry
	e.Left, e.Covered = u.left, u.covered
	if cause != nil {
		e.Failure = cause.Error()
	}
	var failure *UndoFailedError
	if u.failed != nil {
		failure = &UndoFailedError{Cause: cause, Result: Result{Schema: ResultSchema, ID: e.ID, State: e.State}, Failed: u.failed}
		e.Failure, done = failure.Error(), UndoFailed
	}
	var err error
	if e.State = done; !u.dry {
		err = u.j.save(e, done)
	}
	u.update(*e)
	result := u.result()
	if failure == nil {
		return result, err
	}
	failure.Cause, failure.Result = errors.Join(cause, err), result
	return result, failure
}

// settleRest records what is still left of a transaction that was undone before.
func (u *undoing) settleRest() (Result, error) {
	e := u.entry
	e.Schema, e.Left = Schema, u.left
	for _, f := range u.failed {
		e.Left = append(e.Left, Left{Key: f.Key, Wanted: f.Wanted, Found: f.Actual, Why: f.Err.Error()})
	}
	var err error
	if !u.dry {
		err = u.j.write(*e)
	}
	u.update(*e)
	if u.failed != nil {
		return u.result(), &UndoFailedError{Cause: err, Result: u.result(), Failed: u.failed}
	}
	return u.result(), err
}

func (u *undoing) result() Result {
	return Result{Schema: ResultSchema, ID: u.entry.ID, State: u.entry.State, DryRun: u.dry, Restored: u.restored, Same: u.same, Left: u.left, Covered: u.covered, DropIn: u.dropIn, Rebooted: u.rebooted}
}

// all undoes the drop-in and every parameter, the last written first.
func (u *undoing) all() {
	u.file()
	if u.rebooted {
		return
	}
	set := slices.Concat(u.entry.Changes, u.entry.Met)
	slices.Reverse(set)
	u.changes(set, "")
}

// changes puts parameters back, in an order in which the kernel takes every
// step. What the write that failed left behind is the transaction's whatever it
// is: the kernel may have kept something else.
func (u *undoing) changes(set Set, failed sysctl.Key) {
	var back Set // from what is there to what is to be
	for _, c := range set {
		if now, ok := u.look(c, c.Key == failed); ok {
			back = append(back, Change{Key: c.Key, From: now, To: u.beneath(*u.entry, c), Because: c.Because})
		}
	}
	for _, c := range back.inOrder() {
		restored := Change{Key: c.Key, From: c.To, To: c.From, Because: c.Because}
		if now, err := u.p.Get(c.Key); err == nil && !same(c.Key, now, c.From) {
			u.leave(restored, now, changedSince) // just now
			continue
		}
		if err := u.p.Restore(c.Key, c.To); err != nil {
			u.fail(restored, err)
			continue
		}
		u.restored = append(u.restored, restored)
		u.did("restore " + string(c.Key))
	}
}

// look reports whether a parameter is to be put back, and what it holds: if it
// still holds what the transaction gave it, or whatever it holds, and no newer
// transaction has it.
func (u *undoing) look(c Change, whatever bool) (sysctl.Value, bool) {
	now, err := u.p.Get(c.Key)
	c.From = u.beneath(*u.entry, c)
	by := u.coveredBy(*u.entry, c.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// A module was unloaded, and the value is gone with it.
		u.leave(c, "", "not there any more")
	case err != nil:
		u.fail(c, err)
	case by != "" && u.rest:
		u.leave(c, now, "the newer transaction "+by+" set it since")
	case by != "":
		if u.covered == nil {
			u.covered = make(map[sysctl.Key]string)
		}
		u.covered[c.Key] = by
	case same(c.Key, now, c.From):
		u.same = append(u.same, c)
	case !whatever && !u.force && !same(c.Key, now, c.To):
		u.leave(c, now, changedSince)
	default:
		return now, true
	}
	return "", false
}

func (u *undoing) leave(c Change, found sysctl.Value, why string) {
	u.left = append(u.left, Left{Key: c.Key, Wanted: c.From, Found: found, Why: why})
}

func (u *undoing) fail(c Change, err error) {
	actual, _ := u.p.Get(c.Key)
	u.failed = append(u.failed, NotRestored{Key: c.Key, Wanted: c.From, Actual: actual, Err: err})
}

func (u *undoing) did(step string) {
	if !u.dry {
		u.j.did(step)
	}
}

// file takes the transaction's layer out of the drop-in.
func (u *undoing) file() {
	var path string
	var err error
	switch e := u.entry; {
	case e.Layer != nil:
		path = e.Layer.Path
		if err = trustedDropIn(path); err == nil {
			u.dropIn, err = u.layer(e.Layer)
		}
	case e.DropIn != nil:
		path = e.DropIn.Path
		if err = trustedDropIn(path); err == nil {
			u.dropIn, err = u.fileOfSchema1(e.DropIn)
		}
	}
	if notOurs := (*NotOursError)(nil); errors.As(err, &notOurs) {
		u.dropIn, err = &FileResult{Path: path, Outcome: FileLeft, Why: notOurs.Why}, nil
	}
	if err != nil {
		u.failed = append(u.failed, NotRestored{Path: path, Err: err})
	}
}

func (u *undoing) layer(l *Layer) (*FileResult, error) {
	now, err := readDropIn(u.j.disk, l.Path)
	if err != nil {
		return nil, err
	}
	if err := u.damaged(); err != nil { // which may hold a layer
		return nil, fmt.Errorf("undo drop-in %s: %w", l.Path, err)
	}
	f := &dropIn{path: l.Path, now: now}
	others := u.layers(l.Path, u.entry.ID)
	if f.want = render(u.j.dir, others); l.Replaced != nil && (len(others) == 0 || others[len(others)-1].ID < u.entry.ID) {
		f.want = l.Replaced
	}
	why := ""
	switch {
	case f.same() || u.force:
	case now != nil:
		why = edited(now, u.j.dir)
	case render(u.j.dir, oldestFirst(append(others, *u.entry))) != nil:
		why = "removed by somebody else since"
	}
	if why != "" {
		return &FileResult{Path: l.Path, Outcome: FileLeft, Why: why}, nil
	}
	return u.put(f)
}

func (u *undoing) fileOfSchema1(c *FileChange) (*FileResult, error) {
	now, err := readDropIn(u.j.disk, c.Path)
	if err != nil {
		return nil, err
	}
	f := &dropIn{path: c.Path, now: now, want: c.Before}
	if !f.same() && hash(now) != c.After {
		return &FileResult{Path: c.Path, Outcome: FileLeft, Why: changedSince}, nil
	}
	return u.put(f)
}

func (u *undoing) put(f *dropIn) (*FileResult, error) {
	if u.dry {
		return f.outcome(FileRestored), nil
	}
	return f.outcome(FileRestored), u.j.put(f, u.entry.ID)
}

// rehearsal takes writes and keeps them to itself, for undo that is only
// looked at.
type rehearsal struct {
	Params
	written map[sysctl.Key]sysctl.Value
}

func (r rehearsal) Get(k sysctl.Key) (sysctl.Value, error) {
	if v, ok := r.written[k]; ok {
		return v, nil
	}
	return r.Params.Get(k)
}

func (r rehearsal) Restore(k sysctl.Key, v sysctl.Value) error {
	if err := r.Writable(k); err != nil {
		return err
	}
	r.written[k] = v
	return nil
}
