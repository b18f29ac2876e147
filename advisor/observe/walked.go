package observe

import (
	"context"
	"os"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/bpfwalk"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// walked is what BPF programs saw in one pass over the sockets of one network
// namespace or all, by the numbers of the namespaces' inodes. A nil one saw nothing.
type walked struct {
	walker  *bpfwalk.Walker
	counts  map[uint32]bpfwalk.Counts
	sockets map[uint32][]bpfwalk.Socket
}

// walk takes the pass that a breakdown needs, if it gains by one, over a namespace
// or, if none is given, all.
func (l *look) walk(ctx context.Context, by facts.Breakdown, only uint32) {
	w := &walked{}
	var err error
	switch by {
	case facts.ByState:
		err = w.count(ctx)
	case facts.ByProgram:
		err = w.list(ctx, only)
	default:
		return
	}
	if err != nil {
		w.close()
		if ctx.Err() == nil {
			l.BPF(err)
		}
		return
	}
	l.walked = w
}

func (w *walked) count(ctx context.Context) (err error) {
	if w.walker, err = bpfwalk.Open(0, 0); err == nil {
		w.counts, err = w.walker.Count(ctx)
	}
	return err
}

func (w *walked) list(ctx context.Context, only uint32) (err error) {
	if w.walker, err = bpfwalk.Open(ending, only); err != nil {
		return err
	}
	w.sockets = map[uint32][]bpfwalk.Socket{}
	return w.walker.List(ctx, func(s *bpfwalk.Socket) {
		w.sockets[s.Netns] = append(w.sockets[s.Netns], *s)
	})
}

func (w *walked) close() {
	if w != nil && w.walker != nil {
		w.walker.Close()
	}
}

// counted fills in the sockets of the calling thread's namespace, if they were
// counted. Where attempts to connect go is asked of the kernel.
func (w *walked) counted(ctx context.Context, c *census, netns uint32) bool {
	if w == nil {
		return false
	}
	counts, known := w.counts[netns]
	if !known {
		return false
	}
	t := &tally{outbound: newSpread(0), synSent: newSpread(0)} // a whole one is large
	if counts.Sockets[0][tcpstate.SynSent]+counts.Sockets[1][tcpstate.SynSent] > 0 {
		t = newTally(c.ephemeral)
		if c.dump(ctx, sockdiag.Query{States: sockdiag.Of(tcpstate.Listen, tcpstate.SynSent)}, t.addState) != nil {
			return false
		}
	}
	for state := range t.perState[0] {
		t.perState[0][state], t.perState[1][state] = int64(counts.Sockets[0][state]), int64(counts.Sockets[1][state])
		t.served[state] = int64(counts.Served[state])
	}
	for _, state := range []tcpstate.State{tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.Closing, tcpstate.LastAck} {
		t.orphans += int64(counts.Loose[state])
	}
	t.finWait2Orphans = int64(counts.Loose[tcpstate.FinWait2]) + int64(counts.Mini)
	t.unaccepted = int64(counts.Loose[tcpstate.CloseWait])
	c.count, c.snapshot.Sockets = t, t.result(facts.ByBPF)
	return true
}

// listed has a census visit the sockets of a namespace that were listed.
func (w *walked) listed(c *census, netns uint32) {
	if w == nil {
		return
	}
	c.source = facts.ByBPF
	c.dump = func(_ context.Context, _ sockdiag.Query, visit func(*sockdiag.Socket)) error {
		c.count.owners.most = manyInodes
		for _, s := range w.sockets[netns] {
			socket := s.Diag()
			visit(&socket)
		}
		return nil
	}
}

// A descriptorWalk visits the inodes of sockets among a process's descriptors.
type descriptorWalk func(pid int, visit func(inode uint32)) error

// initialPIDs is the PID namespace that is always there (include/linux/proc_ns.h,
// PROC_PID_INIT_INO).
const initialPIDs = "pid:[4026531836]"

// descriptors is the walk over descriptors, or nil: in another PID namespace than
// the initial one processes have other numbers there.
func (w *walked) descriptors() descriptorWalk {
	if pids, err := os.Readlink("/proc/self/ns/pid"); w == nil || err != nil || pids != initialPIDs {
		return nil
	}
	return w.walker.Descriptors
}
