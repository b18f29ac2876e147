package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Do runs f inside the namespace, on a thread of its own, and returns f's error.
// f must not start goroutines: they run outside. The error is [ErrGone] if the
// namespace is no more, and satisfies errors.Is(err, fs.ErrPermission) without
// CAP_SYS_ADMIN over it. In the namespace of the caller f is just called.
func (n Namespace) Do(f func() error) error {
	if here, err := Here(); err == nil && here.ID == n.ID {
		return f()
	}
	file, err := n.open()
	if err != nil {
		return err
	}
	defer file.Close()
	done := make(chan error, 1)
	go enter(file, f, done)
	err = <-done
	switch refused := (*refusal)(nil); {
	case !errors.As(err, &refused):
		return err
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("enter %v needs CAP_SYS_ADMIN: %w", n, refused.err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%s: %w", n.Path, ErrOther)
	default:
		return fmt.Errorf("enter %v: %w", n, refused.err)
	}
}

// A refusal is that the thread could not enter: f was not called.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// enter runs f on a thread inside the namespace, and never on the main one:
// /proc/self/net of the whole process is the main thread's, and the runtime
// cannot end that thread.
func enter(namespace *os.File, f func() error, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		defer runtime.UnlockOSThread()
		elsewhere := make(chan error, 1)
		go enter(namespace, f, elsewhere) // this thread is taken
		done <- <-elsewhere
		return
	}
	home, err := os.Open(ThreadDir() + "/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		done <- &refusal{err}
		return
	}
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		home.Close()
		runtime.UnlockOSThread()
		done <- &refusal{os.NewSyscallError("setns", err)}
		return
	}
	err = errors.New("the function did not return")
	defer func() { // on runtime.Goexit, too
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine
		home.Close()
		done <- err
	}()
	err = f()
}
