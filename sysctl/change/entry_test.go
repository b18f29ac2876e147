package change

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// written reads entries as tcptune wrote them on a host, in each schema. They must
// stay readable: somebody may have to roll one back.
func written(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/schema*/*.json")
	if err != nil || len(files) < Schema {
		t.Fatalf("no entries in testdata: %v", err)
	}
	texts := make(map[string][]byte)
	for _, file := range files {
		if texts[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func TestEntriesOfEachSchemaAreReadAndWrittenAsTheyWere(t *testing.T) {
	for file, text := range written(t) {
		e, err := decodeEntry(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if again, err := e.encode(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%s was written as %s, %v", file, again, err)
		}
	}
}

// A tcptune of schema 1 replaced the whole drop-in, and kept what was there.
func TestDropInOfSchema1IsStillUndone(t *testing.T) {
	mine := Header + "\nnet.ipv4.tcp_fin_timeout = 30\n"
	for name, c := range map[string]struct{ before, now, want string }{
		"there was none": {"", mine, "absent"},
		"there was one":  {Header + "\nold\n", mine, Header + "\nold\n"},
		"edited since":   {"", mine + "# mine\n", mine + "# mine\n"},
		"removed since":  {"", "", "absent"},
	} {
		p, j, d := newFake(), openTestJournal(t), layer(t)
		id := mustApply(t, p, j, Request{Changes: three()}).ID
		e, err := j.Entry(id)
		if err != nil {
			t.Fatal(err)
		}
		if e.Schema, e.DropIn = 1, (&FileChange{Path: d.Path, After: hash([]byte(mine))}); c.before != "" {
			e.DropIn.Before = []byte(c.before)
		}
		if err := j.write(e); err != nil {
			t.Fatal(err)
		}
		if c.now != "" {
			writeFile(t, d.Path, c.now)
		}
		// Nobody adds to a file without a sum.
		if _, err := Apply(t.Context(), p, j, Request{Persist: &Layer{Path: d.Path, Settings: settings(string(keep), "600")}}); errors.As(err, new(*EditedError)) != (c.now != "") {
			t.Errorf("%s: apply: %v", name, err)
		} else if err == nil {
			mustRollback(t, p, j, "")
		}
		result := mustRollback(t, p, j, id)
		if text := contentOf(t, d.Path); text != c.want || (result.DropIn.Outcome == FileLeft) != (name == "edited since") {
			t.Errorf("%s: %q, %+v", name, text, result.DropIn)
		}
		if e, err := j.Entry(id); err != nil || e.Schema != Schema || e.State != RolledBack || p.values[fin] != "60" {
			t.Errorf("%s: entry %+v, %v", name, e, err)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	for _, text := range written(f) {
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte(`{"schema":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decodeEntry(text)
		if err != nil {
			return
		}
		once, err := e.encode()
		if err != nil {
			t.Fatalf("decoded, and cannot be encoded: %v", err)
		}
		again, err := decodeEntry(once)
		if err != nil {
			t.Fatalf("encoded as %s, and cannot be decoded: %v", once, err)
		}
		if twice, err := again.encode(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("encoded as %s, then as %s, %v", once, twice, err)
		}
	})
}
