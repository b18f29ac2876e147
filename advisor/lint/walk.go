package lint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/advisor/settings"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// StandardInput is the name of what is read from a program's standard input.
const StandardInput = "<stdin>"

// A Work is the reading of a unit, which may wait for disks and be done by any
// goroutine.
type Work func() Unit

// Units lists the units that files and directories make, in a stable order: each
// file is one, and so are the drop-ins of a folder named sysctl.d. "-" is what
// stdin holds. In a directory only files are taken that may set parameters;
// links are left to where they lead. A path that cannot be looked at is a unit
// that says so.
func Units(paths []string, stdin io.Reader) iter.Seq[Work] {
	return func(yield func(Work) bool) {
		for _, path := range paths {
			if path == "-" {
				if !yield(func() Unit { return Unit{Files: []File{readAll(StandardInput, stdin)}} }) {
					return
				}
				continue
			}
			info, err := os.Stat(path)
			switch {
			case err != nil:
				if !yield(failed(path, err)) {
					return
				}
			case !info.IsDir():
				if !yield(func() Unit { return Unit{Files: []File{read(path, true)}} }) {
					return
				}
			case !walk(filepath.Clean(path), yield):
				return
			}
		}
	}
}

// Candidates is Units for files that were listed for another reason than what
// they hold, such as those of a commit. They are taken as in a walk through their
// directory: only those that may set parameters, and one that turns out to hold
// none, or cannot be understood, is no error. One in a folder named sysctl.d
// stands for the whole folder, since its drop-ins take effect together.
func Candidates(paths []string) iter.Seq[Work] {
	return func(yield func(Work) bool) {
		folders := map[string]bool{}
		for _, path := range paths {
			dir := filepath.Dir(path)
			info, err := os.Stat(path)
			more := true
			switch {
			case err != nil:
				more = yield(failed(path, err))
			case info.IsDir():
				more = walk(filepath.Clean(path), yield)
			case filepath.Base(dir) == "sysctl.d":
				if !folders[dir] {
					folders[dir] = true
					more = yield(func() Unit { return dropIns(dir) })
				}
			case settings.Candidate(path):
				more = yield(func() Unit { return Unit{Files: []File{read(path, false)}} })
			}
			if !more {
				return
			}
		}
	}
}

// Named is the unit of one file, or of stdin if its path is "-", that is judged
// under another name: a copy that is about to take that file's place.
func Named(name, path string, stdin io.Reader) Work {
	return func() Unit {
		if path == "-" {
			return Unit{Files: []File{readAll(name, stdin)}}
		}
		return Unit{Files: []File{readAs(name, path, true)}}
	}
}

func failed(path string, err error) Work {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	return func() Unit { return Unit{Files: []File{{Name: path, Err: err, Asked: true}}} }
}

// repositories are folders that hold a version control's own files.
var repositories = []string{".git", ".hg", ".svn"}

// walk yields the units below a directory and reports whether more are wanted.
func walk(top string, yield func(Work) bool) bool {
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		more := true
		switch {
		case err != nil:
			more = yield(failed(path, err))
			if entry != nil && entry.IsDir() && more {
				return fs.SkipDir
			}
		case entry.IsDir() && slices.Contains(repositories, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() && filepath.Base(path) == "sysctl.d":
			if !yield(func() Unit { return dropIns(path) }) {
				return fs.SkipAll
			}
			return fs.SkipDir
		case entry.Type().IsRegular() && settings.Candidate(path):
			more = yield(func() Unit { return Unit{Files: []File{read(path, false)}} })
		}
		if !more {
			return fs.SkipAll
		}
		return nil
	})
	return err == nil
}

// dropIns reads a folder as both loaders do: by name, and only what ends in
// .conf.
func dropIns(dir string) Unit {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return failed(dir, err)()
	}
	var u, beside Unit
	for _, entry := range entries { // sorted by name
		path := filepath.Join(dir, entry.Name())
		switch {
		case !entry.Type().IsRegular():
		case filepath.Ext(path) == ".conf":
			u.Files = append(u.Files, read(path, false))
		default:
			if file := read(path, false); file.Err == nil && file.Form == settings.SysctlConf && !conf.SetAside(path) {
				file.NeverRead = "the loaders read only files whose names end in .conf"
				beside.Files = append(beside.Files, file)
			}
		}
	}
	u.Beside = beside.Files
	return u
}

// read reads a file that is one, and never waits for a pipe.
func read(path string, asked bool) File { return readAs(path, path, asked) }

// readAs reads a file as if it had another name.
func readAs(name, path string, asked bool) File {
	content, _, err := regular.Read(path, settings.MaxSize+1)
	if err != nil {
		return File{Name: path, Err: err, Asked: asked}
	}
	f := understand(name, content)
	f.Asked = asked
	return f
}

func readAll(name string, r io.Reader) File {
	content, err := io.ReadAll(io.LimitReader(r, settings.MaxSize+1))
	if err != nil {
		return File{Name: name, Asked: true, Err: fmt.Errorf("could not be read: %w", err)}
	}
	return understand(name, content)
}

func understand(name string, content []byte) (f File) {
	f.Name, f.Asked = name, true
	if name == StandardInput {
		f.content = content
	}
	f.File, f.Err = settings.Read(name, content)
	if f.Err == nil && f.Form == settings.Profile {
		f.Err = profiles.Check(string(content))
	}
	return f
}
