package netns

import "strings"

// A Kind is what a network namespace belongs to.
type Kind string

const (
	Container Kind = "container"
	Pod       Kind = "pod"     // of Kubernetes
	Machine   Kind = "machine" // of LXC or systemd-machined
	Unit      Kind = "unit"    // of systemd
	Named     Kind = "named"   // by ip-netns(8)
	Process   Kind = "process" // the first one in it
	Mount     Kind = "mount"   // nothing runs in it
	Given     Kind = "given"   // as the caller called it
)

// An Owner is what a network namespace, or a process, belongs to.
type Owner struct {
	Kind Kind
	Name string
}

func (o Owner) String() string {
	switch o.Kind {
	case Named, Given, Unit, Container, Mount:
		return o.Name
	}
	return string(o.Kind) + " " + o.Name
}

// shortID is how much of a container's id its tools show.
const shortID = 12

// runtimes are the programs that run containers, by the prefix of their scopes.
var runtimes = map[string]string{
	"docker": "docker", "libpod": "podman", "cri-containerd": "containerd", "nerdctl": "nerdctl", "crio": "cri-o", "buildkit": "buildkit",
}

// OwnerOf tells from the text of a process's cgroup file (cgroups(7)) to which
// pod, container, machine or unit the process belongs; the zero Owner if to none.
// The forms are those of runc and crun with their systemd and cgroupfs drivers.
func OwnerOf(cgroups string) Owner {
	unit := Owner{}
	for line := range strings.Lines(cgroups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		owner := ownerOfPath(fields[2])
		if owner.Kind != Unit && owner != (Owner{}) {
			return owner
		}
		if unit == (Owner{}) {
			unit = owner
		}
	}
	return unit
}

func ownerOfPath(path string) Owner {
	container, unit := Owner{}, Owner{}
	parent := ""
	for segment := range strings.SplitSeq(path, "/") {
		name := strings.TrimSuffix(segment, ".scope")
		switch prefix, id := cutLast(name, "-"); {
		case podUID(segment) != "":
			return Owner{Pod, podUID(segment)}
		case runtimes[prefix] != "" && isContainerID(id):
			container = Owner{Container, runtimes[prefix] + " " + id[:shortID]}
		case isContainerID(name) && container == Owner{}:
			by := "container"
			if parent == "docker" {
				by = parent
			}
			container = Owner{Container, by + " " + name[:shortID]}
		case strings.HasPrefix(name, "lxc.payload."):
			container = Owner{Machine, strings.TrimPrefix(name, "lxc.payload.")}
		case parent == "lxc":
			container = Owner{Machine, name}
		case parent == "machine.slice" && strings.HasPrefix(name, "machine-"):
			container = Owner{Machine, unescape(strings.TrimPrefix(name, "machine-"))}
		case strings.HasPrefix(segment, "systemd-nspawn@"):
			container = Owner{Machine, unescape(strings.TrimSuffix(strings.TrimPrefix(segment, "systemd-nspawn@"), ".service"))}
		case strings.HasSuffix(segment, ".service"):
			unit = Owner{Unit, unescape(segment)}
		}
		parent = segment
	}
	if container != (Owner{}) {
		return container
	}
	return unit
}

// podUID is the uid of the pod whose cgroup has that name, "" if there is none.
// systemd's driver writes kubepods-burstable-podUID.slice, with underscores.
func podUID(segment string) string {
	name, _, _ := strings.Cut(segment, ":") // SLICE:RUNTIME:ID, where the drivers of kubelet and runtime differ
	name = strings.TrimSuffix(name, ".slice")
	if strings.HasPrefix(name, "kubepods-") {
		_, name = cutLast(name, "-")
	}
	uid, isPod := strings.CutPrefix(name, "pod")
	uid = strings.ReplaceAll(uid, "_", "-")
	if !isPod || len(uid) < 32 || strings.Trim(uid, "0123456789abcdef-") != "" {
		return ""
	}
	return uid
}

func isContainerID(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// cutLast cuts around the last separator.
func cutLast(text, separator string) (before, after string) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):]
	}
	return "", text
}

// unescape undoes what systemd-escape(1) does to a dash, the only character that
// names of machines are likely to hold of those.
func unescape(name string) string { return strings.ReplaceAll(name, `\x2d`, "-") }
