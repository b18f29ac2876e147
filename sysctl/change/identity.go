package change

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// An Identity is where values written with sysctl live: one network namespace
// of one boot.
type Identity struct {
	Boot      string    `json:"boot"` // the kernel's random id of this boot
	Namespace Namespace `json:"namespace"`
}

// A Namespace identifies a network namespace of a boot.
type Namespace struct {
	// Inode is what lsns(8) and ip-netns(8) show. It is given to another
	// namespace when this one is gone.
	Inode uint64 `json:"inode"`
	// Cookie is never given out again. Kernels before 5.14 have none: 0.
	Cookie uint64 `json:"cookie,omitempty"`
}

// Same reports whether two names of one boot mean the same namespace.
func (n Namespace) Same(o Namespace) bool {
	return n.Inode == o.Inode && (n.Cookie == o.Cookie || n.Cookie == 0 || o.Cookie == 0)
}

func (n Namespace) String() string {
	if n.Cookie == 0 {
		return fmt.Sprintf("net:[%d]", n.Inode)
	}
	return fmt.Sprintf("net:[%d] (cookie %d)", n.Inode, n.Cookie)
}

// Here is the identity of the calling thread.
func Here() (Identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("identify boot: %w", err)
	}
	info, err := os.Stat("/proc/thread-self/ns/net")
	if errors.Is(err, fs.ErrNotExist) { // before Linux 3.17
		info, err = os.Stat(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	}
	if err != nil {
		return Identity{}, fmt.Errorf("identify network namespace: %w", err)
	}
	return Identity{
		Boot:      string(bytes.TrimSpace(boot)),
		Namespace: Namespace{Inode: info.Sys().(*syscall.Stat_t).Ino, Cookie: netnsCookie()},
	}, nil
}

// netnsCookie asks a socket of the calling thread for its namespace's cookie
// (net/core/sock.c, SO_NETNS_COOKIE). It is 0 where that cannot be had: then
// the inode has to do.
func netnsCookie() uint64 {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0
	}
	return cookie
}
