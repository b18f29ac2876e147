package regular_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/regular"
)

func TestOnlyFilesAreOpenedAndNobodyIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{pipe: regular.ErrNot, dir: regular.ErrNot, "/dev/zero": regular.ErrNot, filepath.Join(dir, "none"): fs.ErrNotExist} {
		if _, _, err := regular.Open(path); !errors.Is(err, want) || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	file, info, err := regular.Open("/proc/self/status")
	if err != nil || !info.Mode().IsRegular() {
		t.Fatal(err)
	}
	file.Close()
}
