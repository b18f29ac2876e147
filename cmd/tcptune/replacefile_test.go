package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// A file that is replaced stays whose it was, and who may read it.
func TestReplacedFilesKeepOwnerModeAndAttributes(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "only root can give a file away")
	}
	type state struct {
		Owner, Group, Mode uint32
		Attribute, Content string
	}
	look := func(path string) state {
		t.Helper()
		var stat unix.Stat_t
		if err := unix.Stat(path, &stat); err != nil {
			t.Fatal(err)
		}
		value := make([]byte, 100)
		n, err := unix.Getxattr(path, "user.note", value)
		if err != nil && err != unix.ENOTSUP {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return state{stat.Uid, stat.Gid, stat.Mode, string(value[:max(n, 0)]), string(content)}
	}
	path := filepath.Join(t.TempDir(), "sysctl.conf")
	link := path + ".link"
	for _, err := range []error{
		os.WriteFile(path, []byte("old"), 0o600), os.Symlink("sysctl.conf", link), os.Chown(path, 1234, 4321), os.Chmod(path, 0o640|os.ModeSetgid),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(path, "user.note", []byte("kept"), 0); err != nil && err != unix.ENOTSUP {
		t.Fatal(err)
	}
	want := look(path)
	want.Content = "new"
	if err := replaceFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, look(path)); diff != "" {
		t.Error(diff)
	}
	if target, err := os.Readlink(link); err != nil || target != "sysctl.conf" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}
