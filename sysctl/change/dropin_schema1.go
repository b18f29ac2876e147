package change

import (
	"bytes"
	"errors"
)

// A FileChange is what a tcptune of schema 1 did to the drop-in: it replaced the
// whole, and kept what was there before. Rollback still undoes it.
type FileChange struct {
	Path   string `json:"path"`
	Before []byte `json:"before,omitempty"` // the old content; absent if there was no file
	After  string `json:"after"`            // SHA-256 of the new content, in hexadecimal
}

func (f *FileChange) check() error {
	if len(f.After) != len(hash(nil)) {
		return errors.New("drop-in has no hash")
	}
	return checkDropInPath(f.Path)
}

// pending reports whether the file is there with the content that the
// transaction gave it, so that there is something to undo.
func (f *FileChange) pending(d disk) bool {
	now, err := readDropIn(d, f.Path)
	return err == nil && now != nil && hash(now) == f.After && !bytes.Equal(now, f.Before)
}
