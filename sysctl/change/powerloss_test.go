package change

import (
	"context"
	"maps"
	"path/filepath"
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

// A job is something that writes the journal and the drop-in, from a state in
// which an older transaction has the drop-in.
type job struct {
	name   string
	before func(t *testing.T, s jobSite) // may be nil
	run    func(ctx context.Context, s jobSite) error
	// old and new are what the drop-in sets before and after.
	old, new string
}

type jobSite struct {
	p      *fake
	j      *Journal
	dropIn string
}

func (s jobSite) request() Request {
	return Request{Changes: three(), Persist: &Layer{Path: s.dropIn, Settings: settings(string(fin), "30")}}
}

func (s jobSite) windowed() Request {
	r := s.request()
	r.Window = 60e9
	return r
}

const (
	jobOld = "net.ipv4.tcp_fin_timeout = 20"
	jobNew = "net.ipv4.tcp_fin_timeout = 30"
)

var jobs = []job{
	{"apply", nil, func(ctx context.Context, s jobSite) error {
		_, err := Apply(ctx, s.p, s.j, s.request())
		return err
	}, jobOld, jobNew},
	{"apply with a window", nil, func(ctx context.Context, s jobSite) error {
		_, err := Apply(ctx, s.p, s.j, s.windowed())
		return err
	}, jobOld, jobOld},
	{"confirm", func(t *testing.T, s jobSite) { mustApply(t, s.p, s.j, s.windowed()) }, func(ctx context.Context, s jobSite) error {
		_, err := Confirm(ctx, s.p, s.j, "")
		return err
	}, jobOld, jobNew},
	{"extend", func(t *testing.T, s jobSite) { mustApply(t, s.p, s.j, s.windowed()) }, func(_ context.Context, s jobSite) error {
		_, err := Extend(s.p, s.j, "", 60e9, armed)
		return err
	}, jobOld, jobOld},
	{"roll back", func(t *testing.T, s jobSite) { mustApply(t, s.p, s.j, s.request()) }, func(ctx context.Context, s jobSite) error {
		_, err := Rollback(ctx, s.p, s.j, Undo{})
		return err
	}, jobNew, jobOld},
	{"force what was left", func(t *testing.T, s jobSite) {
		id := mustApply(t, s.p, s.j, s.request()).ID
		s.p.values[keep] = "45"
		mustRollback(t, s.p, s.j, id)
	}, func(ctx context.Context, s jobSite) error {
		records, err := s.j.List()
		if err == nil {
			_, err = Rollback(ctx, s.p, s.j, Undo{ID: records[0].ID, Force: true})
		}
		return err
	}, jobOld, jobOld},
	{"unpersist", nil, func(ctx context.Context, s jobSite) error {
		_, err := Apply(ctx, s.p, s.j, Request{Persist: &Layer{Path: s.dropIn, Alone: true}})
		return err
	}, jobOld, ""},
	{"recover, back", func(t *testing.T, s jobSite) { s.cutOff(t) }, func(ctx context.Context, s jobSite) error {
		_, err := Recover(ctx, s.p, s.j, Back)
		return err
	}, jobNew, jobOld}, // it was cut off right behind the drop-in
	{"recover, forward", func(t *testing.T, s jobSite) { s.cutOff(t) }, func(ctx context.Context, s jobSite) error {
		_, err := Recover(ctx, s.p, s.j, Forward)
		return err
	}, jobNew, jobNew},
}

func (s jobSite) cutOff(t *testing.T) {
	crashAfter(t, s.j, "replace "+s.dropIn, func() { _, _ = Apply(t.Context(), s.p, s.j, s.request()) })
}

// newJob gives a place where a job can be done, and what came before it was.
func newJob(t *testing.T, dir string, k job) (*memoryDisk, jobSite) {
	t.Helper()
	d := newMemoryDisk()
	s := jobSite{newFake(), d.journal(t, filepath.Join(dir, "state")), filepath.Join(dir, "90-tcptune.conf")}
	mustApply(t, s.p, s.j, Request{Persist: &Layer{Path: s.dropIn, Settings: settings(string(fin), "20")}})
	if k.before != nil {
		k.before(t, s)
	}
	d.calls = 0
	return d, s
}

// sets is what a file of the disk sets, or "".
func (d *memoryDisk) sets(t *testing.T, path string) string {
	t.Helper()
	text := ""
	for _, line := range d.lines(t, path) {
		text += line.String()
	}
	return text
}

type powerFails struct{}

// The power fails before each call, and whatever was not flushed may be lost, in
// any combination. The journal can be read, and Recover leads to the old drop-in
// or the new one, as the newest entry says. What was reported as done is done.
func TestPowerLoss(t *testing.T) {
	dir := t.TempDir()
	moments, states, recovered := 0, 0, 0
	for _, k := range jobs {
		for at := 1; ; at++ {
			d, s := newJob(t, dir, k)
			d.fault = func(call int, _ string) (error, bool) {
				if call == at {
					panic(powerFails{})
				}
				return nil, false
			}
			done := func() (done bool) {
				defer func() {
					if failed := recover(); failed != nil {
						if _, ok := failed.(powerFails); !ok {
							panic(failed)
						}
					}
				}()
				if err := k.run(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", k.name, err)
				}
				return true
			}()
			moments++
			for _, after := range d.afterPowerLoss() {
				for _, way := range []Direction{Back, Forward} {
					states++
					if found, ok := k.afterBoot(t, after.copy(), s, way, done); !ok {
						t.Fatalf("%s, power lost at call %d, recovered %s: mixed; what was there:\n%s", k.name, at, way, after)
					} else if found {
						recovered++
					}
				}
			}
			if done {
				if at < 10 {
					t.Errorf("%s: only %d calls", k.name, at-1)
				}
				break
			}
		}
	}
	t.Logf("power lost at %d moments, which left %d states, of which %d were unfinished business; mixed states found: 0", moments, states, recovered)
}

// afterBoot looks at what there is at the next boot, and recovers.
func (k job) afterBoot(t *testing.T, d *memoryDisk, s jobSite, way Direction, done bool) (unfinished, ok bool) {
	t.Helper()
	j := d.journal(t, s.j.dir)
	reboot(j)
	p := &fake{values: maps.Clone(newFake().values)}
	if text := d.sets(t, s.dropIn); text != "" { // which the loader has read
		p.values[fin] = sysctl.Value(text[len(text)-2:])
	}
	pending, err := j.Pending()
	if err != nil {
		t.Fatal(err)
	}
	if unfinished = len(pending.Unfinished) > 0; unfinished {
		if _, err := Recover(t.Context(), p, j, way); err != nil {
			t.Errorf("%s: recover %s: %v", k.name, way, err)
		}
	}
	if len(p.log) > 0 {
		t.Errorf("%s: wrote values of another boot: %q", k.name, p.log)
	}
	if pending, err := j.Pending(); err != nil || len(pending.Unfinished) > 0 {
		t.Errorf("%s: still unfinished: %+v, %v", k.name, pending.Unfinished, err)
	}
	file := d.sets(t, s.dropIn)
	if done && !unfinished && file != k.new {
		t.Errorf("%s was reported as done, and the drop-in sets %q", k.name, file)
	}
	want := ""
	for _, e := range oldestFirst(entries(t, j)) { // from what the journal says alone
		if e.State == Applied && e.Layer != nil && len(e.Layer.Settings) > 0 {
			want = string(e.Layer.Settings[0].Key) + " = " + string(e.Layer.Settings[0].Value)
		} else if e.State == Applied {
			want = ""
		}
	}
	// Life goes on.
	if _, err := Apply(t.Context(), p, j, Request{Persist: &Layer{Path: s.dropIn, Settings: settings(string(keep), "600"), Alone: true}}); err != nil {
		t.Errorf("%s: apply in the end: %v", k.name, err)
	}
	return unfinished, file == want && (file == k.old || file == k.new || k.before != nil && file == jobOld)
}

// copy is another disk with the same on it.
func (d *memoryDisk) copy() *memoryDisk {
	other := newMemoryDisk()
	for path, f := range d.files {
		other.files[path] = &inode{f.content, f.flushed}
	}
	other.durable = maps.Clone(other.files)
	return other
}
