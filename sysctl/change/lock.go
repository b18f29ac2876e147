package change

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// Lock keeps other processes from changing parameters until unlock is called or
// this process ends, however it ends: it is a flock(2) on a file of the
// journal's directory, which is created if missing. If somebody else holds the
// lock the answer is ErrLocked, at once; [Journal.Holder] tells who.
//
// Whatever changes something locks for itself. Who calls it while holding the
// lock of the same Journal keeps it in between.
func (j *Journal) Lock() (unlock func(), err error) {
	if j.held {
		return nil, ErrLocked
	}
	if err := j.create(); err != nil {
		return nil, err
	}
	// gofrs/flock, since over NFS an exclusive lock needs a file open for
	// writing, which on a read-only file system cannot be had.
	lock := flock.New(j.lockFile(), flock.SetFlag(os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock journal: %w", err)
	}
	if !locked {
		return nil, ErrLocked
	}
	j.held = true
	j.sweep()
	return sync.OnceFunc(func() {
		j.held = false
		_ = lock.Unlock() // closing the file releases it in any case
	}), nil
}

func (j *Journal) lockFile() string { return filepath.Join(j.dir, "lock") }

// Holder is the process that holds the lock, and false if it is free or that
// cannot be seen.
func (j *Journal) Holder() (Process, bool) {
	p := holderOf(j.lockFile())
	return p, p.PID != 0
}

// lockUnlessHeld locks for the length of one operation.
func (j *Journal) lockUnlessHeld() (unlock func(), err error) {
	if j.held {
		return func() {}, nil
	}
	return j.Lock()
}
