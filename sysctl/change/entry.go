package change

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tcptune/tcptune/sysctl"
)

// Schema is the version of the entries that this tcptune writes. Whoever adds a
// field raises it: an older tcptune that rewrote the entry would drop the field.
const Schema = 2

// A State is how far a transaction came.
type State string

const (
	Begun       State = "begun"        // some values may be new: unfinished
	Unconfirmed State = "unconfirmed"  // all values are new, and come back unless Confirm is called
	Confirming  State = "confirming"   // and the drop-in may be in place: unfinished
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
func (s State) unfinished() bool { return s == Begun || s == Confirming || s == RollingBack }

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
	Changes Set `json:"changes"`
	// Met held the wanted value already, and is the transaction's all the same.
	Met    Set     `json:"met,omitempty"`
	Layer  *Layer  `json:"layer,omitempty"`
	Window *Window `json:"window,omitempty"` // nil if nobody had to confirm
	// DropIn is what a tcptune of schema 1 did to the drop-in.
	DropIn  *FileChange `json:"drop_in,omitempty"`
	Failure string      `json:"failure,omitempty"` // why it was undone, or what the undo could not do
	Left    []Left      `json:"left,omitempty"`    // what the undo did not touch
	// Covered names, for each parameter that a newer transaction held when this
	// one was rolled back, that transaction: its rollback puts the value back.
	Covered map[sysctl.Key]string `json:"covered,omitempty"`
}

// wrote is what the transaction holds of a parameter: a change, or one from a
// value to itself.
func (e Entry) wrote(k sysctl.Key) (Change, bool) {
	if c, ok := e.Changes.find(k); ok {
		return c, true
	}
	return e.Met.find(k)
}

// AwaitsConfirmation reports whether the transaction is to be rolled back at the
// end of its window: it is unconfirmed, or was cut off on the way there or from
// there.
func (e Entry) AwaitsConfirmation() bool {
	return e.Window != nil && (e.State == Begun || e.State == Unconfirmed || e.State == Confirming)
}

// EndedByReboot reports whether nothing of a transaction can be in effect any
// more because the host was booted since: its values were gone with the boot,
// and it put nothing into a drop-in.
func (e Entry) EndedByReboot(here Identity) bool {
	return e.State.live() && e.Boot != here.Boot && (e.State == Unconfirmed || e.Layer == nil && e.DropIn == nil)
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
	if e.Schema < 1 || e.Schema > Schema {
		return fmt.Errorf("schema %d is not known", e.Schema)
	}
	if _, err := parseID(e.ID); err != nil {
		return err
	}
	switch e.State {
	case Begun, Unconfirmed, Confirming, Applied, Undone, RollingBack, RolledBack, UndoFailed:
	default:
		return fmt.Errorf("state %q is not known", e.State)
	}
	if e.Boot == "" || e.Namespace.Inode == 0 {
		return errors.New("boot or namespace is missing")
	}
	if len(e.Changes) == 0 && e.DropIn == nil && e.Layer == nil {
		return errors.New("it changes nothing")
	}
	if (e.State == Unconfirmed || e.State == Confirming) && e.Window == nil {
		return errors.New("it waits to be confirmed and does not say for how long")
	}
	seen := make(map[sysctl.Key]bool)
	for _, c := range slices.Concat(e.Changes, e.Met) {
		if seen[c.Key] {
			return fmt.Errorf("parameter %q is named twice", c.Key)
		}
		seen[c.Key] = true
		if err := cmp.Or(writable(c.Key, c.From), writable(c.Key, c.To)); err != nil {
			return err
		}
	}
	if e.Layer != nil {
		if err := e.Layer.check(); err != nil {
			return err
		}
	}
	if e.DropIn != nil {
		return e.DropIn.check()
	}
	return nil
}

// writable refuses what must not be written as root because it stands in some
// file: a parameter outside of the catalogue, or text of several lines.
func writable(k sysctl.Key, v sysctl.Value) error {
	if _, known := sysctl.Lookup(k); !known {
		return fmt.Errorf("parameter %q is not in the catalogue", k)
	}
	if strings.ContainsFunc(string(v), func(r rune) bool { return r < ' ' && r != '\t' }) {
		return fmt.Errorf("value %q of %s is more than one line", v, k)
	}
	return nil
}
