package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindLoader(t *testing.T) {
	const unit = "usr/lib/systemd/system/systemd-sysctl.service"
	systemd := tree{"usr/sbin/init": "-> ../lib/systemd/systemd", "usr/lib/systemd/systemd": "x", "usr/lib/systemd/systemd-sysctl": "x", unit: "[Unit]\n", "usr/sbin/sysctl": "x",
		"etc/init.d/procps": "$DAEMON --system\n# sysctl", "etc/systemd/system/procps.service": "-> systemd-sysctl.service"}
	sysv := tree{"usr/sbin/init": "x", "usr/sbin/sysctl": "x", "etc/init.d/procps": "DAEMON=/sbin/sysctl\n$DAEMON -q --system\n", "etc/rcS.d/S01procps": "-> ../init.d/procps"}
	openrc := tree{"sbin/init": "-> openrc-init", "sbin/openrc-init": "x", "sbin/sysctl": "-> /bin/busybox", "bin/busybox": "x", "etc/init.d/sysctl": "sysctl --system", "etc/runlevels/boot/sysctl": "-> /etc/init.d/sysctl"}
	for _, c := range []struct {
		name   string
		files  tree
		change tree
		loader Loader
		want   string
	}{
		{"systemd", systemd, nil, Systemd, "/usr/lib/systemd/system/systemd-sysctl.service starts /usr/lib/systemd/systemd-sysctl"},
		{"systemd, masked", systemd, tree{"etc/systemd/system/systemd-sysctl.service": "-> /dev/null"}, "", "/etc/systemd/system/systemd-sysctl.service masks"},
		{"systemd, masked by an empty file", systemd, tree{"etc/systemd/system/systemd-sysctl.service": ""}, "", "/etc/systemd/system/systemd-sysctl.service masks"},
		{"systemd, unit of its own", systemd, tree{"etc/systemd/system/systemd-sysctl.service": "[Unit]"}, Systemd, "/etc/systemd/system/systemd-sysctl.service starts"},
		{"systemd without the binary", systemd, tree{"usr/lib/systemd/systemd-sysctl": "remove"}, "", "has no systemd-sysctl"},
		{"SysV init", sysv, nil, Procps, "/etc/init.d/procps runs sysctl --system"},
		{"SysV init, switched off", sysv, tree{"etc/rcS.d/S01procps": "remove", "etc/rcS.d/K01procps": "-> ../init.d/procps"}, "", "no run level starts it"},
		{"SysV init, one file only", sysv, tree{"etc/init.d/procps": "# not --system\nsysctl -p /etc/sysctl.conf"}, "", "not by sysctl --system"},
		{"SysV init without sysctl(8)", sysv, tree{"usr/sbin/sysctl": "remove"}, "", "no sysctl(8)"},
		{"SysV init without a script", sysv, tree{"etc/init.d/procps": "remove"}, "", "no script that sets parameters"},
		{"Red Hat 6", tree{"sbin/init": "x", "sbin/sysctl": "x", "etc/rc.d/rc.sysinit": "sysctl -e -p /etc/sysctl.conf"}, nil, "", "/etc/rc.d/rc.sysinit sets parameters at boot, but not by"},
		{"OpenRC with BusyBox", openrc, nil, "", "BusyBox"},
		{"OpenRC with procps", openrc, tree{"sbin/sysctl": "x"}, Procps, "openrc-init is the init here"},
		{"a container's image", tree{"usr/bin/nginx": "x", "usr/sbin/sysctl": "x"}, nil, "", "no init"},
		{"another init", tree{"sbin/init": "-> /bin/tini", "bin/tini": "x"}, nil, "", `"tini"`},
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "sbin"), 0o755); err != nil {
			t.Fatal(err)
		}
		files := tree{}
		for _, layer := range []tree{c.files, c.change} {
			for name, text := range layer {
				if files[name] = text; text == "remove" {
					delete(files, name)
				}
			}
		}
		files.plant(t, root)
		got := FindLoader(root)
		if got.Loader != c.loader || !strings.Contains(got.Evidence, c.want) {
			t.Errorf("%s: %q, %s; want %q, %s", c.name, got.Loader, got.Evidence, c.loader, c.want)
		}
	}
	if here := FindLoader("/"); here.Evidence == "" {
		t.Errorf("of this host: %+v", here)
	}
}
