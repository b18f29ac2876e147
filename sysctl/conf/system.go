package conf

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// directories hold drop-ins; a file hides those of the same name in the ones
// behind it.
var directories = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

// IsDropIn reports whether the loaders read a file of that absolute path.
func IsDropIn(path string) bool {
	return filepath.Ext(path) == ".conf" && slices.Contains(directories, filepath.Dir(path))
}

// files lists what is read at boot, in the order in which it applies: drop-ins
// by base name, then sysctl.conf, which procps reads last and systemd-sysctl
// does not read unless a link leads to it. Paths are below root, "/" for the
// running system.
func files(root string) ([]string, error) {
	byName := map[string]string{}
	var faults []error
	for _, dir := range directories {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
			continue
		}
		for _, entry := range entries {
			name := entry.Name()
			if _, hidden := byName[name]; !hidden && strings.HasSuffix(name, ".conf") {
				byName[name] = filepath.Join(root, dir, name)
			}
		}
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		paths = append(paths, byName[name])
	}
	main := filepath.Join(root, "/etc/sysctl.conf")
	if !slices.ContainsFunc(paths, func(path string) bool { return sameFile(path, main) }) {
		paths = append(paths, main)
	}
	return paths, errors.Join(faults...)
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// System reads the assignments of all those files. The error joins the files
// that could not be read; lines that no loader understands are left to it and
// are not an error here.
func System(root string) ([]Line, error) {
	paths, err := files(root)
	faults := []error{err}
	var all []Line
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
			continue
		}
		lines, _, err := Parse(file, path)
		file.Close()
		if err != nil {
			faults = append(faults, err)
		}
		all = append(all, slices.DeleteFunc(lines, func(l Line) bool { return l.Key.IsPattern() })...)
	}
	return all, errors.Join(faults...)
}
