package netns

import (
	"runtime"
	"sync"
)

// Each calls f with the index of every namespace, inside that namespace as
// [Namespace.Do] does, in as many at a time as there are processors. It returns
// the error of each.
func Each(namespaces []Namespace, f func(i int) error) []error {
	errs := make([]error, len(namespaces))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.NumCPU(), len(namespaces)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = namespaces[i].Do(func() error { return f(i) })
			}
		})
	}
	for i := range namespaces {
		next <- i
	}
	close(next)
	workers.Wait()
	return errs
}
