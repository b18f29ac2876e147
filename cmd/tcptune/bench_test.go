package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkStart runs the built command and reports its CPU time, that of a Go
// program that prints a line, and that of a whole check, in one run.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	hello := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(hello, []byte("package main\n\nfunc main() { println(1) }\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, source := range map[string]string{"hello": hello, "tcptune": "."} {
		out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, name), source).CombinedOutput()
		if err != nil {
			b.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	cpu := func(name string, args ...string) time.Duration {
		cmd := exec.Command(filepath.Join(dir, name), args...)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	var base, version, check []time.Duration
	for b.Loop() {
		for range 15 {
			base = append(base, cpu("hello"))
			version = append(version, cpu("tcptune", "--version"))
			check = append(check, cpu("tcptune", "check", "--fail-on", "never"))
		}
	}
	for unit, values := range map[string][]time.Duration{"hello-ms": base, "version-ms": version, "check-ms": check} {
		slices.Sort(values)
		b.ReportMetric(float64(values[len(values)/2].Microseconds())/1000, unit)
	}
}
