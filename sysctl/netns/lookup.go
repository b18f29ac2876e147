package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// namedDir is where ip-netns(8) keeps the namespaces that it has named.
const namedDir = "/run/netns"

// Lookup finds one namespace: that of a process if name is a number, a file if
// it holds a slash, or else one that ip-netns(8) has named.
func Lookup(name string) (Namespace, error) {
	path, described := name, name
	pid, err := strconv.Atoi(name)
	isProcess := err == nil
	switch {
	case isProcess:
		path, described = fmt.Sprintf("/proc/%d/ns/net", pid), fmt.Sprintf("process %d", pid)
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); pid <= 0 || errors.Is(err, fs.ErrNotExist) {
			named := filepath.Join(namedDir, name)
			if _, err := os.Stat(named); err == nil {
				return Namespace{}, fmt.Errorf("there is no process %s; the network namespace of that name is %s", name, named)
			}
			return Namespace{}, fmt.Errorf("there is no process %s", name)
		}
	case !strings.Contains(name, "/"):
		if name == "" || name == "." || name == ".." {
			return Namespace{}, fmt.Errorf("%q is no name of a network namespace", name)
		}
		path = filepath.Join(namedDir, name)
	}
	file, id, err := open(path)
	switch {
	case err == nil:
		defer file.Close()
	case isProcess && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)):
		return Namespace{}, fmt.Errorf("process %d has ended", pid)
	case isProcess && errors.Is(err, fs.ErrPermission):
		return Namespace{}, fmt.Errorf("the network namespace of process %d belongs to somebody else: %w", pid, err)
	case path != name && errors.Is(err, fs.ErrNotExist):
		return Namespace{}, fmt.Errorf("%s has no network namespace %q", namedDir, name)
	default:
		return Namespace{}, err
	}
	return Namespace{ID: id, Path: path, Owner: Owner{Kind: Given, Name: described}, Processes: -1}, nil
}
