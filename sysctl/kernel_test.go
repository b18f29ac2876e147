package sysctl

import (
	"errors"
	"math"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// These tests hold the catalogue against the kernel that runs. Values are
// written only in network namespaces of their own.

func runningTree(t *testing.T) (*Tree, Release) {
	t.Helper()
	r, err := RunningRelease()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Open(DefaultRoot, r)
	if err != nil {
		t.Fatal(err)
	}
	return tree, r
}

// writableTree is for tests that write, in a namespace of their own. A container
// may have /proc/sys read-only all the same.
func writableTree(t *testing.T) (*Tree, Release) {
	t.Helper()
	tree, r := runningTree(t)
	if !tree.IsChild() {
		t.Fatal("about to write the host's parameters")
	}
	v, err := tree.Get("net.core.somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Restore("net.core.somaxconn", v); CauseOf(err) == ReadOnlyTree {
		sysctltest.RequireKernel(t, err.Error())
	}
	return tree, r
}

// moduleLoaded looks for a file of the module that is not in the catalogue.
func moduleLoaded(p Param) bool {
	witness := map[string]string{
		"nf_conntrack": "net/netfilter/nf_conntrack_checksum",
		"ipv6":         "net/ipv6/conf/all/hop_limit",
	}
	if p.Module == "" {
		return true
	}
	file, known := witness[p.Module]
	_, err := os.Stat(DefaultRoot + "/" + file)
	return known && err == nil
}

func checkPresence(t *testing.T, tree *Tree, r Release) {
	t.Helper()
	child := tree.IsChild()
	for _, p := range Catalogue() {
		if backported(t, p.Key, r) {
			continue
		}
		_, err := tree.Get(p.Key)
		there := err == nil
		want := p.presentByNumber(r) && (!child || p.ShownInChild(r)) && moduleLoaded(p)
		if there != want {
			t.Errorf("%s: there: %v (%v), by the catalogue of Linux %v: %v", p.Key, there, err, r, want)
		}
		if cause := CauseOf(err); !there && cause != NotYet && cause != Removed && cause != HostWide && cause != ModuleMissing {
			t.Errorf("%s is absent: %v", p.Key, err)
		}
		if info, err := os.Stat(tree.file(p.Key)); there && err == nil {
			writable := !p.ReadOnly && (!child || p.IsNamespaced(r))
			if (info.Mode()&0o200 != 0) != writable {
				t.Errorf("%s has mode %v; writable by the catalogue: %v", p.Key, info.Mode(), writable)
			}
		}
	}
}

func TestPresenceOnTheRunningKernel(t *testing.T) {
	tree, r := runningTree(t)
	checkPresence(t, tree, r)
}

func TestPresenceInAFreshNamespace(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	tree, r := runningTree(t)
	if !tree.IsChild() {
		t.Fatal("the namespace passes for the host's first")
	}
	checkPresence(t, tree, r)
}

// restored runs f and demands that the parameter can be put back afterwards.
func restored(t *testing.T, tree *Tree, k Key, f func(old Value)) {
	t.Helper()
	old, err := tree.Get(k)
	if err != nil {
		t.Fatal(err)
	}
	f(old)
	if err := tree.Restore(k, old); err != nil {
		t.Error(err)
	}
	if now, err := tree.Get(k); err != nil || now != old {
		t.Errorf("%s was %q and is %q after it was put back, %v", k, old, now, err)
	}
}

// writableNumbers calls f for each parameter of one number that the namespace
// has for itself.
func writableNumbers(t *testing.T, tree *Tree, r Release, f func(p Param)) {
	t.Helper()
	count := 0
	for _, p := range Catalogue() {
		if p.Type == Number && p.IsNamespaced(r) && !p.ReadOnly && p.presentByNumber(r) && moduleLoaded(p) {
			count++
			f(p)
		}
	}
	if count < 5 {
		t.Errorf("only %d parameters", count)
	}
}

func TestWhatMakesSenseIsKept(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	tree, r := writableTree(t)
	writableNumbers(t, tree, r, func(p Param) {
		restored(t, tree, p.Key, func(Value) {
			for _, n := range []int64{p.Sane.Min, p.Sane.Max} {
				if err := tree.Set(p.Key, Value(decimal(n))); err != nil {
					t.Error(err)
				}
				if v, err := tree.Get(p.Key); err != nil || string(v) != decimal(n) {
					t.Errorf("%s = %q, %v after it was set to %d", p.Key, v, err, n)
				}
			}
		})
	})
}

// The limits of the catalogue are those of the kernel, to the number.
func TestAcceptedRangesOfTheRunningKernel(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	tree, r := writableTree(t)
	writableNumbers(t, tree, r, func(p Param) {
		accepted, known := p.Accepted(r)
		if !known || bytesTakenOver(p, r) {
			return
		}
		if p.Key == "net.ipv6.conf.all.forwarding" && answersShort(t, tree.file(p.Key)) {
			return
		}
		exact := p.Accepts[0].Range != acceptsSeconds()[0].Range // the bounds of seconds depend on the build
		switch p.Key {
		case "net.ipv4.ip_unprivileged_port_start":
			exact, accepted.Max = false, 32_768 // bound by ip_local_port_range besides
		case "net.ipv4.tcp_invalid_ratelimit":
			exact, accepted.Max = false, 1_000_000_000 // a whole number of ticks
		}
		restored(t, tree, p.Key, func(old Value) {
			for _, n := range []int64{accepted.Min, accepted.Max} {
				if err := tree.Restore(p.Key, Value(decimal(n))); err != nil {
					t.Error(err)
				}
			}
			if err := tree.Restore(p.Key, old); err != nil {
				t.Error(err)
			}
			outside := []int64{math.MaxInt64 / 2}
			if exact {
				outside = append(outside, accepted.Min-1, accepted.Max+1)
			}
			for _, n := range outside {
				err := tree.Restore(p.Key, Value(decimal(n)))
				if CauseOf(err) != Refused || !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s = %d: %v; by the catalogue the kernel takes %v", p.Key, n, err, accepted)
				}
				if v, err := tree.Get(p.Key); err != nil || v != old {
					t.Errorf("%s = %q, %v after %d was refused; want %q", p.Key, v, err, n, old)
				}
			}
		})
	})
}

// answersShort reports whether a parameter takes a number whole and answers that it
// took less, as Linux 6.18.15 does when IPv6 begins to forward: the 1 that
// net/ipv6/addrconf.c, addrconf_fixup_forwarding returns passes for a length. The
// runtime then writes the rest as well, and the last digit stays. What makes
// sense there has one.
func answersShort(t *testing.T, file string) bool {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	n, err := syscall.Write(fd, []byte("10"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, old[:1], 0); err != nil {
		t.Fatal(err)
	}
	return n < len("10")
}

// bytesTakenOver: long-term kernels took over the one-byte numbers of 5.13, and
// the release number does not tell which.
func bytesTakenOver(p Param, r Release) bool {
	return slices.Contains(p.Accepts, Accept{linux(5, 13), oneByte}) && !r.Before(linux(4, 19)) && r.Before(linux(5, 13))
}

func TestDefaultsInAFreshNamespace(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	tree, r := writableTree(t)
	writableNumbers(t, tree, r, func(p Param) {
		defaults := p.defaults(r)
		if len(defaults) == 1 && defaults[0].Rule != nil {
			return // by the host
		}
		v, err := tree.Get(p.Key)
		if err != nil || !slices.ContainsFunc(defaults, func(d Default) bool { return d.Rule == nil && d.Value == v }) {
			t.Errorf("%s = %q, %v in a fresh namespace; the default is %s", p.Key, v, err, p.DefaultText(Host{Release: r}))
		}
	})
}
