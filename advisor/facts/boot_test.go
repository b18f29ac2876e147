package facts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// The lines of a system stand in the order in which they are read, with what
// becomes of each; other parts of the kernel than the network are left out.
func TestWhatFilesComeToAtBoot(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"etc/sysctl.d/10-a.conf":     "net.core.somaxconn = 1\nvm.swappiness = 1\nnonsense\n\tnet.ipv4.tcp_sack\t=\t0 \n",
		"etc/sysctl.d/90-z.conf":     "-net.core.somaxconn = 2\nnet.ipv4.tcp_nothing* = 1\nnet.ipv4.tcp_keepalive_* = 9\nnet.ipv4.tcp_keepalive_time = 60\n",
		"usr/lib/sysctl.d/10-a.conf": "net.core.somaxconn = 3\n", // hidden
		"etc/sysctl.conf":            "net.core.somaxconn = 4\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := conf.System{Root: root, Loader: conf.Systemd, Keys: conf.KeysOf(sysctl.Names())}.Resolve()
	boot, asked := facts.BootFrom(r, conf.InUse{Loader: conf.Systemd, Evidence: "e"})
	var got []string
	for _, a := range asked {
		text := fmt.Sprintf("%s:%d:%d-%d %s=%s", filepath.Base(a.File), a.Line, a.Column, a.EndColumn, a.Key, a.Value)
		for _, more := range []struct {
			is   bool
			text string
		}{{a.Lenient, "lenient"}, {a.Loses != "", a.Loses}, {a.Malformed != "", a.Malformed}, {a.Unmatched, "unmatched"}} {
			if more.is {
				text += "; " + more.text
			}
		}
		got = append(got, text)
	}
	want := []string{
		"10-a.conf:1:1-23 net.core.somaxconn=1; /etc/sysctl.d/90-z.conf:1 sets it later",
		"10-a.conf:3:1-9 =; not an assignment: there is no =",
		"10-a.conf:4:2-23 net.ipv4.tcp_sack=0",
		"90-z.conf:1:1-24 net.core.somaxconn=2; lenient",
		"90-z.conf:2:1-26 net.ipv4.tcp_nothing*=1; unmatched",
		"90-z.conf:3:1-29 net.ipv4.tcp_keepalive_intvl=9",
		"90-z.conf:3:1-29 net.ipv4.tcp_keepalive_probes=9",
		"90-z.conf:3:1-29 net.ipv4.tcp_keepalive_time=9; /etc/sysctl.d/90-z.conf:4 names the key itself, which outranks a glob",
		"90-z.conf:4:1-33 net.ipv4.tcp_keepalive_time=60",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ignored := []facts.BootFile{{Path: "/etc/sysctl.conf", Reason: "systemd-sysctl does not read it, and no drop-in links to it"}}
	if diff := cmp.Diff(&facts.Boot{Loader: "systemd-sysctl", Evidence: "e", Ignored: ignored}, boot); diff != "" {
		t.Error(diff)
	}
}
