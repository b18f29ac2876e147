package change

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/tcptune/tcptune/sysctl"
)

// Schema is the version of the entries that this tcptune writes. Whoever adds a
// field raises it: an older tcptune that rewrote the entry would drop the field.
const Schema = 1

// A State is how far a transaction came.
type State string

const (
	Begun       State = "begun"        // some values may be new: unfinished
	Applied     State = "applied"      // all values are new
	Undone      State = "undone"       // failed, and every value put back at once
	RollingBack State = "rolling back" // some values may be old again: unfinished
	RolledBack  State = "rolled back"
	UndoFailed  State = "undo failed" // some values could not be put back
)

// live reports whether values written by a transaction in this state may still
// be in effect.
func (s State) live() bool { return s != Undone && s != RolledBack }

// unfinished reports whether a run ended in the middle. UndoFailed is not among
// them: it was reported, and where the kernel keeps refusing an old value
// nothing could ever be applied again.
func (s State) unfinished() bool { return s == Begun || s == RollingBack }

// An Entry is one transaction as the journal has it.
type Entry struct {
	Schema  int       `json:"schema"`
	ID      string    `json:"id"`
	State   State     `json:"state"`
	Started time.Time `json:"started"`
	Applied time.Time `json:"applied,omitzero"`
	Ended   time.Time `json:"ended,omitzero"` // when it was undone or rolled back, or that failed
	Identity
	By      Author `json:"by"`
	Reason  string `json:"reason,omitempty"`
	Profile string `json:"profile,omitempty"`
	// Changes is in the order of writing; From is what was read just before.
	Changes Set         `json:"changes"`
	DropIn  *FileChange `json:"drop_in,omitempty"`
	Failure string      `json:"failure,omitempty"` // why it was undone, or what the undo could not do
	Left    []Left      `json:"left,omitempty"`    // what the undo did not touch
}

// A FileChange is what a transaction did to the drop-in.
type FileChange struct {
	Path   string `json:"path"`
	Before []byte `json:"before,omitempty"` // the old content; absent if there was no file
	After  string `json:"after"`            // SHA-256 of the new content, in hexadecimal
}

// idFormat makes IDs sort by time, file names included.
const idFormat = "20060102T150405.000Z"

// parseID reads an ID, and refuses any other spelling of the same time.
func parseID(id string) (time.Time, error) {
	t, err := time.Parse(idFormat, id)
	if err != nil || t.Format(idFormat) != id {
		return time.Time{}, fmt.Errorf("%q is not the name of a transaction", id)
	}
	return t, nil
}

// encode prints an entry for people and for decodeEntry.
func (e Entry) encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(e)
	return text.Bytes(), err
}

// decodeEntry reads what encode printed and nothing else: it refuses fields
// that it does not know, since rewriting the entry would lose them.
func decodeEntry(text []byte) (Entry, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return Entry{}, errors.New("the file is empty")
	}
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Entry{}, err
	}
	if head.Schema > Schema {
		return Entry{}, fmt.Errorf("%w: schema %d, and this one knows %d", ErrNewerSchema, head.Schema, Schema)
	}
	var e Entry
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return Entry{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Entry{}, errors.New("more than one entry in the file")
	}
	return e, e.check()
}

// check refuses an entry that undo could not rely on.
func (e Entry) check() error {
	if e.Schema != Schema {
		return fmt.Errorf("schema %d is not known", e.Schema)
	}
	if _, err := parseID(e.ID); err != nil {
		return err
	}
	switch e.State {
	case Begun, Applied, Undone, RollingBack, RolledBack, UndoFailed:
	default:
		return fmt.Errorf("state %q is not known", e.State)
	}
	if e.Boot == "" || e.Namespace.Inode == 0 {
		return errors.New("boot or namespace is missing")
	}
	if len(e.Changes) == 0 && e.DropIn == nil {
		return errors.New("it changes nothing")
	}
	seen := make(map[sysctl.Key]bool)
	for _, c := range e.Changes {
		if k, err := sysctl.ParseKey(string(c.Key)); err != nil || k != c.Key || seen[k] {
			return fmt.Errorf("parameter %q is misspelt or named twice", c.Key)
		}
		seen[c.Key] = true
	}
	if f := e.DropIn; f != nil && (!filepath.IsAbs(f.Path) || len(f.After) != len(hash(nil))) {
		return errors.New("drop-in has no absolute path or no hash")
	}
	return nil
}
