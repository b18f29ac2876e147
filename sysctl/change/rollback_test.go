package change

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
)

func TestRollbackPutsBackToTheLetterAndInReverse(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	p.values[fin] = "-5" // makes no sense, and is what was there
	set := three()
	set[0].From = "-5"
	mustApply(t, p, j, Request{Changes: set})
	p.log = nil
	result := mustRollback(t, p, j, "")
	want := []string{"restore net.ipv4.tcp_retries2=15", "restore net.ipv4.tcp_keepalive_time=7200", "restore net.ipv4.tcp_fin_timeout=-5"}
	if diff := cmp.Diff(want, p.log); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if e := entries(t, j)[0]; len(result.Restored) != 3 || result.State != RolledBack || e.State != RolledBack || e.Ended.Before(e.Applied) {
		t.Errorf("result %+v, entry %+v", result, e)
	}
	if _, err := rollback(t, p, j, result.ID); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("a second time: %v", err)
	}
}

func TestRollbackLeavesWhatIsNotOursAnyMore(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	mustApply(t, p, j, Request{Changes: three()})
	p.values[fin] = "45"      // changed by somebody else
	p.values[keep] = "7200"   // and this one changed back
	delete(p.values, retries) // and this one's module unloaded
	p.log = nil
	result := mustRollback(t, p, j, "")
	want := []Left{
		{Key: retries, Wanted: "15", Why: "not there any more"},
		{Key: fin, Wanted: "60", Found: "45", Why: changedSince},
	}
	if diff := cmp.Diff(want, result.Left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if len(p.log) != 0 || len(result.Same) != 1 || result.Same[0].Key != keep {
		t.Errorf("writes %q, result %+v", p.log, result)
	}
	if e := entries(t, j)[0]; e.State != RolledBack || len(e.Left) != 2 {
		t.Errorf("entry %+v", e)
	}
}

func TestRollbackNoticesAValueThatMovesUnderItsHands(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	mustApply(t, p, j, Request{Changes: three()})
	looks := 0
	p.onGet = func(k sysctl.Key) {
		if k == fin {
			if looks++; looks == 2 { // right before it is put back
				p.values[fin] = "45"
			}
		}
	}
	if result := mustRollback(t, p, j, ""); p.values[fin] != "45" || len(result.Left) != 1 || result.Left[0].Found != "45" || len(result.Restored) != 2 {
		t.Errorf("values %v, result %+v", p.values, result)
	}
}

func TestRollbackCanBeTriedAgain(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	stuck := errors.New("stuck")
	applied := mustApply(t, p, j, Request{Changes: three()})
	p.onRestore = func(k sysctl.Key, _ sysctl.Value) error {
		if k == keep {
			return stuck
		}
		return nil
	}
	result, err := rollback(t, p, j, "")
	failed := (*UndoFailedError)(nil)
	if !errors.As(err, &failed) || !errors.Is(err, stuck) || failed.Cause != nil || len(result.Restored) != 2 || result.State != UndoFailed {
		t.Fatalf("error %v, result %+v", err, result)
	}
	p.onRestore = nil
	if result := mustRollback(t, p, j, applied.ID); len(result.Restored) != 1 || len(result.Same) != 2 {
		t.Errorf("second attempt %+v", result)
	}
}

func TestRollbackRefusesAnotherNamespacesValues(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	applied := mustApply(t, p, j, Request{Changes: three()})
	there := entries(t, j)[0].Namespace
	for name, elsewhere := range map[string]Namespace{
		"other inode":            {Inode: there.Inode + 1, Cookie: there.Cookie + 1},
		"inode given out anew":   {Inode: there.Inode, Cookie: there.Cookie + 1},
		"other inode, no cookie": {Inode: there.Inode + 1},
	} {
		if there.Cookie == 0 && elsewhere.Inode == there.Inode {
			continue // this kernel cannot tell
		}
		j.here = func() (Identity, error) {
			here, err := Here()
			here.Namespace = elsewhere
			return here, err
		}
		_, err := rollback(t, p, j, applied.ID)
		namespace := (*NamespaceError)(nil)
		if !errors.As(err, &namespace) || namespace.Made != there || namespace.Here != elsewhere {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := rollback(t, p, j, ""); !errors.Is(err, ErrNothingToUndo) {
			t.Errorf("%s: without an id: %v", name, err)
		}
	}
	if p.values[fin] != "30" {
		t.Errorf("values %v", p.values)
	}
	j.here = Here
	mustRollback(t, p, j, applied.ID)
}

func TestRollbackAfterARebootUndoesOnlyTheDropIn(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	atRunTime := mustApply(t, p, j, Request{Changes: Set{{Key: retries, From: "15", To: "8"}}})
	mustApply(t, p, j, Request{Changes: three()[:2], Persist: d})
	reboot(j)
	p.log = nil
	result := mustRollback(t, p, j, "")
	if !result.Rebooted || contentOf(t, d.Path) != "absent" || len(p.log) != 0 {
		t.Errorf("result %+v, drop-in %q, writes %q", result, contentOf(t, d.Path), p.log)
	}
	for _, id := range []string{"", atRunTime.ID} {
		if _, err := rollback(t, p, j, id); !errors.Is(err, ErrNothingToUndo) {
			t.Errorf("rollback of %q: %v", id, err)
		}
	}
}

func TestOfAnEarlierBootOnlyADropInLeftBehindIsUnfinished(t *testing.T) {
	for name, c := range map[string]struct {
		lastStep   string // %s is the drop-in
		before     bool   // an older transaction set the same
		unfinished bool
	}{
		"died after the drop-in":          {"replace %s", false, true},
		"died before the drop-in":         {"prepare %s", false, false},
		"died among the values":           {"set " + string(keep), false, false},
		"the drop-in was there all along": {"set " + string(retries), true, false},
	} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		if c.before {
			mustApply(t, p, j, Request{Persist: d})
		}
		crashAfter(t, j, strings.Replace(c.lastStep, "%s", d.Path, 1), func() {
			_, _ = Apply(t.Context(), p, j, Request{Changes: three(), Persist: d})
		})
		reboot(j)
		p.values = newFake().values

		_, err := Apply(t.Context(), p, j, Request{Changes: three()})
		if unfinished := (*UnfinishedError)(nil); errors.As(err, &unfinished) != c.unfinished {
			t.Errorf("%s: error %v", name, err)
		}
		if assertNoLitter(t, filepath.Dir(d.Path)); !c.unfinished {
			continue
		}
		if result := mustRollback(t, p, j, ""); result.DropIn.Outcome != FileRemoved || contentOf(t, d.Path) != "absent" {
			t.Errorf("%s: result %+v", name, result)
		}
		mustApply(t, p, j, Request{Changes: three()})
	}
}

func TestRollbackOfWhatIsNotThere(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	if _, err := rollback(t, p, j, ""); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("empty journal: %v", err)
	}
	for _, id := range []string{"20200101T000000.000Z", "../../etc/passwd"} {
		if _, err := rollback(t, p, j, id); !errors.Is(err, ErrNoEntry) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A dry run says what the rollback would say.
func TestDryRunOfWhatCannotBeWrittenTellsTheValueThatIsThere(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	mustApply(t, p, j, Request{Changes: three()[:1]})
	p.readOnly = map[sysctl.Key]error{fin: fs.ErrPermission}
	_, err := Rollback(t.Context(), p, j, Undo{DryRun: true})
	failed := (*UndoFailedError)(nil)
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Actual != "30" {
		t.Errorf("%v; want that it is 30", err)
	}
}

// What a rollback left is put back later, if its transaction is named and it is
// meant: that alone, whatever has become of the rest since.
func TestWhatARollbackLeftCanBeForcedLater(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, Request{Changes: three()}).ID
	p.values[fin] = "45" // changed by somebody else
	mustRollback(t, p, j, "")
	p.values[keep] = "999" // and this one when it had come back
	if _, err := rollback(t, p, j, id); !errors.Is(err, ErrNothingToUndo) || p.values[fin] != "45" {
		t.Errorf("without force: %v", err)
	}
	before := entries(t, j)[0]
	force := func(dry bool) (Result, error) {
		t.Helper()
		results, err := Rollback(t.Context(), p, j, Undo{ID: id, Force: true, DryRun: dry})
		if len(results) != 1 {
			return Result{}, err
		}
		return results[0], err
	}
	want := Set{{Key: fin, From: "60", To: "45"}}
	if result, err := force(true); err != nil || !result.DryRun || !cmp.Equal(want, result.Restored) || p.values[fin] != "45" || !cmp.Equal(before, entries(t, j)[0]) {
		t.Errorf("only tried: %+v, %v, entry %+v", result, err, entries(t, j)[0])
	}
	stuck := errors.New("stuck")
	p.onRestore = func(sysctl.Key, sysctl.Value) error { return stuck }
	failed := (*UndoFailedError)(nil)
	if _, err := force(false); !errors.As(err, &failed) || !errors.Is(err, stuck) {
		t.Errorf("it cannot be put back: %v", err)
	}
	if e := entries(t, j)[0]; e.State != RolledBack || len(e.Left) != 1 || e.Left[0].Why != "stuck" {
		t.Errorf("the entry is %s, left %+v", e.State, e.Left)
	}
	p.onRestore = nil
	if result, err := force(false); err != nil || result.DryRun || !cmp.Equal(want, result.Restored) {
		t.Errorf("result %+v, error %v", result, err)
	}
	if e := entries(t, j)[0]; p.values[fin] != "60" || p.values[keep] != "999" || e.State != RolledBack || len(e.Left) != 0 || !e.Ended.Equal(before.Ended) {
		t.Errorf("values %v, entry %+v", p.values, e)
	}
	if _, err := force(false); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("once more: %v", err)
	}
}

// Nor does force take from a newer transaction what it has set since.
func TestWhatARollbackLeftMayBeANewerTransactionsByNow(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, Request{Changes: three()}).ID
	p.values[fin] = "45"
	mustRollback(t, p, j, "")
	newer := mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "45", To: "20"}}}).ID
	results, err := Rollback(t.Context(), p, j, Undo{ID: id, Force: true})
	if err != nil || p.values[fin] != "20" || len(results[0].Left) != 1 || !strings.Contains(results[0].Left[0].Why, newer) {
		t.Errorf("values %v, results %+v, error %v", p.values, results, err)
	}
	if left := entries(t, j)[1].Left; len(left) != 1 || left[0].Key != fin {
		t.Errorf("the journal has it as left: %+v", left)
	}
	mustRollback(t, p, j, newer)
	if p.values[fin] != "45" {
		t.Errorf("values %v", p.values)
	}
	reboot(j)
	if _, err := Rollback(t.Context(), p, j, Undo{ID: id, Force: true}); !errors.Is(err, ErrNothingToUndo) || p.values[fin] != "45" {
		t.Errorf("after a reboot: %v, values %v", err, p.values)
	}
}

// By force two of them come back in any order, and to what was there before both.
func TestWhatRollbacksLeftIsForcedInAnyOrder(t *testing.T) {
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		for _, rolledBack := range [][2]int{{0, 1}, {1, 0}} {
			p, j := newFake(), openTestJournal(t)
			var ids []string
			for _, to := range []sysctl.Value{"30", "20"} {
				ids = append(ids, mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: p.values[fin], To: to}}}).ID)
			}
			p.values[fin] = "99"
			for _, i := range rolledBack {
				mustRollback(t, p, j, ids[i])
			}
			for _, i := range order {
				if _, err := Rollback(t.Context(), p, j, Undo{ID: ids[i], Force: true}); err != nil && !errors.Is(err, ErrNothingToUndo) {
					t.Error(err)
				}
			}
			if p.values[fin] != "60" {
				t.Errorf("rolled back in the order %v and forced in the order %v: %s", rolledBack, order, p.values[fin])
			}
		}
	}
	// What somebody else set to the same value after the older one was gone is theirs.
	p, j := newFake(), openTestJournal(t)
	mustApply(t, p, j, Request{Changes: three()[:1]})
	mustRollback(t, p, j, "")
	p.values[fin] = "30"
	id := mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "30", To: "20"}}}).ID
	p.values[fin] = "99"
	mustRollback(t, p, j, id)
	if _, err := Rollback(t.Context(), p, j, Undo{ID: id, Force: true}); err != nil || p.values[fin] != "30" {
		t.Errorf("%v, %s", err, p.values[fin])
	}
}
