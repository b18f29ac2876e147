package facts

import "github.com/tcptune/tcptune/sysctl"

// everywhere computes what all network namespaces of the host hold together. A
// look at one of them says nothing about that, and is not meant to.
func (d *deriver) everywhere() {
	e := d.snapshot.Everywhere
	if e == nil || !d.snapshot.Namespace.Initial {
		for _, name := range []Name{"host.namespaces", "host.sockets", "host.time_wait", "host.tracked"} {
			d.miss(name, Gap{Cause: sysctl.OutOfScope, Detail: "needs --netns all on the host"})
		}
		return
	}
	const source = "all network namespaces"
	d.set("host.namespaces", e.Namespaces, source)
	d.set("host.sockets", e.Sockets, source)
	d.set("host.time_wait", e.TimeWait, source)
	d.set("host.tracked", e.Tracked, source)
}
