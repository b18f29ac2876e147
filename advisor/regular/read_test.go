package regular_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/regular"
)

func TestOnlyFilesAreReadAndNobodyIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{pipe: regular.ErrNot, dir: regular.ErrNot, "/dev/zero": regular.ErrNot, filepath.Join(dir, "none"): fs.ErrNotExist} {
		if _, _, err := regular.Read(path, 10); !errors.Is(err, want) || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if content, _, err := regular.Read("/proc/self/status", 1<<20); err != nil || !strings.Contains(string(content), "VmHWM") {
		t.Errorf("a file without a size: %q, %v", content, err)
	}
}

func TestAFileIsReadToItsEndOrTheLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 511, 512, 513, 5000} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		for _, most := range []int{1, 511, 512, 513, 10_000} {
			content, mode, err := regular.Read(file, most)
			if err != nil || mode != 0o640 || string(content) != text[:min(size, most)] {
				t.Errorf("%d of %d bytes: %d, %v, %v", most, size, len(content), mode, err)
			}
		}
	}
}
