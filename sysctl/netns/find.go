package netns

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Survey is the network namespaces of a host, as far as they can be seen.
type Survey struct {
	// Host is the namespace of the first process or, if that cannot be seen, of
	// the calling thread.
	Host   Namespace
	Others []Namespace // by name
	// Unseen is how many processes there are whose namespace could not be told,
	// for lack of permission.
	Unseen int
}

// All are the host's and the others.
func (s Survey) All() []Namespace { return append([]Namespace{s.Host}, s.Others...) }

// Find looks for network namespaces where they are kept alive: by processes, by
// the names of ip-netns(8), and by the bind mounts that container runtimes make
// (mount namespaces of others are not searched).
func Find() (Survey, error) {
	s := search{found: map[ID]*Namespace{}, first: map[ID]int{}}
	if err := s.processes(); err != nil {
		return Survey{}, err
	}
	s.named()
	s.mounted()
	host, err := firstProcess()
	if err != nil {
		return Survey{}, err
	}
	survey := Survey{Host: host, Others: []Namespace{}, Unseen: s.unseen}
	for id, n := range s.found {
		switch {
		case id == host.ID:
			survey.Host.Processes = n.Processes
		default:
			s.name(n)
			survey.Others = append(survey.Others, *n)
		}
	}
	slices.SortFunc(survey.Others, func(a, b Namespace) int {
		return cmp.Or(cmp.Compare(a.String(), b.String()), cmp.Compare(a.ID.Inode, b.ID.Inode))
	})
	return survey, nil
}

func firstProcess() (Namespace, error) {
	const path = "/proc/1/ns/net"
	if id, err := identify(path); err == nil {
		return Namespace{ID: id, Path: path, Processes: -1}, nil
	}
	return Here()
}

type search struct {
	found  map[ID]*Namespace
	first  map[ID]int // process
	unseen int
}

// add records that a file leads to a namespace.
func (s *search) add(id ID, path string) *Namespace {
	n := s.found[id]
	if n == nil {
		n = &Namespace{ID: id, Path: path}
		s.found[id] = n
	}
	return n
}

func (s *search) processes() error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		path := "/proc/" + name + "/ns/net"
		id, err := identify(path)
		if errors.Is(err, fs.ErrPermission) {
			s.unseen++
		}
		if err != nil {
			continue // it has ended
		}
		n := s.add(id, path)
		if n.Processes++; n.Processes == 1 || pid < s.first[id] {
			s.first[id], n.Path = pid, path
		}
	}
	return nil
}

func (s *search) named() {
	entries, _ := os.ReadDir(namedDir) // there is none until a namespace is named
	for _, entry := range entries {
		path := filepath.Join(namedDir, entry.Name())
		file, id, err := open(path)
		if err != nil {
			continue // the mount point of one that is gone
		}
		file.Close()
		n := s.add(id, path)
		n.Path, n.Owner = path, Owner{Named, entry.Name()}
	}
}

// mounted reads /proc/self/mountinfo (proc_pid_mountinfo(5)): of a namespace the
// root within the file system is net:[INODE].
func (s *search) mounted() {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || !strings.HasPrefix(fields[3], "net:[") {
			continue
		}
		path := unescapeOctal(fields[4])
		file, id, err := open(path)
		if err != nil {
			continue
		}
		file.Close()
		if n := s.add(id, path); n.Owner == (Owner{}) {
			n.Owner = Owner{Mount, path}
		}
	}
}

// name tells whose a namespace is: a container's first, since runtimes bind and
// name namespaces by numbers of their own.
func (s *search) name(n *Namespace) {
	pid := s.first[n.ID]
	if pid == 0 {
		return
	}
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	owner := OwnerOf(string(cgroups))
	if n.Kind == Named && (owner == (Owner{}) || owner.Kind == Unit) {
		return
	}
	if owner == (Owner{}) {
		program, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		owner = Owner{Process, fmt.Sprintf("%d %s", pid, strings.TrimSpace(string(program)))}
	}
	n.Owner = owner
}

// unescapeOctal undoes \040 and its like.
func unescapeOctal(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
