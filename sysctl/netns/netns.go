// Package netns finds the network namespaces of a host and runs functions inside
// them. Parameters below /proc/sys/net, netlink sockets and /proc/thread-self/net
// follow the calling thread; /proc/self/net and /proc/net follow the process's
// main thread, which never leaves its namespace.
package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	// ErrGone is the error of a namespace that was there and is no more.
	ErrGone = errors.New("the network namespace is gone")
	// ErrOther is the error of a file that is no network namespace.
	ErrOther = errors.New("not a network namespace")
)

// An ID tells namespaces apart while they live: the file system and inode of
// /proc/PID/ns/net (namespaces(7)).
type ID struct{ Device, Inode uint64 }

// String is the form of readlink(1), lsns(8) and ip-netns(8).
func (id ID) String() string { return fmt.Sprintf("net:[%d]", id.Inode) }

// A Namespace is a network namespace of this host. It is not kept alive: it may
// be gone when it is entered.
type Namespace struct {
	ID   ID
	Path string // the file that leads to it
	// Owner is whose it is, as far as could be told.
	Owner
	// Processes is how many run in it, of those that could be seen; -1 if they
	// were not counted.
	Processes int
}

// String is a name for people.
func (n Namespace) String() string {
	if n.Owner == (Owner{}) {
		return n.ID.String()
	}
	return n.Owner.String()
}

// threadSelf is in /proc from Linux 3.17 on.
const threadSelf = "/proc/thread-self"

var hasThreadSelf = sync.OnceValue(func() bool {
	_, err := os.Stat(threadSelf)
	return !errors.Is(err, fs.ErrNotExist)
})

// ThreadDir is the directory of the calling thread in /proc, which the caller
// should have locked. Its net shows the thread's network namespace.
func ThreadDir() string {
	if hasThreadSelf() {
		return threadSelf
	}
	// Threads are not listed in /proc, and are there when asked for.
	return fmt.Sprintf("/proc/%d", unix.Gettid())
}

// Here is the namespace of the calling thread.
func Here() (Namespace, error) {
	path := ThreadDir() + "/ns/net"
	id, err := identify(path)
	if err != nil {
		return Namespace{}, fmt.Errorf("identify network namespace: %w", err)
	}
	return Namespace{ID: id, Path: path, Processes: -1}, nil
}

// identify follows a link below /proc. Where a process may not do that Linux 5.10
// leads it to the folder of the link, and others refuse.
func identify(path string) (ID, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "stat", Path: path, Err: syscall.EACCES}
	}
	if err != nil {
		return ID{}, err
	}
	return idOf(info), nil
}

func idOf(info fs.FileInfo) ID {
	stat := info.Sys().(*syscall.Stat_t)
	return ID{stat.Dev, stat.Ino}
}

// open opens the namespace's file and checks that it still is that namespace.
func (n Namespace) open() (*os.File, error) {
	file, id, err := open(n.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrOther), errors.Is(err, syscall.ESRCH):
		return nil, fmt.Errorf("%v: %w", n, ErrGone)
	case err != nil:
		return nil, fmt.Errorf("%v: %w", n, err)
	case id != n.ID:
		file.Close()
		return nil, fmt.Errorf("%v: %w", n, ErrGone)
	}
	return file, nil
}

// open opens a file that must be a network namespace.
func open(path string) (*os.File, ID, error) {
	// Without O_NONBLOCK a named pipe would never open.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, ID{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	info, err := file.Stat()
	if err == nil && !isNetwork(fd, idOf(info)) {
		err = fmt.Errorf("%s: %w", path, ErrOther)
	}
	if err != nil {
		file.Close()
		return nil, ID{}, err
	}
	return file, idOf(info), nil
}

// isNetwork reports whether an open file may be a network namespace. All of them
// are in one file system; kernels before 4.11 do not tell of which kind each is,
// and there setns(2) refuses the others.
func isNetwork(fd int, id ID) bool {
	here, err := Here()
	if err != nil || here.ID.Device != id.Device {
		return false
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	return kind == unix.CLONE_NEWNET || errors.Is(err, unix.ENOTTY)
}
