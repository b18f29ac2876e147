package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// interrupt sends each thread of a process of ours a signal as the runtime sends
// to its own, which cuts short what they wait for in the kernel.
func interrupt(t *testing.T, pid int) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if tid, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.Tgkill(pid, tid, unix.SIGURG) // it may have ended
		}
	}
}

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
	eventually(t, "it is told what is waited for", func() bool {
		interrupt(t, y.cmd.Process.Pid)
		return strings.Contains(y.text(), text)
	})
	if strings.Contains(y.text(), ", 0 s") || strings.Contains(y.text(), ", 1 s") {
		t.Errorf("told before two seconds were over:\n%q", y.text())
	}
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
