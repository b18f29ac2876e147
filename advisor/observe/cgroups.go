package observe

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl/netns"
)

// cgroups are the control groups in which sockets were made: their folders by
// their numbers, which are those of the folders' inodes (fs/kernfs, kernfs_ino).
type cgroups map[uint64]string

// cgroupRoots are where control groups of version 2 are: alone, or beside those
// of version 1.
var cgroupRoots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// findCgroups looks for the folders of some control groups. One that is gone, or
// beyond what this process is shown, is not found.
func findCgroups(wanted map[uint64]bool) cgroups {
	found := cgroups{}
	delete(wanted, 0)
	for _, root := range cgroupRoots {
		if len(wanted) == 0 {
			break
		}
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return nil
			}
			var stat unix.Stat_t
			if unix.Lstat(path, &stat) == nil && wanted[stat.Ino] {
				found[stat.Ino] = "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
				delete(wanted, stat.Ino)
			}
			if len(wanted) == 0 {
				return fs.SkipAll
			}
			return nil
		})
	}
	return found
}

// unit is the unit or container whose control group has a number; "" if that is
// not known.
func (c cgroups) unit(number uint64) string {
	if c[number] == "" {
		return ""
	}
	return unitOf("0::" + c[number])
}

// processes are those of a control group, but for the root, which tells nothing.
func (c cgroups) processes(number uint64) []int {
	if c[number] == "" || c[number] == "/" {
		return nil
	}
	var pids []int
	for _, root := range cgroupRoots {
		text, err := os.ReadFile(filepath.Join(root, c[number], "cgroup.procs"))
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
		break
	}
	return pids
}

// unitOfProcess is the unit or container in which a process runs.
func unitOfProcess(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	return unitOf(string(text))
}

func unitOf(cgroups string) string {
	if owner := netns.OwnerOf(cgroups); owner != (netns.Owner{}) {
		return owner.String()
	}
	return ""
}
