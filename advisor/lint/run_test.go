package lint_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/advisor/settings"
	"github.com/tcptune/tcptune/sysctl"
)

// unit is one of a file with one parameter.
func unit(name string, key sysctl.Key, value sysctl.Value) lint.Unit {
	place := settings.Place{Line: 1, Column: 1, EndColumn: 2, Text: string(key) + " = " + string(value)}
	file := settings.File{Form: settings.SysctlConf, Settings: []settings.Setting{{Place: place, Key: key, Value: value}}}
	return lint.Unit{Files: []lint.File{{Name: name, File: file}}}
}

// many yields n units and counts how many have been begun and not yet handed
// over.
func many(n int, begun *atomic.Int64) func(yield func(lint.Work) bool) {
	return func(yield func(lint.Work) bool) {
		for i := range n {
			if !yield(func() lint.Unit {
				begun.Add(1)
				return unit(fmt.Sprintf("%05d.conf", i), "net.ipv4.tcp_syncookies", "0")
			}) {
				return
			}
		}
	}
}

// Results come in the order of the units, and only a few units are in memory at
// a time, however slowly the results are taken.
func TestThousandsOfUnitsComeInOrderAndFewAtATime(t *testing.T) {
	const n = 3000
	var begun atomic.Int64
	var names []string
	most := int64(0)
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	err := l.Run(t.Context(), many(n, &begun), func(r lint.Result) error {
		most = max(most, begun.Load()-int64(len(names)))
		if len(r.Findings) == 1 {
			names = append(names, r.Findings[0].Places[0].File)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != n {
		t.Fatalf("%d results of %d", len(names), n)
	}
	for i, name := range names {
		if want := fmt.Sprintf("%05d.conf", i); name != want {
			t.Fatalf("result %d is %s", i, name)
		}
	}
	if limit := int64(8 * runtime.GOMAXPROCS(0)); most > limit {
		t.Errorf("%d units were read ahead; a few per processor, at most %d, are meant", most, limit)
	}
}

// An error of whoever takes the results, or the end of the context, ends the run
// and every goroutine of it.
func TestRunEndsWhole(t *testing.T) {
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	broken := errors.New("disk full")
	ctx, cancel := context.WithCancel(t.Context())
	over, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx  context.Context
		each func(lint.Result) error
		want error
	}{
		"an error":                  {t.Context(), func(lint.Result) error { return broken }, broken},
		"a context that ends":       {ctx, func(lint.Result) error { cancel(); return nil }, context.Canceled},
		"a context that ended long": {over, func(lint.Result) error { return nil }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			var begun atomic.Int64
			if err := l.Run(test.ctx, many(100_000, &begun), test.each); !errors.Is(err, test.want) {
				t.Errorf("the error is %v", err)
			}
			// Run waits until they are done; the last instructions of each may follow.
			for range 10_000 {
				if runtime.NumGoroutine() > before {
					runtime.Gosched()
				}
			}
			if after := runtime.NumGoroutine(); after > before {
				t.Errorf("%d goroutines are left", after-before)
			}
			if n := begun.Load(); n > 1000 {
				t.Errorf("%d units were still read", n)
			}
		})
	}
}

// When Run returns nothing of it is under way.
func TestRunWaitsForWhatItBegan(t *testing.T) {
	var running atomic.Int64
	release := make(chan struct{})
	works := func(yield func(lint.Work) bool) {
		for i := 0; yield(func() lint.Unit {
			if i == 0 {
				return lint.Unit{}
			}
			running.Add(1)
			defer running.Add(-1)
			<-release
			for range 10_000 {
				runtime.Gosched()
			}
			return lint.Unit{}
		}); i++ {
		}
	}
	broken := errors.New("disk full")
	err := newLinter(t, targets(t, "6.12"), lint.Options{}).Run(t.Context(), works, func(lint.Result) error {
		close(release)
		return broken
	})
	if n := running.Load(); !errors.Is(err, broken) || n > 0 {
		t.Errorf("%d units are still being read; the error is %v", n, err)
	}
}

// One finding per rule and line tells the kernels on which it holds, and what of
// the message differs between them.
func TestFindingsOfSeveralKernelsAreOne(t *testing.T) {
	for _, test := range []struct {
		key     sysctl.Key
		value   sysctl.Value
		kernels []string
		want    []string
	}{
		{"net.ipv4.tcp_tw_reuse", "1", []string{"4.11", "4.18", "5.4"},
			[]string{"timewait/reuse-everywhere [4.11 4.18 5.4] net.ipv4.tcp_tw_reuse = 1 lets connect() take over TIME-WAIT entries towards any destination; the kernel's own choice is 0 on 4.11, 2 on 4.18 and 5.4"}},
		{"net.ipv4.tcp_tw_recycle", "1", []string{"4.12", "5.4", "6.1"},
			[]string{"timewait/recycle-no-longer-exists [4.12 5.4 6.1] net.ipv4.tcp_tw_recycle = 1 sets nothing on Linux 4.12 to 6.1: 4.12 removed the parameter"}},
		{"net.ipv4.tcp_tw_recycle", "0", []string{"4.4", "5.4", "6.1"},
			[]string{"files/key-removed [5.4 6.1] net.ipv4.tcp_tw_recycle does not exist on Linux 5.4 and 6.1: removed in Linux 4.12; leave it out: it locked out clients behind NAT; for local ports that run short see net.ipv4.tcp_tw_reuse"}},
		{"net.core.somaxconn", "100000", []string{"2.6.32", "3.10", "4.4", "6.1"},
			[]string{
				"files/value-refused [3.10] net.core.somaxconn = 100000 is refused by Linux 3.10: 100000 is outside what it takes, 0 to 65535",
				"listen/somaxconn-is-a-cap [4.4 6.1] net.core.somaxconn = 100000 is a cap: a listener gets no more than its program passes to listen(), 128 or 511 with many; the kernel's own value is 128 on 4.4, 4096 on 6.1",
				"listen/somaxconn-wraps [2.6.32] net.core.somaxconn = 100000 does not fit the 16 bits that Linux 2.6.32 keeps a listener's limit in",
			}},
		// Not neighbours among the kernels that were judged: each is named.
		{"net.ipv4.tcp_retries2", "1000", []string{"5.10", "5.15"},
			[]string{
				"files/value-refused [5.15] net.ipv4.tcp_retries2 = 1000 is refused by Linux 5.15: 1000 is outside what it takes, 0 to 255",
				"retries/established-waits-long [5.10] net.ipv4.tcp_retries2 is 1000: sent data may stay unacknowledged for 119124.6 s before the program hears of it",
			}},
		{"net.ipv4.tcp_syncookies", "1", []string{"4.4", "6.1"}, nil},
	} {
		r := newLinter(t, targets(t, test.kernels...), lint.Options{}).Judge(unit("f", test.key, test.value))
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s %v %s", f.Rule, f.Kernels, f.Message))
		}
		if diff := cmp.Diff(sorted(test.want), sorted(got)); diff != "" {
			t.Errorf("%s = %s (-want +got)\n%s", test.key, test.value, diff)
		}
	}
}

// The gravest finding of a line comes first, whatever its rule is called.
func TestFindingsAreInTheOrderOfLinesAndGravity(t *testing.T) {
	r := newLinter(t, targets(t, "3.10", "4.11", "6.1"), lint.Options{}).Judge(unit("f", "net.ipv4.tcp_tw_recycle", "1"))
	var got []string
	for _, f := range r.Findings {
		got = append(got, string(f.Severity)+" "+f.Rule)
	}
	want := []string{"error timewait/recycle-breaks-every-client", "warning timewait/recycle", "warning timewait/recycle-no-longer-exists"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if place := (facts.Place{File: "f", Line: 1, Column: 1, EndColumn: 2, Text: "net.ipv4.tcp_tw_recycle = 1"}); r.Findings[0].Places[0] != place {
		t.Errorf("the place is %+v", r.Findings[0].Places[0])
	}
}
