package change

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
)

func TestLayersComeOffInAnyOrder(t *testing.T) {
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		p, j := newFake(), openTestJournal(t)
		var ids []string
		for _, to := range []sysctl.Value{"30", "20", "10"} {
			ids = append(ids, mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: p.values[fin], To: to}}}).ID)
		}
		left := map[int]sysctl.Value{0: "30", 1: "20", 2: "10"}
		for _, i := range order {
			result := mustRollback(t, p, j, ids[i])
			delete(left, i)
			want := sysctl.Value("60")
			for _, i := range slices.Sorted(maps.Keys(left)) {
				want = left[i]
			}
			if p.values[fin] != want || len(result.Left) != 0 {
				t.Errorf("in the order %v, after %d: %s, want %s; %+v", order, i, p.values[fin], want, result)
			}
		}
	}
}

func TestRollbackBeneathANewerLayerSaysWhoHasIt(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	older := mustApply(t, p, j, Request{Changes: three()})
	newer := mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "30", To: "20"}, {Key: keep, From: "600", To: "600"}}})
	p.log = nil
	result := mustRollback(t, p, j, older.ID)
	want := map[sysctl.Key]string{fin: newer.ID, keep: newer.ID} // what it found as wanted is its own, too
	if diff := cmp.Diff(want, result.Covered); diff != "" || p.values[fin] != "20" || p.values[keep] != "600" || p.values[retries] != "15" {
		t.Errorf("values %v, covered (-want +got):\n%s", p.values, diff)
	}
	if diff := cmp.Diff(want, entries(t, j)[1].Covered); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if result := mustRollback(t, p, j, newer.ID); len(result.Restored) != 2 || p.values[fin] != "60" || p.values[keep] != "7200" {
		t.Errorf("values %v, result %+v", p.values, result)
	}
}

func TestWhatSomebodyElseSetBetweenTwoLayersStands(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	older := mustApply(t, p, j, Request{Changes: three()[:1]})
	p.values[fin] = "45"
	newer := mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "45", To: "30"}}}) // the older one's value
	mustRollback(t, p, j, older.ID)
	if p.values[fin] != "30" {
		t.Errorf("%s: the newer transaction's value was taken for the older one's", p.values[fin])
	}
	if mustRollback(t, p, j, newer.ID); p.values[fin] != "45" {
		t.Errorf("%s, want what somebody else had set", p.values[fin])
	}
}

// The value of each parameter, and each setting of the drop-in, is always what it
// would be had the transactions that were rolled back never been: whatever the
// order of transactions, rollbacks and other people's writes.
func TestLayersAreAsIfTheOthersHadNeverBeen(t *testing.T) {
	keys := []sysctl.Key{fin, keep, retries}
	dir := t.TempDir()
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 5))
		d := newMemoryDisk()
		p, j, file := newFake(), d.journal(t, filepath.Join(dir, "state")), filepath.Join(dir, "90-tcptune.conf")
		type event struct {
			id     string // "" of somebody else
			values map[sysctl.Key]sysctl.Value
			saved  []Setting
			gone   bool
		}
		var events []*event
		var story []string
		for range 14 {
			switch what := random.IntN(10); {
			case what < 4: // few values, so that transactions want the same
				e := &event{values: make(map[sysctl.Key]sysctl.Value)}
				var set Set
				for _, k := range keys {
					if random.IntN(3) > 0 {
						e.values[k] = sysctl.Value(fmt.Sprint(5 + random.IntN(4)))
						set = append(set, Change{Key: k, From: p.values[k], To: e.values[k]})
					}
				}
				request := Request{Changes: set}
				if random.IntN(2) == 0 {
					for _, c := range set {
						e.saved = append(e.saved, Setting{Key: c.Key, Value: c.To})
					}
					request.Persist = &Layer{Path: file, Settings: e.saved}
				}
				if e.id = mustApply(t, p, j, request).ID; e.id != "" {
					events = append(events, e)
				}
				story = append(story, fmt.Sprintf("apply %v as %s", e.values, e.id))
			case what < 6:
				k, v := keys[random.IntN(len(keys))], sysctl.Value(fmt.Sprint(100+len(story))) // wanted by no transaction
				p.values[k] = v
				events = append(events, &event{values: map[sysctl.Key]sysctl.Value{k: v}})
				story = append(story, fmt.Sprintf("somebody else: %s = %s", k, v))
			default:
				live := slices.DeleteFunc(slices.Clone(events), func(e *event) bool { return e.gone || e.id == "" })
				if len(live) == 0 {
					continue
				}
				e := live[random.IntN(len(live))]
				e.gone = true
				mustRollback(t, p, j, e.id)
				story = append(story, "roll back "+e.id)
			}
			want, saved := newFake().values, make(map[sysctl.Key]sysctl.Value)
			for _, e := range events {
				if !e.gone {
					maps.Copy(want, e.values)
					for _, s := range e.saved {
						saved[s.Key] = s.Value
					}
				}
			}
			found := make(map[sysctl.Key]sysctl.Value)
			for _, line := range d.lines(t, file) {
				found[line.Key] = line.Value
			}
			if diff := cmp.Diff(want, p.values) + cmp.Diff(saved, found); diff != "" {
				t.Fatalf("seed %d:\n%s\n(-want +got):\n%s", seed, strings.Join(story, "\n"), diff)
			}
		}
	}
}

func TestRollbackToATransactionTakesOffAllNewerOnes(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	first := mustApply(t, p, j, Request{Changes: three()[:1], Persist: d})
	mustApply(t, p, j, Request{Changes: three()[1:2]})
	d.Settings = settings(string(retries), "8")
	mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "30", To: "20"}, {Key: retries, From: "15", To: "8"}}, Persist: d})
	before, file := maps.Clone(p.values), contentOf(t, d.Path)
	p.log = nil

	dry, err := Rollback(t.Context(), p, j, Undo{To: first.ID, DryRun: true})
	if err != nil || len(dry) != 2 || len(p.log) != 0 || contentOf(t, d.Path) != file || entries(t, j)[0].State != Applied {
		t.Errorf("dry: %+v, %v, writes %q", dry, err, p.log)
	}
	if diff := cmp.Diff(before, p.values); diff != "" {
		t.Errorf("dry (-want +got):\n%s", diff)
	}
	results, err := Rollback(t.Context(), p, j, Undo{To: first.ID})
	if err != nil {
		t.Fatal(err)
	}
	for i := range dry {
		if dry[i].DryRun {
			dry[i].DryRun = false
			continue
		}
		t.Errorf("it does not say that it is dry: %+v", dry[i])
	}
	if diff := cmp.Diff(dry, results); diff != "" {
		t.Errorf("what was done is not what the dry run said (-dry +done):\n%s", diff)
	}
	want := map[sysctl.Key]sysctl.Value{fin: "30", keep: "7200", retries: "15"}
	if diff := cmp.Diff(want, p.values); diff != "" || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
		t.Errorf("drop-in %q, values (-want +got):\n%s", sets(t, d.Path), diff)
	}
}

func TestRollbackForcedPutsBackWhatSomebodyElseSet(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	older := mustApply(t, p, j, Request{Changes: three()})
	mustApply(t, p, j, Request{Changes: Set{{Key: keep, From: "600", To: "500"}}})
	p.values[fin] = "45"
	results, err := Rollback(t.Context(), p, j, Undo{ID: older.ID, Force: true})
	if err != nil || len(results[0].Left) != 0 || p.values[fin] != "60" || p.values[keep] != "500" {
		t.Errorf("%+v, %v, values %v; want the newer transaction's left", results, err, p.values)
	}
}
