package lint

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

// Run judges units side by side and hands over the results in the order of the
// units. No more than a few units per processor are in memory at a time. It
// stops at the first error of each, and when ctx ends.
func (l *Linter) Run(ctx context.Context, units iter.Seq[Work], each func(Result) error) error {
	type job struct {
		work   Work
		result chan Result
	}
	workers := runtime.GOMAXPROCS(0)
	jobs, order := make(chan job), make(chan chan Result, 4*workers)
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()

	all.Go(func() {
		defer close(jobs)
		defer close(order)
		for work := range units {
			j := job{work, make(chan Result, 1)}
			select {
			case order <- j.result:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		all.Go(func() {
			for j := range jobs {
				j.result <- l.Judge(j.work())
			}
		})
	}
	for result := range order {
		select {
		case r := <-result:
			if err := each(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}
