package change

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

func TestJournalIsMadeByTheFirstLockAndNotByReading(t *testing.T) {
	j := openTestJournal(t)
	if list := entries(t, j); len(list) != 0 {
		t.Errorf("entries %v", list)
	}
	if pending, err := j.Pending(); len(pending.Unfinished) != 0 || err != nil {
		t.Errorf("unfinished %v, %v", pending.Unfinished, err)
	}
	if _, err := os.Lstat(j.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
	mustApply(t, newFake(), j, Request{Changes: three()})
	if info, err := os.Lstat(j.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Lstat(j.file(entries(t, j)[0].ID)); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	assertNoLitter(t, j.dir)
}

func TestJournalRefusesADirectoryThatOthersControl(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"symbolic link": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".real", 0o700), os.Symlink(dir+".real", dir))
		},
		"dangling link":   func(dir string) error { return os.Symlink(dir+".real", dir) },
		"not a directory": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"lets others write": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777))
		},
		"group write": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770))
		},
		"sticky": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777|fs.ModeSticky))
		},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenJournal(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v", name, err)
		}
		// Nor if it comes into being after the journal was opened.
		j := openTestJournal(t)
		if err := make(j.dir); err != nil {
			t.Fatal(err)
		}
		p := newFake()
		if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); err == nil || len(p.log) != 0 {
			t.Errorf("%s, later: error %v, writes %q", name, err, p.log)
		}
	}
}

func TestJournalRefusesADirectoryOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "only root can give a directory away")
	}
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "12345") {
		t.Errorf("error %v", err)
	}
}

func TestJournalWithoutAParentDirectoryIsAnError(t *testing.T) {
	j, err := OpenJournal(filepath.Join(t.TempDir(), "no", "state"))
	if err != nil {
		t.Fatal(err)
	}
	p := newFake()
	if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); !errors.Is(err, fs.ErrNotExist) || len(p.log) != 0 {
		t.Errorf("error %v", err)
	}
}

// The journal's directory is whichever the user names.
func TestOnlyItsOwnTemporaryFilesAreRemoved(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	mustApply(t, p, j, Request{Changes: three()})
	const id = "20200101T000000.000Z"
	ours := temporary(j.file(id), id)
	theirs := []string{".draft.tmp", "." + id + ".json.tmp", "." + id + ".tmp", "x." + id + ".json." + id + ".tmp", id + ".tmp", ".tmp", "." + id + ".conf." + id + ".tmp"}
	for _, name := range theirs {
		writeFile(t, filepath.Join(j.dir, name), "mine")
	}
	writeFile(t, ours, "{")
	mustRollback(t, p, j, "")
	if contentOf(t, ours) != "absent" {
		t.Errorf("%s is still there", ours)
	}
	for _, name := range theirs {
		if contentOf(t, filepath.Join(j.dir, name)) == "absent" {
			t.Errorf("%s was removed", name)
		}
	}
}

func TestSecondHolderOfTheLockIsRefused(t *testing.T) {
	j := openTestJournal(t)
	other, err := OpenJournal(j.dir)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := j.Lock()
	if err != nil {
		t.Fatal(err)
	}
	p := newFake()
	if _, err := other.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("lock: %v", err)
	}
	if _, err := Apply(t.Context(), p, other, Request{Changes: three()}); !errors.Is(err, ErrLocked) || len(p.log) != 0 {
		t.Errorf("apply: %v", err)
	}
	if _, err := rollback(t, p, other, ""); !errors.Is(err, ErrLocked) {
		t.Errorf("roll back: %v", err)
	}
	if list := entries(t, other); len(list) != 0 {
		t.Errorf("reading needs no lock, and gave %v", list)
	}
	// Who holds the lock works under it, and holds it still afterwards.
	mustApply(t, p, j, Request{Changes: three()})
	mustRollback(t, p, j, "")
	if _, err := other.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("lock after apply: %v", err)
	}
	unlock()
	unlock()
	unlock, err = other.Lock()
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	unlock()
}

func TestDamagedEntryIsNeitherIgnoredNorTouched(t *testing.T) {
	for name, damage := range map[string]struct {
		edit  func(text []byte) []byte
		cause string
	}{
		"truncated":     {func(b []byte) []byte { return b[:len(b)/2] }, "unexpected end"},
		"empty":         {func([]byte) []byte { return nil }, "empty"},
		"zeroes":        {func(b []byte) []byte { return make([]byte, len(b)) }, "invalid character"},
		"two entries":   {func(b []byte) []byte { return append(b, b...) }, "after top-level value"},
		"newer":         {replace(`"schema": 2`, `"schema": 3`), "newer tcptune"},
		"newer, alien":  {func([]byte) []byte { return []byte(`{"schema":3,"id":7}`) }, "newer tcptune"},
		"older":         {replace(`"schema": 2`, `"schema": 0`), "schema 0"},
		"unknown field": {replace(`"schema": 2`, `"schema": 2, "confirm": true`), "unknown field"},
		"unknown state": {replace(`"applied"`, `"happy"`), "happy"},
		"another's id":  {replace(`"id": "2`, `"id": "1`), "it says"},
		"bad id":        {replace(`"id": "2`, `"id": "x`), "not the name"},
		"bad parameter": {replace(string(fin), "../../etc"), "catalogue"},
		"foreign one":   {replace(string(fin), "kernel.core_pattern"), "catalogue"},
		"two lines":     {replace(`"to": "30"`, `"to": "30\nx"`), "more than one line"},
		"no window":     {replace(`"applied"`, `"unconfirmed"`), "for how long"},
		"foreign file":  {replace(`"changes"`, `"layer": {"path": "/etc/sysctl.d/../cron.d/x.conf"}, "changes"`), "absolute path"},
		"foreign line":  {replace(`"changes"`, `"layer": {"path": "/etc/x.conf", "settings": [{"key": "kernel.core_pattern", "value": "|x"}]}, "changes"`), "catalogue"},
		"file and line": {replace(`"changes"`, `"layer": {"path": "/etc/x.conf", "settings": [{"key": "net.ipv4.tcp_fin_timeout", "value": "1\nkernel.core_pattern = |x"}]}, "changes"`), "more than one line"},
		"schema-1 file": {replace(`"changes"`, `"drop_in": {"path": "/etc/passwd", "after": "`+hash(nil)+`"}, "changes"`), "absolute path"},
		"same twice":    {replace(string(fin), string(keep)), "twice"},
		"no boot":       {replace(`"boot"`, `"boots"`), "unknown field"},
		"huge":          {func(b []byte) []byte { return append(b, make([]byte, maxEntry)...) }, "larger"},
	} {
		p, j := newFake(), openTestJournal(t)
		applied := mustApply(t, p, j, Request{Changes: three()})
		file := j.file(applied.ID)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		damagedText := damage.edit(text)
		writeFile(t, file, string(damagedText))
		p.log = nil

		var damaged *DamagedError
		records, err := j.List()
		if err != nil || len(records) != 1 || records[0].Damaged == nil || records[0].ID != applied.ID {
			t.Errorf("%s: listed as %+v, %v", name, records, err)
			continue
		}
		if text := records[0].Damaged.Error(); !strings.Contains(text, damage.cause) || !strings.Contains(text, file) {
			t.Errorf("%s: %s; want the file and %q", name, text, damage.cause)
		}
		if errors.Is(records[0].Damaged, ErrNewerSchema) != strings.HasPrefix(name, "newer") {
			t.Errorf("%s: %v", name, records[0].Damaged)
		}
		if _, err := Apply(t.Context(), p, j, Request{Changes: Set{{Key: fin, From: "30", To: "20"}}}); !errors.As(err, &damaged) {
			t.Errorf("%s: apply: %v", name, err)
		}
		for _, id := range []string{"", applied.ID} {
			if _, err := rollback(t, p, j, id); !errors.As(err, &damaged) {
				t.Errorf("%s: roll back %q: %v", name, id, err)
			}
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, damagedText) || len(p.log) != 0 {
			t.Errorf("%s: the file was touched (%v), or values written: %q", name, err, p.log)
		}
	}
}

func TestWhatIsNoFileIsDamagedToo(t *testing.T) {
	for name, place := range map[string]func(file string) error{
		"link":      func(file string) error { return os.Symlink("/dev/zero", file) },
		"directory": func(file string) error { return os.Mkdir(file, 0o700) },
	} {
		p, j := newFake(), openTestJournal(t)
		mustRollback(t, p, j, mustApply(t, p, j, Request{Changes: three()}).ID)
		if err := place(filepath.Join(j.dir, "note.json")); err != nil {
			t.Fatal(err)
		}
		damaged := (*DamagedError)(nil)
		if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); !errors.As(err, &damaged) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRollbackStepsOverNothingNewerThatIsDamaged(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	first := mustApply(t, p, j, Request{Changes: three()[:1]})
	second := mustApply(t, p, j, Request{Changes: three()[1:]})
	text, err := os.ReadFile(j.file(second.ID))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, j.file(second.ID), "")
	damaged := (*DamagedError)(nil)
	if _, err := rollback(t, p, j, ""); !errors.As(err, &damaged) || damaged.File != j.file(second.ID) {
		t.Errorf("error %v", err)
	}
	mustRollback(t, p, j, first.ID) // by name it goes: an emergency may have come from the disk
	writeFile(t, j.file(first.ID), "")
	writeFile(t, j.file(second.ID), string(text))
	if result := mustRollback(t, p, j, ""); result.ID != second.ID {
		t.Errorf("a damaged entry older than the one to undo was in the way: %+v", result)
	}
}

func TestEntryThatMayNotBeDurableIsNotLeftBehind(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(most uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: before.Max}); err != nil {
			t.Error(err)
		}
	}
	j.hook = func(step string) {
		if strings.HasPrefix(step, "replace") {
			limit(0) // the directory cannot be opened, and so not be flushed
		}
	}
	_, err := Apply(t.Context(), p, j, Request{Changes: three()})
	limit(before.Cur)
	if !errors.Is(err, unix.EMFILE) || len(p.log) != 0 {
		t.Errorf("error %v, writes %q", err, p.log)
	}
	if list := entries(t, j); len(list) != 0 {
		t.Errorf("entries %+v", list)
	}
}

func TestIDsAscendAlsoWhenTheClockGoesBack(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	clock := time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("", 3600))
	j.now = func() time.Time { return clock }
	var ids []string
	for _, step := range []time.Duration{0, 0, -time.Hour, 2 * time.Hour} {
		clock = clock.Add(step)
		ids = append(ids, mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "60", To: "30"}}}).ID)
		p.values[fin] = "60"
	}
	want := []string{"20261120T110000.000Z", "20261120T110000.001Z", "20261120T110000.002Z", "20261120T120000.000Z"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	for i, e := range entries(t, j) {
		if e.ID != want[len(want)-1-i] {
			t.Errorf("listed %s as %d", e.ID, i)
		}
	}
}

func replace(old, new string) func([]byte) []byte {
	return func(text []byte) []byte {
		if !bytes.Contains(text, []byte(old)) {
			panic("nothing to damage: no " + old)
		}
		return bytes.Replace(text, []byte(old), []byte(new), 1)
	}
}
