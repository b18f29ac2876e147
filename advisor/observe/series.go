package observe

import (
	"context"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
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
	return s, l.enter(func() (err error) {
		s.since, err = begin()
		return err
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
		s.since.first, s.since.began = sample{snapshot.Counters, nil}, at
		if snapshot.Sockstat != nil {
			s.since.timeWait = snapshot.Sockstat.TimeWait
		}
		return nil
	})
	return snapshot, err
}
