package observe

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// BenchmarkCount counts 100,000 TIME-WAIT sockets in a namespace of its own and
// reports the CPU time against that of ss(8), which prints them, in the same run.
func BenchmarkCount(b *testing.B) {
	// The thread stays in its namespace and ends with the goroutine.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		sysctltest.RequireKernel(b, "cannot make a network namespace: "+err.Error())
	}
	if err := sysctltest.LoopbackUp(); err != nil {
		b.Fatal(err)
	}
	for file, value := range map[string]string{"tcp_max_tw_buckets": "200000", "tcp_tw_reuse": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+file, []byte(value), 0); err != nil {
			b.Fatal(err)
		}
	}
	const sockets = 100_000
	fillTimeWait(b, sockets)
	counted := int64(0)
	count := func() {
		t := newTally()
		if err := sockdiag.Dump(context.Background(), t.add); err != nil {
			b.Fatal(err)
		}
		counted = t.result("").IPv4.Of(tcpstate.TimeWait)
	}
	for b.Loop() {
		count()
	}
	if counted < sockets*9/10 {
		b.Fatalf("counted %d of %d sockets", counted, sockets)
	}
	var ours, theirs []time.Duration
	for range 7 {
		ours = append(ours, cpu(unix.RUSAGE_SELF, count))
		theirs = append(theirs, cpu(unix.RUSAGE_CHILDREN, func() {
			if err := exec.Command("ss", "-tan").Run(); err != nil {
				sysctltest.RequireKernel(b, "ss of iproute2 is needed: "+err.Error())
			}
		}))
	}
	b.ReportMetric(float64(median(theirs))/float64(median(ours)), "ss/ours")
	b.ReportMetric(float64(counted), "sockets")
}

// cpu is the processor time, user and system, that something takes.
func cpu(who int, do func()) time.Duration {
	var before, after syscall.Rusage
	syscall.Getrusage(who, &before)
	do()
	syscall.Getrusage(who, &after)
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// fillTimeWait makes connections over many loopback addresses and closes them
// at once, the client first.
func fillTimeWait(b *testing.B, n int) {
	listener := tcpSocket(b)
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Port: 8080}); err != nil {
		b.Fatal(err)
	}
	if err := unix.Listen(listener, 16); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		client := tcpSocket(b)
		to := &unix.SockaddrInet4{Port: 8080, Addr: [4]byte{127, 0, 1, byte(i % 16)}}
		if err := unix.Connect(client, to); err != nil {
			b.Fatal(err)
		}
		server, _, err := unix.Accept(listener)
		if err != nil {
			b.Fatal(err)
		}
		unix.Close(client)
		unix.Close(server)
	}
}

func tcpSocket(b *testing.B) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	return fd
}
