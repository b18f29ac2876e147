package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// DefaultDropIn is the one file of sysctl.d that tcptune writes.
	DefaultDropIn = "/etc/sysctl.d/90-tcptune.conf"
	// Header is the first line of every drop-in. A file without it is somebody
	// else's and is not touched.
	Header = "# Written by tcptune; changes made here will be lost."

	maxDropIn = 1 << 20
)

// A DropIn is a file of sysctl.d that makes the changes outlast a reboot. Its
// first line must be the Header.
type DropIn struct {
	Path    string // absolute; "" stands for DefaultDropIn
	Content []byte
}

func (d DropIn) path() string {
	if d.Path == "" {
		return DefaultDropIn
	}
	return d.Path
}

func (d DropIn) check() error {
	if !filepath.IsAbs(d.path()) {
		return fmt.Errorf("write drop-in %s: want an absolute path", d.Path)
	}
	if !isOurs(d.Content) || len(d.Content) > maxDropIn {
		return fmt.Errorf("write drop-in %s: its content does not begin with the header, or is too long", d.path())
	}
	return nil
}

// look reads what the drop-in would replace, and refuses where it could not be
// written, so that no parameter is touched in vain.
func (d DropIn) look() (*FileChange, error) {
	before, err := readDropIn(d.path())
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(d.path())
	// Asked of the kernel, since the mode does not tell of a read-only mount.
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS); err != nil {
		return nil, fmt.Errorf("write drop-in %s: directory %s: %w", d.path(), dir, err)
	}
	return &FileChange{Path: d.path(), Before: before, After: hash(d.Content)}, nil
}

// write puts the content in place if the old one is still there.
func (f *FileChange) write(content []byte, did func(string)) error {
	now, err := readDropIn(f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, f.Before) {
		return fmt.Errorf("write drop-in %s: it was changed by somebody else just now", f.Path)
	}
	if f.kept() {
		return nil
	}
	return replaceFile(f.Path, content, 0o644, did)
}

// kept reports whether the transaction left the file as it was.
func (f *FileChange) kept() bool { return f.Before != nil && hash(f.Before) == f.After }

// pending reports whether the file is there with the content that the
// transaction gave it, so that there is something to undo.
func (f *FileChange) pending() bool {
	now, err := readDropIn(f.Path)
	return err == nil && now != nil && hash(now) == f.After && !f.kept()
}

// undo brings back the old content, or removes the file if there was none.
func (f *FileChange) undo(did func(string)) (FileResult, error) {
	result := FileResult{Path: f.Path}
	now, err := readDropIn(f.Path)
	switch notOurs := (*NotOursError)(nil); {
	case errors.As(err, &notOurs):
		result.Outcome, result.Why = FileLeft, notOurs.Why
		return result, nil
	case err != nil:
		return result, err
	case bytes.Equal(now, f.Before):
		result.Outcome = FileSame
		return result, nil
	case hash(now) != f.After:
		result.Outcome, result.Why = FileLeft, changedSince
		return result, nil
	}
	if f.Before == nil {
		result.Outcome = FileRemoved
		err = removeFile(f.Path, did)
	} else {
		result.Outcome = FileRestored
		err = replaceFile(f.Path, f.Before, 0o644, did)
	}
	if err != nil {
		return result, fmt.Errorf("undo drop-in: %w", err)
	}
	return result, nil
}

// readDropIn reads a drop-in of ours. It is nil if there is no file.
func readDropIn(path string) ([]byte, error) {
	content, err := readRegular(path, maxDropIn)
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &pathErr):
		return nil, fmt.Errorf("read drop-in: %w", err)
	case err != nil:
		return nil, &NotOursError{Path: path, Why: err.Error()}
	case !isOurs(content):
		return nil, &NotOursError{Path: path, Why: "its first line does not say that tcptune wrote it"}
	}
	return content, nil
}

func isOurs(content []byte) bool {
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return string(first) == Header
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
