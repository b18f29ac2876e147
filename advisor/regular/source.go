package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A Source is a file that was read.
type Source struct {
	Path string
	// Others says why others than root could have written it; nil if they could
	// not.
	Others error
}

// Read reads a file of at most max bytes, and notes who could have written it.
func Read(path string, max int64) ([]byte, Source, error) {
	file, info, err := Open(path)
	if errors.Is(err, ErrNot) {
		return nil, Source{}, fmt.Errorf("%s %w", path, err)
	}
	if err != nil {
		return nil, Source{}, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, max+1))
	if err != nil {
		return nil, Source{}, err
	}
	if int64(len(text)) > max {
		return nil, Source{}, fmt.Errorf("%s is larger than %d KiB", path, max>>10)
	}
	return text, Source{path, others(path, info)}, nil
}

// Others says why others than root could have written the file at path, or nil.
func Others(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return others(path, info)
}

// others looks at the file and at all folders that lead to it, by its name and
// by what links make of that: who can write to one could have put another file
// in its place.
func others(path string, info fs.FileInfo) error {
	if owner, mode := ownership(info); owner != 0 || mode.Perm()&writable != 0 {
		return fmt.Errorf("%s belongs to uid %d with mode %04o", path, owner, mode.Perm())
	}
	named, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(named)
	if err != nil {
		return err
	}
	for _, way := range []string{named, real} {
		for folder := filepath.Dir(way); ; folder = filepath.Dir(folder) {
			info, err := os.Stat(folder)
			if err != nil {
				return err
			}
			// In a folder with the sticky bit, such as /tmp, others cannot replace what
			// is root's.
			if owner, mode := ownership(info); owner != 0 || mode.Perm()&writable != 0 && mode&fs.ModeSticky == 0 {
				return fmt.Errorf("%s is below %s, which belongs to uid %d with mode %04o", path, folder, owner, mode.Perm())
			}
			if folder == "/" {
				break
			}
		}
	}
	return nil
}

// writable are the bits of a mode that let others than the owner write.
const writable = 0o022

func ownership(info fs.FileInfo) (uid uint32, mode fs.FileMode) {
	return info.Sys().(*syscall.Stat_t).Uid, info.Mode()
}
