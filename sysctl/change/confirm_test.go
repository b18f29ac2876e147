package change

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// windowed is a request that waits to be confirmed.
func windowed(d *Layer) Request {
	return Request{Changes: three(), Persist: d, Window: time.Minute}
}

func TestDropInIsWrittenOnConfirmationAlone(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	var guarded Entry
	r := windowed(d)
	r.Arm = func(e Entry) error {
		guarded = e
		if len(p.log) != 0 {
			t.Errorf("armed after %q", p.log)
		}
		if on := entries(t, j); len(on) != 1 || on[0].ID != e.ID || !on[0].AwaitsConfirmation() {
			t.Errorf("armed before the journal has it: %+v", on)
		}
		return nil
	}
	result := mustApply(t, p, j, r)
	if result.State != Unconfirmed || result.Window == nil || result.DropIn != nil || contentOf(t, d.Path) != "absent" || p.values[fin] != "30" || guarded.ID != result.ID {
		t.Errorf("result %+v, values %v, drop-in %q, armed %+v", result, p.values, contentOf(t, d.Path), guarded)
	}
	p.values[keep] = "900"
	result, err := Confirm(t.Context(), p, j, "")
	if err != nil || result.State != Applied || result.DropIn.Outcome != FileWritten || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
		t.Errorf("confirm: %+v, %v", result, err)
	}
	if len(result.Left) != 1 || result.Left[0].Key != keep || result.Left[0].Found != "900" || len(result.Same) != 2 {
		t.Errorf("what somebody else changed meanwhile: %+v", result.Left)
	}
	e := entries(t, j)[0]
	if e.State != Applied || e.AwaitsConfirmation() || e.Window.Confirmed.IsZero() {
		t.Errorf("entry %+v", e)
	}
	for _, id := range []string{"", e.ID} {
		if _, err := Confirm(t.Context(), p, j, id); !errors.Is(err, ErrNoWindow) {
			t.Errorf("confirm %q again: %v", id, err)
		}
	}
}

func TestArmingThatFailsUndoes(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	r, broken := windowed(nil), errors.New("no systemd")
	r.Arm = func(Entry) error { return broken }
	_, err := Apply(t.Context(), p, j, r)
	if undone := (*UndoneError)(nil); !errors.As(err, &undone) || !errors.Is(err, broken) || len(p.log) != 0 || entries(t, j)[0].State != Undone {
		t.Errorf("error %v, writes %q", err, p.log)
	}
}

func TestNothingIsAppliedWhileAWindowIsOpen(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	clock := time.Hour
	j.uptime = func() (time.Duration, error) { return clock, nil }
	first := mustApply(t, p, j, windowed(nil))
	more := Request{Changes: Set{{Key: fin, From: "30", To: "20"}}}
	var open *UnconfirmedError
	if _, err := Apply(t.Context(), p, j, more); !errors.As(err, &open) || open.Entry.ID != first.ID || open.Remaining != time.Minute || !strings.Contains(err.Error(), "1m0s") {
		t.Errorf("error %v", err)
	}
	clock += 2 * time.Minute
	if _, err := Apply(t.Context(), p, j, more); !errors.As(err, &open) || open.Remaining != -time.Minute || !strings.Contains(err.Error(), "in time") {
		t.Errorf("its time over: error %v", err)
	}
	if pending, err := j.Pending(); err != nil || len(pending.Unconfirmed) != 1 || pending.Unconfirmed[0].ID != first.ID {
		t.Errorf("unconfirmed: %+v, %v", pending.Unconfirmed, err)
	}
	mustRollback(t, p, j, "")
	mustApply(t, p, j, Request{Changes: three()})
}

func TestWindowIsOverByTheClockThatNobodySets(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	clock, wall := time.Hour, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	j.uptime = func() (time.Duration, error) { return clock, nil }
	j.now = func() time.Time { return wall }
	id := mustApply(t, p, j, windowed(nil)).ID
	remaining := func() time.Duration {
		e, err := j.Entry(id)
		if err != nil {
			t.Fatal(err)
		}
		remaining, err := j.Remaining(e)
		if err != nil {
			t.Fatal(err)
		}
		return remaining
	}
	if wall = wall.Add(24 * time.Hour); remaining() != time.Minute {
		t.Errorf("the wall clock was set: %v", remaining())
	}
	if clock += 50 * time.Second; remaining() != 10*time.Second {
		t.Errorf("after 50 s: %v", remaining())
	}
	e, err := Extend(p, j, "", 5*time.Minute, armed)
	if err != nil || e.ID != id || remaining() != 5*time.Minute || !e.Window.Deadline.Equal(wall.Add(5*time.Minute)) {
		t.Errorf("extended: %+v, %v, %v", e, err, remaining())
	}
	if _, err := Extend(p, j, id, 0, armed); err == nil {
		t.Error("extended by nothing")
	}
	clock += 5 * time.Minute // and whoever was to roll it back did not
	open := (*UnconfirmedError)(nil)
	if _, err := Extend(p, j, id, time.Minute, armed); !errors.As(err, &open) || remaining() != 0 {
		t.Errorf("extended after the end: %v, %v", err, remaining())
	}
	mustRollback(t, p, j, id)
	for _, other := range []string{"", id} {
		if _, err := Extend(p, j, other, time.Minute, armed); !errors.Is(err, ErrNoWindow) {
			t.Errorf("extend %q after the rollback: %v", other, err)
		}
	}
}

func TestRebootEndsAWindow(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	id := mustApply(t, p, j, windowed(d)).ID
	reboot(j)
	here, _ := j.here()
	if e := entries(t, j)[0]; !e.EndedByReboot(here) || contentOf(t, d.Path) != "absent" {
		t.Errorf("entry %+v, drop-in %q", e, contentOf(t, d.Path))
	}
	if _, err := Confirm(t.Context(), p, j, id); !errors.Is(err, ErrNoWindow) || !strings.Contains(err.Error(), "reboot") || contentOf(t, d.Path) != "absent" {
		t.Errorf("confirm: %v", err)
	}
	if _, err := rollback(t, p, j, id); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("roll back: %v", err)
	}
	p.values = newFake().values
	mustApply(t, p, j, Request{Changes: three()})
}

func TestConfirmOfAnotherNamespaceOrOfWhatIsUnfinished(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, windowed(nil)).ID
	j.here = func() (Identity, error) {
		here, err := Here()
		here.Namespace = Namespace{Inode: here.Namespace.Inode + 1}
		return here, err
	}
	if _, err := Confirm(t.Context(), p, j, id); !errors.As(err, new(*NamespaceError)) {
		t.Errorf("another namespace: %v", err)
	}
	if _, err := Confirm(t.Context(), p, j, ""); !errors.Is(err, ErrNoWindow) {
		t.Errorf("another namespace, no id: %v", err)
	}
	j.here = Here
	mustRollback(t, p, j, id)
	crashAfter(t, j, "set "+string(keep), func() { _, _ = Apply(t.Context(), p, j, windowed(nil)) })
	e := entries(t, j)[0]
	if !e.AwaitsConfirmation() {
		t.Errorf("whoever was armed would leave it: %+v", e)
	}
	for _, id := range []string{"", e.ID} {
		if _, err := Confirm(t.Context(), p, j, id); !errors.As(err, new(*UnfinishedError)) {
			t.Errorf("unfinished %q: %v", id, err)
		}
	}
	mustRollback(t, p, j, e.ID)
}

func TestConfirmThatCannotWriteTheDropInChangesNothing(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	id := mustApply(t, p, j, windowed(d)).ID
	writeFile(t, d.Path, "mine\n")
	if _, err := Confirm(t.Context(), p, j, id); !errors.As(err, new(*NotOursError)) || entries(t, j)[0].State != Unconfirmed || contentOf(t, d.Path) != "mine\n" {
		t.Errorf("error %v, entry %+v", err, entries(t, j)[0])
	}
	os.Remove(d.Path)
	d2 := layer(t, string(fin), "30")
	d2.Path = d.Path
	writeFile(t, d.Path, elsewhere(t))
	if _, err := Confirm(t.Context(), p, j, id); !errors.As(err, new(*EditedError)) || entries(t, j)[0].State != Unconfirmed {
		t.Errorf("error %v", err)
	}
	os.Remove(d.Path)
	if _, err := Confirm(t.Context(), p, j, id); err != nil {
		t.Error(err)
	}
}

// What Force was given for when the window began still holds at its end, and
// nothing else does.
func TestConfirmReplacesWhatWasForcedAndNothingElse(t *testing.T) {
	for _, again := range []bool{false, true} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		mustApply(t, p, j, Request{Persist: d})
		writeFile(t, d.Path, contentOf(t, d.Path)+"# mine\n")
		r := windowed(&Layer{Path: d.Path, Settings: settings(string(fin), "20")})
		r.Force = true
		mustApply(t, p, j, r)
		if again {
			writeFile(t, d.Path, contentOf(t, d.Path)+"# mine, too\n")
		}
		_, err := Confirm(t.Context(), p, j, "")
		if errors.As(err, new(*EditedError)) != again {
			t.Errorf("edited again: %v, error %v", again, err)
		}
	}
}

// armed is for windows that nobody need end.
func armed(Entry) error { return nil }

// Whoever extends a window sees to it that somebody ends it, or it stays as it is.
func TestWhatIsNotArmedIsNotExtended(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, windowed(nil)).ID
	before := entries(t, j)[0]
	no := errors.New("no bus")
	if _, err := Extend(p, j, id, time.Hour, func(e Entry) error {
		if _, err := j.Lock(); e.ID != id || !errors.Is(err, ErrLocked) {
			t.Errorf("armed for %s, and the lock %v", e.ID, err)
		}
		return no
	}); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, entries(t, j)[0]); diff != "" {
		t.Errorf("the entry (-before +after):\n%s", diff)
	}
}

// A rollback that a full disk kept from the journal is found out by whoever comes next.
func TestValuesThatCameBackAreNotTakenForUnconfirmed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	d, p, drop := newDisk(t), newFake(), layer(t, string(fin), "30")
	j := d.journal()
	id := mustApply(t, p, j, windowed(drop)).ID
	d.fill()
	if _, err := rollback(t, p, j, id); !errors.Is(err, syscall.ENOSPC) || p.values[fin] != "60" {
		t.Fatalf("error %v, values %v", err, p.values)
	}
	d.free()
	if e := entries(t, j)[0]; e.State != Unconfirmed || !j.TakenBack(p, e) {
		t.Fatalf("the entry is %s, taken back %v", e.State, j.TakenBack(p, e))
	}
	back := (*TakenBackError)(nil)
	if _, err := Confirm(t.Context(), p, j, ""); !errors.As(err, &back) || back.ID != id || contentOf(t, drop.Path) != "absent" {
		t.Errorf("confirm: %v, the drop-in %q", err, contentOf(t, drop.Path))
	}
	if _, err := Extend(p, j, "", time.Hour, armed); !errors.As(err, &back) {
		t.Errorf("extend: %v", err)
	}
	if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); !errors.As(err, &back) {
		t.Errorf("apply: %v", err)
	}
	mustRollback(t, p, j, "")
	if e := entries(t, j)[0]; e.State != RolledBack || j.TakenBack(p, e) {
		t.Errorf("the entry is %s", e.State)
	}
	mustApply(t, p, j, Request{Changes: three()})
}

// What a rollback would not put back differently is back, whatever else there is.
func TestValuesThatCameBackMayBeOlderOnesOrInPartSomebodyElses(t *testing.T) {
	for name, c := range map[string]struct {
		rollsBack bool            // the transaction beneath
		values    [2]sysctl.Value // of fin and keep
		back      bool
	}{
		"as they were":                           {false, [2]sysctl.Value{"30", "7200"}, true},
		"those of before what lies beneath":      {true, [2]sysctl.Value{"60", "1"}, true},
		"ours beneath, which is gone":            {true, [2]sysctl.Value{"30", "1"}, false},
		"one is somebody else's":                 {false, [2]sysctl.Value{"30", "1"}, true},
		"all are somebody else's":                {false, [2]sysctl.Value{"1", "1"}, false},
		"one still holds, and the other is back": {false, [2]sysctl.Value{"30", "600"}, false},
	} {
		p, j := newFake(), openTestJournal(t)
		beneath := mustApply(t, p, j, Request{Changes: three()[:1]}).ID
		id := mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "30", To: "20"}, three()[1]}, Window: time.Minute}).ID
		if c.rollsBack {
			mustRollback(t, p, j, beneath)
		}
		p.values[fin], p.values[keep] = c.values[0], c.values[1]
		_, err := Confirm(t.Context(), p, j, id)
		if back := (*TakenBackError)(nil); errors.As(err, &back) != c.back || !c.back && err != nil {
			t.Errorf("%s: confirm: %v", name, err)
		}
	}
}
