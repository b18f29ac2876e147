package observe

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// BenchmarkErrorUnderChurn prints by how many sockets each way to count is off,
// at most, on 100,000 sockets that stay while 2,000 connections a second come and
// go beside them.
func BenchmarkErrorUnderChurn(b *testing.B) {
	const sockets, churn, rounds = 100_000, 2000, 15
	// A thread that was moved is not used again: it ends with its goroutine.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			if err := sysctltest.LoopbackUp(); err != nil {
				return err
			}
			mix := crowd.BusyServer(sockets)
			mix.TimeWait = 0
			people, err := crowd.Fill(mix)
			if err != nil {
				return err
			}
			defer people.Close()
			ways := []struct {
				name   string
				rounds int
				alter  func(*facts.Snapshot, *census)
			}{
				{string(facts.ByArithmetic), rounds, func(*facts.Snapshot, *census) {}},
				{string(facts.ByDump), rounds, func(s *facts.Snapshot, _ *census) { s.Kernel = sysctl.Release{Major: 4} }},
				{string(facts.ByProcNet), 2, func(_ *facts.Snapshot, c *census) {
					c.dump = nil
				}},
			}
			still := map[string]int64{}
			for _, phase := range []string{"still", "churn"} {
				for _, way := range ways {
					worst, longest := int64(0), time.Duration(0)
					for range way.rounds {
						began := time.Now()
						so, err := countOnce(way.alter)
						if err != nil {
							return err
						}
						longest = max(longest, time.Since(began))
						off := int64(0)
						for _, info := range tcpstate.All() {
							if info.State == tcpstate.TimeWait || info.State == tcpstate.Listen {
								continue
							}
							n := so.Of(info.State)
							if phase == "still" {
								still[info.Word] = n
							}
							off += max(n-still[info.Word], still[info.Word]-n)
						}
						worst = max(worst, off)
					}
					if phase == "churn" {
						fmt.Printf("%20s: off by %d of %d at most, %v at most\n", way.name, worst, sockets, longest.Round(time.Millisecond))
					}
				}
				if phase == "still" {
					if err := people.Churn(churn); err != nil {
						return err
					}
					time.Sleep(time.Second)
				}
			}
			return nil
		}()
	}()
	if err := <-done; err != nil {
		sysctltest.RequireKernel(b, err.Error())
	}
}

func countOnce(alter func(*facts.Snapshot, *census)) (*facts.Sockets, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, err
	}
	s := &facts.Snapshot{Kernel: release, Gaps: map[facts.Part]facts.Gap{}}
	c := newCensus(s, 0)
	alter(s, c)
	sockstat(s)
	err = c.take(context.Background(), func(ctx context.Context) error {
		if c.dump == nil {
			return os.ErrPermission
		}
		_, err := c.states(ctx, (*tally).addState)
		return err
	})
	if err == nil && s.Sockets == nil {
		err = fmt.Errorf("sockets were not counted: %v", s.Gaps)
	}
	return s.Sockets, err
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
