package facts

import "github.com/tcptune/tcptune/sysctl"

// everywhere computes what all network namespaces of the host hold together.
func (d *deriver) everywhere() {
	e := d.snapshot.Everywhere
	gap := Gap{Cause: sysctl.NotMeasured, Detail: "needs --netns all"}
	if !d.snapshot.Namespace.Initial {
		e, gap = nil, Gap{Cause: sysctl.HostWide}
	}
	if e == nil {
		for _, name := range []Name{"host.namespaces", "host.sockets", "host.time_wait", "host.tracked"} {
			d.miss(name, gap)
		}
		return
	}
	const source = "all network namespaces"
	d.set("host.namespaces", e.Namespaces, source)
	d.set("host.sockets", e.Sockets, source)
	d.set("host.time_wait", e.TimeWait, source)
	d.set("host.tracked", e.Tracked, source)
}
