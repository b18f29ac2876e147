package change

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// replaceFile gives a file new content such that after a crash of the host it
// has either the old or the new one. did is told of each step; see
// [Journal.did].
//
// renameio flushes the file but not the directory, and on its own would put the
// temporary file elsewhere, where it gets another security label.
func replaceFile(path string, content []byte, mode fs.FileMode, did func(string)) error {
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	defer f.Cleanup()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	did("prepare " + path)
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	did("replace " + path)
	return syncDir(dir)
}

// removeFile removes a file for good.
func removeFile(path string, did func(string)) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	did("remove " + path)
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
