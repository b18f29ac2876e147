// Package regular reads files that are files. What foreign folders hold may be a
// pipe, on which open(2) waits for somebody to write, or a device.
package regular

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ErrNot is the error of what is there and is no regular file.
var ErrNot = errors.New("is no regular file")

// Read returns the content and mode of a regular file, or of a longer one the
// first most bytes. Links are followed, and nobody is waited for. Its errors do not
// name the path.
//
// A check reads hundreds of small files. The runtime would make each ready for
// being waited for, which takes as long as the reading.
func Read(path string, most int) (content []byte, mode fs.FileMode, err error) {
	content, stat, err := read(path, most)
	return content, fs.FileMode(stat.Mode).Perm(), err
}

func read(path string, most int) (content []byte, stat unix.Stat_t, err error) {
	fd, err := again(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, stat, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, stat, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, stat, ErrNot
	}
	// One byte more than there is tells the end; files of the kernel have no size.
	content = make([]byte, 0, min(int64(most), max(stat.Size, 511)+1))
	for len(content) < most {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := again(func() (int, error) { return unix.Read(fd, content[len(content):min(cap(content), most)]) })
		if err != nil {
			return nil, stat, err
		}
		if n == 0 {
			break
		}
		content = content[:len(content)+n]
	}
	return content, stat, nil
}

func again(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}
