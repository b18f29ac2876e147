package change

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tcptune/tcptune/sysctl"
)

var (
	// ErrLocked: another process, or this one, holds the journal's lock.
	ErrLocked = errors.New("another tcptune is changing parameters right now")
	// ErrNothingToUndo: there is no transaction to roll back, or the one named
	// has nothing left to undo.
	ErrNothingToUndo = errors.New("nothing to undo")
	// ErrNoEntry: no transaction has the ID that was given.
	ErrNoEntry = errors.New("no such transaction")
	// ErrNoWindow: no transaction waits to be confirmed.
	ErrNoWindow = errors.New("nothing waits to be confirmed")
	// ErrNewerSchema is inside the DamagedError of an entry that a newer
	// tcptune wrote.
	ErrNewerSchema = errors.New("written by a newer tcptune")
)

// MovedError: parameters no longer hold what the changes were planned from.
type MovedError struct{ Moved []Moved }

// Moved is a parameter that changed between planning and writing.
type Moved struct {
	Key             sysctl.Key
	Expected, Found sysctl.Value
}

func (e *MovedError) Error() string {
	return list(e.Moved, func(m Moved) string {
		return fmt.Sprintf("%s is %q and no longer %q", m.Key, m.Found, m.Expected)
	}) + ": changed by somebody else since the plan was made"
}

// UnfinishedError: an earlier transaction was begun here and neither finished
// nor undone. Recover does either.
type UnfinishedError struct{ Entries []Entry }

func (e *UnfinishedError) Error() string {
	return list(e.Entries, func(entry Entry) string {
		return fmt.Sprintf("transaction %s is unfinished (%s)", entry.ID, entry.State)
	}) + ": recover it first"
}

// UnconfirmedError: a transaction waits to be confirmed, and nothing else is
// applied here until it is confirmed or rolled back.
type UnconfirmedError struct {
	Entry Entry
	// Remaining is 0 or less if its window is over, and it was not rolled back.
	Remaining time.Duration
}

func (e *UnconfirmedError) Error() string {
	if e.Remaining <= 0 {
		return fmt.Sprintf("transaction %s was not confirmed in time, and nobody rolled it back: do either first", e.Entry.ID)
	}
	return fmt.Sprintf("transaction %s waits another %v to be confirmed: confirm it or roll it back first", e.Entry.ID, e.Remaining.Round(time.Second))
}

// TakenBackError: the values of a transaction that waits to be confirmed have come
// back, and the journal does not say so. Rollback records it.
type TakenBackError struct{ ID string }

func (e *TakenBackError) Error() string {
	return fmt.Sprintf("the values of transaction %s are back already, and the journal does not say so: a disk that is full or read-only may have kept it from that", e.ID)
}

// UndoneError: the changes failed, and all that had been written was undone.
type UndoneError struct {
	Cause  error
	Result Result // what was put back, and what somebody else had changed meanwhile
}

func (e *UndoneError) Error() string {
	text := e.Cause.Error()
	if e.Result.touched() {
		text += "; what had been written was undone"
	} else {
		text += "; nothing had been written"
	}
	if len(e.Result.Left) > 0 {
		text += ", but for what somebody else changed meanwhile: " + list(e.Result.Left, func(l Left) string { return string(l.Key) })
	}
	return text
}

func (e *UndoneError) Unwrap() error { return e.Cause }

// UndoFailedError: some old values could not be put back. Cause is why they had
// to be, joined with why the journal could not record it, if it could not; it
// is nil if a Rollback failed and that is on record.
type UndoFailedError struct {
	Cause  error
	Result Result // what was put back all the same
	Failed []NotRestored
}

// NotRestored is a parameter, or the drop-in, that undo could not put back.
type NotRestored struct {
	Key            sysctl.Key
	Path           string       // the drop-in's, and then Key is empty
	Wanted, Actual sysctl.Value // Actual is empty if it cannot be read
	Err            error
}

func (e *UndoFailedError) Error() string {
	failed := " failed: "
	if e.Result.DryRun {
		failed = " would fail: "
	}
	text := "undo of transaction " + e.Result.ID + failed + list(e.Failed, NotRestored.String)
	if e.Cause != nil {
		text = e.Cause.Error() + "; " + text
	}
	return text
}

// Unwrap gives the cause and every error of the undo.
func (e *UndoFailedError) Unwrap() []error {
	var errs []error
	if e.Cause != nil {
		errs = append(errs, e.Cause)
	}
	for _, f := range e.Failed {
		errs = append(errs, f.Err)
	}
	return errs
}

func (n NotRestored) String() string {
	if n.Path != "" {
		return n.Err.Error()
	}
	return fmt.Sprintf("%s should be %q and is %q (%v)", n.Key, n.Wanted, n.Actual, n.Err)
}

// NamespaceError: the transaction was made in another network namespace.
type NamespaceError struct {
	ID         string
	Made, Here Namespace
}

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("transaction %s was made in network namespace %v, and this is %v", e.ID, e.Made, e.Here)
}

// DamagedError: an entry of the journal cannot be read. Nothing is done as long
// as it may be the one that matters; the file is not touched.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("read journal entry %s: %v", e.File, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// NotOursError: what is at the drop-in's path was not written by tcptune.
type NotOursError struct{ Path, Why string }

func (e *NotOursError) Error() string {
	return fmt.Sprintf("replace %s: %s; move it away, or give another path", e.Path, e.Why)
}

// EditedError: the drop-in is tcptune's and not as tcptune wrote it. Force
// replaces it.
type EditedError struct{ Path, Why string }

func (e *EditedError) Error() string { return fmt.Sprintf("replace %s: %s", e.Path, e.Why) }

func list[T any](items []T, text func(T) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = text(item)
	}
	return strings.Join(texts, "; ")
}
