package regular

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
)

// A Source is a file that was read.
type Source struct {
	Path string
	// Others says why others could have written it; see [Others].
	Others error
}

// ReadSource reads a file of at most max bytes, and notes who could have written it.
func ReadSource(path string, max int) ([]byte, Source, error) {
	text, stat, err := read(path, max+1)
	if errors.Is(err, ErrNot) {
		return nil, Source{}, fmt.Errorf("%s %w", path, err)
	}
	if err != nil {
		return nil, Source{}, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	if len(text) > max {
		return nil, Source{}, fmt.Errorf("%s is larger than %d KiB", path, max>>10)
	}
	return text, Source{path, cmp.Or(Others(path), foreign(path, stat.Uid, stat.Gid, fs.FileMode(stat.Mode).Perm(), false))}, nil
}
