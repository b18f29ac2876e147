// Package observe looks at a host and fills a [facts.Snapshot]. What it cannot
// see it says; only where nothing at all can be read does it fail.
//
// What belongs to a network namespace is read below /proc/thread-self and over
// sockets of the calling thread, so that a look can be taken inside any.
package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// Options say how to look.
type Options struct {
	// Interval is the time between two samples of the counters; 0 for one sample.
	Interval time.Duration
	// BehindNAT is the operator's word that clients come through address
	// translation.
	BehindNAT bool
	// Namespace is the network namespace to look into; nil for that of the calling
	// thread.
	Namespace *netns.Namespace
	// SampleAbove is the number of sockets above which destinations are estimated
	// from a sample; 0 for [DefaultSampleAbove].
	SampleAbove int64
	// Destinations are to be told apart even if no judgement needs that: where all
	// sockets together leave half of the ports free.
	Destinations bool
	// BPF, if it is not nil, asks for programs in the kernel where those cost less
	// than asking the kernel: to find the programs that hold sockets, and to count
	// those of all namespaces. Where they cannot be had it is called with the
	// reason, and the look is taken without.
	BPF func(refused error)
	// Version is recorded as the program that wrote the snapshot.
	Version string
}

// Host looks at the machine it runs on, in the network namespace of the calling
// thread or that of the options. It fails if the kernel's release or the
// parameters cannot be read at all, if the namespace cannot be entered, or if
// ctx ends.
func Host(ctx context.Context, o Options) (s *facts.Snapshot, err error) {
	l, err := newLook(o)
	if err != nil {
		return nil, err
	}
	return s, l.enter(func() error {
		watch := begin()
		if err := watch.wait(ctx, o.Interval); err != nil {
			return err
		}
		s, err = l.whole(ctx, watch)
		return err
	})
}

// A look is what all snapshots of one host have in common.
type look struct {
	Options
	release sysctl.Release
	tree    *sysctl.Tree // shows the namespace of whichever thread reads
	// without are the parameters that this kernel has in no namespace, as far as
	// that is known.
	without map[sysctl.Key]facts.Reading
	walked  *walked // nil without BPF
}

func newLook(o Options) (*look, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, err
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	return &look{Options: o, release: release, tree: tree}, err
}

// enter calls f in the namespace to look into.
func (l *look) enter(f func() error) error {
	if l.Namespace == nil {
		return f()
	}
	return l.Namespace.Do(f)
}

// whole is a snapshot of the calling thread's namespace and of the host below.
func (l *look) whole(ctx context.Context, began *begun) (*facts.Snapshot, error) {
	s, err := l.inside(ctx, began)
	if err != nil {
		return nil, err
	}
	return s, l.below(s)
}

// below adds what is the host's: its size, and what sets its parameters.
func (l *look) below(s *facts.Snapshot) error {
	host(s)
	if l.Namespace != nil && !s.Namespace.Initial {
		return nil // the files that are read at boot here are not for there
	}
	system, inUse := atBoot()
	files(s, system, inUse)
	if s.Namespace.Initial {
		otherManagers(s) // which set what is the host's
	}
	return nil
}

// inside is a snapshot of what belongs to the calling thread's namespace.
func (l *look) inside(ctx context.Context, began *begun) (*facts.Snapshot, error) {
	s := &facts.Snapshot{Schema: facts.SchemaVersion, Version: l.Version, Kernel: l.release, Asked: []facts.Assignment{}, Gaps: map[facts.Part]facts.Gap{}}
	here, err := netns.Here()
	if err != nil {
		return nil, err
	}
	s.Namespace = facts.Namespace{Initial: !l.tree.IsChild(), ID: here.ID.String()}
	if l.Namespace != nil {
		s.Namespace.Name = l.Namespace.String()
	}
	began.end(s)
	parameters(s, l.tree, l.without)
	if err := sockets(ctx, s, l.Options); err != nil {
		return nil, err
	}
	nat(s, l.BehindNAT)
	return s, nil
}

// bare is a snapshot that tells only where it was taken.
func (l *look) bare(here netns.ID) *facts.Snapshot {
	return &facts.Snapshot{Schema: facts.SchemaVersion, Version: l.Version, Kernel: l.release, Sysctls: map[sysctl.Key]facts.Reading{}, Gaps: map[facts.Part]facts.Gap{},
		Namespace: facts.Namespace{Initial: !l.tree.IsChild(), ID: here.String()}}
}

// A begun look has taken the first sample of what may grow.
type begun struct {
	*watch
	timeWait int64
}

func begin() *begun { return &begun{startWatch(), timeWait()} }

// end takes the second sample, if there is a window.
func (b *begun) end(s *facts.Snapshot) {
	b.finish(s)
	sockstat(s)
	if s.Window != nil && s.Sockstat != nil {
		s.Window.TimeWaitGrowth = s.Sockstat.TimeWait - b.timeWait
	}
}

// timeWait is how many sockets are in TIME-WAIT; 0 if that cannot be read, and
// then it cannot be read at the end either.
func timeWait() int64 {
	s := facts.Snapshot{Gaps: map[facts.Part]facts.Gap{}}
	sockstat(&s)
	if s.Sockstat == nil {
		return 0
	}
	return s.Sockstat.TimeWait
}

func host(s *facts.Snapshot) {
	s.Host.PageSize, s.Host.CPUs = int64(os.Getpagesize()), runtime.NumCPU()
	memory, err := memoryKiB("/proc/meminfo")
	if err != nil {
		s.Gaps[facts.PartHost] = gap(err)
		return
	}
	s.Host.MemoryKiB = memory
}

// memoryKiB is the MemTotal of proc_meminfo(5).
func memoryKiB(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no line of MemTotal", path)
}

// parameters reads the catalogue's keys, one by one: a walk over the tree would
// read files with side effects.
func parameters(s *facts.Snapshot, tree *sysctl.Tree, without map[sysctl.Key]facts.Reading) {
	s.Sysctls = map[sysctl.Key]facts.Reading{}
	for _, p := range sysctl.Catalogue() {
		r, known := without[p.Key]
		if !known {
			r = reading(tree, p.Key)
		}
		s.Sysctls[p.Key] = r
	}
}

// absentFrom are the parameters that the kernel of a snapshot does not have.
func absentFrom(s *facts.Snapshot) map[sysctl.Key]facts.Reading {
	without := map[sysctl.Key]facts.Reading{}
	for key, r := range s.Sysctls {
		if r.Absent.Definitive() {
			without[key] = r
		}
	}
	return without
}

func reading(tree *sysctl.Tree, key sysctl.Key) facts.Reading {
	value, err := tree.Get(key)
	if err != nil {
		return facts.Reading{Value: value, Absent: sysctl.CauseOf(err), Detail: detailOf(err)}
	}
	return facts.Reading{Value: value}
}

// detailOf is what an error says beyond its cause.
func detailOf(err error) string {
	e := (*sysctl.Error)(nil)
	switch {
	case !errors.As(err, &e):
		return err.Error()
	case e.Detail != "" || e.Err == nil || errors.Is(e, fs.ErrNotExist):
		return e.Detail
	}
	return e.Err.Error()
}

// Boot looks at the parameters of this host and at what its files come to if
// that loader reads them, and at nothing else.
func Boot(system conf.System) (*facts.Snapshot, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, err
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil {
		return nil, err
	}
	s := &facts.Snapshot{Schema: facts.SchemaVersion, Kernel: release, Gaps: map[facts.Part]facts.Gap{}}
	parameters(s, tree, nil)
	files(s, system, conf.InUse{Loader: system.Loader})
	return s, nil
}

// files records what the files that are read at boot ask of the network.
func files(s *facts.Snapshot, system conf.System, inUse conf.InUse) {
	r := system.Resolve()
	r.Files = slices.DeleteFunc(r.Files, func(f conf.File) bool { return f.Status == conf.NeverRead && !system.Sets(f) })
	s.Boot, s.Asked = facts.BootFrom(r, inUse)
	for i, a := range s.Asked {
		if _, catalogued := sysctl.Lookup(a.Key); catalogued || a.Key == "" || a.Key.IsPattern() {
			continue
		}
		_, err := os.Stat(filepath.Join(sysctl.DefaultRoot, a.Key.Path()))
		s.Asked[i].NoFile = errors.Is(err, fs.ErrNotExist)
	}
	if err := r.Err(); err != nil {
		s.Gaps[facts.PartFiles] = gap(err)
	}
}

// atBoot is the loader that this host uses or, if none was found, the one that
// reads most.
func atBoot() (conf.System, conf.InUse) {
	inUse := conf.FindLoader("/")
	return conf.System{Root: "/", Loader: cmp.Or(inUse.Loader, conf.Procps)}, inUse
}

// gap says why something could not be read.
func gap(err error) facts.Gap {
	g := facts.Gap{Cause: sysctl.Failed}
	switch {
	case err == nil:
		g.Detail = "the kernel's answer was incomplete"
		return g
	case errors.Is(err, fs.ErrNotExist):
		g.Cause = sysctl.NotBuilt
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EPERM):
		g.Cause = sysctl.NotPermitted
	}
	g.Detail = err.Error()
	return g
}
