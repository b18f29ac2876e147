package change

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrGuarded: another process guards the transaction already.
var ErrGuarded = errors.New("another process guards it already")

// Guard tells all others that this process will take a transaction back at the
// end of its window, until release is called or the process ends, however it
// ends. [Journal.GuardOf] asks for it. If another process does so the error is
// [ErrGuarded].
//
// It is a lock on one byte of the file "guards", whose place is the transaction's
// time, so nothing has to be cleared away. It is a lock of the process's
// (fcntl_locking(2)), since of those the kernel names the holder; a process that
// closes the file loses it, so whoever guards does not call GuardOf.
func (j *Journal) Guard(id string) (release func(), err error) {
	place, err := guardByte(id)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(j.guards(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("guard transaction %s: %w", id, err)
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, place)
	if err == nil {
		return func() { _ = f.Close() }, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = ErrGuarded
	}
	return nil, fmt.Errorf("guard transaction %s: %w", id, err)
}

// GuardOf is the process that guards a transaction, and false if none does.
func (j *Journal) GuardOf(id string) (Process, bool, error) {
	place, err := guardByte(id)
	if err != nil {
		return Process{}, false, err
	}
	f, err := os.OpenFile(j.guards(), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Process{}, false, nil
	}
	if err != nil {
		return Process{}, false, fmt.Errorf("ask who guards transaction %s: %w", id, err)
	}
	defer f.Close()
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, place); err != nil {
		return Process{}, false, fmt.Errorf("ask who guards transaction %s: %w", id, err)
	}
	if place.Type == unix.F_UNLCK {
		return Process{}, false, nil
	}
	if place.Pid <= 0 { // of another PID namespace
		return Process{}, true, nil
	}
	return processOf(int(place.Pid)), true, nil
}

func (j *Journal) guards() string { return filepath.Join(j.dir, "guards") }

// guardByte is a transaction's place in the file.
func guardByte(id string) (*unix.Flock_t, error) {
	t, err := parseID(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEntry, err)
	}
	return &unix.Flock_t{Type: unix.F_WRLCK, Start: t.UnixMilli(), Len: 1}, nil
}
