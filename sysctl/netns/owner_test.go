package netns

import (
	"strings"
	"testing"
)

func TestOwnerIsToldByCgroup(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for cgroups, want := range map[string]string{
		"0::/":       "",
		"":           "",
		"nonsense\n": "",
		"0::/user.slice/user-1000.slice/session-3.scope":                                                                                                 "",
		"0::/system.slice/nginx.service":                                                                                                                 "nginx.service",
		"0::/system.slice/system-getty.slice/getty@tty1.service":                                                                                         "getty@tty1.service",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service":                                                                        "sync.service",
		"0::/system.slice/docker-" + id + ".scope":                                                                                                       "docker 0123456789ab",
		"0::/system.slice/docker-" + id + ".scope/init.scope/system.slice/cron.service":                                                                  "docker 0123456789ab",
		"12:pids:/docker/" + id + "\n1:name=systemd:/docker/" + id + "\n":                                                                                "docker 0123456789ab",
		"0::/machine.slice/libpod-" + id + ".scope/container":                                                                                            "podman 0123456789ab",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope":                                                            "podman 0123456789ab",
		"0::/machine.slice/libpod-conmon-" + id + ".scope":                                                                                               "",
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0fa6_45c1.slice":                                                              "",
		"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod12345678_9abc_def0_1234_56789abcdef0.slice/cri-containerd-" + id + ".scope": "pod 12345678-9abc-def0-1234-56789abcdef0",
		"11:memory:/kubepods/burstable/pod12345678-9abc-def0-1234-56789abcdef0/" + id:                                                                    "pod 12345678-9abc-def0-1234-56789abcdef0",
		"0::/system.slice/containerd.service/kubepods-pod12345678_9abc_def0_1234_56789abcdef0.slice:cri-containerd:" + id:                                "pod 12345678-9abc-def0-1234-56789abcdef0",
		"0::/system.slice/crio-" + id + ".scope":                                                                                                         "cri-o 0123456789ab",
		"0::/default/" + id:                                                                                                                              "container 0123456789ab",
		"0::/lxc.payload.web/init.scope":                                                                                                                 "machine web",
		"4:memory:/lxc/web":                                                                                                                              "machine web",
		"0::/machine.slice/systemd-nspawn@web.service/payload":                                                                                           "machine web",
		`0::/machine.slice/machine-web\x2d1.scope`:                                                                                                       "machine web-1",
		"3:cpu:/\n1:name=systemd:/system.slice/sshd.service\n0::/foo\n":                                                                                  "sshd.service",
	} {
		got := ""
		if owner := OwnerOf(cgroups); owner != (Owner{}) {
			got = owner.String()
		}
		if got != want {
			t.Errorf("OwnerOf(%q) is %q, want %q", cgroups, got, want)
		}
	}
}
