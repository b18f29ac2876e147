package conf

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
)

// explain is a setting as a person would read it.
func explain(r Resolution, key sysctl.Key) (lines []string) {
	setting, _ := r.Setting(key)
	for _, d := range setting.Definitions {
		line := fmt.Sprintf("%s:%d %s", d.File, d.Number, d.Value)
		if d.Pattern != "" {
			line += " by " + string(d.Pattern)
		}
		if d.Written {
			line += ", written"
		}
		if d.Loses != "" {
			line += fmt.Sprintf(": %s (line %d)", d.Loses, d.By.Number)
		}
		lines = append(lines, line)
	}
	if winner, ok := setting.Winner(); ok {
		lines = append(lines, "winner: "+string(winner.Value))
	}
	return lines
}

func TestEveryLoserIsToldWhy(t *testing.T) {
	for _, c := range []struct {
		name  string
		key   sysctl.Key
		files tree
		want  map[Loader][]string
	}{
		{"set later", fin, tree{"etc/sysctl.d/a.conf": fin + "=1", "usr/lib/sysctl.d/b.conf": "#\n" + fin + "=2"}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:1 1: /usr/lib/sysctl.d/b.conf:2 sets it later (line 2)", "/usr/lib/sysctl.d/b.conf:2 2, written", "winner: 2"},
			Procps:  {"/etc/sysctl.d/a.conf:1 1, written: /usr/lib/sysctl.d/b.conf:2 sets it later (line 2)", "/usr/lib/sysctl.d/b.conf:2 2, written", "winner: 2"},
		}},
		{"said again", fin, tree{"etc/sysctl.d/a.conf": fin + "=1\n" + fin + "=1"}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:1 1: /etc/sysctl.d/a.conf:2 says the same again (line 2)", "/etc/sysctl.d/a.conf:2 1, written", "winner: 1"},
			Procps:  {"/etc/sysctl.d/a.conf:1 1, written: /etc/sysctl.d/a.conf:2 sets it later (line 2)", "/etc/sysctl.d/a.conf:2 1, written", "winner: 1"},
		}},
		{"taken back", fin, tree{"etc/sysctl.d/a.conf": fin + "=1\n-" + fin}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:1 1: /etc/sysctl.d/a.conf:2 takes it back: a later exclusion takes the place of an assignment in systemd-sysctl (line 2)"},
			Procps:  {"/etc/sysctl.d/a.conf:1 1, written", "winner: 1"},
		}},
		{"outranked", filterLo, tree{"etc/sysctl.d/a.conf": filterLo + "=1\n" + filters + "=2"}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:2 2 by " + filters + ": /etc/sysctl.d/a.conf:1 names the key itself, which outranks a glob (line 1)", "/etc/sysctl.d/a.conf:1 1, written", "winner: 1"},
			Procps:  {"/etc/sysctl.d/a.conf:2 2 by " + filters + ": /etc/sysctl.d/a.conf:1 names the key itself, which outranks a glob (line 1)", "/etc/sysctl.d/a.conf:1 1, written", "winner: 1"},
		}},
		{"excluded", filterLo, tree{"etc/sysctl.d/a.conf": "-" + filterLo + "\n" + filters + "=2"}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:2 2 by " + filters + ": /etc/sysctl.d/a.conf:1 excludes the key from globs (line 1)"},
			Procps:  {"/etc/sysctl.d/a.conf:2 2 by " + filters + ": /etc/sysctl.d/a.conf:1 excludes the key from globs (line 1)"},
		}},
		{"repeated out of place", fin, tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin*=1\nnet.ipv4.*_timeout=2\nnet.ipv4.tcp_fin*=1"}, map[Loader][]string{
			Systemd: {
				"/etc/sysctl.d/a.conf:1 1 by net.ipv4.tcp_fin*: /etc/sysctl.d/a.conf:3 says the same again (line 3)",
				"/etc/sysctl.d/a.conf:3 1 by net.ipv4.tcp_fin*, written: it repeats /etc/sysctl.d/a.conf:1 and so takes effect there, ahead of /etc/sysctl.d/a.conf:2 (line 2)",
				"/etc/sysctl.d/a.conf:2 2 by net.ipv4.*_timeout, written", "winner: 2",
			},
			Procps: {
				"/etc/sysctl.d/a.conf:1 1 by net.ipv4.tcp_fin*, written: /etc/sysctl.d/a.conf:3 sets it later (line 3)",
				"/etc/sysctl.d/a.conf:2 2 by net.ipv4.*_timeout, written: /etc/sysctl.d/a.conf:3 sets it later (line 3)",
				"/etc/sysctl.d/a.conf:3 1 by net.ipv4.tcp_fin*, written", "winner: 1",
			},
		}},
		{"excluded, then set by name", filterLo, tree{"etc/sysctl.d/a.conf": "-" + filterLo + "\n" + filterLo + "=1\n" + filters + "=2"}, map[Loader][]string{
			Systemd: {"/etc/sysctl.d/a.conf:3 2 by " + filters + ": /etc/sysctl.d/a.conf:2 names the key itself, which outranks a glob (line 2)", "/etc/sysctl.d/a.conf:2 1, written", "winner: 1"},
			Procps:  {"/etc/sysctl.d/a.conf:3 2 by " + filters + ": /etc/sysctl.d/a.conf:2 names the key itself, which outranks a glob (line 2)", "/etc/sysctl.d/a.conf:2 1, written", "winner: 1"},
		}},
	} {
		for loader, want := range c.want {
			if diff := cmp.Diff(want, explain(resolve(t, loader, c.files), c.key)); diff != "" {
				t.Errorf("%s, %s:\n%s", c.name, loader, diff)
			}
		}
	}
}

func TestGlobsThatMatchNothingAreListed(t *testing.T) {
	files := tree{"etc/sysctl.d/a.conf": "net.ipv9.*=1\n" + filters + "=1\n-net.ipv4.conf.l*.rp_filter\nnet.ipv4.{tcp_fin,x}*=1\nnonsense"}
	for loader, want := range map[Loader][]string{
		Systemd: {"net.ipv9.* = 1", "-net.ipv4.conf.l*.rp_filter"},
		Procps:  {"net.ipv9.* = 1", "-net.ipv4.conf.l*.rp_filter", "net.ipv4.{tcp_fin,x}* = 1"},
	} {
		r := resolve(t, loader, files)
		var got []string
		for _, l := range r.Unmatched {
			got = append(got, l.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", loader, diff)
		}
		if len(r.Lines) != 4 || len(r.Faults) != 1 {
			t.Errorf("%s: %d lines, faults %v", loader, len(r.Lines), r.Faults)
		}
	}
}

func TestGlobsMatchTheRunningKernelsParameters(t *testing.T) {
	root := t.TempDir()
	tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_timeou?=1"}.plant(t, root)
	if winner := explain(System{Root: root, Loader: Procps}.Resolve(), fin); len(winner) != 2 {
		t.Errorf("%v", winner)
	}
}
