package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tcptune/tcptune/advisor/regular"
)

// DefaultDir is where the journal is kept.
const DefaultDir = "/var/lib/tcptune"

// maxEntry is more than an entry can hold: what is larger is not an entry.
const maxEntry = 4 << 20

// A Journal is a directory with one file for each transaction. Its methods are
// for one goroutine.
type Journal struct {
	dir  string
	held bool // this Journal holds the lock

	disk   disk
	here   func() (Identity, error)
	now    func() time.Time
	uptime func() (time.Duration, error) // sleep included
	// hook is called after each step that a crash could follow. Tests set it.
	hook func(step string)
}

// OpenJournal opens the journal in dir. The directory need not exist: reading
// does not create it, the first lock does. One that is a symbolic link, belongs
// to somebody else or can be written by others is refused, because what it says
// is written to the kernel as root.
func OpenJournal(dir string) (*Journal, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{dir: dir, disk: realDisk{}, here: Here, now: time.Now, uptime: uptime}
	if err := j.check(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return j, nil
}

func (j *Journal) check() error {
	info, err := os.Lstat(j.dir)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("open journal %s: it is a symbolic link", j.dir)
	case !info.IsDir():
		return fmt.Errorf("open journal %s: it is not a directory", j.dir)
	case owner != uint32(os.Geteuid()):
		return fmt.Errorf("open journal %s: %w: it belongs to user %d, not to user %d who runs this", j.dir, fs.ErrPermission, owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("open journal %s: its mode %04o lets others write to it", j.dir, info.Mode().Perm())
	}
	return nil
}

// absent reports whether there is no journal, so that nothing was ever done. The
// lock would create it.
func (j *Journal) absent() bool {
	_, err := os.Lstat(j.dir)
	return errors.Is(err, fs.ErrNotExist)
}

// away reports whether what is in the journal's place is none: there is no folder,
// or one without the lock that whoever writes takes first, as where something is
// to be mounted.
func (j *Journal) away() bool {
	_, err := os.Lstat(j.lockFile())
	return errors.Is(err, fs.ErrNotExist)
}

func (j *Journal) create() error {
	parent := filepath.Dir(j.dir)
	if err := regular.OthersAbove(j.dir); err != nil {
		return fmt.Errorf("create journal in %s: %w", parent, err)
	}
	if err := j.disk.mkdir(j.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create journal: %w", err)
	}
	// Whoever made it may have been killed before its name was durable.
	if _, err := os.Lstat(j.lockFile()); errors.Is(err, fs.ErrNotExist) {
		if err := j.disk.sync(parent); err != nil {
			return fmt.Errorf("create journal: %w", err)
		}
	}
	return j.check()
}

// sweep removes entries that a run which was killed had not renamed yet: nobody
// else has the lock. Whatever else is in the directory stays.
func (j *Journal) sweep() {
	names, _ := j.disk.names(j.dir)
	for _, name := range names {
		id := strings.TrimSuffix(name, temporarySuffix)
		id = id[max(0, len(id)-len(idFormat)):]
		file := temporary(j.file(id), id)
		if _, err := parseID(id); err == nil && name == filepath.Base(file) {
			_ = j.disk.remove(file) // a full or read-only disk may hold it
		}
	}
}

// A Record is what the journal has under one file name.
type Record struct {
	Entry
	// File is the entry's path.
	File string `json:"file"`
	// Now is what has become of the values; nil unless [Record.Look] looked.
	Now *Now `json:"now,omitempty"`
	// Damaged is why the entry cannot be read, or nil. If it is set then of the
	// Entry only the ID is, and that from the file's name.
	Damaged *DamagedError `json:"-"`
}

// Now is what has become of a transaction's values.
type Now struct {
	Hold int `json:"hold"` // this many are as the transaction made them
	// Left are not.
	Left []Left `json:"left,omitempty"`
}

// Look compares the values of a transaction with what there is, if that can be:
// they are those of this boot and namespace, and have not come back.
func (r *Record) Look(p Params, here Identity) {
	if r.Damaged != nil || !r.State.live() || r.Boot != here.Boot || !r.Namespace.Same(here.Namespace) {
		return
	}
	held, left := r.compare(p)
	r.Now = &Now{len(held), left}
}

// MarshalJSON prints an entry and its file, or, of a damaged one, its id, file
// and what is wrong with it.
func (r Record) MarshalJSON() ([]byte, error) {
	if r.Damaged != nil {
		return json.Marshal(struct {
			ID      string `json:"id"`
			File    string `json:"file"`
			Damaged string `json:"damaged"`
		}{r.ID, r.File, r.Damaged.Error()})
	}
	type plain Record
	return json.Marshal(plain(r))
}

// List reads all entries, newest first, the damaged ones included.
func (j *Journal) List() ([]Record, error) {
	names, err := j.disk.names(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []Record{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	records := []Record{}
	for _, name := range names {
		id, isEntry := strings.CutSuffix(name, ".json")
		if !isEntry || strings.HasPrefix(id, ".") {
			continue
		}
		r := Record{File: j.file(id)}
		r.Entry, err = j.read(r.File, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // pruned just now
		}
		if err != nil {
			r.Entry = Entry{ID: id}
			r.Damaged = &DamagedError{File: r.File, Err: err}
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(b.ID, a.ID) })
	return records, nil
}

// Entry reads one entry. Who acts on it holds the lock. That there is none is
// [ErrNoEntry] only where there is a journal: one that is not mounted just now
// says nothing, and where it is mounted there may be a folder.
func (j *Journal) Entry(id string) (Entry, error) {
	if _, err := parseID(id); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrNoEntry, err)
	}
	e, err := j.read(j.file(id), id)
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.away():
		return Entry{}, fmt.Errorf("read transaction %s: there is no journal in %s", id, j.dir)
	case errors.Is(err, fs.ErrNotExist):
		return Entry{}, fmt.Errorf("transaction %q: %w", id, ErrNoEntry)
	case err != nil:
		return Entry{}, &DamagedError{File: j.file(id), Err: err}
	}
	return e, nil
}

// Pending is what somebody must decide about, of this boot and namespace, newest
// first.
type Pending struct {
	// Unfinished are the transactions that a run left in the middle. Of an earlier
	// boot only those count whose drop-in is still there.
	Unfinished []Entry
	// UndoFailed were to be taken back at the end of a window and could not be:
	// where nobody waited for the end, nobody was told.
	UndoFailed []Entry
	// Unconfirmed wait to be confirmed, also if the window is over. There is at most
	// one.
	Unconfirmed []Entry
	// Damaged is why entries cannot be read, or nil. What those left nobody knows.
	Damaged error
}

// Pending reads the journal for what is to be decided.
func (j *Journal) Pending() (Pending, error) {
	records, err := j.List()
	if err != nil || len(records) == 0 {
		return Pending{}, err
	}
	here, err := j.here()
	if err != nil {
		return Pending{}, err
	}
	v := view{j, here, records}
	return Pending{v.unfinished(), v.undoFailed(), v.unconfirmed(), v.damaged()}, nil
}

func (j *Journal) file(id string) string { return filepath.Join(j.dir, id+".json") }

func (j *Journal) read(file, id string) (Entry, error) {
	text, err := j.disk.read(file, maxEntry)
	if err != nil {
		return Entry{}, err
	}
	e, err := decodeEntry(text)
	if err == nil && e.ID != id {
		err = fmt.Errorf("it says that it is %s", e.ID)
	}
	return e, err
}

// begin writes a new entry. When it returns nil the entry is on disk; when it
// fails there is none.
func (j *Journal) begin(e *Entry, v view) error {
	e.Schema, e.State = Schema, Begun
	e.Started = j.now().UTC()
	if err := j.write(*e); err != nil {
		_ = j.disk.remove(j.file(e.ID)) // it may be in place, though not for certain
		return fmt.Errorf("begin journal entry: %w", err)
	}
	v.prune()
	return nil
}

// save writes a new state of an entry.
func (j *Journal) save(e *Entry, state State) error {
	e.Schema, e.State = Schema, state
	switch now := j.now().UTC(); state {
	case Applied, Unconfirmed:
		if e.Applied.IsZero() {
			e.Applied = now
		}
	case Undone, RolledBack, UndoFailed:
		e.Ended = now
	}
	if err := j.write(*e); err != nil {
		return fmt.Errorf("record transaction %s as %s: %w", e.ID, state, err)
	}
	return nil
}

func (j *Journal) write(e Entry) error {
	text, err := e.encode()
	if err != nil {
		return err
	}
	return j.replace(j.file(e.ID), e.ID, text, 0o600)
}

func (j *Journal) did(step string) {
	if j.hook != nil {
		j.hook(step)
	}
}

// newID makes an ID that sorts after all others, also when the clock went back.
func (v view) newID() string {
	t := v.j.now().UTC().Truncate(time.Millisecond)
	for _, r := range v.records {
		if newest, err := parseID(r.ID); err == nil && !t.After(newest) {
			t = newest.Add(time.Millisecond)
		}
	}
	return t.Format(idFormat)
}
