// Package managers finds the programs and scripts, other than the loader of
// sysctl.d, that set parameters on a host, by what is plain to see: their
// configuration, and processes. It names the line for everything it claims; what
// a program does beyond its configuration is taken from the program's own source
// or documentation, named where it is used.
package managers

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/sysctl"
)

// Find looks below a root, "/" or the top of a tree like it. It reads files and,
// below proc, the names and command lines of processes. cpus is the machine's
// number of processors. The list is never nil; the error tells what was there
// and could not be read.
func Find(root string, cpus int) ([]facts.Manager, error) {
	f := &finder{root: root, cpus: cpus, folders: map[string][]string{}}
	f.findProcesses()
	found := []facts.Manager{}
	for _, look := range []func() (facts.Manager, bool){
		f.tuned, f.saptune, f.bpftune, f.kubeProxy, f.docker, f.cni, f.networkd,
		f.rcLocal, f.interfaces, f.dispatchers, f.cron, f.udev, f.units, f.cloudInit,
	} {
		if m, is := look(); is {
			for i := range m.Sets {
				m.Sets[i].Value = sysctl.Value(strings.Join(m.Sets[i].Value.Fields(), " "))
			}
			m.Sets = append([]facts.Hold{}, m.Sets...)
			m.Evidence = slices.Compact(m.Evidence)
			found = append(found, m)
		}
	}
	return found, errors.Join(f.unread...)
}

// A finder reads files below a root. Bounds keep it from what no configuration
// is: larger files, longer lists.
type finder struct {
	root      string
	cpus      int
	processes map[string][]int    // by name
	folders   map[string][]string // that were listed
	unread    []error
}

const (
	maxManagerFile = 1 << 20
	maxManagerDir  = 4096
	maxProcesses   = 1 << 17
	maxComm        = 64 // bytes; the kernel keeps 15
)

// resolve is a path's file on this host, links followed inside the root.
func (f *finder) resolve(path string) (string, error) {
	if f.root == "/" {
		return path, nil // the kernel follows them
	}
	return securejoin.SecureJoin(f.root, path)
}

// read is a file's text; there is none if the file does not exist or, which is
// recorded, cannot be read.
func (f *finder) read(path string) (string, bool) {
	text, _, ok := f.readWithMode(path)
	return text, ok
}

func (f *finder) readWithMode(path string) (string, fs.FileMode, bool) {
	var content []byte
	var mode fs.FileMode
	real, err := f.resolve(path)
	if err == nil {
		content, mode, err = regular.Read(real, maxManagerFile+1)
	}
	if len(content) > maxManagerFile {
		err = fmt.Errorf("is larger than %d MiB", maxManagerFile>>20)
	}
	if err == nil {
		return string(content), mode, true
	}
	if info, errStat := os.Stat(real); errStat == nil && info.Mode()&fs.ModeCharDevice != 0 {
		return "", 0, false // a link to /dev/null, which masks others and says nothing
	}
	f.failed(path, err)
	return "", 0, false
}

// failed records, once, that something is there and could not be read.
func (f *finder) failed(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return
	}
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	err = fmt.Errorf("%s: %w", path, err)
	if !slices.ContainsFunc(f.unread, func(other error) bool { return other.Error() == err.Error() }) {
		f.unread = append(f.unread, err)
	}
}

// list is the paths of a folder's entries, sorted. Several managers have their
// units in the same folders: each is read once.
func (f *finder) list(dir string) []string {
	entries, known := f.folders[dir]
	if !known {
		entries = f.readFolder(dir)
		f.folders[dir] = entries
	}
	return entries
}

func (f *finder) readFolder(dir string) []string {
	real, err := f.resolve(dir)
	if err != nil {
		f.failed(dir, err)
		return nil
	}
	folder, err := os.Open(real)
	if err != nil {
		f.failed(dir, err)
		return nil
	}
	defer folder.Close()
	names, err := folder.Readdirnames(maxManagerDir + 1)
	if err != nil && err != io.EOF {
		f.failed(dir, err)
	}
	if len(names) > maxManagerDir {
		f.failed(dir, fmt.Errorf("holds more than %d files", maxManagerDir))
		names = names[:maxManagerDir]
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = path.Join(dir, name)
	}
	return names
}

// inForce lists the files of an extension in some folders. A file hides those of
// its name in later folders, as udev(7) and systemd.unit(5) have it; and one of the
// folders may be a link to another.
func (f *finder) inForce(extension string, dirs ...string) []string {
	var files []string
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, file := range f.list(dir) {
			if name := path.Base(file); path.Ext(name) == extension && !seen[name] {
				seen[name] = true
				files = append(files, file)
			}
		}
	}
	return files
}

// exists reports whether there is something of that name, a broken link too.
func (f *finder) exists(file string) bool {
	dir, err := f.resolve(path.Dir(file))
	if err != nil {
		return false
	}
	_, err = os.Lstat(path.Join(dir, path.Base(file)))
	return err == nil
}

// enabled finds the link by which systemd, or a run level of SysV init, starts a
// service at boot.
func (f *finder) enabled(service string) (link string, is bool) {
	const units = "/etc/systemd/system"
	if dir, err := f.resolve(units); err == nil {
		if target, err := os.Readlink(path.Join(dir, service+".service")); err == nil && target == os.DevNull {
			return "", false // masked
		}
	}
	for _, entry := range f.list(units) {
		if kind := path.Ext(entry); kind != ".wants" && kind != ".requires" {
			continue
		}
		if link := path.Join(entry, service+".service"); f.exists(link) {
			return link, true
		}
	}
	for _, level := range []string{"/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d", "/etc/runlevels/default"} {
		for _, entry := range f.list(level) {
			if base := path.Base(entry); base == service || len(base) > 3 && base[0] == 'S' && base[3:] == service {
				return entry, true
			}
		}
	}
	return "", false
}

// service is a manager that is a daemon: whether it runs, and whether it is
// started at boot.
func (f *finder) service(name, process, service, when string) facts.Manager {
	m := facts.Manager{Name: name, When: when}
	for _, pid := range f.processes[process] {
		m.Evidence, m.Active = append(m.Evidence, fmt.Sprintf("process %d (%s)", pid, process)), true
	}
	if link, is := f.enabled(service); is {
		m.Evidence, m.Active, m.AtBoot = append(m.Evidence, link), true, true
	}
	return m
}

// watched are the processes that tell of a manager.
var watched = []string{"tuned", "bpftune", "kube-proxy", "dockerd"}

// findProcesses looks for processes by the names that the kernel shows.
func (f *finder) findProcesses() {
	f.processes = map[string][]int{}
	real, err := f.resolve("/proc")
	if err != nil {
		return
	}
	proc, err := os.Open(real)
	if err != nil {
		f.failed("/proc", err)
		return
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(maxProcesses)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		content, _, err := regular.Read(real+"/"+name+"/comm", maxComm)
		if err != nil {
			continue // it has ended
		}
		if process := strings.TrimSpace(string(content)); slices.Contains(watched, process) {
			f.processes[process] = append(f.processes[process], pid)
		}
	}
	for _, pids := range f.processes {
		slices.Sort(pids)
	}
}

// concerned reports whether a key is one that this looks for: those of the
// network, as the files of sysctl.d are looked through for.
func concerned(key sysctl.Key) bool { return strings.HasPrefix(string(key), "net.") }

// An entry is one "name = value" of a file.
type entry struct {
	name, operator, value string
	place                 facts.Place
}

// A section is a heading and the entries below it.
type section struct {
	name    string
	entries []entry
}

// sections reads a file of headings and entries. Entries before the first
// heading stand in a section without a name. Comments begin with # or ;, a line
// that is indented continues the one before if continued is set.
func sections(file, text string, continued bool) []section {
	found := []section{{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(uncommented(line))
		current := &found[len(found)-1]
		switch {
		case trimmed == "":
		case trimmed[0] == '[' && strings.Contains(trimmed, "]"):
			name, _, _ := strings.Cut(trimmed[1:], "]")
			found = append(found, section{name: name})
		case continued && (line[0] == ' ' || line[0] == '\t') && len(current.entries) > 0:
			current.entries[len(current.entries)-1].value += " " + trimmed
		default:
			at := strings.IndexAny(trimmed, "<>=")
			if at < 0 {
				continue
			}
			rest := strings.TrimLeft(trimmed[at:], "<>=")
			e := entry{name: strings.TrimSpace(trimmed[:at]), operator: trimmed[at : len(trimmed)-len(rest)], value: strings.TrimSpace(rest)}
			from := 1 + len([]rune(line[:strings.Index(line, trimmed)]))
			e.place = facts.Place{File: file, Line: number, Column: from, EndColumn: from + len([]rune(trimmed)), Text: line}
			current.entries = append(current.entries, e)
		}
	}
	return found
}

// uncommented is a line without its comment: all of it, or what begins behind a
// blank.
func uncommented(line string) string {
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
		return ""
	}
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// value is the last entry of a name outside of any section, without quotes.
func value(all []section, name string) (last entry, is bool) {
	for _, e := range all[0].entries {
		if e.name == name {
			last, is = e, true
		}
	}
	last.value = unquoted(last.value)
	return last, is
}

func unquoted(text string) string {
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		return text[1 : n-1]
	}
	return text
}

// bpftune is a daemon that watches and changes parameters by itself; which
// values it comes to, nobody can tell (bpftune(8) and its plug-ins' pages).
func (f *finder) bpftune() (facts.Manager, bool) {
	m := f.service("bpftune", "bpftune", "bpftune", "while it runs, whenever it thinks fit")
	m.Also = "it stops changing what somebody else sets, until it is started again"
	for _, key := range []sysctl.Key{
		"net.core.netdev_max_backlog", "net.ipv4.tcp_max_orphans", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem",
		"net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
	} {
		m.Sets = append(m.Sets, facts.Hold{Key: key, Doubt: "it follows the traffic"})
	}
	return m, m.Active
}

// line is the place of the first line of a text that holds all of some texts.
func line(file, text string, holds ...string) facts.Place {
	number := 0
	for l := range strings.Lines(text) {
		number++
		if !slices.ContainsFunc(holds, func(part string) bool { return !strings.Contains(l, part) }) {
			return facts.Place{File: file, Line: number, Text: strings.TrimRight(l, "\r\n")}
		}
	}
	return facts.Place{File: file}
}

// quoted is text of a file within a sentence, cut to a length.
func quoted(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return strconv.Quote(cmp.Or(text, "nothing"))
}
