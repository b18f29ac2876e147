package profiles

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tcptune/tcptune/advisor/tomlfile"
)

// A File is one that a profile was read from, and who could have written it.
type File struct {
	Path string
	// Owner and Mode are the file's; FolderOwner and FolderMode those of the
	// folder, whose writers could have put another file in its place.
	Owner, FolderOwner uint32
	Mode, FolderMode   fs.FileMode
}

// read reads a file and notes whose it is, from the same open file.
func read(path string) ([]byte, File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, File{}, err
	}
	if !info.Mode().IsRegular() {
		return nil, File{}, fmt.Errorf("profile %s is not a regular file", path)
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, File{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, tomlfile.MaxSize+1))
	if err != nil {
		return nil, File{}, err
	}
	if len(text) > tomlfile.MaxSize {
		return nil, File{}, fmt.Errorf("profile %s is larger than %d KiB", path, tomlfile.MaxSize>>10)
	}
	return text, File{path, owner(info), owner(folder), info.Mode(), folder.Mode()}, nil
}

func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

// OnlyRoot says why others than root could have written what the file holds, or
// nil. In a folder with the sticky bit, such as /tmp, others cannot replace it.
func (f File) OnlyRoot() error {
	const others = 0o022
	switch {
	case f.Owner != 0 || f.Mode.Perm()&others != 0:
		return fmt.Errorf("%s belongs to uid %d with mode %04o", f.Path, f.Owner, f.Mode.Perm())
	case f.FolderOwner != 0 || f.FolderMode.Perm()&others != 0 && f.FolderMode&fs.ModeSticky == 0:
		return fmt.Errorf("the folder of %s belongs to uid %d with mode %04o", f.Path, f.FolderOwner, f.FolderMode.Perm())
	}
	return nil
}
