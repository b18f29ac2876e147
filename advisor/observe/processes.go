package observe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/netns"
)

// A process holds sockets of the kinds that were looked for.
type process struct {
	pid        int
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

// searchProcesses looks for the sockets among the descriptors of processes, the
// likeliest first. The name of a descriptor in /proc/PID/fd holds the socket's
// inode (proc_pid_fd(5)).
func searchProcesses(o *ownership, groups cgroups, limit int64, byBPF descriptorWalk) search {
	s, denied := search{found: map[holder]int64{}}, 0
	for pids, err := range likely(maps.Keys(o.sockets), groups) {
		if err != nil {
			s.reason = err.Error()
			return s
		}
		if s.done(o) {
			break
		}
		denied += s.look(o, pids, limit, byBPF)
	}
	s.reason = whyNoProcess(denied)
	return s
}

// done reports whether there is nothing left to find or, of a sample, whether
// there is something of each holder.
func (s *search) done(o *ownership) bool {
	for _, h := range o.inodes {
		if !s.sampled || s.found[h] == 0 {
			return false
		}
	}
	return true
}

// look looks among some processes and counts those that it may not look at.
func (s *search) look(o *ownership, pids []int, limit int64, byBPF descriptorWalk) (denied int) {
	var candidates []candidate
	all := int64(0)
	for _, pid := range pids {
		n, err := descriptors(pid)
		if errors.Is(err, fs.ErrPermission) {
			denied++
		}
		if err == nil && n > 0 {
			candidates = append(candidates, candidate{pid, n})
			all += n
		}
	}
	sampled := all > limit && byBPF == nil
	s.sampled = s.sampled || sampled
	// Two or three sockets of one connection often have neighbouring numbers, so a
	// fixed step would favour one side.
	chosen := func(int) bool { return true }
	if sampled {
		share := uint32(float64(limit) / float64(all) * (1 << 24))
		chosen = func(descriptor int) bool { return scramble(uint32(descriptor)+1)&(1<<24-1) < share }
	}
	for _, c := range candidates {
		if len(o.inodes) == 0 {
			break
		}
		found := map[holder]int64{}
		visit := func(inode uint32) bool {
			if h, wanted := o.inodes[inode]; wanted {
				found[h]++
				delete(o.inodes, inode) // of a socket that several share, the first is named
			}
			return len(o.inodes) > 0
		}
		var err error
		if byBPF != nil {
			err = byBPF(c.pid, func(inode uint32) { visit(inode) })
		} else {
			err = c.sockets(sampled, chosen, visit)
		}
		if errors.Is(err, fs.ErrPermission) {
			denied++
		}
		if len(found) == 0 {
			continue
		}
		for h, n := range found {
			s.found[h] += n
		}
		s.processes = append(s.processes, process{c.pid, programOf(c.pid), unitOfProcess(c.pid), found})
	}
	return denied
}

func whyNoProcess(denied int) string {
	if denied > 0 {
		return "processes of other users may not be looked at; root may"
	}
	return "no process was seen to hold them"
}

// likely are the processes that may hold some sockets of the calling thread's
// namespace: those of the control groups in which the sockets were made; then
// those in the namespace, of the sockets' users first, as a program may have
// become another user since; then those of the users elsewhere.
func likely(holders iter.Seq[holder], groups cgroups) iter.Seq2[[]int, error] {
	return func(yield func([]int, error) bool) {
		var made []int
		users := map[uint32]bool{}
		for h := range holders {
			users[h.uid] = true
			made = append(made, groups.processes(h.cgroup)...)
		}
		seen := map[int]bool{}
		next := func(pids []int) bool {
			slices.Sort(pids)
			return yield(slices.DeleteFunc(pids, func(pid int) bool {
				known := seen[pid]
				seen[pid] = true
				return known
			}), nil)
		}
		if !next(made) {
			return
		}
		here, err := netns.Here()
		if err != nil {
			yield(nil, err)
			return
		}
		theirs, others, elsewhere, err := processes(here.ID, users)
		if err != nil {
			yield(nil, err)
			return
		}
		_ = next(theirs) && next(others) && next(elsewhere)
	}
}

// processes are those in a network namespace, of some users and of others, and
// those of these users elsewhere or where that may not be known.
func processes(in netns.ID, users map[uint32]bool) (theirs, others, elsewhere []int, err error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, nil, nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, name := range names {
		var process, namespace unix.Stat_t
		pid, err := strconv.Atoi(name)
		if err != nil || unix.Fstatat(int(proc.Fd()), name, &process, 0) != nil {
			continue
		}
		is := unix.Fstatat(int(proc.Fd()), name+"/ns/net", &namespace, 0) == nil && in == netns.ID{Device: namespace.Dev, Inode: namespace.Ino}
		switch {
		case is && users[process.Uid]:
			theirs = append(theirs, pid)
		case is:
			others = append(others, pid)
		case users[process.Uid]:
			elsewhere = append(elsewhere, pid)
		}
	}
	return theirs, others, elsewhere, nil
}

// early are how many descriptors of each process are looked at before more of any:
// a program that listens usually begins with it; one for Java's virtual machine has
// that one's files before.
var early = []int64{16, 128, math.MaxInt64}

// holdersOf looks for the process that holds each of some sockets, by inode, and
// stops when all are found or when so many descriptors were looked at. If a
// socket has no process the reason says why.
func holdersOf(sockets map[uint32]holder, groups cgroups, limit int64) (found map[uint32]int, reason string) {
	found = map[uint32]int{}
	looked, denied := int64(0), 0
	for _, depth := range early {
		denied = 0
		for pids, err := range likely(maps.Values(sockets), groups) {
			if err != nil {
				return found, err.Error()
			}
			for _, pid := range pids {
				begun := looked
				err := candidate{pid: pid}.sockets(false, nil, func(inode uint32) bool {
					if _, wanted := sockets[inode]; wanted && found[inode] == 0 {
						found[inode] = pid
					}
					looked++
					return len(found) < len(sockets) && looked < limit && looked-begun < depth
				})
				if errors.Is(err, fs.ErrPermission) {
					denied++
				}
				switch {
				case len(found) == len(sockets):
					return found, ""
				case looked >= limit:
					return found, fmt.Sprintf("not found among %d descriptors", limit)
				}
				looked += openingCosts
			}
		}
	}
	return found, whyNoProcess(denied)
}

// openingCosts is how many descriptors could be looked at instead of opening the
// folder of one more process.
const openingCosts = 5

func programOf(pid int) string {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(name))
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
	return int64(dir.end(0)), nil
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

// end is a number that no descriptor reaches, given how many there are: mostly
// that. The folder lists them in their order, from any position: that of the first
// is 2 (fs/proc/fd.c, proc_readfd_common).
func (d descriptorDir) end(descriptors int64) int {
	noneFrom := func(n int) bool {
		var one [64]byte
		_, err := unix.Seek(d.fd, int64(n)+2, io.SeekStart)
		if err != nil {
			return true
		}
		entries, err := unix.Getdents(d.fd, one[:])
		return err != nil || entries == 0
	}
	if n := int(descriptors); n > 0 && noneFrom(n) {
		return n
	}
	return sort.Search(1<<30, noneFrom)
}

// sockets visits what a process's descriptors stand for until there is no need
// for more: the inode of a socket, or 0. It looks at all of them, in their order,
// or, by trying their numbers, at those chosen. Listing them would cost as much as
// looking at all.
func (c candidate) sockets(some bool, chosen func(descriptor int) bool, visit func(inode uint32) (more bool)) error {
	dir, err := openDescriptors(c.pid)
	if err != nil {
		return err
	}
	if some {
		defer dir.close()
		for descriptor := range dir.end(c.descriptors) {
			if chosen(descriptor) && !visit(dir.look(strconv.Itoa(descriptor))) {
				break
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
		names, err := folder.Readdirnames(64)
		for _, name := range names {
			if !visit(dir.look(name)) {
				return nil
			}
		}
		if err != nil {
			return nil // the end, or of the process
		}
	}
}

// look is the inode of the socket that a descriptor stands for, 0 if it is none.
func (d descriptorDir) look(descriptor string) uint32 {
	var buffer [64]byte
	n, err := unix.Readlinkat(d.fd, descriptor, buffer[:])
	if err != nil {
		return 0
	}
	number, isSocket := strings.CutPrefix(string(buffer[:n]), "socket:[")
	if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32); isSocket && err == nil {
		return uint32(inode)
	}
	return 0
}
