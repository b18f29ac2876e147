// Package bpfwalk walks over the tables in which the kernel keeps TCP sockets and
// descriptors, with BPF programs: over the sockets of all network namespaces in
// one pass, and over descriptors without asking for the name of each. It needs
// CAP_BPF and CAP_PERFMON, no compiler, and the kernel's types (BTF) of Linux 6.2
// or later; of 6.10 or later to look at descriptors.
//
// The iterator iter/task_file would visit descriptors, too, at some 0.4 µs each,
// since it looks at every file. This looks at those whose address is marked as a
// socket of the walk before, and takes 10 ns for each other.
//
// The kernel has an iterator for sockets, iter/tcp, which is not used and must
// not be: from Linux 5.15 until the fixes of August 2026 (6.1.183, 6.6.152,
// 6.12.104, 6.18.45, 7.1.9) it takes a reference on a request for a connection
// that is being made and may already be gone, and any host that gets SYNs makes
// those (CVE-2026-74714). This walk takes neither references nor locks.
//
// A walk is a moving picture, like a dump of [sockdiag].
package bpfwalk

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// object is walk.c for processors whose lowest byte comes first; the library
// refuses to load it on others. It was made by clang 14 (Debian's clang, llvm and
// libbpf-dev), with which .ci/run makes it again and compares.
//
//go:generate sh -c "clang -target bpfel -mcpu=v3 -O2 -g -Wall -Werror -fdebug-prefix-map=$PWD=. -c walk.c -o walk.o && llvm-strip -g walk.o"
//go:embed walk.o
var object []byte

// A Walker holds the programs in the kernel.
type Walker struct {
	kernel  *ebpf.Collection
	only    uint32
	one     sync.Mutex // programs run one at a time: what they find is in one place
	records *[4096]Socket
}

// Counts are the sockets of a namespace by state: counts of walk.c.
type Counts struct {
	Sockets [2][16]uint32 // by family, IPv4 first
	// Served are those whose port is a listener's, but for ESTABLISHED and
	// TIME-WAIT, which are most and for which that is not asked.
	Served [16]uint32
	// Loose are whole sockets that no program holds, in states that only a program
	// or the peer ends.
	Loose [16]uint32
	// Mini are the mini-sockets in FIN-WAIT-2, which no program holds either.
	Mini uint32
}

// A Socket is as much as a walk tells of one: a record of walk.c.
type Socket struct {
	Cgroup           uint64
	Netns            uint32 // the number of its namespace's inode
	Inode, UID       uint32
	IPv6, State      uint8
	Full, MiniSocket uint8
}

// Diag is the socket as sock_diag would tell of it, but for addresses, ports and
// queues.
func (s *Socket) Diag() sockdiag.Socket {
	as := sockdiag.Socket{Family: unix.AF_INET, State: tcpstate.State(s.State), Full: s.Full == 1, UID: s.UID, Inode: s.Inode, Cgroup: s.Cgroup}
	if s.IPv6 == 1 {
		as.Family = unix.AF_INET6
	}
	if s.MiniSocket == 1 {
		as.Timer = sockdiag.TimerTimeWait
	}
	return as
}

// out is that of walk.c.
type out struct{ Length, Missing uint32 }

// Open loads programs that count all sockets or, if some states are named, list
// the sockets in those; of the namespace whose inode has that number, or of all if
// it is 0.
func Open(list sockdiag.States, only uint32) (*Walker, error) {
	w := &Walker{only: only, records: new([4096]Socket)}
	err := w.load(uint32(list))
	if errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("BPF needs CAP_BPF and CAP_PERFMON, and no sandbox that refuses bpf(2): %w", unix.EPERM)
	}
	if err != nil {
		needed := "6.2"
		if list != 0 {
			needed = "6.10" // whose bpf_task_from_pid may be called from programs of this kind
		}
		return nil, fmt.Errorf("BPF, which needs Linux %s with BTF: %w", needed, err)
	}
	return w, nil
}

func (w *Walker) load(list uint32) error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return err
	}
	err = errors.Join(spec.Variables["listed"].Set(list), spec.Variables["only"].Set(w.only))
	if err != nil {
		return err
	}
	if list == 0 { // nothing will be looked for, nor does the kernel need to know how
		delete(spec.Programs, "descriptors")
	}
	w.kernel, err = ebpf.NewCollection(spec)
	return err
}

// Close unloads the programs.
func (w *Walker) Close() { w.kernel.Close() }

// Count counts the sockets of every namespace, by the number of its inode.
func (w *Walker) Count(ctx context.Context) (map[uint32]Counts, error) {
	if err := w.all(ctx, func(*Socket) {}); err != nil {
		return nil, err
	}
	counts := map[uint32]Counts{}
	var number uint32
	var sockets Counts
	entries := w.kernel.Maps["namespaces"].Iterate()
	for entries.Next(&number, &sockets) {
		counts[number] = sockets
	}
	return counts, entries.Err()
}

// List visits the sockets. The Socket is reused.
func (w *Walker) List(ctx context.Context, visit func(*Socket)) error { return w.all(ctx, visit) }

// all walks over all tables: that of listeners, which is one, and those of other
// sockets, which a namespace may have for itself (tcp_child_ehash_entries in
// ip-sysctl.rst).
func (w *Walker) all(ctx context.Context, visit func(*Socket)) error {
	var tables []uint32
	if _, err := w.piece("survey", nil, func(r *Socket) { tables = append(tables, r.Netns) }); err != nil {
		return err
	}
	if len(tables) == 0 {
		return errors.New("BPF: the initial network namespace was not found")
	}
	if err := w.table(ctx, tables[0], 1, visit); err != nil {
		return err
	}
	for _, netns := range tables {
		if err := w.table(ctx, netns, 0, visit); err != nil {
			return err
		}
	}
	return nil
}

// table walks over one table of a namespace's.
func (w *Walker) table(ctx context.Context, netns uint32, listeners uint64, visit func(*Socket)) error {
	for bucket := uint32(0); ; {
		next, err := w.piece("walk", [3]uint64{uint64(netns), listeners, uint64(bucket)}, visit)
		if err != nil || next == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		bucket = next
	}
}

// Descriptors visits the inodes of those of a process's descriptors that are
// sockets which were listed, as far as they have not been closed since, and perhaps
// of some others. The number of the process is that of the initial PID namespace.
func (w *Walker) Descriptors(pid int, visit func(inode uint32)) error {
	for descriptor := uint32(0); ; {
		next, err := w.piece("descriptors", [2]uint32{uint32(pid), descriptor}, func(r *Socket) { visit(r.Inode) })
		if err != nil || next == 0 {
			return err
		}
		descriptor = next
	}
}

// piece runs a program once, visits what it recorded and returns where to go on.
func (w *Walker) piece(program string, arguments any, visit func(*Socket)) (next uint32, err error) {
	w.one.Lock()
	defer w.one.Unlock()
	if next, err = w.kernel.Programs[program].Run(&ebpf.RunOptions{Context: arguments}); err != nil {
		return 0, fmt.Errorf("BPF: %w", err)
	}
	var o out
	if err := w.kernel.Variables["out"].Get(&o); err != nil {
		return 0, fmt.Errorf("BPF: %w", err)
	}
	if o.Missing > 0 {
		return 0, errors.New("BPF: the sockets or namespaces are too many")
	}
	if o.Length == 0 {
		return next, nil
	}
	if err := w.kernel.Variables["records"].Get(w.records); err != nil {
		return 0, fmt.Errorf("BPF: %w", err)
	}
	for i := range w.records[:o.Length] {
		visit(&w.records[i])
	}
	return next, nil
}
