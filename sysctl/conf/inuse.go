package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// InUse is the loader that sets a system's parameters at boot.
type InUse struct {
	Loader   Loader // "" if there is none, or one whose reading is not known
	Evidence string // a sentence for people, without full stop
}

// systemdUnits are where systemd looks for units, the first one winning
// (systemd.unit(5)).
var systemdUnits = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

var (
	systemdBinaries = []string{"/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"}
	sysctlBinaries  = []string{"/usr/sbin/sysctl", "/sbin/sysctl", "/usr/bin/sysctl", "/bin/sysctl"}
	inits           = []string{"/usr/sbin/init", "/sbin/init"}
)

// initNames are programs that, as process 1, run the scripts of a boot.
var initNames = []string{"init", "openrc-init", "runit", "runit-init", "busybox", "s6-svscan", "finit", "dinit"}

// scripts are what runs sysctl(8) at boot where systemd does not: of Debian,
// OpenRC, SUSE, Red Hat up to 6 and Void.
var scripts = []string{"/etc/init.d/procps", "/etc/init.d/procps.sh", "/etc/init.d/sysctl", "/etc/init.d/boot.sysctl", "/etc/rc.d/rc.sysinit", "/etc/rc.sysinit", "/etc/runit/core-services/08-sysctl.sh"}

// FindLoader finds out which loader a system uses. For a root other than "/" it
// goes by files alone, and says what would happen if that root were booted.
func FindLoader(root string) InUse {
	s := System{Root: root}
	program, booted := s.init()
	if booted {
		return s.findSystemd()
	}
	if program == "" {
		return InUse{Evidence: "there is no init here, as in a container's image, so nothing sets parameters at boot"}
	}
	if !slices.Contains(initNames, program) {
		return InUse{Evidence: fmt.Sprintf("process 1 is %q, which is no init that would set parameters, as in a container", program)}
	}
	return s.findScript(program)
}

// init is the name of the program that starts a system, and whether it is
// systemd.
func (s System) init() (program string, systemd bool) {
	if s.root() == "/" {
		comm, _ := os.ReadFile("/proc/1/comm")
		_, err := os.Stat("/run/systemd/system") // sd_booted(3)
		return strings.TrimSpace(string(comm)), err == nil
	}
	file, ok := s.first(inits)
	if !ok {
		return "", false
	}
	real, err := s.resolve(file)
	if err != nil {
		return "", false
	}
	program = path.Base(real)
	return program, program == "systemd"
}

func (s System) findSystemd() InUse {
	units := make([]string, len(systemdUnits))
	for i, dir := range systemdUnits {
		units[i] = dir + "/systemd-sysctl.service"
	}
	binary, hasBinary := s.first(systemdBinaries)
	unit, hasUnit := s.first(units)
	switch {
	case !hasBinary || !hasUnit:
		return InUse{Evidence: "systemd is the init here, but it has no systemd-sysctl"}
	case s.isMasked(unit):
		return InUse{Evidence: "systemd is the init here, but " + unit + " masks systemd-sysctl.service"}
	case s.root() == "/" && isReadOnly("/proc/sys/net"):
		return InUse{Evidence: "systemd is the init here, but /proc/sys/net is read-only, without which systemd-sysctl.service is not started"}
	}
	return InUse{Loader: Systemd, Evidence: fmt.Sprintf("systemd is the init here, and %s starts %s", unit, binary)}
}

func (s System) findScript(program string) InUse {
	for _, script := range scripts {
		text, err := s.readSmall(script)
		if err != nil || !strings.Contains(text, "sysctl") {
			continue
		}
		binary, ok := s.first(sysctlBinaries)
		real, _ := s.resolve(binary)
		switch {
		case !ok:
			return InUse{Evidence: script + " sets parameters at boot, but there is no sysctl(8)"}
		case !s.isEnabled(script):
			return InUse{Evidence: script + " would set parameters at boot, but no run level starts it"}
		case path.Base(real) == "busybox":
			return InUse{Evidence: fmt.Sprintf("%s sets parameters at boot with BusyBox, whose reading is not known", script)}
		case !runsSystem(text):
			return InUse{Evidence: script + " sets parameters at boot, but not by sysctl --system"}
		}
		return InUse{Loader: Procps, Evidence: fmt.Sprintf("%s is the init here, and %s runs sysctl --system at boot", program, script)}
	}
	return InUse{Evidence: fmt.Sprintf("%s is the init here, and no script that sets parameters is known", program)}
}

// runsSystem reports whether a shell script passes --system outside of a comment.
func runsSystem(script string) bool {
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && strings.Contains(line, "--system") {
			return true
		}
	}
	return false
}

// isEnabled looks for the links by which SysV init and OpenRC start a script of
// /etc/init.d; others are always run.
func (s System) isEnabled(script string) bool {
	if path.Dir(script) != "/etc/init.d" {
		return true
	}
	name := path.Base(script)
	for _, parent := range []string{"/etc", "/etc/rc.d", "/etc/init.d", "/etc/runlevels"} {
		for _, level := range s.names(parent) {
			isLevel := parent == "/etc/runlevels" || strings.HasPrefix(level, "rc") && strings.HasSuffix(level, ".d") || level == "boot.d"
			if isLevel && slices.ContainsFunc(s.names(parent+"/"+level), func(link string) bool {
				return link == name || strings.HasPrefix(link, "S") && strings.TrimLeft(link[1:], "0123456789") == name
			}) {
				return true
			}
		}
	}
	return false
}

// first is the first path that is there, if only as a link that leads nowhere.
func (s System) first(paths []string) (string, bool) {
	for _, file := range paths {
		dir, err := s.resolve(path.Dir(file))
		if err != nil {
			continue
		}
		if _, err := os.Lstat(path.Join(dir, path.Base(file))); err == nil {
			return file, true
		}
	}
	return "", false
}

// isMasked reports whether a unit is a link to /dev/null or an empty file.
func (s System) isMasked(unit string) bool {
	f := s.follow(File{Path: unit})
	if f.Status != Read {
		return f.Status == Masked
	}
	text, err := s.readSmall(unit)
	return err == nil && text == ""
}

// readSmall reads the beginning of a regular file.
func (s System) readSmall(name string) (string, error) {
	f := s.follow(File{Path: name})
	if f.Status != Read {
		return "", errors.New(f.Reason)
	}
	file, err := s.open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	return string(text), err
}

func isReadOnly(dir string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(dir, &stat) == nil && stat.Flags&unix.ST_RDONLY != 0
}
