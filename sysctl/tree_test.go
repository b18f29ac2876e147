package sysctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// fixture is a directory that stands in for /proc/sys of that release.
func fixture(t *testing.T, kernel string, files map[Key]string) *Tree {
	t.Helper()
	root := t.TempDir()
	tree, err := Open(root, release(t, kernel))
	if err != nil {
		t.Fatal(err)
	}
	for k, content := range files {
		if err := os.MkdirAll(filepath.Dir(tree.file(k)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tree.file(k), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// listing is the paths below a directory with their contents.
func listing(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			content, err := os.ReadFile(path)
			found[strings.TrimPrefix(path, root)] = string(content)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOpenFailsWithoutADirectory(t *testing.T) {
	if tree, err := Open(filepath.Join(t.TempDir(), "absent"), linux(6, 1)); err == nil {
		t.Errorf("opened %v", tree)
	}
}

func TestAbsentParametersSayWhy(t *testing.T) {
	const host = "net.ipv4.tcp_max_orphans"
	for _, c := range []struct {
		name   string
		kernel string
		files  map[Key]string
		key    Key
		cause  Cause
		detail string
	}{
		{"removed", "6.1", map[Key]string{host: "1"}, "net.ipv4.tcp_tw_recycle", Removed, "removed in Linux 4.12; leave it out"},
		{"not yet", "4.9.229", map[Key]string{host: "1"}, "net.ipv4.tcp_rto_max_ms", NotYet, "appears in Linux 6.15"},
		{"not built", "6.1", map[Key]string{host: "1"}, "net.ipv4.tcp_syncookies", NotBuilt, "should have it"},
		{"module", "6.1", map[Key]string{host: "1"}, "net.netfilter.nf_conntrack_max", ModuleMissing, "nf_conntrack"},
		{"legacy before it went", "4.4", map[Key]string{host: "1"}, "net.ipv4.netfilter.ip_conntrack_max", ModuleMissing, "use net.netfilter.nf_conntrack_max"},
		{"host-wide in a child", "6.1", map[Key]string{"net.core.somaxconn": "1"}, host, HostWide, ""},
		{"host-wide in a child of old", "4.9", map[Key]string{"net.core.somaxconn": "1"}, "net.ipv4.tcp_tw_reuse", HostWide, ""},
		{"host-wide in a child, then visible", "6.1", map[Key]string{"net.core.somaxconn": "1"}, "net.core.rmem_max", HostWide, ""},
		{"module in a child", "6.1", map[Key]string{"net.core.somaxconn": "1"}, "net.netfilter.nf_conntrack_max", ModuleMissing, ""},
		{"unknown", "6.1", map[Key]string{host: "1"}, "net.ipv4.tcp_tw_resuse", Unknown, ""},
		{"below a file", "6.1", map[Key]string{host: "1"}, host + ".x", Unknown, ""},
		{"interface", "6.1", map[Key]string{host: "1"}, "net.ipv4.conf.eth0/100.forwarding", Unknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fixture(t, c.kernel, c.files)
			_, err := tree.Get(c.key)
			var e *Error
			if !errors.As(err, &e) || e.Cause != c.cause || !strings.Contains(e.Detail, c.detail) || e.Key != c.key || e.Op != "read" {
				t.Fatalf("Get(%s): %v; want %q with %q", c.key, err, c.cause, c.detail)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
			if _, known := Lookup(c.key); !known {
				return
			}
			before := listing(t, tree.root)
			if err := tree.Set(c.key, Value(decimal(lookup(t, c.key).Sane.Min))); CauseOf(err) != c.cause {
				t.Errorf("Set(%s): %v; want %q", c.key, err, c.cause)
			}
			if diff := cmp.Diff(before, listing(t, tree.root)); diff != "" {
				t.Errorf("Set(%s) changed the directory:\n%s", c.key, diff)
			}
		})
	}
}

func TestSetRefusesWhatMakesNoSense(t *testing.T) {
	tree := fixture(t, "6.1", map[Key]string{
		"net.ipv4.tcp_fin_timeout":         "60\n",
		"net.ipv4.tcp_tw_reuse":            "2\n",
		"net.ipv4.ip_local_port_range":     "32768\t60999\n",
		"net.ipv4.tcp_mem":                 "1\t2\t3\n",
		"net.ipv4.ip_local_reserved_ports": "\n",
		"net.ipv4.tcp_congestion_control":  "cubic\n",
	})
	before := listing(t, tree.root)
	for _, c := range []struct {
		key    Key
		value  Value
		detail string
	}{
		{"net.ipv4.tcp_fin_timeout", "-5", "-5 is outside the range that makes sense, 1 to 3600 seconds"},
		{"net.ipv4.tcp_fin_timeout", "0", "1 to 3600"},
		{"net.ipv4.tcp_fin_timeout", "3601", "1 to 3600"},
		{"net.ipv4.tcp_fin_timeout", "30 60", "keep the first"},
		{"net.ipv4.tcp_fin_timeout", "010", "not a decimal number"},
		{"net.ipv4.tcp_fin_timeout", "0x10", "not a decimal number"},
		{"net.ipv4.tcp_fin_timeout", "+5", "not a decimal number"},
		{"net.ipv4.tcp_fin_timeout", "1e3", "not a decimal number"},
		{"net.ipv4.tcp_fin_timeout", "", "not one number"},
		{"net.ipv4.tcp_tw_reuse", "3", "3 is outside the range that makes sense, 0 to 2"},
		{"net.ipv4.ip_local_port_range", "32768", "want 2 numbers, not 1"},
		{"net.ipv4.ip_local_port_range", "1024 2048 4096", "want 2 numbers, not 3"},
		{"net.ipv4.ip_local_port_range", "60999 32768", "32768 is less than the 60999 before it"},
		{"net.ipv4.ip_local_port_range", "500 65535", "500 is outside"},
		{"net.ipv4.ip_local_port_range", "1024-65535", "not a decimal number"},
		{"net.ipv4.tcp_mem", "1073741824 1073741824 1073741824", "96 to 268435456 pages"},
		{"net.ipv4.ip_local_reserved_ports", "8080 9090", "not a port"},
		{"net.ipv4.ip_local_reserved_ports", "8080,0100", "not a port"},
		{"net.ipv4.tcp_congestion_control", " ", "empty"},
	} {
		err := tree.Set(c.key, c.value)
		var e *Error
		if !errors.As(err, &e) || e.Cause != BadValue || !strings.Contains(e.Detail, c.detail) || e.Op != "set" {
			t.Errorf("Set(%s, %q): %v; want %q with %q", c.key, c.value, err, BadValue, c.detail)
		}
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Set(%s, %q): %v passes for absence", c.key, c.value, err)
		}
	}
	if err := tree.Set("net.ipv4.tcp_tw_resuse", "1"); CauseOf(err) != Unknown {
		t.Errorf("Set of an unknown parameter: %v", err)
	}
	if diff := cmp.Diff(before, listing(t, tree.root)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestGetReachesInterfacesWithADotInTheirName(t *testing.T) {
	key, err := ParseKey("net/ipv4/conf/eth0.100/forwarding")
	if err != nil {
		t.Fatal(err)
	}
	tree := fixture(t, "6.1", map[Key]string{key: "1\n", "net.ipv4.conf.eth0.forwarding": "0\n"})
	if v, err := tree.Get(key); err != nil || v != "1" {
		t.Errorf("Get(%s) = %q, %v", key, v, err)
	}
}

// onKernel runs the rest of the test where it may write: in a namespace of its
// own.
func onKernel(t *testing.T) (*Tree, Release, bool) {
	t.Helper()
	if !sysctltest.Namespace(t) {
		return nil, Release{}, false
	}
	tree, r := writableTree(t)
	return tree, r, true
}

func TestKernelSetNormalizesAndReadsBack(t *testing.T) {
	tree, _, inside := onKernel(t)
	if !inside {
		return
	}
	for _, c := range []struct {
		key  Key
		set  Value
		want Value
	}{
		{"net.ipv4.tcp_fin_timeout", " 30\n", "30"},
		{"net.ipv4.ip_local_port_range", "20000   65000", "20000\t65000"},
		{"net.ipv4.ip_local_port_range", "20000\t65001", "20000\t65001"},
		{"net.ipv4.tcp_rmem", "4096 131072 8388608", "4096\t131072\t8388608"},
	} {
		restored(t, tree, c.key, func(Value) {
			if err := tree.Set(c.key, c.set); err != nil {
				t.Error(err)
			}
			if v, err := tree.Get(c.key); err != nil || v != c.want {
				t.Errorf("%s = %q, %v after it was set to %q; want %q", c.key, v, err, c.set, c.want)
			}
		})
	}
}

// everyThird is a set of so many ports, none beside another.
func everyThird(ports int) Value {
	set := make([]string, ports)
	for i := range set {
		set[i] = strconv.Itoa(20_000 + 3*i)
	}
	return Value(strings.Join(set, ","))
}

func TestKernelReservedPortsAreReplacedAndCleared(t *testing.T) {
	tree, _, inside := onKernel(t)
	if !inside {
		return
	}
	const key = "net.ipv4.ip_local_reserved_ports"
	restored(t, tree, key, func(Value) {
		for _, c := range []struct{ set, want Value }{
			{"8080,8081", "8080-8081"}, // reads back otherwise and is equal
			{"9000-9010,8443,9005-9020", "8443,9000-9020"},
			{"0,65535", "0,65535"},
			{"", ""},
			{"1-65535", "1-65535"},
			{everyThird(200), everyThird(200)},
			{everyThird(15_000), everyThird(15_000)}, // 90 kB
			{"8080", "8080"},
			{"\n", ""},
		} {
			if err := tree.Set(key, c.set); err != nil {
				t.Errorf("%.300v", err)
			}
			if v, err := tree.Get(key); err != nil || v != c.want {
				t.Errorf("%.100q (%d bytes) after it was set to %.100q, %v; want %.100q (%d bytes)", v, len(v), c.set, err, c.want, len(c.want))
			}
		}
	})
}

func TestKernelRefusals(t *testing.T) {
	tree, r, inside := onKernel(t)
	if !inside {
		return
	}
	const cc = "net.ipv4.tcp_congestion_control"
	if lookup(t, cc).IsNamespaced(r) {
		restored(t, tree, cc, func(Value) {
			err := tree.Set(cc, "nosuch")
			if CauseOf(err) != Refused {
				t.Errorf("%s = nosuch: %v", cc, err)
			}
			// The kernel answers ENOENT: the name is absent, not the parameter.
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v passes for absence", err)
			}
		})
	}
	const retries = "net.ipv4.tcp_syn_retries"
	restored(t, tree, retries, func(old Value) {
		err := tree.Restore(retries, "128")
		if CauseOf(err) != Refused || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s = 128: %v", retries, err)
		}
		if v, err := tree.Get(retries); err != nil || v != old {
			t.Errorf("%s = %q, %v after a refusal; want %q", retries, v, err, old)
		}
	})
}

// Writes that the kernel reports as done and does otherwise.
func TestKernelKeepsSomethingElse(t *testing.T) {
	tree, _, inside := onKernel(t)
	if !inside {
		return
	}
	for _, c := range []struct {
		key         Key
		write, kept Value
	}{
		{"net.ipv4.tcp_fin_timeout", "30 60", "30"},
		{"net.ipv4.tcp_fin_timeout", "010", "8"},
		{"net.ipv4.ip_local_port_range", "40000", "40000\t60999"},
	} {
		restored(t, tree, c.key, func(Value) {
			err := tree.Restore(c.key, c.write)
			var e *Error
			if !errors.As(err, &e) || e.Cause != NotKept || !strings.Contains(e.Detail, `kernel kept "`+string(c.kept)+`"`) {
				t.Errorf("%s = %q: %v; want %q and what the kernel kept", c.key, c.write, err, NotKept)
			}
		})
	}
	// One millisecond is less than a tick, unless there are a thousand a second.
	const limit = "net.ipv4.tcp_invalid_ratelimit"
	restored(t, tree, limit, func(Value) {
		err := tree.Restore(limit, "1")
		v, _ := tree.Get(limit)
		if (CauseOf(err) == NotKept) != (v != "1") {
			t.Errorf("%s = 1: %v, and it reads %q", limit, err, v)
		}
	})
}

func TestKernelChildSeesTheHostReadOnly(t *testing.T) {
	tree, r, inside := onKernel(t)
	if !inside {
		return
	}
	if _, err := tree.Get("net.ipv4.tcp_max_orphans"); CauseOf(err) != HostWide {
		t.Errorf("tcp_max_orphans in a child: %v; want %q", err, HostWide)
	}
	checked := 0
	for _, p := range Catalogue() {
		host := p.ReadOnlyInChild && p.ShownInChild(r) || p.ReadOnly
		old, err := tree.Get(p.Key)
		if err != nil || !host {
			continue
		}
		checked++
		err = tree.Set(p.Key, Value(decimal(p.Sane.Min)))
		if CauseOf(err) != NotPermitted || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("Set(%s): %v; want %q", p.Key, err, NotPermitted)
		}
		if v, err := tree.Get(p.Key); err != nil || v != old {
			t.Errorf("%s was %q and is %q, %v", p.Key, old, v, err)
		}
	}
	if checked == 0 {
		t.Skipf("Linux %v shows a child nothing that is read-only", r)
	}
}

func TestKernelReadOnlyMount(t *testing.T) {
	tree, r, inside := onKernel(t)
	if !inside {
		return
	}
	// Below a mount of its own, in a mount namespace of its own; nothing is left
	// behind, since the process ends.
	root := t.TempDir()
	runtime.LockOSThread() // never unlocked: the thread keeps its mounts
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		sysctltest.RequireKernel(t, "cannot make a mount namespace: "+err.Error())
	}
	for _, m := range []struct {
		source, target string
		flags          uintptr
	}{
		{"", "/", unix.MS_REC | unix.MS_PRIVATE},
		{DefaultRoot, root, unix.MS_BIND | unix.MS_REC},
		{"", root, unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	} {
		if err := unix.Mount(m.source, m.target, "", m.flags, ""); err != nil {
			sysctltest.RequireKernel(t, "cannot mount "+m.target+": "+err.Error())
		}
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	readOnly, err := Open(root, r)
	if err != nil {
		t.Fatal(err)
	}
	const key = "net.ipv4.tcp_fin_timeout"
	err = readOnly.Set(key, "30")
	if CauseOf(err) != ReadOnlyTree || !errors.Is(err, syscall.EROFS) {
		t.Errorf("Set below a read-only mount: %v; want %q", err, ReadOnlyTree)
	}
	for _, tree := range []*Tree{tree, readOnly} {
		if v, err := tree.Get(key); err != nil || v != "60" {
			t.Errorf("%s = %q, %v", key, v, err)
		}
	}
}

func TestErrorsSayWhatAndWhy(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{&Error{Op: "read", Key: "a.b", Cause: Unknown}, "read a.b: no such parameter"},
		{&Error{Op: "set", Key: "a.b", Cause: Refused, Err: syscall.EINVAL}, "set a.b: refused by the kernel: invalid argument"},
		{&Error{Op: "set", Key: "a.b", Cause: BadValue, Detail: "why", Err: syscall.EINVAL}, "set a.b: value makes no sense: why"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("%q; want %q", c.err.Error(), c.want)
		}
	}
	if cause := CauseOf(errors.New("other")); cause != Failed {
		t.Errorf("the cause of a foreign error is %q", cause)
	}
	// Out of sight is not absent for good.
	var definitive []Cause
	for _, cause := range []Cause{NotYet, Removed, NotBuilt, ModuleMissing, HostWide, NotPermitted, ReadOnlyTree, Unknown, BadValue, Refused, NotKept, Failed} {
		if cause.Definitive() {
			definitive = append(definitive, cause)
		}
	}
	if want := []Cause{NotYet, Removed, NotBuilt, ModuleMissing, Unknown}; !slices.Equal(definitive, want) {
		t.Errorf("definitive: %v; want %v", definitive, want)
	}
}
