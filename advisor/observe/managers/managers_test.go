package managers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// plant makes a tree: a value that begins with "-> " is a link, one that begins
// with "#!" a script that can be run.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		err := os.WriteFile(path, []byte(content), mode)
		if target, link := strings.CutPrefix(content, "-> "); link {
			if err = os.Remove(path); err == nil {
				err = os.Symlink(target, path)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// told is a manager in lines, as short as will do.
func told(m facts.Manager) []string {
	lines := []string{m.Name}
	for _, mark := range []struct {
		text string
		is   bool
	}{{"idle", !m.Active}, {"rereads", m.Rereads}, {"not at boot", !m.AtBoot}} {
		if mark.is {
			lines[0] += ", " + mark.text
		}
	}
	for _, e := range m.Evidence {
		lines = append(lines, "seen "+e)
	}
	for _, h := range m.Sets {
		text := strings.TrimSpace(fmt.Sprintf("%s = %s %s", h.Key, h.Value, h.Bound))
		if h.Container {
			text += " in containers"
		}
		if h.Place.File != "" {
			text += " at " + h.Place.String()
		}
		if h.Doubt != "" {
			text += "; " + h.Doubt
		}
		lines = append(lines, text)
	}
	if m.Also != "" {
		lines = append(lines, "also "+m.Also)
	}
	return lines
}

const link = "-> /usr/lib/systemd/system/x.service"

func TestManagersFound(t *testing.T) {
	const tunedWanted = "etc/systemd/system/multi-user.target.wants/tuned.service"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing": {map[string]string{"etc/hostname": "h"}, nil},
		"TuneD, its profile and what it includes": {map[string]string{
			tunedWanted:                              link,
			"etc/tuned/active_profile":               "ours\n",
			"etc/tuned/tuned-main.conf":              "reapply_sysctl = 0\n",
			"etc/tuned/ours/tuned.conf":              "[main]\ninclude=base, base ;more\n[sysctl]\nnet.core.somaxconn = 4096 # high\nvm.swappiness = 1\n[sysctl.late]\ntype=sysctl\nnet.ipv4.tcp_rmem=\"4096 87380 16777216\"\n",
			"usr/lib/tuned/base/tuned.conf":          "[sysctl]\n# a comment\nnet.core.somaxconn=>2048\nnet.ipv4.tcp_fin_timeout=20\n",
			"usr/lib/tuned/profiles/more/tuned.conf": "[variables]\nv=7\n[sysctl]\nnet.ipv4.tcp_fin_timeout=${v}\n",
		}, []string{
			"TuneD", "seen /" + tunedWanted, "seen /etc/tuned/active_profile:1: ours",
			"seen /etc/tuned/ours/tuned.conf", "seen /usr/lib/tuned/base/tuned.conf", "seen /usr/lib/tuned/profiles/more/tuned.conf",
			"net.core.somaxconn = 4096 at /etc/tuned/ours/tuned.conf:4",
			"net.ipv4.tcp_fin_timeout = at /usr/lib/tuned/profiles/more/tuned.conf:4; its value is a variable of TuneD",
			"net.ipv4.tcp_rmem = 4096 87380 16777216 at /etc/tuned/ours/tuned.conf:8",
		}},
		"TuneD applies the administrator's files after its own values": {map[string]string{
			tunedWanted:                  "-> /lib/x",
			"etc/tuned/active_profile":   "p",
			"etc/tuned/p/tuned.conf":     "[sysctl]\nnet.core.somaxconn=>2048\n",
			"etc/sysctl.d/50-a.conf":     "net.core.somaxconn = 1\n-net.ipv4.tcp_rfc1337 = 1\n",
			"run/sysctl.d/50-a.conf":     "net/core/somaxconn = 2\n",
			"etc/sysctl.d/not-read":      "net.core.somaxconn = 3\n",
			"usr/lib/sysctl.d/60-b.conf": "net.core.somaxconn = 4\n",
			"etc/sysctl.conf":            "; comment\nnet.core.somaxconn=5\n",
		}, []string{
			"TuneD, rereads", "seen /" + tunedWanted, "seen /etc/tuned/active_profile:1: p", "seen /etc/tuned/p/tuned.conf",
			"net.core.somaxconn = 2048 at least at /etc/tuned/p/tuned.conf:2",
			"net.core.somaxconn = 2 at /run/sysctl.d/50-a.conf:1", "net.core.somaxconn = 5 at /etc/sysctl.conf:2",
		}},
		"TuneD's profiles include each other; units are dropped, replaced and for other machines": {map[string]string{
			tunedWanted:                 link,
			"etc/tuned/active_profile":  "a b",
			"etc/tuned/tuned-main.conf": "reapply_sysctl = False",
			"etc/tuned/a/tuned.conf":    "[main]\ninclude=b\n[sysctl]\ndrop=net.core.rmem_max\nnet.core.wmem_max=1\n[old]\ntype=sysctl\nreplace=1\nnet.core.netdev_max_backlog=1\n[off]\ntype=sysctl\nenabled=0\nnet.core.somaxconn=1\n",
			"etc/tuned/b/tuned.conf":    "[main]\ninclude=a\n[sysctl]\nnet.core.rmem_max=2\nnet.core.wmem_max=2\n[old]\ntype=sysctl\nnet.core.somaxconn=9\n[arm]\ntype=sysctl\nuname_regex=aarch64\nnet.ipv4.tcp_rfc1337=1\n",
		}, []string{
			"TuneD", "seen /" + tunedWanted, "seen /etc/tuned/active_profile:1: a b", "seen /etc/tuned/a/tuned.conf", "seen /etc/tuned/b/tuned.conf",
			"net.core.wmem_max = 1 at /etc/tuned/a/tuned.conf:5",
			"net.core.netdev_max_backlog = 1 at /etc/tuned/a/tuned.conf:9",
			"net.ipv4.tcp_rfc1337 = 1 at /etc/tuned/b/tuned.conf:12; only on machines that uname_regex (/etc/tuned/b/tuned.conf:11) fits",
		}},
		"TuneD leaves some of the administrator's lines out": {map[string]string{
			tunedWanted: link, "etc/tuned/active_profile": "p", "etc/tuned/p/tuned.conf": "[sysctl]\nnet.core.somaxconn=1\n",
			"etc/tuned/tuned-main.conf": "reapply_sysctl = 1\nreapply_sysctl_exclude = net.core.somaxconn\n", "etc/sysctl.d/a.conf": "net.core.somaxconn=2\n",
		}, []string{"TuneD", "seen /" + tunedWanted, "seen /etc/tuned/active_profile:1: p", "seen /etc/tuned/p/tuned.conf",
			"net.core.somaxconn = 1 at /etc/tuned/p/tuned.conf:2",
			"net.core.somaxconn = 2 at /etc/sysctl.d/a.conf:1; reapply_sysctl_exclude (/etc/tuned/tuned-main.conf:2) may leave it out"}},
		"TuneD that nothing starts": {map[string]string{
			"etc/tuned/active_profile": "p", "etc/tuned/p/tuned.conf": "[sysctl]\nnet.core.somaxconn=1\n", "etc/tuned/tuned-main.conf": "reapply_sysctl=no",
		}, []string{"TuneD, idle, not at boot", "seen /etc/tuned/active_profile:1: p", "seen /etc/tuned/p/tuned.conf", "net.core.somaxconn = 1 at /etc/tuned/p/tuned.conf:2"}},
		"TuneD is masked, runs all the same, and its profile is gone": {map[string]string{
			tunedWanted: link, "etc/systemd/system/tuned.service": "-> /dev/null", "proc/7/comm": "tuned\n", "proc/self/comm": "tuned\n",
			"etc/tuned/active_profile": "../../secret",
		}, []string{"TuneD, not at boot", "seen process 7 (tuned)", "seen /etc/tuned/active_profile:1: ../../secret",
			`also its profile "../../secret" is not there or cannot be read, so that what it sets is not known`}},
		"saptune, its notes in their order, and an override": {map[string]string{
			"etc/systemd/system/multi-user.target.wants/saptune.service": link,
			"etc/sysconfig/saptune":                 "# c\nTUNE_FOR_NOTES=\"1 2\"\nNOTE_APPLY_ORDER=\"2382421 ours gone\"\n",
			"var/lib/saptune/working/notes/2382421": "[version]\nVERSION=40\n[sysctl]\nnet.core.somaxconn = 4096\nnet.ipv4.tcp_rmem =\nnet.ipv4.tcp_syn_retries >= 8\n[sysctl:os=12-SP3]\nnet.ipv4.tcp_tw_reuse = 1\n[reminder]\nnet.ipv4.tcp_timestamps = 0\n",
			"etc/saptune/override/2382421":          "[sysctl]\nnet.ipv4.tcp_syn_retries =\nnet.core.somaxconn = 8192\n",
			"etc/saptune/extra/ours.conf":           "[sysctl]\nnet.ipv4.tcp_keepalive_time = 300\n",
		}, []string{"saptune", "seen /etc/systemd/system/multi-user.target.wants/saptune.service", "seen /etc/sysconfig/saptune:3: 2382421 ours gone",
			"net.ipv4.tcp_tw_reuse = 1 at /var/lib/saptune/working/notes/2382421:8; only where its condition holds: os=12-SP3",
			"net.core.somaxconn = 8192 at /etc/saptune/override/2382421:3",
			"net.ipv4.tcp_keepalive_time = 300 at /etc/saptune/extra/ours.conf:2",
			`also its note "gone" is not there or cannot be read`}},
		"kube-proxy by its defaults": {map[string]string{"proc/9/comm": "kube-proxy", "proc/9/cmdline": "kube-proxy\x00--v=2\x00"},
			[]string{"kube-proxy", "seen process 9 (kube-proxy)", "net.netfilter.nf_conntrack_max = 262144 at least",
				"net.netfilter.nf_conntrack_tcp_timeout_established = 86400; some releases raise it and never lower it",
				"net.netfilter.nf_conntrack_tcp_timeout_close_wait = 3600; some releases raise it and never lower it"}},
		"kube-proxy by options": {map[string]string{"proc/9/comm": "kube-proxy",
			"proc/9/cmdline": "/usr/local/bin/kube-proxy\x00--conntrack-max-per-core=1\x00--conntrack-min=7\x00--conntrack-tcp-timeout-established=0\x00--conntrack-tcp-timeout-close-wait=1m\x00--conntrack-tcp-be-liberal\x00"},
			[]string{"kube-proxy", "seen process 9 (kube-proxy)", "net.netfilter.nf_conntrack_max = 8 at least",
				"net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60; some releases raise it and never lower it", "net.netfilter.nf_conntrack_tcp_be_liberal = 1"}},
		"kube-proxy by its configuration, which outranks options": {map[string]string{"proc/9/comm": "kube-proxy",
			"proc/9/cmdline": "kube-proxy\x00--config=/var/lib/kube-proxy/config.conf\x00--conntrack-max-per-core=1\x00",
			"proc/9/root/var/lib/kube-proxy/config.conf": "kind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: 0\n  min: null\n  tcpEstablishedTimeout: 2h0m0s\n  tcpCloseWaitTimeout: 0s\n"},
			[]string{"kube-proxy", "seen process 9 (kube-proxy)", "seen /proc/9/root/var/lib/kube-proxy/config.conf",
				"net.netfilter.nf_conntrack_tcp_timeout_established = 7200 at /proc/9/root/var/lib/kube-proxy/config.conf; some releases raise it and never lower it"}},
		"Docker by its default": {map[string]string{"proc/3/comm": "dockerd"},
			[]string{"Docker, not at boot", "seen process 3 (dockerd)", "net.ipv4.ip_forward = 1"}},
		"Docker is told not to forward": {map[string]string{"proc/3/comm": "dockerd", "etc/docker/daemon.json": `{"ip-forward": false}`}, nil},
		"Docker's configuration is broken": {map[string]string{"proc/3/comm": "dockerd", "etc/docker/daemon.json": `{"ip-forward": `},
			[]string{"Docker, not at boot", "seen process 3 (dockerd)", "also /etc/docker/daemon.json is not JSON, so that what it sets is not known"}},
		"CNI sets parameters of containers": {map[string]string{
			"etc/cni/net.d/10-a.conflist": `{"plugins": [{"type": "bridge", "sysctl": {"net.core.somaxconn": "1"}},
{"type": "tuning", "sysctl": {
  "net.core.somaxconn": "500"}}]}`},
			[]string{"CNI's plug-in tuning, not at boot", "seen /etc/cni/net.d/10-a.conflist:1", "net.core.somaxconn = 500 in containers at /etc/cni/net.d/10-a.conflist:1"}},
		"bpftune runs": {map[string]string{"proc/11/comm": "bpftune"}, []string{"bpftune, not at boot", "seen process 11 (bpftune)",
			"net.core.netdev_max_backlog =; it follows the traffic", "net.ipv4.tcp_max_orphans =; it follows the traffic",
			"net.ipv4.tcp_max_syn_backlog =; it follows the traffic", "net.ipv4.tcp_mem =; it follows the traffic",
			"net.ipv4.tcp_rmem =; it follows the traffic", "net.ipv4.tcp_syncookies =; it follows the traffic", "net.ipv4.tcp_wmem =; it follows the traffic",
			"also it stops changing what somebody else sets, until it is started again"}},
		"rc.local, certain, conditional and told by another file": {map[string]string{
			"etc/rc.local":    "#!/bin/sh\nsysctl -w net.core.somaxconn=1024\nif true; then\n  sysctl -w net.ipv4.tcp_fin_timeout=\"30\"\nfi\n# sysctl -w net.ipv4.tcp_rfc1337=1\nsysctl -p\nsysctl -w kernel.panic=1\n",
			"etc/sysctl.conf": "net.ipv4.tcp_keepalive_time = 600\n"},
			[]string{"rc.local", "seen /etc/rc.local:2", "seen /etc/rc.local:4", "seen /etc/rc.local:7",
				"net.core.somaxconn = 1024 at /etc/rc.local:2", "net.ipv4.tcp_fin_timeout = 30 at /etc/rc.local:4; whether it is run depends on the script",
				"net.ipv4.tcp_keepalive_time = 600 at /etc/sysctl.conf:1"}},
		"rc.local that is not executable": {map[string]string{"etc/rc.local": "sysctl -w net.core.somaxconn=1024\n"}, nil},
		"rc.local with a variable": {map[string]string{"etc/rc.local": "#!/bin/sh\nsysctl -w net.core.somaxconn=$N\n"},
			[]string{"rc.local", "seen /etc/rc.local:2", "also it mentions sysctl, and not all of what it sets is certain"}},
		"ifupdown": {map[string]string{
			"etc/network/interfaces":       "auto eth0\niface eth0 inet dhcp\n    up sysctl -w net.ipv4.tcp_fin_timeout=20\n    down sysctl -w net.ipv4.tcp_fin_timeout=60\n",
			"etc/network/interfaces.d/x":   "iface x inet dhcp\npost-up /sbin/sysctl -q net.core.somaxconn=2\n",
			"etc/network/if-up.d/tune":     "#!/bin/sh\nsysctl -w net.ipv4.tcp_rfc1337=1\n",
			"etc/network/if-up.d/tune.bak": "#!/bin/sh\nsysctl -w net.ipv4.tcp_rfc1337=0\n"},
			[]string{"ifupdown", "seen /etc/network/interfaces:3", "seen /etc/network/interfaces.d/x:2", "seen /etc/network/if-up.d/tune:2",
				"net.ipv4.tcp_fin_timeout = 20 at /etc/network/interfaces:3", "net.core.somaxconn = 2 at /etc/network/interfaces.d/x:2", "net.ipv4.tcp_rfc1337 = 1 at /etc/network/if-up.d/tune:2"}},
		"NetworkManager's dispatcher": {map[string]string{"etc/NetworkManager/dispatcher.d/99-tune": "#!/bin/bash\n[ \"$2\" = up ] && sysctl -w net.core.somaxconn=2\n", "etc/NetworkManager/dispatcher.d/pre-up.d/.keep": ""},
			[]string{"network dispatcher scripts", "seen /etc/NetworkManager/dispatcher.d/99-tune:2", "net.core.somaxconn = 2 at /etc/NetworkManager/dispatcher.d/99-tune:2; whether it is run depends on the script"}},
		"cron": {map[string]string{
			"etc/cron.d/tune":              "# x\n@reboot root sysctl -w net.core.somaxconn=9\n*/5 * * * * root sysctl -w net.ipv4.tcp_fin_timeout=9\n",
			"var/spool/cron/crontabs/root": "@reboot /sbin/sysctl -w net.ipv4.tcp_rfc1337=1\n"},
			[]string{"cron", "seen /etc/cron.d/tune:2", "seen /etc/cron.d/tune:3", "seen /var/spool/cron/crontabs/root:1",
				"net.core.somaxconn = 9 at /etc/cron.d/tune:2", "net.ipv4.tcp_fin_timeout = 9 at /etc/cron.d/tune:3", "net.ipv4.tcp_rfc1337 = 1 at /var/spool/cron/crontabs/root:1"}},
		"udev": {map[string]string{"usr/lib/udev/rules.d/91-ct.rules": "SYSCTL{net/core/somaxconn}=\"2\"\n", "etc/udev/rules.d/91-ct.rules": "# SYSCTL{net/core/somaxconn}=\"1\"\nACTION==\"add\", SUBSYSTEM==\"module\", KERNEL==\"nf_conntrack\", RUN+=\"/sbin/sysctl -w net.netfilter.nf_conntrack_max=9\"\nSUBSYSTEM==\"net\", SYSCTL{net/ipv4/tcp_rfc1337}==\"0\", SYSCTL{net/ipv4/tcp_rfc1337}=\"1\"\n"},
			[]string{"udev", "seen /etc/udev/rules.d/91-ct.rules:2", "seen /etc/udev/rules.d/91-ct.rules:3",
				"net.netfilter.nf_conntrack_max = 9 at /etc/udev/rules.d/91-ct.rules:2; it may come before the files of sysctl.d or after them",
				"net.ipv4.tcp_rfc1337 = 1 at /etc/udev/rules.d/91-ct.rules:3; it may come before the files of sysctl.d or after them"}},
		"a systemd unit that is started, and one that is not": {map[string]string{
			"etc/systemd/system/tune.service":                         "[Service]\nType=oneshot\nExecStart=/sbin/sysctl -w net.core.somaxconn=9\nExecStop=/sbin/sysctl -w net.core.somaxconn=1\n",
			"etc/systemd/system/multi-user.target.wants/tune.service": "-> /etc/systemd/system/tune.service",
			"etc/systemd/system/other.service":                        "[Service]\nExecStart=/sbin/sysctl -w net.ipv4.tcp_rfc1337=1\n",
			"usr/lib/systemd/system/systemd-sysctl.service":           "[Service]\nExecStart=/usr/lib/systemd/systemd-sysctl\n"},
			[]string{"systemd units", "seen /etc/systemd/system/other.service:2", "seen /etc/systemd/system/multi-user.target.wants/tune.service", "seen /etc/systemd/system/tune.service:3",
				"net.ipv4.tcp_rfc1337 = 1 at /etc/systemd/system/other.service:2; nothing that was found starts the unit", "net.core.somaxconn = 9 at /etc/systemd/system/tune.service:3"}},
		"cloud-init at each boot": {map[string]string{"etc/cloud/cloud.cfg.d/99.cfg": "#cloud-config\nruncmd:\n - sysctl -w net.core.somaxconn=1\nbootcmd:\n - sysctl -w net.core.somaxconn=2\n - [sysctl, -w, net.ipv4.tcp_fin_timeout=3]\n"},
			[]string{"cloud-init", "seen /etc/cloud/cloud.cfg.d/99.cfg:5", "seen /etc/cloud/cloud.cfg.d/99.cfg:6",
				"net.core.somaxconn = 2 at /etc/cloud/cloud.cfg.d/99.cfg:5; it may come before the files of sysctl.d or after them",
				"net.ipv4.tcp_fin_timeout = 3 at /etc/cloud/cloud.cfg.d/99.cfg:6; it may come before the files of sysctl.d or after them"}},
		"networkd forwards": {map[string]string{
			"etc/systemd/system/multi-user.target.wants/systemd-networkd.service": link, "etc/systemd/network/10-br.network": "[Match]\nName=br0\n[Network]\nIPForward=ipv4\n"},
			[]string{"systemd-networkd", "seen /etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "seen /etc/systemd/network/10-br.network:4", "net.ipv4.ip_forward = 1 at /etc/systemd/network/10-br.network:4"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Find(plant(t, c.files), 8)
			if err != nil {
				t.Error(err)
			}
			var got []string
			for _, m := range found {
				got = append(got, told(m)...)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("wanted (-) and found (+):\n%s", diff)
			}
		})
	}
}

// What blocks, has no end or may not be read is said, and the rest is found.
func TestWhatCannotBeRead(t *testing.T) {
	root := plant(t, map[string]string{
		"etc/systemd/system/multi-user.target.wants/tuned.service": link,
		"etc/tuned/active_profile":                                 "p",
		"etc/cron.d/a":                                             "@reboot root sysctl -w net.core.somaxconn=9\n",
		"etc/cron.d/link":                                          "-> /../../../../../../etc/hostname",
		"etc/udev/rules.d/big.rules":                               strings.Repeat("x", maxManagerFile+1),
	})
	if err := os.Mkdir(filepath.Join(root, "etc/tuned/p"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "proc/1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, pipe := range []string{"etc/tuned/p/tuned.conf", "proc/1/comm"} {
		if err := syscall.Mkfifo(filepath.Join(root, pipe), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(root, 1)
	if len(found) != 2 || !strings.Contains(found[0].Also, `its profile "p" is not there or cannot be read`) || len(found[1].Sets) != 1 {
		t.Errorf("found %+v", found)
	}
	for _, want := range []string{"/etc/tuned/p/tuned.conf: is no regular file", "/etc/udev/rules.d/big.rules: is larger than 1 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, without %q", err, want)
		}
	}
}

// As somebody who may not read root's crontab.
func TestWhatIsNotPermitted(t *testing.T) {
	root := plant(t, map[string]string{"var/spool/cron/crontabs/root": "@reboot sysctl -w net.core.somaxconn=1\n"})
	crontabs := filepath.Join(root, "var/spool/cron/crontabs")
	if err := errors.Join(os.Chmod(crontabs, 0), os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(crontabs, 0o755)
	if os.Geteuid() == 0 {
		const nobody = 65534
		runtime.LockOSThread() // it is this thread alone that becomes another user
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	found, err := Find(root, 1)
	if len(found) != 0 || !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/var/spool/cron/crontabs: ") {
		t.Errorf("found %v, error %v", found, err)
	}
}

// TuneD's own profiles, as its own code reads and merges them.
func TestTunedProfilesAreReadAsTunedReadsThem(t *testing.T) {
	tuned := cmp.Or(os.Getenv("TCPTUNE_TUNED"), "/")
	profiles, _ := filepath.Glob(filepath.Join(tuned, "usr/lib/tuned/*/tuned.conf"))
	if len(profiles) == 0 {
		sysctltest.RequireKernel(t, "TuneD is not installed, nor is its package unpacked at TCPTUNE_TUNED")
	}
	loader := exec.Command("python3", "testdata/tuned.py", tuned)
	var errs strings.Builder
	loader.Stderr = &errs
	out, err := loader.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var theirs map[string][]string
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for name, want := range theirs {
		files := map[string]string{"etc/tuned/active_profile": name, "etc/tuned/tuned-main.conf": "reapply_sysctl = 0"}
		for _, profile := range profiles {
			text, err := os.ReadFile(profile)
			if err != nil {
				t.Fatal(err)
			}
			files["usr/lib/tuned/"+filepath.Base(filepath.Dir(profile))+"/tuned.conf"] = string(text)
		}
		found, err := Find(plant(t, files), 1)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", name, found, err)
		}
		if strings.Contains(found[0].Also, "which only TuneD can tell") {
			continue // it includes what depends on the machine
		}
		var got []string
		for _, hold := range found[0].Sets {
			sign := map[string]string{"at least": ">", "at most": "<"}[hold.Bound]
			got = append(got, fmt.Sprintf("%s=%s%s", hold.Key, sign, hold.Value))
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: TuneD's (-) and ours (+):\n%s", name, diff)
		}
		compared += len(want)
	}
	if t.Logf("%d profiles, %d parameters", len(theirs), compared); compared < 20 {
		t.Errorf("only %d parameters were compared", compared)
	}
}
