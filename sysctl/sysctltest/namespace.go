// Package sysctltest gives tests a network namespace of their own, where
// parameters can be written, sockets opened and counters read without touching
// the host's.
package sysctltest

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// insideVariable marks the copy of the test binary that runs in a namespace.
const insideVariable = "TCPTUNE_TEST_NAMESPACE"

// RequireVariable is set where a kernel test that cannot run is a failure, as
// in CI.
const RequireVariable = "TCPTUNE_REQUIRE_KERNEL"

// Namespace runs the calling test again, in a child process with a fresh
// network namespace whose loopback is up, and reports the child's result as the
// test's. It returns true in the child:
//
//	if !sysctltest.Namespace(t) {
//		return
//	}
//
// A process of its own, since a thread that enters a namespace is easily mixed
// up with others. Of several subtests each may have its own.
func Namespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		if err := LoopbackUp(); err != nil {
			t.Fatalf("bring up lo: %v", err)
		}
		return true
	}
	var path []string
	for _, name := range strings.Split(t.Name(), "/") {
		path = append(path, "^"+regexp.QuoteMeta(name)+"$")
	}
	args := []string{"-test.run=" + strings.Join(path, "/"), "-test.count=1"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = newNamespace()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		RequireKernel(t, "cannot make a network namespace: "+err.Error())
	}
	t.Logf("in a namespace of its own:\n%s", out)
	if err != nil {
		t.Fail()
	}
	return false
}

// newNamespace starts a child in a fresh network namespace: as root directly,
// otherwise as root of a user namespace, which may write its own net.ipv4.tcp_*.
func newNamespace() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// LoopbackUp brings up the loopback device of the calling thread's namespace (netdevice(7)).
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var request [40]byte // struct ifreq: 16 bytes of name, then the flags
	copy(request[:], "lo")
	binary.NativeEndian.PutUint16(request[16:], unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}

// RequireKernel skips a test that the kernel, a missing tool or the lack of a privilege makes
// impossible; where RequireVariable is set it fails it.
func RequireKernel(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(RequireVariable) != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
