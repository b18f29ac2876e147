package change

// keptEnded is how many transactions that are over the journal keeps, for
// history.
const keptEnded = 200

// prune removes the oldest transactions that are over. Never those whose values
// or drop-in may be in effect anywhere, those that say what such a one is to put
// back, and those that cannot be read.
func (v view) prune() {
	needed := make(map[string]bool)
	ended := 0
	for _, r := range v.records { // newest first, and what covers is newer
		needed[r.ID] = r.Damaged != nil || v.inEffect(r.Entry)
		for _, by := range r.Covered {
			needed[r.ID] = needed[r.ID] || needed[by]
		}
		if needed[r.ID] {
			continue
		}
		if ended++; ended > keptEnded {
			_ = v.j.disk.remove(r.File) // or the next time
		}
	}
}

// inEffect is undoable from anywhere.
func (v view) inEffect(e Entry) bool {
	return e.State.live() && (e.Boot == v.here.Boot || v.undoable(e))
}
