package conf

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A Loader is a program that sets parameters from files at boot. Its text is
// how people know it.
type Loader string

const (
	Systemd Loader = "systemd-sysctl"
	Procps  Loader = "procps" // sysctl --system
)

// Loaders are those whose reading is known.
var Loaders = []Loader{Systemd, Procps}

// ParseLoader reads the name that a user gives.
func ParseLoader(s string) (Loader, error) {
	switch s {
	case "systemd", string(Systemd):
		return Systemd, nil
	case string(Procps):
		return Procps, nil
	}
	return "", fmt.Errorf("loader %q is not known; there are systemd and procps", s)
}

// directories hold drop-ins. A file hides those of its name in the directories
// behind its own.
var directories = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

// mainFile is what procps reads at the end, and systemd-sysctl only through a
// link.
const mainFile = "/etc/sysctl.conf"

const suffix = ".conf"

// IsDropIn reports whether both loaders read a file of that absolute path.
func IsDropIn(path string) bool {
	return slices.Contains(directories, filepath.Dir(path)) && Systemd.notReadFor(filepath.Base(path)) == ""
}

// notReadFor is why the loader passes over a file of that name, "" if it does not.
func (l Loader) notReadFor(name string) string {
	switch {
	case !strings.HasSuffix(name, suffix):
		return "its name does not end in " + suffix
	case l == Systemd && strings.HasPrefix(name, "."):
		return "systemd-sysctl passes over names that start with a dot"
	}
	return ""
}
