package change

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is where the kernel gives up following them, too (MAXSYMLINKS).
const maxLinks = 40

// trusted refuses a directory that others could exchange for another one: each
// component and each link on the way belongs to root or to whoever runs this,
// and to no directory do others have write access, unless its sticky bit keeps
// them from what is not theirs.
func trusted(dir string) error {
	root, err := os.Stat("/")
	if err != nil {
		return err
	}
	// In a user namespace without root, root's files show another owner; that of
	// "/" can exchange everything in any case.
	owners := map[uint32]bool{0: true, uint32(os.Geteuid()): true, root.Sys().(*syscall.Stat_t).Uid: true}
	at, rest, links := "/", dir, 0
	for rest != "" {
		var name string
		switch name, rest, _ = strings.Cut(rest, "/"); name {
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
		stat := info.Sys().(*syscall.Stat_t)
		others := fs.FileMode(0o022)
		if stat.Gid == 0 {
			others = 0o002
		}
		switch {
		case !owners[stat.Uid]:
			return fmt.Errorf("%s belongs to user %d", next, stat.Uid)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(next)
			if err != nil {
				return err
			}
			if links++; links > maxLinks {
				return fmt.Errorf("%s: too many symbolic links", dir)
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = target + "/" + rest
			continue
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", next)
		case info.Mode().Perm()&others != 0 && info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("%s with mode %04o lets others write to it", next, info.Mode().Perm())
		}
		at = next
	}
	return nil
}

func trustedDropIn(path string) error {
	if err := trusted(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write drop-in %s: %w", path, err)
	}
	return nil
}
