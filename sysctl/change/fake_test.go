package change

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

const (
	fin     = sysctl.Key("net.ipv4.tcp_fin_timeout")
	keep    = sysctl.Key("net.ipv4.tcp_keepalive_time")
	retries = sysctl.Key("net.ipv4.tcp_retries2")
	ports   = sysctl.Key("net.ipv4.ip_local_port_range")
	start   = sysctl.Key("net.ipv4.ip_unprivileged_port_start")
)

// fake holds values in memory and fails on demand. It is for faults only; what
// the kernel does is tested with the kernel.
type fake struct {
	values    map[sysctl.Key]sysctl.Value
	log       []string // of writes
	onSet     func(k sysctl.Key, v sysctl.Value) error
	onRestore func(k sysctl.Key, v sysctl.Value) error
	onGet     func(k sysctl.Key)
	readOnly  map[sysctl.Key]error
}

func newFake() *fake {
	return &fake{values: map[sysctl.Key]sysctl.Value{fin: "60", keep: "7200", retries: "15"}}
}

func (f *fake) Get(k sysctl.Key) (sysctl.Value, error) {
	if f.onGet != nil {
		f.onGet(k)
	}
	v, ok := f.values[k]
	if !ok {
		return "", &sysctl.Error{Op: "read", Key: k, Cause: sysctl.ModuleMissing, Err: fs.ErrNotExist}
	}
	return v, nil
}

func (f *fake) Set(k sysctl.Key, v sysctl.Value) error { return f.write("set", k, v, f.onSet) }
func (f *fake) Restore(k sysctl.Key, v sysctl.Value) error {
	return f.write("restore", k, v, f.onRestore)
}

func (f *fake) Writable(k sysctl.Key) error { return f.readOnly[k] }

func (f *fake) write(op string, k sysctl.Key, v sysctl.Value, fault func(sysctl.Key, sysctl.Value) error) error {
	f.log = append(f.log, fmt.Sprintf("%s %s=%s", op, k, v))
	if fault != nil {
		if err := fault(k, v); err != nil {
			return err
		}
	}
	f.values[k] = v
	return nil
}

// three are changes of everything a new fake holds.
func three() Set {
	return Set{{Key: fin, From: "60", To: "30"}, {Key: keep, From: "7200", To: "600"}, {Key: retries, From: "15", To: "8"}}
}

func openTestJournal(t *testing.T) *Journal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// entries lists the journal, none of which may be damaged.
func entries(t *testing.T, j *Journal) []Entry {
	t.Helper()
	records, err := j.List()
	if err != nil {
		t.Fatal(err)
	}
	var list []Entry
	for _, r := range records {
		if r.Damaged != nil {
			t.Fatal(r.Damaged)
		}
		list = append(list, r.Entry)
	}
	return list
}

func mustApply(t *testing.T, p Params, j *Journal, r Request) Result {
	t.Helper()
	result, err := Apply(t.Context(), p, j, r)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return result
}

func mustRollback(t *testing.T, p Params, j *Journal, id string) Result {
	t.Helper()
	result, err := rollback(t, p, j, id)
	if err != nil {
		t.Fatalf("roll back %q: %v", id, err)
	}
	return result
}

// rollback rolls back one transaction.
func rollback(t *testing.T, p Params, j *Journal, id string) (Result, error) {
	t.Helper()
	results, err := Rollback(t.Context(), p, j, Undo{ID: id})
	if len(results) == 0 {
		return Result{}, err
	}
	return results[0], err
}

// layer is one of a drop-in in a directory of the test.
func layer(t *testing.T, pairs ...string) *Layer {
	t.Helper()
	return &Layer{Path: filepath.Join(t.TempDir(), "90-tcptune.conf"), Settings: settings(pairs...)}
}

func settings(pairs ...string) []Setting {
	var settings []Setting
	for i := 0; i < len(pairs); i += 2 {
		settings = append(settings, Setting{Key: sysctl.Key(pairs[i]), Value: sysctl.Value(pairs[i+1])})
	}
	return settings
}

// sets is what a drop-in sets at boot, or "absent".
func sets(t *testing.T, file string) string {
	t.Helper()
	text := contentOf(t, file)
	if text == "absent" {
		return text
	}
	lines, faults, err := conf.Parse(strings.NewReader(text), file, "")
	if err != nil || len(faults) > 0 {
		t.Errorf("%s: %v, %v", file, faults, err)
	}
	var found []string
	for _, l := range lines {
		found = append(found, l.String())
	}
	return strings.Join(found, "; ")
}

// contentOf is a file's content, or "absent".
func contentOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return "absent"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// crashAfter runs something until a step after which it is cut off: the lock
// goes, and all else stays as it is.
func crashAfter(t *testing.T, j *Journal, step string, run func()) {
	t.Helper()
	reached := false
	j.hook = func(s string) {
		if s == step {
			reached = true
			panic("crash")
		}
	}
	func() {
		defer func() { _ = recover() }()
		run()
	}()
	if j.hook = nil; !reached {
		t.Errorf("there is no step %q", step)
	}
}

// reboot makes the next one of another boot.
func reboot(j *Journal) {
	j.here = func() (Identity, error) { return Identity{Boot: "another", Namespace: Namespace{Inode: 1}}, nil }
}
