package conf

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
)

// A Status is what becomes of a file.
type Status string

const (
	Read       Status = "read"
	Hidden     Status = "hidden"     // an earlier directory has a file of that name
	Masked     Status = "masked"     // leads to /dev/null, and so hides others without saying anything
	NeverRead  Status = "never read" // not by this loader
	Unreadable Status = "unreadable" // in whole or from some line on
)

// A File is one that the loader reads, or that a person might believe it does.
type File struct {
	Path   string // as seen from the root
	Target string // where it leads if it is or stands behind a link, as seen from the root; otherwise ""
	Status Status
	Reason string // for people, "" for files that are read
	// Err is why this process could not read what a loader, as root, might have
	// read; nil where the loader gets no further either.
	Err error `json:"-"`
}

// fail notes that the file could not be read.
func (f *File) fail(err error) {
	f.Status, f.Err = Unreadable, err
	f.Reason = strings.TrimPrefix(err.Error(), f.Path+": ")
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		f.Reason = at.Err.Error()
	}
}

const devNull = "/dev/null"

// list finds the files of the loader in the order in which they apply, and then
// those that it does not read.
func (s System) list() (apply, others []File) {
	byName := map[string]File{}
	seen := map[string]bool{} // /lib may be a link to /usr/lib
	for _, dir := range directories {
		real, err := s.resolve(dir)
		if err == nil && seen[real] {
			continue
		}
		seen[real] = true
		var entries []fs.DirEntry
		if err == nil {
			entries, err = os.ReadDir(real)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			f := File{Path: dir}
			f.fail(err)
			others = append(others, f)
		}
		names := s.laidIn(real)
		for _, entry := range entries {
			if !slices.Contains(names, entry.Name()) {
				names = append(names, entry.Name())
			}
		}
		for _, name := range names {
			f := File{Path: path.Join(dir, name)}
			if f.Reason = s.Loader.notReadFor(name); f.Reason != "" {
				f.Status = NeverRead
				others = append(others, f)
				continue
			}
			first, hidden := byName[name]
			if f = s.follow(f); hidden {
				f.Status, f.Reason = Hidden, "hidden by "+first.Path
				others = append(others, f)
				continue
			}
			byName[name] = f
			apply = append(apply, f)
		}
	}
	slices.SortFunc(apply, func(a, b File) int { return strings.Compare(path.Base(a.Path), path.Base(b.Path)) })
	if last, ok := s.mainFile(apply); ok {
		if last.Status == NeverRead {
			others = append(others, last)
		} else {
			apply = append(apply, last)
		}
	}
	return apply, others
}

// behind is what the loader opens for a file's path. procps takes the path for a
// glob with braces, and so reads others if they match (src/sysctl.c, Preload).
func (s System) behind(file string) []string {
	dir, name := path.Split(file)
	if s.Loader != Procps || !strings.ContainsAny(name, `*?[{\`) {
		return []string{file}
	}
	var found []string
	others := s.names(dir)
	for _, pattern := range braces(name) {
		expression, err := regexp.Compile("(?s)^" + translate(pattern) + "$")
		for _, other := range others { // in order
			if err == nil && expression.MatchString(other) {
				found = append(found, dir+other)
			}
		}
	}
	if found == nil {
		return []string{file}
	}
	return found
}

// names lists a directory, which is empty if it cannot be read.
func (s System) names(dir string) []string {
	real, err := s.resolve(dir)
	if err != nil {
		return nil
	}
	entries, _ := os.ReadDir(real)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// mainFile is /etc/sysctl.conf, if it stands in the list on its own account.
func (s System) mainFile(dropIns []File) (File, bool) {
	f := s.follow(File{Path: mainFile})
	real, err := s.resolve(mainFile)
	if err != nil {
		return f, true
	}
	info, err := os.Stat(real)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.Target == "":
		return f, false
	case s.Loader == Procps:
		if f.Status != Read {
			f.Status, f.Reason = NeverRead, "procps passes over it, since it is not a regular file"
		}
		return f, true
	}
	for _, dropIn := range dropIns {
		if _, laid := s.laid(dropIn.Path); laid {
			continue
		}
		linked, errLinked := s.resolve(dropIn.Path)
		other, errOther := os.Stat(linked)
		if err == nil && errLinked == nil && errOther == nil && os.SameFile(info, other) {
			return f, false
		}
	}
	f.Status, f.Reason = NeverRead, "systemd-sysctl does not read it, and no drop-in links to it"
	return f, true
}

// resolve is the file on this host that a path inside the root leads to.
func (s System) resolve(path string) (string, error) { return securejoin.SecureJoin(s.root(), path) }

func (s System) root() string {
	if root, err := filepath.Abs(s.Root); err == nil && s.Root != "" {
		return root
	}
	return "/"
}

// laidIn are the names of laid files in a folder of this host.
func (s System) laidIn(folder string) (names []string) {
	for file := range s.Laid {
		if real, err := s.resolve(path.Dir(file)); err == nil && real == folder {
			names = append(names, path.Base(file))
		}
	}
	return names
}

// laid is the content of a laid file, whichever of its names a path is.
func (s System) laid(file string) (content []byte, is bool) {
	for other, content := range s.Laid {
		if file == other {
			return content, true
		}
		if path.Base(file) != path.Base(other) {
			continue
		}
		real, err := s.resolve(path.Dir(file))
		same, errOther := s.resolve(path.Dir(other))
		if err == nil && errOther == nil && real == same {
			return content, true
		}
	}
	return nil, false
}

// follow finds out where a file leads and whether it can be read at all.
func (s System) follow(f File) File {
	f.Status = Read
	if _, laid := s.laid(f.Path); laid {
		return f // takes the place of a link that was there
	}
	real, err := s.resolve(f.Path)
	if err != nil {
		f.fail(err)
		return f
	}
	target := "/" + strings.TrimPrefix(strings.TrimPrefix(real, s.root()), "/")
	if target != f.Path {
		f.Target = target
	}
	var stat unix.Stat_t
	err = unix.Stat(real, &stat)
	switch {
	// An image need not hold the device.
	case target == devNull, err == nil && stat.Mode&unix.S_IFMT == unix.S_IFCHR && stat.Rdev == unix.Mkdev(1, 3):
		f.Status, f.Reason = Masked, "leads to "+devNull
	case errors.Is(err, unix.ENOENT) && f.Target != "":
		f.Status, f.Reason = Unreadable, "leads to "+f.Target+", which does not exist"
	case err != nil:
		f.fail(err)
	default:
		if kind := kinds[stat.Mode&unix.S_IFMT]; kind != "" {
			f.Status, f.Reason = Unreadable, "is "+kind
		}
	}
	return f
}

// kinds are what a loader would fail on, or read without end.
var kinds = map[uint32]string{
	unix.S_IFDIR:  "a directory",
	unix.S_IFIFO:  "a pipe, on which the loader would wait",
	unix.S_IFSOCK: "a socket",
	unix.S_IFCHR:  "a device",
	unix.S_IFBLK:  "a device",
}

// open opens a regular file for reading without ever waiting for data: some
// below /proc are regular and yet block, such as /proc/kmsg. It is no [os.File],
// since that would wait on behalf of its caller.
func (s System) open(path string) (io.ReadCloser, error) {
	if content, laid := s.laid(path); laid {
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	real, err := s.resolve(path)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(real, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return descriptor(fd), nil
}

type descriptor int

func (d descriptor) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(d), b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (d descriptor) Close() error { return unix.Close(int(d)) }
