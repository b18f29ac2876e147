package change

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
)

func TestApplyWritesOnlyWhatDiffersAndSaysSo(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	p.values[keep] = "600"
	result := mustApply(t, p, j, Request{Changes: three(), Profile: "edge-proxy", Reason: "why not", By: Author{Sudo: "alice", PID: 7}})
	if diff := cmp.Diff([]string{"set net.ipv4.tcp_fin_timeout=30", "set net.ipv4.tcp_retries2=8"}, p.log); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if len(result.Written) != 2 || len(result.Same) != 1 || result.Same[0].Key != keep {
		t.Errorf("result %+v", result)
	}
	list := entries(t, j)
	if len(list) != 1 || list[0].ID != result.ID || list[0].State != Applied || len(list[0].Changes) != 2 {
		t.Fatalf("journal %+v", list)
	}
	if e := list[0]; e.Profile != "edge-proxy" || e.Reason != "why not" || e.By.Sudo != "alice" || e.Applied.Before(e.Started) {
		t.Errorf("entry %+v", e)
	}
}

func TestApplyOfWhatIsThereAlreadyLeavesNoEntry(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	request := Request{Changes: three(), Persist: d}
	mustApply(t, p, j, request)
	p.log = nil
	result := mustApply(t, p, j, request) // the same plan again, by now with an outdated From
	if result.ID != "" || len(result.Same) != 3 || result.DropIn.Outcome != FileSame || len(p.log) != 0 || len(entries(t, j)) != 1 {
		t.Errorf("result %+v, writes %q, %d entries", result, p.log, len(entries(t, j)))
	}
}

func TestApplyRefusesWhatCouldOnlyFailHalfWay(t *testing.T) {
	for name, r := range map[string]Request{
		"unknown parameter": {Changes: Set{{Key: fin, From: "60", To: "30"}, {Key: "net.ipv4.tcp_fin_timout", To: "30"}}},
		"senseless value":   {Changes: Set{{Key: fin, From: "60", To: "-5"}}},
		"two numbers":       {Changes: Set{{Key: fin, From: "60", To: "30 60"}}},
		"named twice":       {Changes: Set{{Key: fin, From: "60", To: "30"}, {Key: fin, From: "60", To: "20"}}},
		"relative drop-in":  {Changes: three(), Persist: &Layer{Path: "x.conf"}},
		"drop-in upwards":   {Changes: three(), Persist: &Layer{Path: "/etc/sysctl.d/../x.conf"}},
		"hidden drop-in":    {Changes: three(), Persist: &Layer{Path: "/etc/sysctl.d/.conf"}},
		"drop-in not .conf": {Changes: three(), Persist: &Layer{Path: "/etc/sysctl.d/x"}},
		"no such directory": {Changes: three(), Persist: &Layer{Path: "/nowhere/x.conf"}},
		"setting unknown":   {Changes: three(), Persist: layer(t, "kernel.modprobe", "/tmp/x")},
		"setting senseless": {Changes: three(), Persist: layer(t, string(retries), "-1")},
		"setting twice":     {Changes: three(), Persist: layer(t, string(fin), "30", string(fin), "30")},
		"two lines":         {Changes: Set{{Key: fin, From: "30\nkernel.modprobe = x", To: "30\nkernel.modprobe = x"}}},
		"negative window":   {Changes: three(), Window: -1},
	} {
		p, j := newFake(), openTestJournal(t)
		if _, err := Apply(t.Context(), p, j, r); err == nil || len(p.log) != 0 || len(entries(t, j)) != 0 {
			t.Errorf("%s: error %v, writes %q, %d entries", name, err, p.log, len(entries(t, j)))
		}
	}
}

func TestApplyRefusesAPlanThatIsNoLongerTrue(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	p.values[keep] = "1800"
	_, err := Apply(t.Context(), p, j, Request{Changes: three()})
	moved := (*MovedError)(nil)
	if !errors.As(err, &moved) || len(moved.Moved) != 1 || moved.Moved[0] != (Moved{keep, "7200", "1800"}) {
		t.Fatalf("error %v", err)
	}
	if len(p.log) != 0 || len(entries(t, j)) != 0 {
		t.Errorf("wrote %q", p.log)
	}
}

// Each way to fail, at each step, has to end with the old values.
func TestApplyGoesBackInReverseOrder(t *testing.T) {
	broken := errors.New("broken")
	kinds := map[string]struct {
		wrapped error // what the error must be around
		arm     func(p *fake, cancel context.CancelFunc)
	}{
		"refused": {broken, func(p *fake, _ context.CancelFunc) {
			p.onSet = func(sysctl.Key, sysctl.Value) error { return broken }
		}},
		"kept something else": {broken, func(p *fake, _ context.CancelFunc) {
			p.onSet = func(k sysctl.Key, _ sysctl.Value) error { p.values[k] = "1"; return broken }
		}},
		"interrupted": {context.Canceled, func(_ *fake, cancel context.CancelFunc) { cancel() }},
	}
	for name, kind := range kinds {
		for at, c := range three() {
			p, j := newFake(), openTestJournal(t)
			ctx, cancel := context.WithCancel(t.Context())
			p.onGet = func(k sysctl.Key) { // the second look, right before the write
				if k == c.Key && len(entries(t, j)) == 1 {
					p.onGet = nil
					kind.arm(p, cancel)
				}
			}
			_, err := Apply(ctx, p, j, Request{Changes: three()})
			undone := (*UndoneError)(nil)
			if kind.wrapped == context.Canceled && at == 2 {
				// Nothing is left to be interrupted after the last write.
				if err != nil || p.values[retries] != "8" {
					t.Errorf("%s at %d: error %v", name, at, err)
				}
				continue
			}
			if !errors.As(err, &undone) || !errors.Is(err, kind.wrapped) {
				t.Errorf("%s at %d: error %v", name, at, err)
				continue
			}
			if diff := cmp.Diff(newFake().values, p.values); diff != "" {
				t.Errorf("%s at %d: values (-want +got):\n%s", name, at, diff)
			}
			for i, r := range undone.Result.Restored {
				if i > 0 && r.Key > undone.Result.Restored[i-1].Key { // the keys of three() ascend
					t.Errorf("%s at %d: undone in the order %v", name, at, undone.Result.Restored)
				}
			}
			if e := entries(t, j)[0]; e.State != Undone || !strings.Contains(e.Failure, kind.wrapped.Error()) {
				t.Errorf("%s at %d: entry %+v", name, at, e)
			}
			if _, err := rollback(t, p, j, ""); !errors.Is(err, ErrNothingToUndo) {
				t.Errorf("%s at %d: rollback of what was undone: %v", name, at, err)
			}
		}
	}
}

func TestApplyCancelledBeforeItBeganDoesNothing(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Apply(ctx, p, j, Request{Changes: three()}); !errors.Is(err, context.Canceled) || len(p.log) != 0 || len(entries(t, j)) != 0 {
		t.Errorf("error %v, writes %q", err, p.log)
	}
}

func TestApplyNoticesAValueThatMovesUnderItsHands(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	p.onSet = func(k sysctl.Key, _ sysctl.Value) error {
		if k == keep {
			p.values[fin], p.values[retries] = "45", "3" // somebody else's, one of them behind us
		}
		return nil
	}
	_, err := Apply(t.Context(), p, j, Request{Changes: three()})
	undone, moved := (*UndoneError)(nil), (*MovedError)(nil)
	if !errors.As(err, &undone) || !errors.As(err, &moved) || moved.Moved[0].Found != "3" {
		t.Fatalf("error %v", err)
	}
	if p.values[fin] != "45" || p.values[keep] != "7200" || p.values[retries] != "3" {
		t.Errorf("values %v; want those of somebody else left and the others old", p.values)
	}
	if left := undone.Result.Left; len(left) != 1 || left[0].Key != fin || left[0].Found != "45" || left[0].Wanted != "60" {
		t.Errorf("left %+v", left)
	}
}

func TestApplySaysWhatItCouldNotUndo(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	broken, stuck := errors.New("broken"), errors.New("stuck")
	p.onSet = func(k sysctl.Key, _ sysctl.Value) error {
		if k == retries {
			return broken
		}
		return nil
	}
	p.onRestore = func(k sysctl.Key, _ sysctl.Value) error {
		if k == keep {
			return stuck
		}
		return nil
	}
	_, err := Apply(t.Context(), p, j, Request{Changes: three()})
	failed := (*UndoFailedError)(nil)
	if !errors.As(err, &failed) || !errors.Is(err, broken) || !errors.Is(err, stuck) {
		t.Fatalf("error %v", err)
	}
	if f := failed.Failed; len(f) != 1 || f[0].Key != keep || f[0].Wanted != "7200" || f[0].Actual != "600" {
		t.Errorf("failed %+v", f)
	}
	if p.values[fin] != "60" {
		t.Errorf("one parameter that is stuck kept another from coming back: %v", p.values)
	}
	if e := entries(t, j)[0]; e.State != UndoFailed || !strings.Contains(e.Failure, string(keep)) {
		t.Errorf("entry %+v", e)
	}
	p.onRestore = nil
	if result := mustRollback(t, p, j, ""); len(result.Restored) != 1 || p.values[keep] != "7200" {
		t.Errorf("second attempt: %+v", result)
	}
}

func TestApplyRefusesWhileATransactionIsUnfinished(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	func() {
		defer func() { _ = recover() }() // stands for a crash: the lock goes, the entry stays
		p.onSet = func(k sysctl.Key, _ sysctl.Value) error {
			if k == keep {
				panic("crash")
			}
			return nil
		}
		_, _ = Apply(t.Context(), p, j, Request{Changes: three()})
	}()
	p.onSet = nil
	_, err := Apply(t.Context(), p, j, Request{Changes: Set{{Key: retries, From: "15", To: "8"}}})
	unfinished := (*UnfinishedError)(nil)
	if !errors.As(err, &unfinished) || len(unfinished.Entries) != 1 || unfinished.Entries[0].State != Begun {
		t.Fatalf("error %v", err)
	}
	if pending, err := j.Pending(); err != nil || len(pending.Unfinished) != 1 {
		t.Errorf("unfinished: %v, %v", pending.Unfinished, err)
	}
	mustRollback(t, p, j, "")
	if diff := cmp.Diff(newFake().values, p.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	mustApply(t, p, j, Request{Changes: three()})
}

func TestApplyAsksForEverythingBeforeTheFirstWrite(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	denied := &sysctl.Error{Op: "set", Key: keep, Cause: sysctl.NotPermitted, Err: fs.ErrPermission}
	p.readOnly = map[sysctl.Key]error{keep: denied}
	delete(p.values, retries) // its module was unloaded
	_, err := Apply(t.Context(), p, j, Request{Changes: three()})
	if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), string(keep)) || !strings.Contains(err.Error(), string(retries)) {
		t.Errorf("error %v, want both reasons", err)
	}
	if len(p.log) != 0 || len(entries(t, j)) != 0 {
		t.Errorf("writes %q, %d entries", p.log, len(entries(t, j)))
	}
	// What holds already need not be writable, nor make sense.
	p.values[keep], p.values[fin] = "600", "-5"
	mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "-5", To: "-5"}, {Key: keep, From: "600", To: "600"}}})
}

func TestApplyLeavesTheCallersRequestAlone(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	writeFile(t, d.Path, elsewhere(t))
	mustApply(t, p, j, Request{Persist: d, Force: true})
	if d.Replaced != nil || entries(t, j)[0].Layer.Replaced == nil {
		t.Errorf("layer %+v", d)
	}
}
