package change

import (
	"bytes"
	"os"
	"os/user"
	"strings"
)

// An Author is who asked for a transaction. It is a note for people; nothing is
// decided by it.
type Author struct {
	Login string `json:"login,omitempty"` // who logged in, as the audit subsystem saw it
	Sudo  string `json:"sudo,omitempty"`  // who called sudo
	// Terminal is where they sat, such as /dev/pts/3.
	Terminal string `json:"terminal,omitempty"`
	UID      int    `json:"uid"`
	PID      int    `json:"pid"`
}

// CurrentAuthor is whoever runs this process.
func CurrentAuthor() Author {
	author := Author{Sudo: os.Getenv("SUDO_USER"), UID: os.Geteuid(), PID: os.Getpid()}
	// The login uid survives su and sudo. It is all ones where nobody logged
	// in, as in a service, and absent from kernels without audit.
	if uid, err := os.ReadFile("/proc/self/loginuid"); err == nil {
		if u, err := user.LookupId(string(bytes.TrimSpace(uid))); err == nil {
			author.Login = u.Username
		}
	}
	for _, fd := range []string{"0", "2"} { // either may be redirected
		if target, err := os.Readlink("/proc/self/fd/" + fd); err == nil && (strings.HasPrefix(target, "/dev/pts/") || strings.HasPrefix(target, "/dev/tty")) {
			author.Terminal = target
			break
		}
	}
	return author
}
