package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts and golden files")

func TestMain(m *testing.M) {
	crowd.Main()
	commands := map[string]func(){"tcptune": func() { os.Exit(tcptune()) }}
	maps.Copy(commands, helpers)
	testscript.Main(m, commands)
}

// TestScripts drives the command as a user would, without privileges and on
// snapshots.
func TestScripts(t *testing.T) { runScripts(t, testscript.Params{Dir: "testdata/script"}) }

// TestNamespaceScripts drives it on the running kernel, as root of a network
// namespace of each script's own.
func TestNamespaceScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/namespace/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			if sysctltest.Namespace(t) {
				runScripts(t, testscript.Params{Files: []string{script}})
			}
		})
	}
}

func runScripts(t *testing.T, p testscript.Params) {
	snapshots, err := filepath.Abs("testdata/facts")
	if err != nil {
		t.Fatal(err)
	}
	p.UpdateScripts = *update
	p.RequireExplicitExec = true
	p.RequireUniqueNames = true
	p.Condition = condition
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("FACTS", snapshots)
		env.Setenv("COLUMNS", "100")
		return nil
	}
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){"exits": exits}
	testscript.Run(t, p)
}

// condition knows "root" and "has:COMMAND". Where kernel tests are required, one
// that does not hold is a failure: its script would be skipped.
func condition(name string) (bool, error) {
	holds := os.Geteuid() == 0
	if command, ok := strings.CutPrefix(name, "has:"); ok {
		_, err := exec.LookPath(command)
		holds = err == nil
	} else if name != "root" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if !holds && os.Getenv(sysctltest.RequireVariable) != "" {
		return false, fmt.Errorf("%s is needed", name)
	}
	return holds, nil
}

// exits runs a command and checks its exact exit code: exits 6 tcptune apply
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
