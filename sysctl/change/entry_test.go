package change

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// schema1 reads entries as tcptune wrote them on a host. They must stay
// readable: somebody may have to roll one back.
func schema1(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/schema1/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no entries in testdata/schema1: %v", err)
	}
	texts := make(map[string][]byte)
	for _, file := range files {
		if texts[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func TestEntriesOfSchema1AreReadAndWrittenAsTheyWere(t *testing.T) {
	for file, text := range schema1(t) {
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

func FuzzDecodeEntry(f *testing.F) {
	for _, text := range schema1(f) {
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte(`{"schema":2}`))
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
