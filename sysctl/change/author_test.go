package change

import (
	"os"
	"testing"
)

func TestCurrentAuthorNamesTheCallerOfSudo(t *testing.T) {
	t.Setenv("SUDO_USER", "alice")
	if a := CurrentAuthor(); a.Sudo != "alice" || a.PID != os.Getpid() || a.UID != os.Geteuid() {
		t.Errorf("author %+v", a)
	}
}
