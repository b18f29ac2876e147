package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// BenchmarkNamespaces prints what counting the sockets of 60 network namespaces
// costs, as [BenchmarkScale] does. They share the host's hash table, as those of
// containers do.
func BenchmarkNamespaces(b *testing.B) {
	const namespaces, sockets, rounds = 60, 1632, 9
	var script strings.Builder
	for i := range namespaces {
		name := fmt.Sprintf("tcptune-bench-%d-%d", os.Getpid(), i)
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			sysctltest.RequireKernel(b, fmt.Sprintf("ip netns add: %v %s", err, out))
		}
		b.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
		fmt.Fprintln(&script, "ss -tan -N", name)
		n, err := netns.Lookup(name)
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Do(func() error {
			if err := sysctltest.LoopbackUp(); err != nil {
				return err
			}
			people, err := crowd.Fill(crowd.BusyServer(sockets))
			if err == nil {
				b.Cleanup(func() { people.Close() })
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	loop := filepath.Join(b.TempDir(), "loop")
	if err := os.WriteFile(loop, []byte(script.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	tcptune, _, _ := buildForBenchmark(b)
	contestants := [][]string{
		{"sh " + loop, "awk {n[$1]++}END{for(s_in_n)print(s,n[s])}"},
		{tcptune + " states --netns all"},
		{tcptune + " states --netns all --bpf"},
	}
	for b.Loop() {
		times := make([][]time.Duration, len(contestants))
		for range rounds {
			for _, i := range rand.Perm(len(contestants)) {
				spent, err := processorTime(contestants[i])
				if err != nil {
					b.Fatal(err)
				}
				times[i] = append(times[i], spent)
			}
		}
		theirs := median(times[0])
		fmt.Printf("\n%d namespaces of %d sockets: a loop of ss %.1f ms", namespaces, sockets, milliseconds(theirs))
		for i, what := range []string{"tcptune", "with --bpf"} {
			ours := median(times[i+1])
			fmt.Printf(", %s %.1f ms (1/%.1f)", what, milliseconds(ours), float64(theirs)/float64(ours))
		}
		fmt.Println()
	}
}
