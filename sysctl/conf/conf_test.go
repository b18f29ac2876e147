package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseReadsAssignmentsAsTheLoadersDo(t *testing.T) {
	text := strings.Join([]string{
		"# a comment", "; another", "",
		"net.ipv4.tcp_fin_timeout = 30",
		"net/ipv4/conf/eth0.100/forwarding=1",
		"-net.ipv4.tcp_tw_recycle = 1",
		"  net.ipv4.ip_local_port_range\t=\t10240 65535  ",
		"net.core.somaxconn = 1024 # kept, as the loaders keep it",
		"kernel.core_pattern = |/bin/dump a=b",
		"-net.ipv4.conf.eth0.rp_filter",
		"nonsense", "net..x = 1",
	}, "\n")
	lines, faults, err := Parse(strings.NewReader(text), "f.conf")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprintf("%s:%d %s = %s %v", l.File, l.Number, l.Key, l.Value, l.Lenient))
	}
	want := []string{
		"f.conf:4 net.ipv4.tcp_fin_timeout = 30 false",
		"f.conf:5 net.ipv4.conf.eth0/100.forwarding = 1 false",
		"f.conf:6 net.ipv4.tcp_tw_recycle = 1 true",
		"f.conf:7 net.ipv4.ip_local_port_range = 10240 65535 false",
		"f.conf:8 net.core.somaxconn = 1024 # kept, as the loaders keep it false",
		"f.conf:9 kernel.core_pattern = |/bin/dump a=b false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignments:\n%s", diff)
	}
	if len(faults) != 2 || !strings.HasPrefix(faults[0].Error(), "f.conf:11: ") || !strings.HasPrefix(faults[1].Error(), "f.conf:12: ") {
		t.Errorf("faults: %v", faults)
	}
}

func TestFilesOfOneNameHideEachOtherAndApplyByName(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"etc/sysctl.d/50-a.conf":     "net.core.somaxconn = 1",
		"usr/lib/sysctl.d/50-a.conf": "net.core.somaxconn = 2", // hidden
		"run/sysctl.d/90-z.conf":     "net.core.somaxconn = 3",
		"usr/lib/sysctl.d/60-m.conf": "net.ipv4.conf.*.rp_filter = 1\nnet.core.somaxconn = 4",
		"etc/sysctl.d/README":        "net.core.somaxconn = 5", // not *.conf
		"etc/sysctl.conf":            "net.core.somaxconn = 6",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "etc/sysctl.d/90-masked.conf")); err != nil {
		t.Fatal(err)
	}
	lines, err := System(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		rel, _ := filepath.Rel(root, l.File)
		got = append(got, rel+" "+string(l.Value))
	}
	want := []string{"etc/sysctl.d/50-a.conf 1", "usr/lib/sysctl.d/60-m.conf 4", "run/sysctl.d/90-z.conf 3", "etc/sysctl.conf 6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignments in the order in which they apply:\n%s", diff)
	}
}

func TestSysctlConfIsReadOnceIfADropInLinksToIt(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/sysctl.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/sysctl.conf"), []byte("net.core.somaxconn = 6"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../sysctl.conf", filepath.Join(root, "etc/sysctl.d/99-sysctl.conf")); err != nil {
		t.Fatal(err)
	}
	lines, err := System(root)
	if err != nil || len(lines) != 1 {
		t.Errorf("read %v, %v; want one line", lines, err)
	}
}

func TestFilesThatCannotBeReadAreSaidAndTheOthersRead(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/sysctl.d/10-folder.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"20-line.conf": strings.Repeat("x", 2<<20), "30-good.conf": "net.core.somaxconn = 6\nnonsense"} {
		if err := os.WriteFile(filepath.Join(root, "etc/sysctl.d", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := System(root)
	if len(lines) != 1 || err == nil || !strings.Contains(err.Error(), "10-folder.conf") || !strings.Contains(err.Error(), "20-line.conf") || strings.Contains(err.Error(), "30-good.conf") {
		t.Errorf("read %v, %v", lines, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("net.ipv4.tcp_fin_timeout = 30\n-a/b.c=d=e\n;x")
	f.Fuzz(func(t *testing.T, text string) {
		lines, _, _ := Parse(strings.NewReader(text), "f")
		for _, l := range lines {
			lenient := ""
			if l.Lenient {
				lenient = "-"
			}
			again, faults, _ := Parse(strings.NewReader(fmt.Sprintf("%s%s = %s", lenient, l.Key, l.Value)), "f")
			if len(faults) > 0 || len(again) != 1 || again[0].Lenient != l.Lenient || again[0].Key != l.Key || again[0].Value != l.Value {
				t.Errorf("%+v, printed and read again, is %+v, %v", l, again, faults)
			}
		}
	})
}
