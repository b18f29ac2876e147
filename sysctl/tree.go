package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	gosysctl "github.com/lorenzosaino/go-sysctl"
	"golang.org/x/sys/unix"
)

// DefaultRoot is where the kernel shows its parameters.
const DefaultRoot = "/proc/sys"

// A Tree reads and writes the parameters of the calling thread's network
// namespace. It may be used by several goroutines; two writers of one parameter
// must agree among themselves.
type Tree struct {
	root    string
	client  *gosysctl.Client
	release Release
}

// Open opens the tree below root ([DefaultRoot] on a real host). The release is
// used only to explain why a parameter is absent.
func Open(root string, release Release) (*Tree, error) {
	if _, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("no parameters to be seen (is /proc mounted with subset=pid?): %w", err)
	}
	client, err := gosysctl.NewClient(root)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root, client: client, release: release}, nil
}

// RunningRelease is the release of the kernel that runs (uname(2)).
func RunningRelease() (Release, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Release{}, err
	}
	return ParseRelease(unix.ByteSliceToString(name.Release[:]))
}

// IsChild reports whether the tree shows a network namespace other than the
// host's first. Tables of host-wide parameters are registered for the first
// namespace only (net/ipv4/sysctl_net_ipv4.c, sysctl_ipv4_init), so the absence
// of one that every kernel has tells.
func (t *Tree) IsChild() bool {
	_, err := os.Stat(t.file("net.ipv4.tcp_max_orphans"))
	return errors.Is(err, fs.ErrNotExist)
}

// Get reads a parameter. Its error is an [*Error].
func (t *Tree) Get(k Key) (Value, error) {
	text, err := readFile(t.file(k))
	if err != nil {
		return "", t.explain("read", k, err)
	}
	return Value(strings.TrimSpace(text)), nil
}

// readFile reads a parameter whole, at one go: of a set of ports the kernel gives as
// much as fits, and nothing more to the read behind it (kernel/sysctl.c,
// proc_do_large_bitmap). That takes three system calls; [os.ReadFile], which
// go-sysctl uses, takes nine, since it prepares to wait for the file, and keeps 512
// bytes of such a set. A look reads a hundred parameters.
func readFile(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var enough [4096]byte // for most
	for buffer := enough[:]; ; {
		n, err := unix.Pread(fd, buffer, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", &fs.PathError{Op: "read", Path: path, Err: err}
		case n < len(buffer):
			return string(buffer[:n]), nil
		default:
			buffer = make([]byte, 16*len(buffer))
		}
	}
}

// Set writes a value after checking that the parameter exists and that the
// value makes sense, and reads it back. Its error is an [*Error]: BadValue when
// nothing was written, NotKept when the kernel kept something else.
func (t *Tree) Set(k Key, v Value) error {
	if err := Check(k, v); err != nil {
		return err
	}
	return t.write(k, v)
}

// Check says why [Tree.Set] would refuse a value whatever the kernel, or nil.
// Its error is an [*Error].
func Check(k Key, v Value) error {
	param, known := Lookup(k)
	if !known {
		return notInCatalogue(k)
	}
	if err := param.CheckSane(v); err != nil {
		return &Error{Op: "set", Key: k, Cause: BadValue, Detail: err.Error()}
	}
	return nil
}

func notInCatalogue(k Key) error {
	return &Error{Op: "set", Key: k, Cause: Unknown, Detail: "tcptune writes only parameters of its catalogue"}
}

// Restore puts back a value that was read earlier. It does not ask whether the
// value makes sense: undo must bring back what was there.
func (t *Tree) Restore(k Key, v Value) error { return t.write(k, v) }

// Writable says why a write would be refused whatever the value, or nil. Its
// error is an [*Error].
func (t *Tree) Writable(k Key) error {
	if _, known := Lookup(k); !known {
		return notInCatalogue(k)
	}
	// Asked of the kernel: the mode holds for root too (fs/proc/proc_sysctl.c,
	// proc_sys_permission), and does not tell of a read-only mount.
	if err := unix.Faccessat(unix.AT_FDCWD, t.file(k), unix.W_OK, unix.AT_EACCESS); err != nil {
		return t.explain("set", k, err)
	}
	return nil
}

func (t *Tree) write(k Key, v Value) error {
	param, known := Lookup(k)
	if !known {
		return notInCatalogue(k)
	}
	// go-sysctl opens with O_CREATE: below an ordinary directory a missing
	// parameter would come into being.
	if _, err := os.Stat(t.file(k)); err != nil {
		return t.explain("set", k, err)
	}
	if normal, err := param.Type.Normalize(v); err == nil {
		v = normal
	}
	// An empty write is taken and changes nothing; a lone newline clears a port
	// set (kernel/sysctl.c, proc_do_large_bitmap).
	text := string(v)
	if text == "" {
		text = "\n"
	}
	client, name, err := t.at(k)
	if err != nil {
		return t.explain("set", k, err)
	}
	if err := client.Set(name, text); err != nil {
		return t.explain("set", k, err)
	}
	kept, err := t.Get(k)
	if err != nil {
		return err
	}
	if !param.Type.Equal(kept, v) {
		return &Error{Op: "set", Key: k, Cause: NotKept, Detail: "wrote \"" + text + "\", kernel kept \"" + string(kept) + "\""}
	}
	return nil
}

func (t *Tree) file(k Key) string { return filepath.Join(t.root, k.Path()) }

// at is the client that reaches the parameter, and under which name. go-sysctl
// takes every dot for a separator: a file below a directory with a dot in its
// name is reached only from a client rooted in that directory.
func (t *Tree) at(k Key) (*gosysctl.Client, string, error) {
	if !strings.Contains(string(k), "/") {
		return t.client, string(k), nil
	}
	directory, name := filepath.Split(t.file(k))
	if _, err := os.Stat(directory); err != nil { // NewClient hides the cause
		return nil, "", err
	}
	client, err := gosysctl.NewClient(directory)
	return client, name, err
}

// explain turns an error of the file system into the answer that a user needs.
func (t *Tree) explain(op string, k Key, err error) error {
	e := &Error{Op: op, Key: k, Cause: Failed, Err: err}
	var at *fs.PathError
	written := errors.As(err, &at) && at.Op == "write"
	switch {
	case written && errors.Is(err, fs.ErrNotExist):
		// The parameter is there; what it names is not, such as a congestion
		// control. Without its errno, lest the error pass for absence.
		e.Cause, e.Detail, e.Err = Refused, "the kernel knows nothing of that name", nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.Cause, e.Detail = t.whyAbsent(k)
	case errors.Is(err, syscall.EROFS):
		e.Cause, e.Detail = ReadOnlyTree, t.root+" is mounted read-only, as container runtimes do"
	case errors.Is(err, fs.ErrPermission):
		e.Cause = NotPermitted
		switch param, ok := Lookup(k); {
		case !ok || op != "set":
		case param.ReadOnly:
			e.Detail = "read-only: the kernel computes it"
		case param.ReadOnlyInChild && t.IsChild():
			e.Detail = "belongs to the host and is read-only in this network namespace"
		}
	case written:
		e.Cause = Refused
	}
	return e
}

func (t *Tree) whyAbsent(k Key) (Cause, string) {
	param, known := Lookup(k)
	if !known {
		return Unknown, ""
	}
	return param.WhyAbsent(t.release, t.IsChild())
}
