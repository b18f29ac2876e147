package change

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
)

// Each call of the file layer fails: alone, alone and yet it was carried out, or
// with all that follow. What was to be done is then done as a whole or not at
// all, or unfinished business that Recover or another try deals with; and whoever
// asked for it was told.
func TestEveryErrorAtEveryCallOfTheFileLayer(t *testing.T) {
	dir := t.TempDir()
	faults, told := 0, 0
	for _, k := range jobs {
		for mode, fails := range map[string]func(at int) func(call int, what string) (error, bool){
			"once": func(at int) func(int, string) (error, bool) {
				return failAt(func(call int) bool { return call == at }, false)
			},
			"once, done": func(at int) func(int, string) (error, bool) {
				return failAt(func(call int) bool { return call == at }, true)
			},
			"from now on": func(at int) func(int, string) (error, bool) {
				return failAt(func(call int) bool { return call >= at }, false)
			},
		} {
			for at := 1; ; at++ {
				d, s := newJob(t, dir, k)
				reached := ""
				fail := fails(at)
				d.fault = func(call int, what string) (error, bool) {
					err, done := fail(call, what)
					if err != nil && reached == "" {
						reached = what
					}
					return err, done
				}
				err := k.run(t.Context(), s)
				d.fault = nil
				if reached == "" {
					break
				}
				faults++
				where := k.name + ", failing " + mode + " at " + reached
				if err != nil {
					if told++; !errors.Is(err, syscall.EIO) && !errors.As(err, new(*DamagedError)) {
						t.Errorf("%s: error %v", where, err)
					}
				} else if text := d.sets(t, s.dropIn); text != k.new {
					t.Errorf("%s: no error, and the drop-in sets %q", where, text)
				}
				s.putRight(t, k, d, where, []Direction{Back, Forward}[at%2], err)
				after := s.state(t, d)
				if diff := cmp.Diff(after.told, after.found); diff != "" {
					t.Errorf("%s (%v): what the journal says (-) and what is there (+):\n%s", where, err, diff)
				}
			}
		}
	}
	t.Logf("%d faults, of which %d made what was asked for fail; mixed states found: 0", faults, told)
}

func failAt(now func(call int) bool, done bool) func(int, string) (error, bool) {
	return func(call int, _ string) (error, bool) {
		if now(call) {
			return syscall.EIO, done
		}
		return nil, false
	}
}

// putRight does what a person would do when the disk is well again.
func (s jobSite) putRight(t *testing.T, k job, d *memoryDisk, where string, way Direction, told error) {
	t.Helper()
	pending, err := s.j.Pending()
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if len(pending.Unfinished) > 0 {
		if told == nil {
			t.Errorf("%s: unfinished, and nobody was told", where)
		}
		if _, err := Recover(t.Context(), s.p, s.j, way); err != nil {
			t.Errorf("%s: recover: %v", where, err)
		}
	}
	for _, e := range entries(t, s.j)[:1] {
		// A rollback that could not be recorded, or that failed, is tried again.
		if e.State == UndoFailed || k.name == "roll back" && e.State.live() && told != nil {
			if _, err := Rollback(t.Context(), s.p, s.j, Undo{ID: e.ID}); err != nil {
				t.Errorf("%s: roll back: %v", where, err)
			}
		}
	}
	if e := entries(t, s.j)[0]; k.name == "force what was left" && len(e.Left) > 0 {
		if told == nil {
			t.Errorf("%s: something is left, and nobody was told", where)
		}
		if _, err := Rollback(t.Context(), s.p, s.j, Undo{ID: e.ID, Force: true}); err != nil {
			t.Errorf("%s: force: %v", where, err)
		}
	}
	if pending, err := s.j.Pending(); err != nil || len(pending.Unfinished) > 0 {
		t.Errorf("%s: still unfinished: %+v, %v", where, pending.Unfinished, err)
	}
	s.j.sweep() // as the next lock does
	for path := range d.files {
		if strings.HasSuffix(path, temporarySuffix) {
			t.Errorf("%s: %s was left behind", where, path)
		}
	}
}

type jobState struct{ told, found world }

type world struct {
	Values map[sysctl.Key]sysctl.Value
	DropIn string
}

// state is what the journal says and what is there.
func (s jobSite) state(t *testing.T, d *memoryDisk) jobState {
	t.Helper()
	told := world{newFake().values, ""}
	for _, e := range oldestFirst(entries(t, s.j)) {
		switch e.State {
		case Applied, Unconfirmed, Confirming:
			for _, c := range e.Changes {
				told.Values[c.Key] = c.To
			}
		}
		if e.State == Applied && e.Layer != nil {
			if told.DropIn = ""; !e.Layer.Alone {
				told.DropIn = string(e.Layer.Settings[0].Key) + " = " + string(e.Layer.Settings[0].Value)
			}
		}
	}
	return jobState{told, world{s.p.values, d.sets(t, s.dropIn)}}
}
