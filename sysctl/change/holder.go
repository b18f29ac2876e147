package change

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Process is one that holds a lock of the journal.
type Process struct {
	PID     int    // 0 if it is not to be seen from this PID namespace
	Name    string // as in /proc/PID/comm: untrusted text, or ""
	Stopped bool   // by a signal such as SIGSTOP, or by a debugger
}

// String is such as "tcptune[4242], which is stopped".
func (p Process) String() string {
	if p.PID == 0 {
		return "a process that cannot be seen from here"
	}
	text := fmt.Sprintf("%s[%d]", p.Name, p.PID)
	if p.Stopped {
		text += ", which is stopped"
	}
	return text
}

// processOf looks a process up (proc_pid_stat(5)).
func processOf(pid int) Process {
	p := Process{PID: pid}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open || end+2 >= len(stat) {
		return p // gone just now
	}
	p.Name = string(stat[open+1 : end])
	p.Stopped = stat[end+2] == 'T' || stat[end+2] == 't'
	return p
}

// holderOf finds the process that has a flock(2) on a file: one that has such a
// lock, by /proc/locks, and the file open with one. The former alone would not do,
// as it names files by numbers which stat(2) does not give on every file system.
// Before Linux 4.1 descriptors do not tell of locks, and nobody is found; nor where
// /proc has the numbers of another PID namespace.
func holderOf(path string) Process {
	file, err := os.Stat(path)
	if self, _ := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return Process{}
	}
	locks, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line) // 1: FLOCK ADVISORY WRITE 4242 08:01:123 0 EOF
		if len(fields) < 5 || fields[1] != "FLOCK" {
			continue
		}
		pid, err := strconv.Atoi(fields[4])
		if err != nil || pid <= 0 {
			continue
		}
		process := filepath.Join("/proc", fields[4])
		open, _ := os.ReadDir(filepath.Join(process, "fd"))
		for _, fd := range open {
			if other, err := os.Stat(filepath.Join(process, "fd", fd.Name())); err != nil || !os.SameFile(file, other) {
				continue
			}
			if info, _ := os.ReadFile(filepath.Join(process, "fdinfo", fd.Name())); bytes.Contains(info, []byte("\nlock:")) {
				return processOf(pid)
			}
		}
	}
	return Process{}
}
