package lint_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// image lays out the files of a system.
func image(t *testing.T, files map[string]string, links map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "root/etc/os-release", "ID=debian\n")
	for name, content := range files {
		write(t, "root/"+name, content)
	}
	for name, target := range links {
		if err := os.MkdirAll("root/"+name[:strings.LastIndexByte(name, '/')], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, "root/"+name); err != nil {
			t.Fatal(err)
		}
	}
}

// ofSystem is what is said about a system for Linux 6.12, one "file:line rule"
// each.
func ofSystem(t *testing.T, loader conf.Loader) []string {
	t.Helper()
	kernels := targets(t, "6.12")
	kernels[0].Loader = loader
	r := newLinter(t, kernels, lint.Options{Today: today}).Judge(lint.System("root", loader)())
	all := []string{}
	for _, f := range r.Findings {
		all = append(all, strings.TrimPrefix(f.Places[0].String(), "root/")+" "+f.Rule)
	}
	for _, s := range r.Suppressed {
		all = append(all, strings.TrimPrefix(s.Places[0].String(), "root/")+" ("+s.Rule+")")
	}
	for _, remark := range r.Unread {
		all = append(all, strings.TrimPrefix(remark.File, "root/")+" unread")
	}
	return sorted(all)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func TestSystemIsReadAsItsLoaderReadsIt(t *testing.T) {
	for name, test := range map[string]struct {
		files, links    map[string]string
		systemd, procps []string
	}{
		"a default that the administrator overrides": {
			files:   map[string]string{"usr/lib/sysctl.d/50-x.conf": "net.ipv4.tcp_syncookies = 0\n", "etc/sysctl.d/60-y.conf": "net.ipv4.tcp_syncookies = 1\n"},
			systemd: []string{}, procps: []string{}},
		"a line of the administrator that loses": {
			files:   map[string]string{"etc/sysctl.d/10-x.conf": "net.core.somaxconn = 1024\n", "etc/sysctl.d/60-y.conf": "net.core.somaxconn = 2048\n"},
			systemd: []string{"etc/sysctl.d/10-x.conf:1 files/line-loses"}, procps: []string{"etc/sysctl.d/10-x.conf:1 files/line-loses"}},
		"a line in /usr/local, which is the administrator's": {
			files:   map[string]string{"usr/local/lib/sysctl.d/10-x.conf": "net.core.somaxconn = 1024\n", "etc/sysctl.d/60-y.conf": "net.core.somaxconn = 2048\n"},
			systemd: []string{"usr/local/lib/sysctl.d/10-x.conf:1 files/line-loses"}, procps: []string{"usr/local/lib/sysctl.d/10-x.conf:1 files/line-loses"}},
		"a file of the same name masks": {
			files:   map[string]string{"usr/lib/sysctl.d/50-x.conf": "net.ipv4.tcp_syncookies = 0\n", "etc/sysctl.d/50-x.conf": "vm.swappiness = 1\n"},
			systemd: []string{}, procps: []string{}},
		"a link to /dev/null masks": {
			files:   map[string]string{"usr/lib/sysctl.d/50-x.conf": "net.ipv4.tcp_syncookies = 0\n"},
			links:   map[string]string{"etc/sysctl.d/50-x.conf": "/dev/null"},
			systemd: []string{}, procps: []string{}},
		"/etc/sysctl.conf": {
			files:   map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_syncookies = 0\n"},
			systemd: []string{"etc/sysctl.conf files/never-read"}, procps: []string{"etc/sysctl.conf:1 synrecv/cookies-off"}},
		"/etc/sysctl.conf of comments": {
			files:   map[string]string{"etc/sysctl.conf": "# net.ipv4.tcp_syncookies = 0\n"},
			systemd: []string{}, procps: []string{}},
		"/etc/sysctl.conf behind the usual link": {
			files:   map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_syncookies = 0\n"},
			links:   map[string]string{"etc/sysctl.d/99-sysctl.conf": "../sysctl.conf"},
			systemd: []string{"etc/sysctl.d/99-sysctl.conf:1 synrecv/cookies-off"}},
		"an absolute link stays below the root": {
			files:   map[string]string{"srv/tuned.conf": "net.ipv4.tcp_syncookies = 0\n"},
			links:   map[string]string{"etc/sysctl.d/70-x.conf": "/srv/tuned.conf"},
			systemd: []string{"etc/sysctl.d/70-x.conf:1 synrecv/cookies-off"}, procps: []string{"etc/sysctl.d/70-x.conf:1 synrecv/cookies-off"}},
		"a suppression": {
			files:   map[string]string{"etc/sysctl.d/70-x.conf": "# tcptune: ignore synrecv/*: a test bed\nnet.ipv4.tcp_syncookies = 0\n"},
			systemd: []string{"etc/sysctl.d/70-x.conf:2 (synrecv/cookies-off)"}, procps: []string{"etc/sysctl.d/70-x.conf:2 (synrecv/cookies-off)"}},
	} {
		t.Run(name, func(t *testing.T) {
			image(t, test.files, test.links)
			if diff := cmp.Diff(test.systemd, ofSystem(t, conf.Systemd)); diff != "" {
				t.Errorf("systemd-sysctl (-want +said)\n%s", diff)
			}
			if test.procps != nil {
				if diff := cmp.Diff(test.procps, ofSystem(t, conf.Procps)); diff != "" {
					t.Errorf("procps (-want +said)\n%s", diff)
				}
			}
		})
	}
}

// Findings come in the order in which the files take effect.
func TestFindingsOfASystemAreInTheOrderOfItsFiles(t *testing.T) {
	image(t, map[string]string{"etc/sysctl.d/60-y.conf": "net.ipv4.tcp_timestamps = 0\n", "usr/lib/sysctl.d/50-x.conf": "net.ipv4.tcp_syncookies = 0\n"}, nil)
	kernels := targets(t, "6.12")
	kernels[0].Loader = conf.Systemd
	r := newLinter(t, kernels, lint.Options{}).Judge(lint.System("root", conf.Systemd)())
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Places[0].String())
	}
	if diff := cmp.Diff([]string{"root/usr/lib/sysctl.d/50-x.conf:1", "root/etc/sysctl.d/60-y.conf:1"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A link that leads out of the root is read below it, never outside.
func TestSystemNeverLeavesItsRoot(t *testing.T) {
	for _, target := range []string{"../../../outside.conf", "/outside.conf", "../../../../../../../../etc/passwd"} {
		image(t, nil, map[string]string{"etc/sysctl.d/70-x.conf": target})
		write(t, "outside.conf", "net.ipv4.tcp_syncookies = 0\n")
		for _, said := range ofSystem(t, conf.Systemd) {
			if strings.Contains(said, "synrecv") || strings.Contains(said, "not-an-assignment") {
				t.Errorf("a link to %s: %s", target, said)
			}
		}
	}
}
