package conf

import (
	"errors"
	"os"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// CommandLine is the File of lines that stand on the kernel's command line as
// sysctl.KEY=VALUE. The kernel heeds them from Linux 5.8 on (fs/proc/proc_sysctl.c,
// do_sysctl_args), before any loader runs.
const CommandLine = "kernel command line"

// commandLine reads what the running kernel was started with. It holds for the
// host's own namespace only: in a child there is nothing to say of it.
func commandLine() []Line {
	release, err := sysctl.RunningRelease()
	if err != nil || release.Before(sysctl.Release{Major: 5, Minor: 8}) {
		return nil
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil || tree.IsChild() {
		return nil
	}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return parseCommandLine(string(text))
}

func parseCommandLine(text string) []Line {
	var lines []Line
	for _, argument := range arguments(text) {
		name, value, assigns := strings.Cut(argument, "=")
		name, ours := strings.CutPrefix(name, "sysctl")
		if argument == "--" { // what follows is for init
			break
		}
		if !ours || !assigns || value == "" || name == "" || strings.IndexByte("./", name[0]) < 0 {
			continue
		}
		// Every dot separates here: sysctl.net.ipv4.conf.eth0/100.x is no name.
		key, err := sysctl.ParseKey(strings.ReplaceAll(name[1:], ".", "/"))
		if err != nil {
			continue
		}
		lines = append(lines, Line{Key: key, Value: sysctl.Value(value), File: CommandLine, Text: argument})
	}
	return lines
}

// arguments splits a command line at blanks outside of double quotes, and takes
// off the quotes as lib/cmdline.c does: around an argument or around its value.
func arguments(text string) []string {
	var all []string
	quoted := false
	for _, field := range strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	}) {
		if inner, whole := strings.CutPrefix(field, `"`); whole {
			field = strings.TrimSuffix(inner, `"`)
		} else if name, value, assigns := strings.Cut(field, `="`); assigns {
			field = name + "=" + strings.TrimSuffix(value, `"`)
		}
		all = append(all, field)
	}
	return all
}
