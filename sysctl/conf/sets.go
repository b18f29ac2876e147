package conf

import (
	"io"
	"slices"
	"strings"
)

// setAside are the ends of names that tools and people give to files that are
// not to be read: an editor's copies, a package manager's, and switched off ones.
var setAside = []string{"~", ".bak", ".orig", ".old", ".save", ".disabled", ".off", ".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-bak",
	".ucf-old", ".ucf-new", ".ucf-dist", ".swp", ".example", ".sample"}

// SetAside reports whether a file's name says that it is not to be read.
func SetAside(path string) bool {
	return slices.ContainsFunc(setAside, func(end string) bool { return strings.HasSuffix(path, end) })
}

// mostRead is how much of a file that no loader reads is looked at.
const mostRead = 1 << 20

// Sets reports whether a file that the loader does not read would set anything
// if it did, and does not look as if it had been put aside on purpose.
func (s System) Sets(f File) bool {
	if SetAside(f.Path) {
		return false
	}
	f = s.follow(f)
	if f.Status == Unreadable || f.Status == Masked {
		return false
	}
	file, err := s.open(f.Path)
	if err != nil {
		return false
	}
	defer file.Close()
	lines, faults, _ := Parse(io.LimitReader(file, mostRead), f.Path, s.Loader)
	return len(lines) > len(faults) // and not prose with an equals sign in it
}
