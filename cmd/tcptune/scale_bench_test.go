package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// sizesVariable lists how many sockets BenchmarkScale fills its namespaces with.
const sizesVariable = "TCPTUNE_BENCH_SOCKETS"

// A duel is a job done by us and by what people use.
type duel struct {
	job          string
	ours, theirs []string // command lines; of theirs, joined by pipes
}

// duels are all jobs. Of some the kernel's part is done by itself as well: no
// program that asks sock_diag for as much can take less.
func duels(tcptune, hello, kernel string) []duel {
	all := []string{"ss -tan", "awk NR>1{n[$1]++}END{for(s_in_n)print(s,n[s])}"}
	return []duel{
		{"states", []string{tcptune + " states"}, all},
		{"states, the kernel's part", []string{kernel + " states"}, all},
		{"states, against netstat", []string{tcptune + " states"}, []string{"netstat -nat", "awk NR>2{n[$6]++}END{for(s_in_n)print(s,n[s])}"}},
		{"check", []string{tcptune + " check --fail-on never"}, all},
		{"check, the kernel's part", []string{kernel + " states walk"}, all},
		{"accept queues", []string{tcptune + " states --by listener"}, []string{"ss -tln"}},
		{"and SYN-RECV, programs", []string{tcptune + " states --by listener --sample-above 100000000"}, []string{"ss -tlnp"}},
		{"destinations, exact", []string{tcptune + " states --by destination --sample-above 100000000"}, all},
		{"destinations, sampled", []string{tcptune + " states --by destination --sample-above 1"}, all},
		{"a walk over all, of which none is fetched", []string{kernel + " walk"}, all},
		{"CLOSE-WAIT by program", []string{tcptune + " states --by program"}, []string{"ss -tanp state close-wait"}},
		{"CLOSE-WAIT by program, --bpf", []string{tcptune + " states --by program --bpf"}, []string{"ss -tanp state close-wait"}},
		{"--version, against a Go hello", []string{tcptune + " --version"}, []string{hello}},
	}
}

// BenchmarkScale prints what tcptune and the usual tools cost on a namespace full
// of sockets: medians of the processor time, user and system, of whole commands,
// over shuffled rounds of one run, and their ratio. For larger sizes:
//
//	TCPTUNE_BENCH_SOCKETS=1000,10000,100000,400000 go test ./cmd/tcptune -run '^$' -bench Scale -benchtime 1x
func BenchmarkScale(b *testing.B) {
	sizes := []int{1000, 10_000}
	if text := os.Getenv(sizesVariable); text != "" {
		sizes = nil
		for word := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(word)
			if err != nil {
				b.Fatalf("%s: %v", sizesVariable, err)
			}
			sizes = append(sizes, n)
		}
	}
	tcptune, hello, kernel := buildForBenchmark(b)
	b.ResetTimer()
	for b.Loop() {
		for _, sockets := range sizes {
			// A thread that was moved is not used again: it ends with its goroutine.
			table, done := new(strings.Builder), make(chan error)
			go func() {
				runtime.LockOSThread()
				done <- compare(table, sockets, duels(tcptune, hello, kernel))
			}()
			if err := <-done; err != nil {
				sysctltest.RequireKernel(b, err.Error())
			}
			fmt.Print(table)
		}
	}
}

const (
	helloSource = "package main\n\nfunc main() { println(1) }\n"
	// kernelSource makes the dumps that its arguments name, and does nothing with
	// what it gets.
	kernelSource = `package main

import (
	"context"
	"os"

	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

func main() {
	states := map[string]sockdiag.States{
		"states": sockdiag.AllStates &^ sockdiag.Of(tcpstate.Established, tcpstate.TimeWait),
		"walk":   sockdiag.Of(tcpstate.SynSent), // of which there are none
	}
	for _, dump := range os.Args[1:] {
		if err := sockdiag.Dump(context.Background(), sockdiag.Query{States: states[dump]}, func(*sockdiag.Socket) {}); err != nil {
			panic(err)
		}
	}
}
`
)

func buildForBenchmark(b *testing.B) (tcptune, hello, kernel string) {
	dir := b.TempDir()
	written := func(name, source string) string {
		file := filepath.Join(dir, name+".go")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			b.Fatal(err)
		}
		return file
	}
	tcptune, hello, kernel = filepath.Join(dir, "tcptune"), filepath.Join(dir, "hello"), filepath.Join(dir, "kernel")
	for program, from := range map[string]string{tcptune: ".", hello: written("hello", helloSource), kernel: written("kernel", kernelSource)} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, from)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	return tcptune, hello, kernel
}

// compare runs on a thread of its own, which it moves into a fresh namespace with
// a hash table of its own: the sockets of the host do not count.
func compare(w io.Writer, sockets int, duels []duel) error {
	for _, prepare := range []func() error{
		func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		func() error {
			return os.WriteFile("/proc/sys/net/ipv4/tcp_child_ehash_entries", []byte("262144"), 0)
		},
		func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		sysctltest.LoopbackUp,
	} {
		if err := prepare(); err != nil {
			return err
		}
	}
	people, err := crowd.Fill(crowd.BusyServer(sockets))
	if err != nil {
		return err
	}
	defer people.Close()
	const rounds = 9
	ours, theirs := make([][]time.Duration, len(duels)), make([][]time.Duration, len(duels))
	for range rounds {
		for _, i := range rand.Perm(2 * len(duels)) {
			lines, times := duels[i/2].ours, ours
			if i%2 == 1 {
				lines, times = duels[i/2].theirs, theirs
			}
			spent, err := processorTime(lines)
			if err != nil {
				return err
			}
			times[i/2] = append(times[i/2], spent)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\n%d sockets\tours, ms\ttheirs, ms\tratio\tpeak, MiB\t\n", sockets)
	for i, d := range duels {
		peak, err := peakMemory(d.ours[0])
		if err != nil {
			return err
		}
		a, b := median(ours[i]), median(theirs[i])
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t1/%.1f\t%.1f\t\n", d.job, milliseconds(a), milliseconds(b), float64(b)/float64(a), peak)
	}
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func commandOf(line string) *exec.Cmd {
	words := strings.Fields(line)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "_in_", " in ") // an argument of awk
	}
	return exec.Command(words[0], words[1:]...)
}

// processorTime is that of all commands of a pipe.
func processorTime(lines []string) (time.Duration, error) {
	var commands []*exec.Cmd
	var input *os.File
	for i, line := range lines {
		cmd := commandOf(line)
		if input != nil {
			cmd.Stdin = input
		}
		var output *os.File
		if i < len(lines)-1 {
			var err error
			if input, output, err = os.Pipe(); err != nil {
				return 0, err
			}
			cmd.Stdout = output
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		if output != nil {
			output.Close()
		}
		commands = append(commands, cmd)
	}
	spent := time.Duration(0)
	for _, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			return 0, fmt.Errorf("%v: %w", cmd.Args, err)
		}
		spent += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return spent, nil
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most memory that a command held, in MiB, as far as it can be
// seen from outside until it ends: what wait(2) reports includes the parent's, in
// whose memory a child begins.
func peakMemory(line string) (float64, error) {
	cmd := commandOf(line)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	peak := 0
	for {
		select {
		case err := <-ended:
			return float64(peak) / 1024, err
		default:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if match := highWater.FindSubmatch(status); match != nil {
				n, _ := strconv.Atoi(string(match[1]))
				peak = max(peak, n)
			}
		}
	}
}
