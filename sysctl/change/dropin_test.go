package change

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDropInComesAndGoesWithTheTransaction(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), dropIn(t, "one\n")
	first := mustApply(t, p, j, Request{Changes: three(), DropIn: d})
	info, err := os.Stat(d.Path)
	if err != nil || info.Mode() != 0o644 || first.DropIn.Outcome != FileWritten {
		t.Fatalf("%v, %v, %+v", info, err, first.DropIn)
	}
	d.Content = []byte(Header + "\ntwo\n")
	mustApply(t, p, j, Request{DropIn: d}) // the values are there, and are to stay
	if result := mustRollback(t, p, j, ""); result.DropIn.Outcome != FileRestored || contentOf(t, d.Path) != Header+"\none\n" {
		t.Errorf("%+v, %q", result.DropIn, contentOf(t, d.Path))
	}
	if result := mustRollback(t, p, j, ""); result.DropIn.Outcome != FileRemoved || contentOf(t, d.Path) != "absent" {
		t.Errorf("%+v, %q", result.DropIn, contentOf(t, d.Path))
	}
}

func TestDropInThatWasEditedIsLeft(t *testing.T) {
	for name, edited := range map[string]string{"with header": Header + "\nmine\n", "without": "mine\n", "removed": ""} {
		p, j, d := newFake(), openTestJournal(t), dropIn(t, "one\n")
		writeFile(t, d.Path, Header+"\nzero\n")
		mustApply(t, p, j, Request{Changes: three(), DropIn: d})
		want := edited
		if writeFile(t, d.Path, edited); name == "removed" {
			want = "absent"
			os.Remove(d.Path)
		}
		result := mustRollback(t, p, j, "")
		if result.DropIn.Outcome != FileLeft || result.DropIn.Why == "" || contentOf(t, d.Path) != want || len(result.Restored) != 3 {
			t.Errorf("%s: %+v, %q", name, result.DropIn, contentOf(t, d.Path))
		}
	}
}

func TestDropInReplacesNothingForeign(t *testing.T) {
	for name, place := range map[string]func(t *testing.T, path string){
		"a file of somebody else": func(t *testing.T, path string) { writeFile(t, path, "net.ipv4.tcp_fin_timeout = 20\n") },
		"header not at the start": func(t *testing.T, path string) { writeFile(t, path, "x\n"+Header+"\n") },
		"an empty file":           func(t *testing.T, path string) { writeFile(t, path, "") },
		"a directory": func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"a mask": func(t *testing.T, path string) {
			if err := os.Symlink("/dev/null", path); err != nil {
				t.Fatal(err)
			}
		},
		"a link to a file of ours": func(t *testing.T, path string) {
			writeFile(t, path+".real", Header+"\n")
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		p, j, d := newFake(), openTestJournal(t), dropIn(t, "one\n")
		place(t, d.Path)
		before, _ := os.Lstat(d.Path)
		_, err := Apply(t.Context(), p, j, Request{Changes: three(), DropIn: d})
		notOurs := (*NotOursError)(nil)
		if !errors.As(err, &notOurs) || notOurs.Path != d.Path || len(p.log) != 0 || len(entries(t, j)) != 0 {
			t.Errorf("%s: error %v, writes %q", name, err, p.log)
		}
		if after, err := os.Lstat(d.Path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it was touched", name)
		}
	}
}

func TestDropInThatCannotBeWrittenUndoesTheValues(t *testing.T) {
	for _, text := range []string{"mine\n", Header + "\nof another host\n"} {
		p, j, d := newFake(), openTestJournal(t), dropIn(t, "one\n")
		j.hook = func(step string) {
			if step == "set net.ipv4.tcp_retries2" { // somebody puts a file there in the last moment
				writeFile(t, d.Path, text)
			}
		}
		_, err := Apply(t.Context(), p, j, Request{Changes: three(), DropIn: d})
		undone := (*UndoneError)(nil)
		if !errors.As(err, &undone) || len(undone.Result.Restored) != 3 {
			t.Errorf("error %v", err)
		}
		if p.values[fin] != "60" || contentOf(t, d.Path) != text {
			t.Errorf("values %v, drop-in %q", p.values, contentOf(t, d.Path))
		}
		assertNoLitter(t, filepath.Dir(d.Path))
	}
}

func TestInterruptedBeforeTheDropInUndoesTheValues(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), dropIn(t, "one\n")
	ctx, cancel := context.WithCancel(t.Context())
	j.hook = func(step string) {
		if step == "set net.ipv4.tcp_retries2" {
			cancel()
		}
	}
	_, err := Apply(ctx, p, j, Request{Changes: three(), DropIn: d})
	if undone := (*UndoneError)(nil); !errors.As(err, &undone) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if p.values[fin] != "60" || contentOf(t, d.Path) != "absent" {
		t.Errorf("values %v, drop-in %q", p.values, contentOf(t, d.Path))
	}
}

// assertNoLitter fails if a temporary file was left behind.
func assertNoLitter(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name.Name(), ".") {
			t.Errorf("%s was left behind in %s", name.Name(), dir)
		}
	}
}
