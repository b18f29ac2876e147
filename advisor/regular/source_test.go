package regular_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// Each way for others to have put what a file holds there is seen, and no more.
func TestWhoCouldHaveWrittenAFile(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root to give files away")
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, root string) error
		want  string // "" if only root could
	}{
		"only root":  {func(*testing.T, string) error { return nil }, ""},
		"sticky":     {func(_ *testing.T, root string) error { return os.Chmod(root, 0o777|os.ModeSticky) }, ""},
		"somebody's": {func(_ *testing.T, root string) error { return os.Chown(root+"/a/b/f", 1000, 0) }, "/f belongs to user 1000"},
		"the group's": {func(_ *testing.T, root string) error {
			return errors.Join(os.Chown(root+"/a/b/f", 0, 1000), os.Chmod(root+"/a/b/f", 0o664))
		}, "/f with mode 0664 lets others write to it"},
		"everybody's":              {func(_ *testing.T, root string) error { return os.Chmod(root+"/a/b/f", 0o646) }, "/f with mode 0646 lets others write to it"},
		"in somebody's folder":     {func(_ *testing.T, root string) error { return os.Chown(root+"/a/b", 1000, 0) }, "/b belongs to user 1000"},
		"below somebody's":         {func(_ *testing.T, root string) error { return os.Chown(root+"/a", 1000, 0) }, "/a belongs to user 1000"},
		"below everybody's":        {func(_ *testing.T, root string) error { return os.Chmod(root+"/a", 0o777) }, "/a with mode 0777 lets others write to it"},
		"somebody's, sticky":       {func(_ *testing.T, root string) error { return os.Chown(root, 1000, 0) }, " belongs to user 1000"},
		"root's group's":           {func(_ *testing.T, root string) error { return os.Chmod(root+"/a/b/f", 0o664) }, ""},
		"a sticky file":            {func(_ *testing.T, root string) error { return os.Chmod(root+"/a/b/f", 0o666|os.ModeSticky) }, "/f with mode 0666 lets others write to it"},
		"by links through theirs":  {func(_ *testing.T, root string) error { return relink(root, "between") }, "/theirs belongs to user 1000"},
		"a link that somebody set": {func(_ *testing.T, root string) error { return relink(root, "link") }, "/theirs belongs to user 1000"},
		"a link to somebody's":     {func(_ *testing.T, root string) error { return relink(root, "target") }, "/theirs belongs to user 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			file := root + "/a/b/f"
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(root, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(t, root); err != nil {
				t.Fatal(err)
			}
			if link := root + "/theirs/link"; exists(link) {
				file = link
			} else if link := root + "/link"; exists(link) {
				file = link
			}
			text, source, err := regular.ReadSource(file, 100)
			if err != nil || string(text) != "text" {
				t.Fatalf("%q, %v", text, err)
			}
			if c.want == "" && source.Others != nil || c.want != "" && (source.Others == nil || !strings.Contains(source.Others.Error(), c.want)) {
				t.Errorf("%v, want %q", source.Others, c.want)
			}
			if source.Others != nil && strings.Contains(source.Others.Error(), "\n") {
				t.Errorf("said more than once: %v", source.Others)
			}
		})
	}
}

// relink makes a folder of somebody's that holds a link to the file, or the file
// that a link of root's leads to.
func relink(root, which string) error {
	theirs := root + "/theirs"
	if err := os.Mkdir(theirs, 0o755); err != nil {
		return err
	}
	var err error
	switch which {
	case "between": // from root's link by one of theirs to root's file
		if err := os.Symlink(root+"/a/b/f", theirs+"/next"); err != nil {
			return err
		}
		err = os.Symlink(theirs+"/next", root+"/link")
	case "link":
		err = os.Symlink(root+"/a/b/f", theirs+"/link")
	default:
		if err = os.Rename(root+"/a/b/f", theirs+"/f"); err == nil {
			err = os.Symlink(theirs+"/f", root+"/link")
		}
	}
	if err != nil {
		return err
	}
	return os.Chown(theirs, 1000, 0)
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, 2049), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := regular.ReadSource(path, 2048); err == nil || !strings.Contains(err.Error(), "larger than 2 KiB") {
		t.Errorf("error %v", err)
	}
	if text, _, err := regular.ReadSource(path, 2049); err != nil || len(text) != 2049 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
