package change

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// A ramDisk is a small file system that only the test's thread sees.
type ramDisk struct {
	t   *testing.T
	dir string
}

// newDisk mounts one. It is for the child of [sysctltest.Namespace].
func newDisk(t *testing.T) ramDisk {
	t.Helper()
	dir := t.TempDir()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		sysctltest.RequireKernel(t, "cannot make a mount namespace: "+err.Error())
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		sysctltest.RequireKernel(t, "cannot make mounts private: "+err.Error())
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		sysctltest.RequireKernel(t, "cannot mount a file system: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return ramDisk{t, dir}
}

// fill leaves no space; free gives it back.
func (d ramDisk) fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.dir, "fill"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

func (d ramDisk) free() { _ = os.Remove(filepath.Join(d.dir, "fill")) }

func (d ramDisk) remount(flags uintptr) {
	d.t.Helper()
	if err := unix.Mount("", d.dir, "", unix.MS_REMOUNT|flags, ""); err != nil {
		d.t.Fatal(err)
	}
}

func (d ramDisk) journal() *Journal {
	d.t.Helper()
	j, err := OpenJournal(filepath.Join(d.dir, "state"))
	if err != nil {
		d.t.Fatal(err)
	}
	return j
}

func (d ramDisk) mkdir(name string) string {
	d.t.Helper()
	dir := filepath.Join(d.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

func TestFullDiskBeforeTheFirstWrite(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	d, p := newDisk(t), newFake()
	d.mkdir("state")
	d.fill()
	j := d.journal()
	if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); !errors.Is(err, syscall.ENOSPC) || len(p.log) != 0 {
		t.Errorf("error %v, writes %q", err, p.log)
	}
	if list := entries(t, j); len(list) != 0 {
		t.Errorf("journal %+v", list)
	}
	assertNoLitter(t, j.dir)
	d.free()
	mustApply(t, p, j, Request{Changes: three()})
}

func TestFullDiskAfterTheWritesUndoesThem(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, drop := newFake(), layer(t, string(fin), "30")
	d := newDisk(t)
	j := d.journal()
	j.hook = func(step string) {
		if step == "replace "+drop.Path {
			d.fill()
		}
	}
	_, err := Apply(t.Context(), p, j, Request{Changes: three(), Persist: drop})
	undone := (*UndoneError)(nil)
	if !errors.As(err, &undone) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(newFake().values, p.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if text := contentOf(t, drop.Path); text != "absent" || undone.Result.DropIn.Outcome != FileRemoved {
		t.Errorf("drop-in %q", text)
	}
	j.hook = nil
	// It could not be recorded that all is old again: the entry stays begun.
	d.free()
	unfinished := (*UnfinishedError)(nil)
	if _, err := Apply(t.Context(), p, j, Request{Changes: three()}); !errors.As(err, &unfinished) {
		t.Errorf("error %v", err)
	}
	if result := mustRollback(t, p, j, ""); len(result.Same) != 3 {
		t.Errorf("result %+v", result)
	}
	mustApply(t, p, j, Request{Changes: three()})
}

func TestFullDiskKeepsNobodyFromRollingBack(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	d, p := newDisk(t), newFake()
	j := d.journal()
	mustApply(t, p, j, Request{Changes: three()})
	d.fill()
	result, err := rollback(t, p, j, "")
	if !errors.Is(err, syscall.ENOSPC) || len(result.Restored) != 3 {
		t.Errorf("result %+v, error %v", result, err)
	}
	if diff := cmp.Diff(newFake().values, p.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	d.free()
	if result := mustRollback(t, p, j, ""); len(result.Same) != 3 || entries(t, j)[0].State != RolledBack {
		t.Errorf("result %+v", result)
	}
}

func TestFullDiskUnderTheDropIn(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, j, drop := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	d := newDisk(t)
	drop.Path = filepath.Join(d.mkdir("sysctl.d"), "90-tcptune.conf")
	d.fill()
	_, err := Apply(t.Context(), p, j, Request{Changes: three(), Persist: drop})
	undone := (*UndoneError)(nil)
	if !errors.As(err, &undone) || !errors.Is(err, syscall.ENOSPC) || p.values[fin] != "60" {
		t.Errorf("error %v, values %v", err, p.values)
	}
	if contentOf(t, drop.Path) != "absent" || entries(t, j)[0].State != Undone {
		t.Errorf("drop-in %q, entry %+v", contentOf(t, drop.Path), entries(t, j)[0])
	}
	assertNoLitter(t, filepath.Dir(drop.Path))
}

func TestReadOnlyFileSystem(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, elsewhere, drop := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	d := newDisk(t)
	drop.Path = filepath.Join(d.mkdir("sysctl.d"), "90-tcptune.conf")
	j := d.journal()
	mustApply(t, p, j, Request{Changes: three()[:1]})
	d.remount(unix.MS_RDONLY)
	p.log = nil

	rest := Request{Changes: three()[1:]}
	if _, err := Apply(t.Context(), p, j, rest); !errors.Is(err, syscall.EROFS) || len(p.log) != 0 {
		t.Errorf("journal: error %v, writes %q", err, p.log)
	}
	rest.Persist = drop
	if _, err := Apply(t.Context(), p, elsewhere, rest); !errors.Is(err, syscall.EROFS) || len(p.log) != 0 || len(entries(t, elsewhere)) != 0 {
		t.Errorf("drop-in: error %v, writes %q", err, p.log)
	}
	if result, err := rollback(t, p, j, ""); !errors.Is(err, syscall.EROFS) || len(result.Restored) != 1 || p.values[fin] != "60" {
		t.Errorf("roll back: %+v, %v", result, err)
	}
	d.remount(0)
	mustRollback(t, p, j, "")
}
