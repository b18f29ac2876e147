package observe

import (
	"context"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// A Series looks at the same host again and again, at even times however long a
// look takes. The window of each snapshot reaches back to the one before.
type Series struct {
	look  *look
	ticks *time.Ticker
	since *begun
}

// NewSeries begins one; the first snapshot is taken after the options' interval,
// which must be positive. It fails as [Host] does.
func NewSeries(o Options) (*Series, error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	s := &Series{look: l, ticks: time.NewTicker(o.Interval)}
	return s, l.enter(func() error {
		s.since = begin()
		return nil
	})
}

// Next waits for the next look. It fails as [Host] does.
func (s *Series) Next(ctx context.Context) (*facts.Snapshot, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ticks.C:
	}
	var snapshot *facts.Snapshot
	err := s.look.enter(func() (err error) {
		s.since.window = true
		at := time.Now()
		if snapshot, err = s.look.whole(ctx, s.since); err != nil {
			return err
		}
		s.since.goOn(snapshot, at)
		return nil
	})
	return snapshot, err
}

// goOn lets the next look begin where this one ended.
func (b *begun) goOn(s *facts.Snapshot, at time.Time) {
	b.first, b.began = sample{s.Counters, nil}, at
	if s.Sockstat != nil {
		b.timeWait = s.Sockstat.TimeWait
	}
}

// A SeriesEverywhere is a [Series] of the host and all of its network namespaces.
type SeriesEverywhere struct {
	look  *look
	ticks *time.Ticker
	since map[netns.ID]entered
}

type entered struct {
	netns.Namespace
	*begun
}

// NewSeriesEverywhere begins one as [NewSeries] does.
func NewSeriesEverywhere(o Options) (*SeriesEverywhere, error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	survey, err := netns.Find()
	if err != nil {
		return nil, err
	}
	s := &SeriesEverywhere{l, time.NewTicker(o.Interval), map[netns.ID]entered{}}
	return s, s.begin(survey.All())[0]
}

// begin begins with namespaces that have not been looked into.
func (s *SeriesEverywhere) begin(namespaces []netns.Namespace) []error {
	begun, failed := beginEach(namespaces)
	for i, n := range namespaces {
		if failed[i] == nil {
			s.since[n.ID] = entered{n, begun[i]}
		}
	}
	return failed
}

// Next waits for the next look, which is as that of [Everywhere]. A namespace is
// there from the look after the one that found it, so that its counters have a
// window, too. The error of one that is gone since is [netns.ErrGone].
func (s *SeriesEverywhere) Next(ctx context.Context) ([]Inside, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ticks.C:
	}
	survey, err := netns.Find()
	if err != nil {
		return nil, err
	}
	found, known, fresh := map[netns.ID]bool{}, netns.Survey{Host: survey.Host, Unseen: survey.Unseen}, []netns.Namespace{}
	for _, n := range survey.All() {
		found[n.ID] = true
		switch _, is := s.since[n.ID]; {
		case n.ID == survey.Host.ID:
		case is:
			known.Others = append(known.Others, n)
		default:
			fresh = append(fresh, n)
		}
	}
	begun := make([]*begun, 0, len(known.Others)+1)
	for _, n := range known.All() {
		begun = append(begun, s.since[n.ID].begun)
	}
	at := time.Now()
	seen, err := s.look.each(ctx, known, begun, make([]error, len(begun)))
	if err != nil {
		return nil, err
	}
	for i, inside := range seen {
		if inside.Snapshot != nil {
			begun[i].goOn(inside.Snapshot, at)
		} else {
			delete(s.since, inside.ID)
		}
	}
	for id, n := range s.since {
		if !found[id] {
			seen = append(seen, Inside{Namespace: n.Namespace, Err: netns.ErrGone})
			delete(s.since, id)
		}
	}
	s.begin(fresh)
	return seen, nil
}
