// Package regular opens files that are files. What foreign folders hold may be a
// pipe, on which open(2) waits for somebody to write, or a device.
package regular

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNot is the error of what is there and is no regular file.
var ErrNot = errors.New("is no regular file")

// Open opens a regular file for reading, and never waits. Links are followed. Its
// errors do not name the path.
func Open(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return nil, nil, at.Err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNot
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}
