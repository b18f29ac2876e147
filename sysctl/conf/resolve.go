package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// A System is a set of files to be read as one loader reads them at boot.
type System struct {
	Root   string // "/", or the top of an image or repository, inside which links are followed
	Loader Loader
	// Keys are those that a glob matches; nil for the parameters of the running
	// kernel. [KeysOf] makes one for other systems.
	Keys func(pattern sysctl.Key) []sysctl.Key
	// Laid is the content, by absolute path, of files that are taken to be there,
	// as one that is yet to be written.
	Laid map[string][]byte
}

// A Resolution is what the files come to.
type Resolution struct {
	Loader    Loader
	Files     []File    // in the order in which they apply; then those that are not read
	Lines     []Line    // all that were understood, in the order in which they were read
	Settings  []Setting // sorted by key; among them keys that no kernel has
	Faults    []Fault
	Unmatched []Line // globs that match no parameter, and exclusions by glob, which both loaders take for plain names
}

// A Setting is one key with every line that would set it.
type Setting struct {
	Key sysctl.Key
	// Definitions are first those that are never written, as they were read, and
	// then the others as they are written: the one that holds is the last.
	Definitions []Definition
}

// A Definition is a line that would set a key.
type Definition struct {
	Line
	Pattern sysctl.Key // the glob that gave it, "" if the line names the key itself
	Loses   string     // why it does not hold, for people; "" if it holds
	By      *Line      // the line for which it does not hold, nil if it holds
	// Written: the loader writes the value all the same, and it stays where the
	// kernel refuses what is written after it.
	Written bool
}

// Winner is the definition that holds. There is none where every line is taken
// back.
func (s Setting) Winner() (Definition, bool) {
	if n := len(s.Definitions); n > 0 && s.Definitions[n-1].Loses == "" {
		return s.Definitions[n-1], true
	}
	return Definition{}, false
}

// Setting is what the files say of a key.
func (r Resolution) Setting(key sysctl.Key) (Setting, bool) {
	i, found := slices.BinarySearchFunc(r.Settings, key, func(s Setting, key sysctl.Key) int { return strings.Compare(string(s.Key), string(key)) })
	if !found {
		return Setting{}, false
	}
	return r.Settings[i], true
}

// Err joins the errors of all files that the loader might have read and that
// this process could not, nil if there are none.
func (r Resolution) Err() error {
	var errs []error
	for _, f := range r.Files {
		if f.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Path, f.Err))
		}
	}
	return errors.Join(errs...)
}

// Resolve reads the files and decides. It does not fail as a whole: what could
// not be read stands in Files.
func (s System) Resolve() Resolution {
	r := Resolution{Loader: s.Loader}
	q := &queue{loader: s.Loader, named: map[string]*slot{}}
	if s.root() == "/" {
		// The kernel heeds its command line before any loader runs, and the
		// loader knows nothing of it.
		for _, l := range commandLine() {
			r.Lines = append(r.Lines, l)
			q.slots = append(q.slots, &slot{name: l.Key.Path(), lines: []Line{l}})
		}
	}
	apply, others := s.list()
	line := func(l Line, name string) {
		r.Lines = append(r.Lines, l)
		q.add(l, name)
	}
	fault := func(f Fault) { r.Faults = append(r.Faults, f) }
	for i := range apply {
		s.read(&apply[i], line, fault)
	}
	r.Files = append(apply, others...)
	s.decide(&r, q)
	return r
}

// read reads a file, and notes in it what came in between.
func (s System) read(f *File, line func(Line, string), fault func(Fault)) {
	if paths := s.behind(f.Path); !slices.Equal(paths, []string{f.Path}) {
		f.Status, f.Reason = Read, "procps takes its name for a pattern, and reads "+strings.Join(paths, ", ")
		for _, path := range paths {
			if other := s.follow(File{Path: path}); other.Status == Read {
				s.scan(&other, line, fault)
			}
		}
		return
	}
	if f.Status == Read {
		s.scan(f, line, fault)
	}
}

func (s System) scan(f *File, line func(Line, string), fault func(Fault)) {
	file, err := s.open(f.Path)
	if err == nil {
		err = scan(file, f.Path, s.Loader, line, fault)
		file.Close()
	}
	if err != nil {
		f.fail(err)
	}
}
