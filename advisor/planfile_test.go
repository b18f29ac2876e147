package advisor_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// A planFileWorld is a host, and a plan's file that was made on it.
type planFileWorld struct {
	host   *facts.Snapshot
	here   change.Identity
	dropIn *advisor.PlannedDropIn // as it is now
	file   advisor.PlanFile
}

func newPlanFileWorld(t *testing.T) (*planFileWorld, rules.Set) {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	before := "# ours\n"
	w := &planFileWorld{
		host:   factstest.Healthy("6.12.95"),
		here:   change.Identity{Boot: "this boot", Namespace: change.Namespace{Inode: 7, Cookie: 8}},
		dropIn: &advisor.PlannedDropIn{Path: "/etc/sysctl.d/90-tcptune.conf", Before: &before, After: "# ours\nnet.core.somaxconn = 16384\n"},
	}
	plan := advisor.MakePlan(w.host, set, profile)
	plan.DropIn = w.dropIn
	w.file = advisor.NewPlanFile(plan, w.host, w.here, "test", time.Unix(1e9, 0))
	return w, set
}

func (w *planFileWorld) set(key sysctl.Key, value sysctl.Value) { factstest.Set(w.host, key, value) }

// done makes of the host what the plan wants.
func (w *planFileWorld) done() {
	for _, v := range w.file.Values {
		w.set(v.Key, v.To)
	}
	w.dropIn.Before = &w.dropIn.After
}

// A plan is for the state that it was made from, all of it, or for the one that
// it leads to.
func TestAPlansFileIsForItsStateAlone(t *testing.T) {
	const somaxconn, fin = "net.core.somaxconn", "net.ipv4.tcp_fin_timeout"
	for name, c := range map[string]struct {
		then    func(*planFileWorld)
		refused string // the beginning; "" if it is not
		steps   int
	}{
		"nothing moved":           {func(*planFileWorld) {}, "", 5},
		"it is done":              {(*planFileWorld).done, "", 0},
		"other blanks":            {func(w *planFileWorld) { w.set("net.ipv4.ip_local_port_range", "32768   60999") }, "", 5},
		"another's parameter":     {func(w *planFileWorld) { w.set("net.ipv4.tcp_orphan_retries", "3") }, "", 5},
		"another boot":            {func(w *planFileWorld) { w.here.Boot = "another" }, "it was made in another boot", 0},
		"done in another boot":    {func(w *planFileWorld) { w.done(); w.here.Boot = "another" }, "it was made in another boot", 0},
		"another namespace":       {func(w *planFileWorld) { w.here.Namespace.Cookie = 9 }, "it was made in network namespace net:[7] (cookie 8), and this is net:[7] (cookie 9)", 0},
		"another kernel":          {func(w *planFileWorld) { w.host.Kernel.Minor++ }, "it was made for Linux 6.12.95, and this is 6.13.95", 0},
		"a value is gone":         {func(w *planFileWorld) { w.host.Sysctls[fin] = facts.Reading{Absent: sysctl.ModuleMissing} }, fin + " is not there any more", 0},
		"a value was never there": {func(w *planFileWorld) { delete(w.host.Sysctls, fin) }, fin + " is not there any more", 0},
		"a change's value":        {func(w *planFileWorld) { w.set(somaxconn, "5000") }, somaxconn + ` is "5000" and was "4096"`, 0},
		"a value that stays":      {func(w *planFileWorld) { w.set(fin, "61") }, fin + ` is "61" and was "60"`, 0},
		"two of them":             {func(w *planFileWorld) { w.set(somaxconn, "5000"); w.set(fin, "61") }, fin + ` is "61" and was "60"; ` + somaxconn + ` is "5000" and was "4096"`, 0},
		"half done":               {func(w *planFileWorld) { w.set(somaxconn, "16384") }, somaxconn + ` is "16384" and was "4096"`, 0},
		"another drop-in":         {func(w *planFileWorld) { theirs := "# edited\n"; w.dropIn.Before = &theirs }, "/etc/sysctl.d/90-tcptune.conf has another content", 0},
		"no drop-in any more":     {func(w *planFileWorld) { w.dropIn.Before = nil }, "/etc/sysctl.d/90-tcptune.conf has another content", 0},
		"done but for the drop-in": {func(w *planFileWorld) {
			before := w.dropIn.Before
			w.done()
			w.dropIn.Before = before
		}, "", 0},
		"done, and the drop-in is another's": {func(w *planFileWorld) {
			w.done()
			theirs := "# edited\n"
			w.dropIn.Before = &theirs
		}, "/etc/sysctl.d/90-tcptune.conf has another content", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, set := newPlanFileWorld(t)
			c.then(w)
			plan, err := w.file.Plan(w.host, w.here, w.dropIn, set)
			var stale *advisor.StaleError
			if c.refused == "" {
				if err != nil || len(plan.Steps) != c.steps {
					t.Errorf("%d steps, want %d; %v", len(plan.Steps), c.steps, err)
				}
				return
			}
			if !errors.As(err, &stale) {
				t.Fatalf("%d steps and error %v, want it refused", len(plan.Steps), err)
			}
			if moved := strings.Join(stale.Moved, "; "); !strings.HasPrefix(moved, c.refused) || len(stale.Moved) != strings.Count(c.refused, "; ")+1 {
				t.Errorf("it says\n%s and should say\n%s", moved, c.refused)
			}
		})
	}
}

func (w *planFileWorld) text(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(w.file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is read is what was kept, or nothing: a file that somebody edited, wrote
// by hand or took from a newer tcptune is refused before it is looked at further.
func TestAPlansFileThatWasTouchedIsRefused(t *testing.T) {
	w, _ := newPlanFileWorld(t)
	text := w.text(t)
	if f, err := advisor.DecodePlanFile([]byte(text)); err != nil || !cmp.Equal(f, w.file) {
		t.Fatalf("as it is: %v\n%s", err, cmp.Diff(w.file, f))
	}
	values := func(edit func([]advisor.PlannedValue) []advisor.PlannedValue) string {
		w, _ := newPlanFileWorld(t)
		w.file.Values = edit(w.file.Values)
		return w.text(t)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":                {"profile: highconn", "not a plan"},
		"a newer form":           {strings.Replace(text, `"schema":1`, `"schema":2`, 1), "written by a newer tcptune"},
		"no form":                {strings.Replace(text, `"schema":1,`, ``, 1), "schema 0 is not known"},
		"a field more":           {strings.Replace(text, `{`, `{"force":true,`, 1), `unknown field "force"`},
		"a plan more":            {text + text, "not a plan: "},
		"another boot":           {strings.Replace(text, "this boot", "that boot", 1), "edited"},
		"another kernel":         {strings.Replace(text, "6.12.95", "6.12.96", 1), "edited"},
		"another value held":     {strings.Replace(text, `"held":"4096"`, `"held":"4097"`, 1), "edited"},
		"another drop-in's path": {strings.Replace(text, "90-tcptune.conf", "91-tcptune.conf", 1), "edited"},
		"a path upwards":         {strings.Replace(text, "/etc/sysctl.d/90", "/etc/sysctl.d/../90", 1), "the drop-in's path is not absolute"},
		"a path from here":       {strings.Replace(text, "/etc/sysctl.d/90", "sysctl.d/90", 1), "the drop-in's path is not absolute"},
		"no boot":                {strings.Replace(text, `"boot":"this boot"`, `"boot":""`, 1), "where it was made is missing"},
		"no namespace":           {strings.Replace(text, `"inode":7`, `"inode":0`, 1), "where it was made is missing"},
		"a value out of range": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue {
			v[0].To = "-5"
			return v
		}), "is outside the range"},
		"a value of two lines": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue {
			v[0].To = "1\n2"
			return v
		}), "set " + string(w.file.Values[0].Key)},
		"not of the catalogue": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue {
			v[0].Key = "kernel.core_pattern"
			return v
		}), `"kernel.core_pattern" is not a parameter that tcptune sets`},
		"a path for a key": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue {
			v[0].Key = "../../etc/passwd"
			return v
		}), "is not a parameter that tcptune sets"},
		"the kernel's alone": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue {
			v[0].Key = "net.ipv4.tcp_ehash_entries"
			return v
		}), "is not a parameter that tcptune sets"},
		"one key twice": {values(func(v []advisor.PlannedValue) []advisor.PlannedValue { return append(v, v[0]) }), "is named twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if bytes.Equal([]byte(c.text), []byte(text)) {
				t.Fatal("nothing was edited")
			}
			f, err := advisor.DecodePlanFile([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q; read %+v", err, c.want, f)
			}
		})
	}
}

func TestAPlanThatNeedsOnlyTheDropInIsNotIdle(t *testing.T) {
	w, set := newPlanFileWorld(t)
	before := w.dropIn.Before
	w.done()
	w.dropIn.Before = before
	plan, err := w.file.Plan(w.host, w.here, w.dropIn, set)
	if err != nil || plan.Idle() || len(plan.Steps) != 0 {
		t.Errorf("%d steps, idle %v, %v", len(plan.Steps), plan.Idle(), err)
	}
	w.done()
	if plan, err = w.file.Plan(w.host, w.here, w.dropIn, set); err != nil || !plan.Idle() {
		t.Errorf("all done: idle %v, %v", plan.Idle(), err)
	}
}
