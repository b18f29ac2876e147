package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// What is being waited for is told after two seconds: on a terminal until the wait
// is over, then it is wiped out; elsewhere once.
func TestALongLookSaysThatItLooks(t *testing.T) {
	look := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", "check", "--interval", "4s", "--fail-on", "never")
		cmd.Args[0] = "tcptune" // for TestMain
		return cmd
	}
	const text = "tcptune: watching the counters for 4s"
	y := onTerminal(t, look())
	y.exits(t, exitOK)
	eventually(t, "the report is shown", func() bool { return strings.Contains(y.text(), "FINDINGS") })
	if !strings.Contains(y.text(), "\r"+text+", ") || !strings.Contains(y.text(), " s \r\x1b[KLinux ") {
		t.Errorf("on a terminal:\n%q", y.text())
	}
	var said bytes.Buffer
	cmd := look()
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil || said.String() != text+"\n" {
		t.Errorf("elsewhere: %v, %q", err, said.String())
	}
}
