package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// replaceFile writes a file whole or not at all. A link stays a link, and what
// is no regular file, such as /dev/stdout, is written to as it is. A file that
// was there keeps its owner, group, mode and extended attributes; where that is
// not permitted, it is left alone. Its other hard links keep the old content.
func replaceFile(path string, content []byte) error {
	err := replace(path, content)
	switch at := err.(type) { // which names the temporary file
	case *fs.PathError:
		err = at.Err
	case *os.LinkError:
		err = at.Err
	}
	if err != nil {
		return fmt.Errorf("%s could not be written: %w", path, err)
	}
	return nil
}

func replace(path string, content []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, content, 0)
	}
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return err
	}
	defer file.Cleanup()
	if err := inherit(int(file.Fd()), path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

// inherit gives a new file what the one at path has.
func inherit(fd int, path string) error {
	var old, fresh unix.Stat_t
	if err := unix.Stat(path, &old); err != nil {
		return err
	}
	if err := unix.Fstat(fd, &fresh); err != nil {
		return err
	}
	if old.Uid != fresh.Uid || old.Gid != fresh.Gid {
		if err := unix.Fchown(fd, int(old.Uid), int(old.Gid)); err != nil {
			return fmt.Errorf("its owner and group cannot be kept: %w", err)
		}
	}
	if err := inheritAttributes(fd, path); err != nil {
		return err
	}
	return unix.Fchmod(fd, old.Mode&0o7777) // which chown may have changed
}

// sums are attributes that vouch for the content.
var sums = []string{"security.ima", "security.evm"}

// inheritAttributes copies ACLs, SELinux labels and whatever else there is.
func inheritAttributes(fd int, path string) error {
	names := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Listxattr(path, names)
	if err != nil {
		return nil // a file system without them
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if name == "" || slices.Contains(sums, name) {
			continue
		}
		value, fresh := make([]byte, 64<<10), make([]byte, 64<<10) // XATTR_SIZE_MAX
		n, err := unix.Getxattr(path, name, value)
		if err == nil {
			if m, errFresh := unix.Fgetxattr(fd, name, fresh); errFresh == nil && bytes.Equal(value[:n], fresh[:m]) {
				continue
			}
			err = unix.Fsetxattr(fd, name, value[:n], 0)
		}
		if err != nil {
			return fmt.Errorf("its attribute %s cannot be kept: %w", name, err)
		}
	}
	return nil
}
