package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

	here func() (Identity, error)
	now  func() time.Time
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
	j := &Journal{dir: dir, here: Here, now: time.Now}
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
		return fmt.Errorf("open journal %s: it belongs to user %d, not to user %d who runs this", j.dir, owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("open journal %s: its mode %04o lets others write to it", j.dir, info.Mode().Perm())
	}
	return nil
}

func (j *Journal) create() error {
	switch err := os.Mkdir(j.dir, 0o700); {
	case errors.Is(err, fs.ErrExist):
	case err != nil:
		return fmt.Errorf("create journal: %w", err)
	default:
		if err := syncDir(filepath.Dir(j.dir)); err != nil {
			return fmt.Errorf("create journal: %w", err)
		}
	}
	return j.check()
}

// A Record is what the journal has under one file name.
type Record struct {
	Entry
	// File is the entry's path.
	File string `json:"file"`
	// Damaged is why the entry cannot be read, or nil. If it is set then of the
	// Entry only the ID is, and that from the file's name.
	Damaged *DamagedError `json:"-"`
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
	names, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []Record{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	records := []Record{}
	for _, name := range names {
		id, isEntry := strings.CutSuffix(name.Name(), ".json")
		if !isEntry || strings.HasPrefix(id, ".") {
			continue
		}
		r := Record{File: j.file(id)}
		if r.Entry, err = readEntry(r.File, id); err != nil {
			r.Entry = Entry{ID: id}
			r.Damaged = &DamagedError{File: r.File, Err: err}
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(b.ID, a.ID) })
	return records, nil
}

// Unfinished lists the transactions that a run left in the middle and that are
// this boot's and namespace's, newest first. Of an earlier boot only those
// count whose drop-in is still there.
func (j *Journal) Unfinished() ([]Entry, error) {
	here, err := j.here()
	if err != nil {
		return nil, err
	}
	records, err := j.List()
	if err != nil {
		return nil, err
	}
	return unfinishedIn(records, here), nil
}

func unfinishedIn(records []Record, here Identity) []Entry {
	var entries []Entry
	for _, r := range records {
		if r.Damaged == nil && r.State.unfinished() && r.undoableIn(here) {
			entries = append(entries, r.Entry)
		}
	}
	return entries
}

// undoableIn reports whether something of a transaction may still be in effect
// that can be undone from here.
func (e Entry) undoableIn(here Identity) bool {
	switch {
	case !e.State.live():
		return false
	case e.Boot == here.Boot:
		return e.Namespace.Same(here.Namespace)
	}
	return e.DropIn != nil && e.DropIn.pending()
}

func (j *Journal) file(id string) string { return filepath.Join(j.dir, id+".json") }

func readEntry(file, id string) (Entry, error) {
	text, err := readRegular(file, maxEntry)
	if err != nil {
		return Entry{}, err
	}
	e, err := decodeEntry(text)
	if err == nil && e.ID != id {
		err = fmt.Errorf("it says that it is %s", e.ID)
	}
	return e, err
}

// readRegular reads a file that is no link, no device and not too large.
func readRegular(file string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, errors.New("it is a symbolic link")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return text, err
}

// begin writes a new entry. When it returns nil the entry is on disk; when it
// fails there is none.
func (j *Journal) begin(e *Entry, records []Record) error {
	e.Schema, e.State = Schema, Begun
	e.Started = j.now().UTC()
	e.ID = newID(e.Started, records)
	if err := j.write(*e); err != nil {
		_ = os.Remove(j.file(e.ID)) // it may be in place, though not for certain
		return fmt.Errorf("begin journal entry: %w", err)
	}
	return nil
}

// save writes a new state of an entry.
func (j *Journal) save(e *Entry, state State) error {
	e.State = state
	switch now := j.now().UTC(); state {
	case Applied:
		e.Applied = now
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
	return replaceFile(j.file(e.ID), text, 0o600, j.did)
}

func (j *Journal) did(step string) {
	if j.hook != nil {
		j.hook(step)
	}
}

// newID makes an ID that sorts after all others, also when the clock went back.
func newID(now time.Time, records []Record) string {
	t := now.Truncate(time.Millisecond)
	for _, r := range records {
		if newest, err := parseID(r.ID); err == nil && !t.After(newest) {
			t = newest.Add(time.Millisecond)
		}
	}
	return t.Format(idFormat)
}
