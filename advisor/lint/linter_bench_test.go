package lint_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// small is a sysctl.conf as people keep them: five lines, a fault or two.
const small = `# web servers
net.core.somaxconn = 4096
net.ipv4.tcp_fin_timeout = 30
net.ipv4.tcp_tw_reuse = 1
net.ipv4.tcp_keepalive_time = 600
net.ipv4.tcp_max_syn_backlog = 4096
`

func maintained(t testing.TB) []lint.Target {
	t.Helper()
	return targets(t, sysctl.Maintained...)
}

func targets(t testing.TB, releases ...string) (all []lint.Target) {
	t.Helper()
	for _, name := range releases {
		kernel, err := sysctl.ParseRelease(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lint.Target{Name: name, Kernel: kernel})
	}
	return all
}

func newLinter(t testing.TB, targets []lint.Target, options lint.Options) *lint.Linter {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return lint.New(targets, set, options)
}

// units are those of paths, with nothing on standard input.
func units(paths ...string) iter.Seq[lint.Work] { return lint.Units(paths, strings.NewReader("")) }

// A small file on the kernels that are judged by default.
func BenchmarkJudge(b *testing.B) {
	l := newLinter(b, maintained(b), lint.Options{})
	path := filepath.Join(b.TempDir(), "sysctl.conf")
	if err := os.WriteFile(path, []byte(small), 0o644); err != nil {
		b.Fatal(err)
	}
	var unit lint.Unit
	for work := range units(path) {
		unit = work()
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Judge(unit)
	}
}

// Ten thousand small files in folders of their own, against what it costs to read
// them; and the most memory in use, which must not grow with their number.
func BenchmarkLint10000(b *testing.B) {
	l := newLinter(b, maintained(b), lint.Options{})
	for b.Loop() {
		heap1000, _ := heapOf(b, l, fleet(b, 1000))
		top := fleet(b, 10_000)
		cat := timed(func() { concatenate(b, top) })
		heap10000, linted := heapOf(b, l, top)
		b.ReportMetric(linted.Seconds(), "s/lint")
		b.ReportMetric(linted.Seconds()/cat.Seconds(), "x-cat")
		b.ReportMetric(heap1000, "MiB-heap/1000")
		b.ReportMetric(heap10000, "MiB-heap/10000")
	}
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// fleet makes folders for n hosts with a small file in each.
func fleet(b *testing.B, n int) string {
	b.Helper()
	top := b.TempDir()
	for i := range n {
		dir := filepath.Join(top, fmt.Sprintf("%02d", i%100), fmt.Sprintf("host%05d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sysctl.conf"), []byte(small), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return top
}

// concatenate reads all files as cat does.
func concatenate(b *testing.B, top string) {
	b.Helper()
	err := filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(io.Discard, file)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// heapOf lints a tree and gives the most heap in use that was seen, in MiB, and
// how long the linting took.
func heapOf(b *testing.B, l *lint.Linter, top string) (most float64, took time.Duration) {
	b.Helper()
	runtime.GC()
	var m runtime.MemStats
	n := 0
	took = timed(func() {
		err := l.Run(context.Background(), units(top), func(lint.Result) error {
			if n++; n%200 == 0 {
				runtime.ReadMemStats(&m)
				most = max(most, float64(m.HeapAlloc)/(1<<20))
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	return most, took
}
