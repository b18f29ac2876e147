package change

import (
	"errors"
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

// recovered recovers the one transaction that is unfinished.
func recovered(t *testing.T, p Params, j *Journal, way Direction) Result {
	t.Helper()
	results, err := Recover(t.Context(), p, j, way)
	if err != nil || len(results) != 1 {
		t.Fatalf("recover %s: %+v, %v", way, results, err)
	}
	return results[0]
}

func TestRecoverUndoesOrFinishes(t *testing.T) {
	for _, way := range []Direction{Back, Forward} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		crashAfter(t, j, "set "+string(keep), func() { _, _ = Apply(t.Context(), p, j, Request{Changes: three(), Persist: d}) })
		p.log = nil
		result := recovered(t, p, j, way)
		state, values, file := entries(t, j)[0].State, [2]sysctl.Value{p.values[fin], p.values[retries]}, contentOf(t, d.Path)
		if way == Back && (state != Undone || values != [2]sysctl.Value{"60", "15"} || file != "absent" || len(result.Restored) != 2 || len(result.Same) != 1) {
			t.Errorf("back: %s, %v, %q, %+v", state, values, file, result)
		}
		if way == Forward && (state != Applied || values != [2]sysctl.Value{"30", "8"} || file == "absent" || len(result.Written) != 1 || len(result.Same) != 2 || len(p.log) != 1) {
			t.Errorf("forward: %s, %v, %q, %+v, writes %q", state, values, file, result, p.log)
		}
		if _, err := Recover(t.Context(), p, j, way); !errors.Is(err, ErrNothingToUndo) {
			t.Errorf("%s again: %v", way, err)
		}
	}
}

func TestRecoverForwardGoesBackFromWhatSomebodyElseChanged(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	crashAfter(t, j, "set "+string(fin), func() { _, _ = Apply(t.Context(), p, j, Request{Changes: three()}) })
	p.values[keep] = "900"
	_, err := Recover(t.Context(), p, j, Forward)
	undone := (*UndoneError)(nil)
	if !errors.As(err, &undone) || !errors.As(err, new(*MovedError)) || len(undone.Result.Left) != 1 || undone.Result.Left[0].Found != "900" {
		t.Fatalf("error %v", err)
	}
	if p.values[fin] != "60" || p.values[keep] != "900" || p.values[retries] != "15" || entries(t, j)[0].State != Undone {
		t.Errorf("values %v", p.values)
	}
}

func TestRecoverForwardConfirms(t *testing.T) {
	for _, step := range []string{"set " + string(keep), "replace %s"} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		if step == "replace %s" {
			mustApply(t, p, j, windowed(d))
			crashAfter(t, j, "replace "+d.Path, func() { _, _ = Confirm(t.Context(), p, j, "") })
			p.values[keep] = "900" // in the window everybody may
		} else {
			crashAfter(t, j, step, func() { _, _ = Apply(t.Context(), p, j, windowed(d)) })
		}
		recovered(t, p, j, Forward)
		if e := entries(t, j)[0]; e.State != Applied || e.Window.Confirmed.IsZero() || p.values[fin] != "30" || sets(t, d.Path) != "net.ipv4.tcp_fin_timeout = 30" {
			t.Errorf("cut off after %q: %+v, %v", step, e, p.values)
		}
	}
}

func TestRecoverFinishesARollbackEitherWay(t *testing.T) {
	for _, way := range []Direction{Back, Forward} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		mustApply(t, p, j, Request{Changes: three(), Persist: d})
		crashAfter(t, j, "restore "+string(keep), func() { _, _ = rollback(t, p, j, "") })
		recovered(t, p, j, way)
		if e := entries(t, j)[0]; e.State != RolledBack || p.values[fin] != "60" || p.values[keep] != "7200" || contentOf(t, d.Path) != "absent" {
			t.Errorf("%s: %+v, %v", way, e, p.values)
		}
	}
}

func TestRecoverAtTheNextBootKeepsOrRemovesTheDropIn(t *testing.T) {
	for _, way := range []Direction{Back, Forward} {
		p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
		crashAfter(t, j, "replace "+d.Path, func() { _, _ = Apply(t.Context(), p, j, Request{Changes: three(), Persist: d}) })
		reboot(j)
		p.log = nil
		result := recovered(t, p, j, way)
		if !result.Rebooted || len(p.log) != 0 || (contentOf(t, d.Path) == "absent") != (way == Back) || (entries(t, j)[0].State == Applied) != (way == Forward) {
			t.Errorf("%s: %+v, writes %q, drop-in %q", way, result, p.log, contentOf(t, d.Path))
		}
	}
}

func TestRecoverOfAJournalThatCannotBeRead(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	if _, err := Recover(t.Context(), p, j, "sideways"); err == nil || errors.Is(err, ErrNothingToUndo) {
		t.Errorf("an unknown direction: %v", err)
	}
	if _, err := Recover(t.Context(), p, j, Back); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("no journal: %v", err)
	}
	crashAfter(t, j, "set "+string(keep), func() { _, _ = Apply(t.Context(), p, j, Request{Changes: three()}) })
	writeFile(t, j.file(entries(t, j)[0].ID), "{")
	for _, way := range []Direction{Back, Forward} {
		if _, err := Recover(t.Context(), p, j, way); !errors.As(err, new(*DamagedError)) {
			t.Errorf("%s: %v", way, err)
		}
	}
	if _, err := Confirm(t.Context(), p, j, ""); !errors.As(err, new(*DamagedError)) {
		t.Errorf("confirm: %v", err)
	}
}
