package conf

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// worldVariable holds the directory in which a copy of this test binary runs the
// real loaders.
const worldVariable = "TCPTUNE_TEST_WORLD"

func TestMain(m *testing.M) {
	if root := os.Getenv(worldVariable); root != "" {
		if err := serve(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// initial are the parameters that the loaders may write in a world, with values
// that no tree asks for. The interface is the loopback device, renamed for its
// dot.
var initial = map[sysctl.Key]string{
	"net.ipv4.tcp_fin_timeout":         "111",
	"net.ipv4.tcp_keepalive_intvl":     "222",
	"net.ipv4.tcp_keepalive_time":      "333",
	"net.ipv4.tcp_keepalive_probes":    "44",
	"net.ipv4.tcp_syn_retries":         "55",
	"net.ipv4.ip_local_port_range":     "11111\t22222",
	"net.ipv4.ip_local_reserved_ports": "3333",
	"net.core.somaxconn":               "777",
	"net.ipv4.conf.all.rp_filter":      "66",
	"net.ipv4.conf.default.rp_filter":  "67",
	"net.ipv4.conf.lo/1.rp_filter":     "68",
}

var binaries = map[Loader]string{Systemd: "systemd-sysctl", Procps: "sysctl"}

// A world is a root directory with nothing in it but files for the loaders, and
// a process that runs the real ones there, in a network namespace of its own.
type world struct {
	root     string
	keys     []sysctl.Key // of that namespace
	requests *json.Encoder
	answers  *json.Decoder
}

type (
	request struct {
		Loader Loader
		Writes []write
	}
	write struct {
		Key   sysctl.Key
		Value []byte // JSON would mend text that is not UTF-8
	}
	// An answer is what the parameters were after the loader had run, and after
	// the writes in its stead.
	answer struct {
		Loader, Writes map[sysctl.Key]string
		Output         string
	}
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{root: t.TempDir()}
	for _, name := range binaries {
		if err := copyProgram(w.root, name); err != nil {
			sysctltest.RequireKernel(t, fmt.Sprintf("%s is not to be had: %v", name, err))
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), worldVariable+"="+w.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, "cannot make a namespace: "+err.Error())
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	w.requests, w.answers = json.NewEncoder(in), json.NewDecoder(out)
	if err := w.answers.Decode(&w.keys); err != nil {
		in.Close()
		_ = cmd.Wait()
		sysctltest.RequireKernel(t, "no world for the loaders: "+complaints.String())
	}
	return w
}

// copyProgram puts a program with its libraries and their loader below the root.
func copyProgram(root, name string) error {
	file, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/lib/systemd/", "/lib/systemd/", "/usr/sbin/", "/sbin/"} {
		if err != nil {
			file, err = exec.LookPath(dir + name)
		}
	}
	if err != nil {
		return err
	}
	out, err := exec.Command("ldd", file).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", file, err)
	}
	for _, file := range append([]string{file}, regexp.MustCompile(`/\S+`).FindAllString(string(out), -1)...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		copied := filepath.Join(root, "opt", filepath.Base(file))
		if strings.HasPrefix(filepath.Base(file), "ld-linux") {
			copied = filepath.Join(root, "opt/ld.so")
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(copied), 0o755), os.WriteFile(copied, text, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

// run runs the loader on the files below the root, and compares what it made of
// the parameters with our word.
func (w *world) run(t testing.TB, loader Loader) (answer, Resolution) {
	t.Helper()
	r := System{Root: w.root, Loader: loader, Keys: KeysOf(w.keys)}.Resolve()
	var writes []write
	for _, setting := range r.Settings {
		if _, ours := initial[setting.Key]; !ours {
			continue
		}
		for _, d := range setting.Definitions {
			if d.Written {
				writes = append(writes, write{setting.Key, []byte(d.Value)})
			}
		}
	}
	var a answer
	if err := errors.Join(w.requests.Encode(request{loader, writes}), w.answers.Decode(&a)); err != nil {
		t.Fatalf("%s: %v", loader, err)
	}
	return a, r
}

// A tree is files below a root by path. A text that begins with "-> " makes a
// link, and a path that ends in / a directory.
type tree map[string]string

// fileDirectories are the top directories that trees live in.
var fileDirectories = []string{"etc", "run", "usr", "lib", "root", "sbin", "bin"}

// plant replaces all files below the root by those of the tree.
func (tr tree) plant(t testing.TB, root string) {
	t.Helper()
	for _, dir := range fileDirectories {
		if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range tr {
		file := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		switch target, isLink := strings.CutPrefix(text, "-> "); {
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(file, 0o755))
		case isLink:
			err = errors.Join(err, os.Symlink(target, file))
		default:
			err = errors.Join(err, os.WriteFile(file, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// serve is the process inside the namespaces.
func serve(root string) error {
	if err := enterWorld(root); err != nil {
		return err
	}
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	if err := out.Encode(keysBelow(sysctl.DefaultRoot)); err != nil {
		return err
	}
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			return nil // the test has ended
		}
		var a answer
		err := reset()
		if err == nil {
			a.Output, err = runLoader(root, r.Loader)
		}
		if err == nil {
			a.Loader, err = current()
		}
		err = errors.Join(err, reset())
		for _, w := range r.Writes { // what the kernel refuses it refuses the loader too
			_ = os.WriteFile(filepath.Join(sysctl.DefaultRoot, w.Key.Path()), append(w.Value, '\n'), 0)
		}
		if err == nil {
			a.Writes, err = current()
		}
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// enterWorld mounts what the loaders need below the root, such that they can
// write the parameters of initial and nothing else.
func enterWorld(root string) error {
	if err := renameLoopback("lo.1"); err != nil {
		return fmt.Errorf("rename lo: %w", err)
	}
	for _, dir := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	bind := func(from, to string, flags uintptr) error {
		if err := unix.Mount(from, to, "", unix.MS_BIND|flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", from, err)
		}
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := bind("/proc", filepath.Join(root, "proc"), unix.MS_REC); err != nil {
		return err
	}
	sys := filepath.Join(root, sysctl.DefaultRoot)
	if err := bind(sysctl.DefaultRoot, sys, 0); err != nil {
		return err
	}
	if err := unix.Mount("", sys, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("make parameters read-only: %w", err)
	}
	for key := range initial {
		if err := bind(filepath.Join(sysctl.DefaultRoot, key.Path()), filepath.Join(sys, key.Path()), 0); err != nil {
			return err
		}
	}
	null := filepath.Join(root, devNull)
	return errors.Join(os.WriteFile(null, nil, 0o644), bind(devNull, null, 0))
}

func renameLoopback(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var request [40]byte // struct ifreq: the old name and the new one, 16 bytes each
	copy(request[:], "lo")
	copy(request[16:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFNAME, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}

func reset() error {
	for key, value := range initial {
		if err := os.WriteFile(filepath.Join(sysctl.DefaultRoot, key.Path()), []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

func current() (map[sysctl.Key]string, error) {
	values := map[sysctl.Key]string{}
	for key := range initial {
		text, err := os.ReadFile(filepath.Join(sysctl.DefaultRoot, key.Path()))
		if err != nil {
			return nil, err
		}
		values[key] = strings.TrimSpace(string(text))
	}
	return values, nil
}

// runLoader runs the real one. It may fail, as it does at boot.
func runLoader(root string, loader Loader) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := []string{"--library-path", "/opt", "/opt/" + binaries[loader]}
	if loader == Procps {
		args = append(args, "--system")
	}
	cmd := exec.CommandContext(ctx, "/opt/ld.so", args...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "SYSTEMD_LOG_TARGET=console"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	return string(out), err
}
