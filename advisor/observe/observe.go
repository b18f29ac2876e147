// Package observe looks at a host and fills a [facts.Snapshot]. What it cannot
// see it says; only where nothing at all can be read does it fail.
//
// Everything under /proc is that of the calling process: one network namespace.
package observe

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// Options say how to look.
type Options struct {
	// Interval is the time between two samples of the counters; 0 for one sample.
	Interval time.Duration
	// BehindNAT is the operator's word that clients come through address
	// translation.
	BehindNAT bool
	// Version is recorded as the program that wrote the snapshot.
	Version string
}

// Host looks at the machine it runs on, in the network namespace of the calling
// process. It fails if the kernel's release or the parameters cannot be read at
// all, or if ctx ends.
func Host(ctx context.Context, o Options) (*facts.Snapshot, error) {
	release, err := sysctl.RunningRelease()
	if err != nil {
		return nil, err
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil {
		return nil, err
	}
	proc, err := procfs.NewFS("/proc")
	if err != nil {
		return nil, err
	}
	s := &facts.Snapshot{Schema: facts.SchemaVersion, Version: o.Version, Kernel: release, Gaps: map[facts.Part]facts.Gap{}}
	s.Namespace.Initial = !tree.IsChild()
	s.Namespace.ID, _ = os.Readlink("/proc/self/ns/net")

	watch := startWatch(proc)
	if err := watch.wait(ctx, o.Interval); err != nil {
		return nil, err
	}
	watch.finish(s)
	host(s, proc)
	parameters(s, tree)
	system, inUse := atBoot()
	files(s, system, inUse)
	otherManagers(s)
	sockstat(s, proc)
	if err := sockets(ctx, s); err != nil {
		return nil, err
	}
	nat(s, o.BehindNAT)
	return s, nil
}

func host(s *facts.Snapshot, proc procfs.FS) {
	s.Host.PageSize, s.Host.CPUs = int64(os.Getpagesize()), runtime.NumCPU()
	memory, err := proc.Meminfo()
	if err != nil || memory.MemTotal == nil {
		s.Gaps[facts.PartHost] = gap(err)
		return
	}
	s.Host.MemoryKiB = int64(*memory.MemTotal)
}

// parameters reads the catalogue's keys, one by one: a walk over the tree would
// read files with side effects.
func parameters(s *facts.Snapshot, tree *sysctl.Tree) {
	s.Sysctls = map[sysctl.Key]facts.Reading{}
	for _, p := range sysctl.Catalogue() {
		value, err := tree.Get(p.Key)
		reading := facts.Reading{Value: value}
		if err != nil {
			reading.Absent, reading.Detail = sysctl.CauseOf(err), detailOf(err)
		}
		s.Sysctls[p.Key] = reading
	}
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
	parameters(s, tree)
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
