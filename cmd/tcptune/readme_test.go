package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// fenced are the blocks of a Markdown text in one language.
func fenced(text, language string) []string {
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "```"+language+"\n")
		if !found {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "```")
		blocks = append(blocks, block)
		text = after
	}
}

// Every command of the README runs, in order, in a network namespace and with
// folders of its own in place of the system's.
func TestReadmeCommands(t *testing.T) {
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	if !sysctltest.Namespace(t) {
		return
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "tcptune")); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("mount -t tmpfs none /var/lib && mount -t tmpfs none /etc/sysctl.d || exit 99\n")
	commands := 0
	for _, block := range fenced(string(readme), "sh") {
		for line := range strings.Lines(block) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "sudo ")
			if line == "" {
				continue
			}
			commands++
			fmt.Fprintf(&script, "(%s\n) >/dev/null; echo $?\n", line)
		}
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errors.String())
	}
	codes := strings.Fields(string(out))
	if len(codes) != commands || commands < 10 {
		t.Fatalf("%d commands, and %d exit codes: %s\n%s", commands, len(codes), codes, errors.String())
	}
	i := 0
	for _, block := range fenced(string(readme), "sh") {
		for line := range strings.Lines(block) {
			want := "0"
			if strings.Contains(line, "exits with 1 if it differs") {
				want = "1" // a fresh namespace is not as the profile wants it
			}
			// The processors' input queues are the whole host's: packets that other
			// tests lose meanwhile are a warning.
			mayWarn := strings.Contains(line, "--interval") && codes[i] == "1"
			if codes[i] != want && !mayWarn {
				t.Errorf("%s: exit code %s, want %s\n%s", strings.TrimSpace(line), codes[i], want, errors.String())
			}
			i++
		}
	}
}

func TestReadmeRulePassesItsTest(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := fenced(string(readme), "toml")
	if len(blocks) != 1 {
		t.Fatalf("the README shows %d rules", len(blocks))
	}
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Add(fstest.MapFS{"site/many-connections.toml": {Data: []byte(blocks[0])}}, "README.md"); err != nil {
		t.Fatal(err)
	}
	r, _ := set.Get("site/many-connections")
	for _, fault := range r.Test() {
		t.Error(fault)
	}
}

// Sessions of the README that begin with printf print what is shown.
func TestReadmeSessions(t *testing.T) {
	t.Setenv("COLUMNS", "")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	sessions := 0
	for _, block := range fenced(string(readme), "console") {
		command, shown, _ := strings.Cut(block, "\n")
		input, args, found := strings.Cut(strings.TrimPrefix(command, "$ printf '"), `\n' | tcptune `)
		if !found {
			continue
		}
		sessions++
		var out, errs strings.Builder
		run(context.Background(), strings.Fields(args), &app{in: strings.NewReader(input + "\n"), out: &out, err: &errs})
		if diff := cmp.Diff(shown, out.String()); diff != "" {
			t.Errorf("%s: shown (-) and printed (+):\n%s%s", command, diff, errs.String())
		}
	}
	if sessions != 1 {
		t.Errorf("%d sessions begin with printf", sessions)
	}
}
