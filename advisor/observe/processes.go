package observe

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A process holds sockets of the kinds that were looked for.
type process struct {
	name, unit string
	found      map[holder]int64
}

// A search is what the descriptors of processes told of an ownership.
type search struct {
	processes []process
	found     map[holder]int64 // by all processes
	sampled   bool             // not all descriptors were looked at
	reason    string           // why some sockets have no process
}

// A candidate is a process that may hold some of the sockets.
type candidate struct {
	pid         int
	descriptors int64
}

// searchProcesses looks for the sockets among the descriptors of processes: those
// of the control groups in which the sockets were made, then those of their
// users. The name of a descriptor in /proc/PID/fd holds the socket's inode
// (proc_pid_fd(5)).
func searchProcesses(o *ownership, groups cgroups, limit int64) search {
	s := search{found: map[holder]int64{}}
	if len(o.inodes) == 0 {
		return s
	}
	candidates, denied, err := candidates(o, groups)
	if err != nil {
		s.reason = err.Error()
		return s
	}
	all := int64(0)
	for _, c := range candidates {
		all += c.descriptors
	}
	s.sampled = all > limit
	// Two or three sockets of one connection often have neighbouring numbers, so a
	// fixed step would favour one side.
	chosen := func(int) bool { return true }
	if s.sampled {
		share := uint32(float64(limit) / float64(all) * (1 << 24))
		chosen = func(descriptor int) bool { return scramble(uint32(descriptor)+1)&(1<<24-1) < share }
	}
	for _, c := range candidates {
		if len(o.inodes) == 0 {
			break
		}
		found := map[holder]int64{}
		err := c.sockets(s.sampled, chosen, func(inode uint32) {
			if h, wanted := o.inodes[inode]; wanted {
				found[h]++
				delete(o.inodes, inode) // of a socket that several share, the first is named
			}
		})
		if errors.Is(err, fs.ErrPermission) {
			denied++
		}
		if len(found) == 0 {
			continue
		}
		for h, n := range found {
			s.found[h] += n
		}
		name, _ := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/comm")
		s.processes = append(s.processes, process{strings.TrimSpace(string(name)), unitOfProcess(c.pid), found})
	}
	s.reason = "no process was seen to hold them"
	if denied > 0 {
		s.reason = "processes of other users may not be looked at; root may"
	}
	return s
}

// candidates lists processes, the likeliest first, and counts those that may not
// be looked at.
func candidates(o *ownership, groups cgroups) (list []candidate, denied int, err error) {
	seen, users := map[int]bool{}, map[uint32]bool{}
	consider := func(pid int) {
		if seen[pid] {
			return
		}
		seen[pid] = true
		n, err := descriptors(pid)
		if errors.Is(err, fs.ErrPermission) {
			denied++
		}
		if err == nil && n > 0 {
			list = append(list, candidate{pid, n})
		}
	}
	for h := range o.sockets {
		users[h.uid] = true
		for _, pid := range groups.processes(h.cgroup) {
			consider(pid)
		}
	}
	byCgroup := len(list)
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, 0, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || seen[pid] {
			continue
		}
		var stat unix.Stat_t
		if unix.Fstatat(int(proc.Fd()), name, &stat, 0) == nil && users[stat.Uid] {
			consider(pid)
		}
	}
	for _, part := range [][]candidate{list[:byCgroup], list[byCgroup:]} {
		slices.SortFunc(part, func(a, b candidate) int { return a.pid - b.pid })
	}
	return list, denied, nil
}

// descriptors is how many descriptors a process has open, about: the size of its
// folder since Linux 6.2 (fs/proc/fd.c, proc_fd_getattr), the highest one before.
func descriptors(pid int) (int64, error) {
	dir, err := openDescriptors(pid)
	if err != nil {
		return 0, err
	}
	defer dir.close()
	var stat unix.Stat_t
	if err := unix.Fstat(dir.fd, &stat); err != nil {
		return 0, err
	}
	if stat.Size > 0 {
		return stat.Size, nil
	}
	return int64(dir.end()), nil
}

// A descriptorDir is /proc/PID/fd.
type descriptorDir struct{ fd int }

func openDescriptors(pid int) (descriptorDir, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/fd"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return descriptorDir{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	// A folder that may not be read may still be opened.
	var one [64]byte
	if _, err := unix.Getdents(fd, one[:]); err != nil {
		unix.Close(fd)
		return descriptorDir{}, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return descriptorDir{fd}, nil
}

func (d descriptorDir) close() { unix.Close(d.fd) }

// end is a number that no descriptor reaches. The folder lists them in their
// order, from any position: that of the first is 2 (fs/proc/fd.c,
// proc_readfd_common).
func (d descriptorDir) end() int {
	return sort.Search(1<<30, func(n int) bool {
		var one [64]byte
		_, err := unix.Seek(d.fd, int64(n)+2, io.SeekStart)
		if err != nil {
			return true
		}
		entries, err := unix.Getdents(d.fd, one[:])
		return err != nil || entries == 0
	})
}

// sockets visits the inodes of a process's sockets: of all descriptors or, by
// trying their numbers, of those chosen. Listing them would cost as much as
// looking at all.
func (c candidate) sockets(some bool, chosen func(descriptor int) bool, visit func(inode uint32)) error {
	dir, err := openDescriptors(c.pid)
	if err != nil {
		return err
	}
	if some {
		defer dir.close()
		for descriptor := range dir.end() {
			if chosen(descriptor) {
				dir.look(strconv.Itoa(descriptor), visit)
			}
		}
		return nil
	}
	if _, err := unix.Seek(dir.fd, 0, io.SeekStart); err != nil {
		dir.close()
		return err
	}
	folder := os.NewFile(uintptr(dir.fd), "fd")
	defer folder.Close()
	for {
		names, err := folder.Readdirnames(1024)
		for _, name := range names {
			dir.look(name, visit)
		}
		if err != nil {
			return nil // the end, or of the process
		}
	}
}

// look visits what a descriptor stands for, if it is a socket.
func (d descriptorDir) look(descriptor string, visit func(inode uint32)) {
	var buffer [64]byte
	n, err := unix.Readlinkat(d.fd, descriptor, buffer[:])
	if err != nil {
		return
	}
	number, isSocket := strings.CutPrefix(string(buffer[:n]), "socket:[")
	if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32); isSocket && err == nil {
		visit(uint32(inode))
	}
}
