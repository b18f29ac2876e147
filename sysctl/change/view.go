package change

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// A view is the journal as one run sees it, from one place.
type view struct {
	j       *Journal
	here    Identity
	records []Record // newest first
}

// see reads the journal. Who holds the lock also removes what a run that was
// killed left beside a drop-in.
func (j *Journal) see() (view, error) {
	here, err := j.here()
	if err != nil {
		return view{}, err
	}
	records, err := j.List()
	if err != nil {
		return view{}, err
	}
	for _, r := range records {
		if j.held && r.Damaged == nil && r.Layer != nil && r.State.unfinished() && trustedDropIn(r.Layer.Path) == nil {
			_ = j.disk.remove(temporary(r.Layer.Path, r.ID))
		}
	}
	return view{j, here, records}, nil
}

// unfinished lists the transactions that a run left in the middle.
func (v view) unfinished() []Entry {
	return v.entries(func(e Entry) bool { return e.State.unfinished() && v.undoable(e) })
}

// undoFailed lists those that were to be taken back at the end of a window.
func (v view) undoFailed() []Entry {
	return v.entries(func(e Entry) bool { return e.State == UndoFailed && e.Window != nil && v.undoable(e) })
}

// unconfirmed lists the transactions here that wait to be confirmed.
func (v view) unconfirmed() []Entry {
	return v.entries(func(e Entry) bool { return e.State == Unconfirmed && v.undoable(e) })
}

// damaged is why entries cannot be read, or nil. What these have left in the
// middle nobody knows.
func (v view) damaged() error {
	var damaged []error
	for _, r := range v.records {
		if r.Damaged != nil {
			damaged = append(damaged, r.Damaged)
		}
	}
	return errors.Join(damaged...)
}

// entries lists those that can be read and are chosen, newest first.
func (v view) entries(choose func(Entry) bool) []Entry {
	var entries []Entry
	for _, r := range v.records {
		if r.Damaged == nil && choose(r.Entry) {
			entries = append(entries, r.Entry)
		}
	}
	return entries
}

// undoable reports whether something of a transaction may still be in effect
// that can be undone from here. Of another boot it is the drop-in alone.
func (v view) undoable(e Entry) bool {
	switch {
	case !e.State.live():
		return false
	case e.Boot == v.here.Boot:
		return e.Namespace.Same(v.here.Namespace)
	case e.DropIn != nil:
		return e.DropIn.pending(v.j.disk)
	case e.Layer == nil || e.State == Unconfirmed:
		return false
	case e.State == Applied:
		return true
	}
	// Cut off, or failed: the file tells whether the layer is in it.
	now, err := readDropIn(v.j.disk, e.Layer.Path)
	others := v.layers(e.Layer.Path, e.ID)
	switch {
	case err != nil || bytes.Equal(now, render(v.j.dir, others)):
		return false
	case now == nil:
		return render(v.j.dir, oldestFirst(append(others, e))) == nil
	}
	return edited(now, v.j.dir) == ""
}

// layers lists the transactions whose layers of a file are in force, oldest
// first, whatever their boot and namespace, but for one. A layer is in force
// while its transaction is Applied: before, it is not promised, and as soon as
// it is being rolled back it is gone.
func (v view) layers(path, but string) []Entry {
	return oldestFirst(v.entries(func(e Entry) bool {
		return e.State == Applied && e.Layer != nil && e.Layer.Path == path && e.ID != but
	}))
}

func oldestFirst(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	return entries
}

// samePlace reports whether the values of two transactions are, or were, those
// of the same parameters.
func samePlace(a, b Entry) bool { return a.Boot == b.Boot && a.Namespace.Same(b.Namespace) }

// coveredBy names the transaction that lies next upon an entry's value of a
// parameter, or is "".
func (v view) coveredBy(e Entry, k sysctl.Key) (id string) {
	for _, newer := range v.entries(func(o Entry) bool { return o.ID > e.ID && o.State.live() && samePlace(o, e) }) {
		if _, ok := newer.wrote(k); ok {
			id = newer.ID // the last one found is the oldest
		}
	}
	return id
}

// beneath is the value that a parameter would hold had there never been the
// entry that made the change, nor those that were rolled back beneath it, or after
// it. Where somebody else changed the parameter in between, it is theirs.
func (v view) beneath(e Entry, c Change) sysctl.Value {
	value, gone := c.From, map[string]bool{e.ID: true}
	for _, older := range v.entries(func(o Entry) bool { return o.ID < e.ID && samePlace(o, e) }) {
		was, wrote := older.wrote(c.Key)
		// What an entry that is over has left is asked for by force, and then the older
		// one may have gone since. Where it was gone before, the value is somebody else's.
		since := !e.State.live() && !older.State.live() && older.Ended.After(e.Started)
		if !wrote || !gone[older.Covered[c.Key]] && !since {
			continue
		}
		if !same(c.Key, was.To, value) {
			break
		}
		value, gone[older.ID] = was.From, true
	}
	return value
}

// update gives the view what has become of an entry.
func (v view) update(e Entry) {
	for i := range v.records {
		if v.records[i].ID == e.ID {
			v.records[i].Entry = e
		}
	}
}
