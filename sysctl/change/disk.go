package change

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A disk is all that the package asks of file systems once it has looked. It is
// small enough to be modelled: tests have one that fails at each call, and one
// that forgets at a power loss whatever was not flushed.
type disk interface {
	mkdir(dir string) error
	names(dir string) ([]string, error)
	// read reads a file that is no link, no device and not larger than limit; else
	// the error is notAFile.
	read(path string, limit int64) ([]byte, error)
	// create makes a file that is not there yet.
	create(path string, mode fs.FileMode) (newFile, error)
	rename(from, to string) error
	remove(path string) error
	// sync makes the names in a directory durable.
	sync(dir string) error
}

// notAFile is why something at a path is not what could have been written there.
type notAFile string

func (e notAFile) Error() string { return string(e) }

// A newFile is one that is being written.
type newFile interface {
	io.WriteCloser
	// inherit takes over the security label of the file at path, if there is one.
	inherit(path string) error
	Sync() error
}

// replace gives a file new content such that after a crash of the host it has
// either the old or the new one. id is the transaction on whose behalf it is; it
// names the temporary file, so that the next run knows it for ours.
//
// Not renameio, which offers no seam below which its calls could be made to
// fail, and leaves the directory unflushed.
func (j *Journal) replace(path, id string, content []byte, mode fs.FileMode) error {
	temporary := temporary(path, id)
	err := j.prepare(temporary, path, content, mode)
	if err == nil {
		j.did("prepare " + path)
		err = j.disk.rename(temporary, path)
	}
	if err != nil {
		_ = j.disk.remove(temporary) // or the next run does it
		return fmt.Errorf("replace %s: %w", path, err)
	}
	j.did("replace " + path)
	if err := j.disk.sync(filepath.Dir(path)); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

func (j *Journal) prepare(temporary, path string, content []byte, mode fs.FileMode) error {
	f, err := j.disk.create(temporary, mode)
	if errors.Is(err, fs.ErrExist) {
		// An earlier run on behalf of this transaction was killed.
		if err = j.disk.remove(temporary); err == nil {
			f, err = j.disk.create(temporary, mode)
		}
	}
	if err != nil {
		return err
	}
	err = f.inherit(path)
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove removes a file for good.
func (j *Journal) remove(path string) error {
	if err := j.disk.remove(path); err != nil {
		return err
	}
	j.did("remove " + path)
	return j.disk.sync(filepath.Dir(path))
}

// temporary is where the content of a file is prepared: in its own directory, so
// that it can be renamed and gets the directory's label, and hidden, so that no
// loader reads it.
func temporary(path, id string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+id+temporarySuffix)
}

const temporarySuffix = ".tmp"

// realDisk is the disk below a running program.
type realDisk struct{}

func (realDisk) mkdir(dir string) error       { return os.Mkdir(dir, 0o700) }
func (realDisk) rename(from, to string) error { return os.Rename(from, to) }

func (realDisk) remove(path string) error {
	if err := unix.Unlink(path); err != nil { // never a directory, as os.Remove would
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

func (realDisk) names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (realDisk) read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, notAFile("it is a symbolic link")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notAFile("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = notAFile(fmt.Sprintf("it is larger than %d bytes", limit))
	}
	return text, err
}

func (realDisk) create(path string, mode fs.FileMode) (newFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(mode); err != nil { // whatever the umask
		return nil, errors.Join(err, f.Close())
	}
	return realFile{f}, nil
}

func (realDisk) sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

type realFile struct{ *os.File }

// selinux is the attribute that holds a file's SELinux context (xattr(7)).
const selinux = "security.selinux"

func (f realFile) inherit(path string) error {
	label, fresh := make([]byte, 4096), make([]byte, 4096)
	n, err := unix.Lgetxattr(path, selinux, label)
	if err != nil || n == 0 {
		return nil // no such file, or none with a label
	}
	if m, err := unix.Fgetxattr(int(f.Fd()), selinux, fresh); err == nil && string(fresh[:m]) == string(label[:n]) {
		return nil
	}
	if err := unix.Fsetxattr(int(f.Fd()), selinux, label[:n], 0); err != nil {
		return fmt.Errorf("the SELinux context of %s cannot be kept: %w", path, err)
	}
	return nil
}
