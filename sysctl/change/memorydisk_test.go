package change

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptune/tcptune/sysctl/conf"
)

// A memoryDisk is a model of a disk. It knows what would be left of it if the
// power failed: of a file's content what was flushed, of a directory's names
// those at its last sync. Whatever came later may be there or not, each by itself,
// which is less than any file system promises.
type memoryDisk struct {
	files   map[string]*inode
	durable map[string]*inode // names as of the last sync of their directory
	pending []nameChange

	calls int
	// fault, if set, is asked at each call. An error is the call's; done says that
	// it is carried out all the same, as far as that goes.
	fault func(call int, what string) (err error, done bool)
}

type inode struct {
	content, flushed []byte
}

// A nameChange is a name given, or taken away if to is nil; a rename does both.
type nameChange struct {
	dir      string
	path     string
	to       *inode
	takeAway string
}

func newMemoryDisk() *memoryDisk {
	return &memoryDisk{files: make(map[string]*inode), durable: make(map[string]*inode)}
}

// journal opens one on the disk that looks as if it held the lock. Directories
// are real, since who could exchange them is asked of the kernel.
func (d *memoryDisk) journal(t *testing.T, dir string) *Journal {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	j.disk, j.held = d, true
	return j
}

func (d *memoryDisk) call(what string, do func() error) error {
	d.calls++
	if d.fault != nil {
		if err, done := d.fault(d.calls, what); err != nil {
			if done {
				_ = do()
			}
			return err
		}
	}
	return do()
}

func (d *memoryDisk) mkdir(string) error { return fs.ErrExist }

func (d *memoryDisk) names(dir string) (names []string, err error) {
	err = d.call("names "+dir, func() error {
		for _, path := range slices.Sorted(maps.Keys(d.files)) {
			if filepath.Dir(path) == dir {
				names = append(names, filepath.Base(path))
			}
		}
		return nil
	})
	return names, err
}

func (d *memoryDisk) read(path string, _ int64) (content []byte, err error) {
	err = d.call("read "+path, func() error {
		f, ok := d.files[path]
		if !ok {
			return &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
		}
		content = slices.Concat([]byte{}, f.content)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

func (d *memoryDisk) create(path string, _ fs.FileMode) (f newFile, err error) {
	err = d.call("create "+path, func() error {
		if d.files[path] != nil {
			return &fs.PathError{Op: "open", Path: path, Err: syscall.EEXIST}
		}
		d.give(path, new(inode), "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &memoryFile{d, d.files[path]}, nil
}

func (d *memoryDisk) rename(from, to string) error {
	return d.call("rename "+from, func() error {
		f, ok := d.files[from]
		if !ok {
			return &fs.PathError{Op: "rename", Path: from, Err: syscall.ENOENT}
		}
		d.give(to, f, from)
		return nil
	})
}

func (d *memoryDisk) remove(path string) error {
	return d.call("remove "+path, func() error {
		if d.files[path] == nil {
			return &fs.PathError{Op: "remove", Path: path, Err: syscall.ENOENT}
		}
		d.give(path, nil, "")
		return nil
	})
}

func (d *memoryDisk) give(path string, to *inode, takeAway string) {
	c := nameChange{filepath.Dir(path), path, to, takeAway}
	c.apply(d.files)
	d.pending = append(d.pending, c)
}

func (c nameChange) apply(files map[string]*inode) {
	if c.to == nil {
		delete(files, c.path)
		return
	}
	files[c.path] = c.to
	delete(files, c.takeAway)
}

func (d *memoryDisk) sync(dir string) error {
	return d.call("sync "+dir, func() error {
		maps.DeleteFunc(d.durable, func(path string, _ *inode) bool { return filepath.Dir(path) == dir })
		for path, f := range d.files {
			if filepath.Dir(path) == dir {
				d.durable[path] = f
			}
		}
		d.pending = slices.DeleteFunc(d.pending, func(c nameChange) bool { return c.dir == dir })
		return nil
	})
}

type memoryFile struct {
	d *memoryDisk
	*inode
}

func (f *memoryFile) inherit(path string) error {
	return f.d.call("inherit "+path, func() error { return nil })
}

func (f *memoryFile) Write(b []byte) (n int, err error) {
	err = f.d.call("write", func() error {
		f.content = append(f.content, b...)
		return nil
	})
	if err != nil {
		f.content = append(f.content, b[:len(b)/2]...) // a disk that is full takes a part
		return len(b) / 2, err
	}
	return len(b), nil
}

func (f *memoryFile) Sync() error {
	return f.d.call("flush", func() error {
		f.flushed = slices.Clone(f.content)
		return nil
	})
}

func (f *memoryFile) Close() error { return f.d.call("close", func() error { return nil }) }

// afterPowerLoss gives every disk that may be found when the power is back.
func (d *memoryDisk) afterPowerLoss() []*memoryDisk {
	var found []*memoryDisk
	for kept := range 1 << len(d.pending) {
		names := maps.Clone(d.durable)
		for i, c := range d.pending {
			if kept&(1<<i) != 0 {
				c.apply(names)
			}
		}
		for _, part := range []int{0, 1, 2} { // of what was not flushed: nothing, half, all
			after := newMemoryDisk()
			for path, f := range names {
				content := slices.Concat(f.flushed, f.content[len(f.flushed):][:(len(f.content)-len(f.flushed))*part/2])
				after.files[path] = &inode{content, content}
			}
			after.durable = maps.Clone(after.files)
			found = append(found, after)
		}
	}
	return found
}

// String lists names and sizes, for a test that fails.
func (d *memoryDisk) String() string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		fmt.Fprintf(&b, "%s (%d bytes)\n", path, len(d.files[path].content))
	}
	return b.String()
}

// lines are the settings of a drop-in on the disk, which must be as tcptune wrote
// it.
func (d *memoryDisk) lines(t *testing.T, path string) []conf.Line {
	t.Helper()
	f, ok := d.files[path]
	if !ok {
		return nil
	}
	if why := edited(f.content, filepath.Join(filepath.Dir(path), "state")); why != "" {
		t.Errorf("%s: %s: %q", path, why, f.content)
	}
	lines, faults, err := conf.Parse(bytes.NewReader(f.content), path, "")
	if err != nil || len(faults) > 0 {
		t.Errorf("%s: %v, %v", path, faults, err)
	}
	return lines
}
