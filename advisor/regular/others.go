package regular

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Others says why others than root, or than whoever runs this, could have put at
// path what is there, or nil: it, each folder and each link on the way belongs to
// one of the two, and others can write to none of them. In a folder with the
// sticky bit, such as /tmp, they cannot exchange what is not theirs.
func Others(path string) error {
	if err := walk(path, false); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// OthersAbove says why others could exchange what is at path, or is to be, for
// something else; nil if they could not.
func OthersAbove(path string) error { return walk(filepath.Dir(path), true) }

// maxLinks is where the kernel gives up following them, too (MAXSYMLINKS).
const maxLinks = 40

// walk goes where the kernel would, and looks at each step.
func walk(path string, folder bool) error {
	rest, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, links := "/", 0
	for rest != "" {
		var name string
		switch name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/"); name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		last := strings.Trim(rest, "/") == ""
		stat := info.Sys().(*syscall.Stat_t)
		if err := foreign(next, stat.Uid, stat.Gid, info.Mode(), folder || !last); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if folder && !info.IsDir() {
				return fmt.Errorf("%s is not a directory", next)
			}
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%s: too many symbolic links", next)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = target + "/" + rest
	}
	return nil
}

// foreign says why one thing at a path is others' to change. Of a folder on the
// way the sticky bit counts.
func foreign(path string, uid, gid uint32, mode fs.FileMode, onTheWay bool) error {
	others := fs.FileMode(0o022)
	if gid == 0 {
		others = 0o002
	}
	switch sticky := onTheWay && mode&fs.ModeSticky != 0; {
	case !ours(uid):
		return fmt.Errorf("%s belongs to user %d", path, uid)
	case mode&fs.ModeSymlink == 0 && mode.Perm()&others != 0 && !sticky:
		return fmt.Errorf("%s with mode %04o lets others write to it", path, mode.Perm())
	}
	return nil
}

// ours reports whether a user is root or who runs this. In a user namespace
// without root, root's files show another owner; that of "/" can exchange
// everything in any case.
func ours(uid uint32) bool {
	if uid == 0 || uid == uint32(os.Geteuid()) {
		return true
	}
	root, err := os.Stat("/")
	return err == nil && root.Sys().(*syscall.Stat_t).Uid == uid
}
