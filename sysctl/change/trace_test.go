package change

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ofTheRuntime are system calls of Go's own, which come as they like and leave
// nothing behind.
var ofTheRuntime = []uint64{
	unix.SYS_FUTEX, unix.SYS_MADVISE, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_RT_SIGPROCMASK,
	unix.SYS_RT_SIGACTION, unix.SYS_SIGALTSTACK, unix.SYS_CLONE, unix.SYS_GETTID, unix.SYS_TGKILL, unix.SYS_EPOLL_PWAIT, unix.SYS_CLOCK_GETTIME,
}

// killAtSystemCall lets a thread that waits begin, and kills its process right
// before the thread's nth system call is carried out; or lets it end if there are
// not as many. It is called from one locked thread.
func killAtSystemCall(pid, thread, n int, begin func()) error {
	const (
		eventStop       = 128    // PTRACE_EVENT_STOP
		syscallInfo     = 0x420e // PTRACE_GET_SYSCALL_INFO, since Linux 5.3
		syscallEntry    = 1      // PTRACE_SYSCALL_INFO_ENTRY
		syscallStop     = syscall.SIGTRAP | 0x80
		traceSysGood    = 1 // PTRACE_O_TRACESYSGOOD
		exitKill        = 1 << 20
		numberInTheInfo = 24
	)
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(thread), 0, traceSysGood|exitKill, 0, 0); errno != 0 {
		return fmt.Errorf("seize: %w", errno)
	}
	if err := unix.PtraceInterrupt(thread); err != nil {
		return fmt.Errorf("interrupt: %w", err)
	}
	begun := false
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(thread, &status, unix.WALL, nil); err == unix.EINTR {
			continue
		} else if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if !status.Stopped() {
			return nil // ended, or killed
		}
		signal := 0
		switch {
		case status.StopSignal() == syscallStop:
			var info [88]byte
			if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, syscallInfo, uintptr(thread), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
				return fmt.Errorf("system call's number: %w", errno)
			}
			number := binary.NativeEndian.Uint64(info[numberInTheInfo:])
			if info[0] == syscallEntry && number != unix.SYS_EXIT_GROUP && !slices.Contains(ofTheRuntime, number) {
				if n--; n == 0 {
					if err := unix.Kill(pid, unix.SIGKILL); err != nil {
						return err
					}
				}
			}
		case int(status)>>16 == eventStop:
			if !begun {
				begun = true
				begin()
			}
		default:
			signal = int(status.StopSignal())
		}
		if err := unix.PtraceSyscall(thread, signal); err != nil && err != unix.ESRCH {
			return fmt.Errorf("continue: %w", err)
		}
	}
}
