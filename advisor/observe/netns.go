package observe

import (
	"context"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// An Inside is what was seen in a network namespace.
type Inside struct {
	netns.Namespace
	Snapshot *facts.Snapshot // nil if it could not be looked at
	Err      error           // why not
}

// Everywhere looks at the host and into all of its network namespaces that can
// be found. The host's snapshot, which comes first, holds the sums. The others
// hold nothing of the files that are read at boot, which are the host's. It fails
// as [Host] does; a namespace that cannot be entered has its own error.
func Everywhere(ctx context.Context, o Options) ([]Inside, error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	survey, err := netns.Find()
	if err != nil {
		return nil, err
	}
	entered, failed := beginEach(survey.All())
	if err := pause(ctx, o.Interval); err != nil {
		return nil, err
	}
	return l.each(ctx, survey, entered, failed)
}

// beginEach begins a look into each of some namespaces.
func beginEach(namespaces []netns.Namespace) ([]*begun, []error) {
	entered := make([]*begun, len(namespaces))
	return entered, netns.Each(namespaces, func(i int) error {
		entered[i] = begin()
		return nil
	})
}

// each ends the looks into the host, which comes first, and the others.
func (l *look) each(ctx context.Context, survey netns.Survey, entered []*begun, failed []error) ([]Inside, error) {
	seen := make([]Inside, len(entered))
	inside := func(i int) (err error) {
		if failed[i] != nil {
			return failed[i]
		}
		entered[i].window = l.Interval > 0
		seen[i].Snapshot, err = l.inside(ctx, entered[i])
		return err
	}
	if err := survey.Host.Do(func() error { return inside(0) }); err != nil {
		return nil, err
	}
	host := seen[0].Snapshot
	if err := l.below(host); err != nil {
		return nil, err
	}
	l.without = absentFrom(host)
	failed = append(failed[:1], netns.Each(survey.Others, func(i int) error { return inside(i + 1) })...)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, n := range survey.All() {
		seen[i].Namespace, seen[i].Err = n, failed[i]
		if s := seen[i].Snapshot; s != nil && i > 0 {
			s.Host, s.Namespace.Name = host.Host, n.String()
		}
	}
	host.Everywhere = sum(seen, survey)
	return seen, nil
}

// SocketsEverywhere is [Sockets] of every network namespace that can be found, the
// host's first.
func SocketsEverywhere(ctx context.Context, o Options, by facts.Breakdown) ([]Inside, error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	survey, err := netns.Find()
	if err != nil {
		return nil, err
	}
	namespaces := survey.All()
	if l.BPF != nil {
		l.walk(ctx, by, 0)
		defer l.walked.close()
	}
	seen := make([]Inside, len(namespaces))
	failed := netns.Each(namespaces, func(i int) (err error) {
		seen[i].Snapshot, err = l.brokenDown(ctx, by)
		return err
	})
	for i, n := range namespaces {
		seen[i].Namespace, seen[i].Err = n, failed[i]
		if seen[i].Snapshot != nil && i > 0 {
			seen[i].Snapshot.Namespace.Name = n.String()
		}
	}
	if host := seen[0].Snapshot; host != nil {
		host.Everywhere = sum(seen, survey)
	}
	return seen, ctx.Err()
}

// sum is what the namespaces hold together.
func sum(seen []Inside, survey netns.Survey) *facts.Everywhere {
	e := &facts.Everywhere{UnseenProcesses: int64(survey.Unseen)}
	for i, inside := range seen {
		s := inside.Snapshot
		if s == nil {
			e.Unseen++
			continue
		}
		e.Namespaces++
		if s.Sockets != nil {
			for _, info := range tcpstate.All() {
				e.Sockets += s.Sockets.Of(info.State)
			}
		}
		if s.Sockstat != nil && (i == 0 || !s.Kernel.Before(facts.CountsTimeWaitByNamespace)) {
			e.TimeWait += s.Sockstat.TimeWait
		}
		if tracked, err := s.Sysctls["net.netfilter.nf_conntrack_count"].Value.Ints(); err == nil && len(tracked) == 1 {
			e.Tracked += tracked[0]
		}
	}
	return e
}
