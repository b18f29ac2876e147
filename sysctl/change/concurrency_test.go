package change

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// A crowd applies, rolls back and reads one journal, each as a process of its own
// would, while somebody else writes one of the parameters.
type crowd struct {
	t    *testing.T
	p    Params
	dir  string
	keys []sysctl.Key
	told sync.Map // the IDs that Apply gave

	steps, meddled atomic.Int64
}

func (c *crowd) journal() *Journal {
	j, err := OpenJournal(filepath.Join(c.dir, "state"))
	if err != nil {
		c.t.Error(err)
	}
	j.hook = func(string) {
		if c.steps.Add(1)%17 == 0 { // in the middle of things, and seldom enough for these to come to an end
			put(c.t, c.p, string(somax), fmt.Sprint(5000+c.meddled.Add(1)))
		}
	}
	return j
}

// patiently tries again as long as another one has the lock.
func patiently[T any](try func() (T, error)) (T, error) {
	for {
		if done, err := try(); !errors.Is(err, ErrLocked) {
			return done, err
		}
		time.Sleep(time.Millisecond)
	}
}

// apply gives all keys one value, whatever they hold when it gets its turn, and
// tries again if somebody else came in between.
func (c *crowd) apply(n int) {
	for {
		result, err := c.applyOnce(sysctl.Value(fmt.Sprint(n)))
		if errors.As(err, new(*MovedError)) { // refused, or undone
			continue
		}
		if err != nil {
			c.t.Errorf("apply: %v", err)
		}
		c.told.Store(result.ID, true)
		return
	}
}

func (c *crowd) applyOnce(to sysctl.Value) (Result, error) {
	j := c.journal()
	unlock, err := patiently(j.Lock)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	var set Set
	for _, k := range c.keys {
		now, err := c.p.Get(k)
		if err != nil {
			return Result{}, err
		}
		set = append(set, Change{Key: k, From: now, To: to})
	}
	return Apply(c.t.Context(), c.p, j, Request{Changes: set, Persist: &Layer{Path: filepath.Join(c.dir, "90-tcptune.conf"), Settings: settings(string(fin), string(to))}})
}

func (c *crowd) rollback() {
	_, err := patiently(func() ([]Result, error) { return Rollback(c.t.Context(), c.p, c.journal(), Undo{}) })
	if err != nil && !errors.Is(err, ErrNothingToUndo) {
		c.t.Errorf("roll back: %v", err)
	}
}

// read lists the journal without the lock, which must hold all that was told
// before, and then with it, when the values are those of the newest transaction
// in effect.
func (c *crowd) read(old map[sysctl.Key]sysctl.Value) {
	var before []string
	c.told.Range(func(id, _ any) bool { before = append(before, id.(string)); return true })
	j := c.journal()
	records, err := j.List()
	if err != nil {
		c.t.Error(err)
	}
	for _, r := range records {
		if r.Damaged != nil {
			c.t.Errorf("read amid writes: %v", r.Damaged)
		}
		before = slices.DeleteFunc(before, func(id string) bool { return id == r.ID })
	}
	if len(before) > 0 {
		c.t.Errorf("read amid writes: %v are not there", before)
	}

	unlock, err := patiently(j.Lock)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer unlock()
	if pending, err := j.Pending(); err != nil || len(pending.Unfinished) > 0 {
		c.t.Errorf("nobody is at work, and there is unfinished business: %+v, %v", pending.Unfinished, err)
	}
	want := maps.Clone(old)
	for _, e := range oldestFirst(entries(c.t, j)) {
		if e.State == Applied {
			for _, change := range e.Changes {
				want[change.Key] = change.To
			}
		}
	}
	now := read(c.t, c.p, c.keys...)
	delete(want, somax) // which somebody else writes, too
	delete(now, somax)
	if diff := cmp.Diff(want, now); diff != "" {
		c.t.Errorf("mixed: what the journal says (-) and what is there (+):\n%s", diff)
	}
}

func TestFiftyAtOnce(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	c := &crowd{t: t, p: openTree(t), dir: t.TempDir(), keys: []sysctl.Key{fin, keep, "net.ipv4.tcp_keepalive_intvl", somax}}
	old := read(t, c.p, c.keys...)
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			switch {
			case n%5 < 2:
				c.apply(30 + n)
			case n%5 < 4:
				c.rollback()
			default:
				for range 5 {
					c.read(old)
				}
			}
		})
	}
	all.Wait()

	j := c.journal()
	states := make(map[string]State)
	for _, e := range entries(t, j) {
		if states[e.ID] = e.State; e.State != Applied && e.State != RolledBack && e.State != Undone {
			t.Errorf("%s is %s", e.ID, e.State)
		}
	}
	applied := 0
	c.told.Range(func(id, _ any) bool {
		if applied++; states[id.(string)] != Applied && states[id.(string)] != RolledBack {
			t.Errorf("%s was told as applied and is %q", id, states[id.(string)])
		}
		return true
	})
	for {
		result, err := rollback(t, c.p, j, "")
		if errors.Is(err, ErrNothingToUndo) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, left := range result.Left {
			if left.Key != somax {
				t.Errorf("left %+v, which nobody else wrote", left)
			}
		}
	}
	now := read(t, c.p, c.keys...)
	delete(old, somax)
	delete(now, somax)
	if diff := cmp.Diff(old, now); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	if text := contentOf(t, filepath.Join(c.dir, "90-tcptune.conf")); text != "absent" {
		t.Errorf("drop-in in the end: %q", text)
	}
	if applied != 20 || c.meddled.Load() == 0 {
		t.Errorf("%d applied, %d writes by somebody else", applied, c.meddled.Load())
	}
	t.Logf("%d entries of %d transactions that were told as applied, %d writes by somebody else; mixed: 0, lost: 0", len(states), applied, c.meddled.Load())
}
