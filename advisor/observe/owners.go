package observe

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
)

const (
	// holderSize and inodeSize bound what is told apart.
	holderSize = 4096
	inodeSize  = 16 << 10
	// manyInodes is the same where all descriptors are looked at.
	manyInodes = 1 << 20
	// ownerTop is how many owners of each state a snapshot keeps.
	ownerTop = 10
)

// A holder is as much as a socket itself tells of who holds it.
type holder struct {
	state  facts.OwnedState
	uid    uint32
	cgroup uint64
}

// An ownership collects the sockets whose end lies with a program, in bounded
// memory.
type ownership struct {
	sockets map[holder]int64
	// inodes lead to processes. Of too many a fair part is kept: those whose
	// scrambled number has so many trailing zeros.
	inodes map[uint32]holder
	most   int
	zeros  uint
}

func newOwnership() *ownership {
	return &ownership{sockets: map[holder]int64{}, inodes: map[uint32]holder{}, most: inodeSize}
}

func (o *ownership) add(state facts.OwnedState, s *sockdiag.Socket) {
	h := holder{state, s.UID, s.Cgroup}
	if _, known := o.sockets[h]; !known && len(o.sockets) >= holderSize {
		h = holder{state: state}
	}
	o.sockets[h]++
	if s.Inode == 0 || !o.keeps(s.Inode) {
		return
	}
	o.inodes[s.Inode] = h
	for len(o.inodes) > o.most {
		o.zeros++
		maps.DeleteFunc(o.inodes, func(inode uint32, _ holder) bool { return !o.keeps(inode) })
	}
}

func (o *ownership) keeps(inode uint32) bool { return scramble(inode)&(1<<o.zeros-1) == 0 }

// scramble spreads numbers that follow one another (Knuth, The Art of Computer
// Programming, 6.4), the best bits last.
func scramble(n uint32) uint32 { return n * 2654435761 >> 8 }

func (o *ownership) count(state facts.OwnedState) int64 {
	n := int64(0)
	for h, sockets := range o.sockets {
		if h.state == state {
			n += sockets
		}
	}
	return n
}

// attribute names the owners. descriptors bounds how many of the processes'
// descriptors are looked at; beyond, the numbers are estimates, unless BPF looks
// at them.
func (o *ownership) attribute(descriptors int64, byBPF descriptorWalk) []facts.Ownership {
	made := map[uint64]bool{}
	for h := range o.sockets {
		made[h.cgroup] = true
	}
	groups := findCgroups(made)
	search := searchProcesses(o, groups, descriptors, byBPF)
	var result []facts.Ownership
	for _, state := range []facts.OwnedState{facts.OwnedCloseWait, facts.OwnedLastAck, facts.OwnedOrphan} {
		if all := o.count(state); all > 0 {
			result = append(result, o.ofState(state, all, groups, search))
		}
	}
	return result
}

func (o *ownership) ofState(state facts.OwnedState, all int64, groups cgroups, search search) facts.Ownership {
	owners := map[facts.Owner]*facts.Owner{}
	owner := func(key facts.Owner) *facts.Owner {
		if owners[key] == nil {
			entry := key
			owners[key] = &entry
		}
		return owners[key]
	}
	most := map[facts.Owner]int64{} // held by one process
	result := facts.Ownership{State: state, Sockets: all, Top: []facts.Owner{}, Reason: search.reason}
	if state == facts.OwnedOrphan {
		result.Reason = "the kernel keeps only where they were made"
	}
	for h, sockets := range o.sockets {
		if h.state != state {
			continue
		}
		rest := sockets
		for _, p := range search.processes {
			found := p.found[h]
			if found == 0 {
				continue
			}
			key := facts.Owner{Program: p.name, Unit: p.unit, User: strconv.Itoa(int(h.uid))}
			entry := owner(key)
			entry.Processes++
			if found > most[key] {
				most[key], entry.PID = found, int64(p.pid)
			}
			// What was found stands for all that the kernel says there is.
			n := found
			if search.sampled || o.zeros > 0 {
				result.Estimated = true
				n = sockets * found / search.found[h]
			}
			entry.Sockets += n
			rest -= n
		}
		if rest > 0 {
			if result.Estimated && search.found[h] > 0 {
				continue // rounding
			}
			key := facts.Owner{Unit: groups.unit(h.cgroup)}
			// An orphan keeps its user from Linux 6.17 on (include/net/sock.h,
			// sock_orphan); before, it shows 0.
			if state != facts.OwnedOrphan || h.uid != 0 {
				key.User = strconv.Itoa(int(h.uid))
			}
			owner(key).Sockets += rest
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(owners), func(a, b facts.Owner) int {
		return cmp.Or(cmp.Compare(owners[b].Sockets, owners[a].Sockets), cmp.Compare(a.Program, b.Program), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.User, b.User))
	}) {
		if len(result.Top) == ownerTop {
			result.More++
			continue
		}
		result.Top = append(result.Top, *owners[key])
	}
	if state != facts.OwnedOrphan && !slices.ContainsFunc(result.Top, func(o facts.Owner) bool { return o.Program == "" }) {
		result.Reason = ""
	}
	return result
}

// fewDescriptors is how many descriptors are looked at where nobody asked: enough
// to name a program that holds most of the sockets, within milliseconds.
const fewDescriptors = 512

// nameOwnersOfMany names the owners if so many sockets are in CLOSE-WAIT that a
// program must be at fault: more than pass through it while programs close.
func (c *census) nameOwnersOfMany() {
	if c.snapshot.Sockets == nil {
		return
	}
	held := c.count.owners.count(facts.OwnedCloseWait)
	if held >= 200 && (held >= 2000 || 100*held >= c.snapshot.Sockets.Of(tcpstate.Established)) {
		c.snapshot.Sockets.Owners = c.count.owners.attribute(fewDescriptors, nil)
	}
}

// nameListeners tells of some listeners in which unit or container each was
// opened, and which program holds it; descriptors bounds how many are looked at
// for that, 0 being none. The reason says why there is no program, if there is
// none for one of them.
func (c *census) nameListeners(some []*listener, descriptors int64) (reason string) {
	made, holders := map[uint64]bool{}, map[uint32]holder{}
	for _, l := range some {
		made[l.cgroup] = true
		holders[l.inode] = holder{uid: l.uid, cgroup: l.cgroup}
	}
	groups := findCgroups(made)
	found := map[uint32]int{}
	if descriptors > 0 && len(some) > 0 {
		found, reason = holdersOf(holders, groups, descriptors)
	}
	for _, l := range some {
		l.Unit = groups.unit(l.cgroup)
		if descriptors > 0 {
			l.User = strconv.Itoa(int(l.uid))
		}
		if pid := found[l.inode]; pid != 0 {
			l.Program, l.PID, l.Unit = programOf(pid), int64(pid), cmp.Or(unitOfProcess(pid), l.Unit)
		}
	}
	return reason
}

const (
	// namedInUse is how many listeners are named where nobody asked: those that a
	// finding may speak of.
	namedInUse = 6
	// inUse is how full an accept queue is, in percent, of such a listener.
	inUse = 10
	// namedAmong is how many descriptors are looked at for that: some 12 ms, which
	// only a host spends on which a queue is in use.
	namedAmong = 4096
)

// nameListenersInUse names the programs of the listeners whose queues are fullest,
// if any is in use worth mentioning, and of that with most half-open connections.
func (c *census) nameListenersInUse() {
	if c.snapshot.Sockets == nil {
		return
	}
	var some []*listener
	for i := range c.count.listeners {
		if l := &c.count.listeners[i]; l.FillPercent() >= inUse || l.SynRecv != nil && *l.SynRecv >= 100 {
			some = append(some, l)
		}
	}
	slices.SortStableFunc(some, func(a, b *listener) int { return cmp.Compare(b.FillPercent(), a.FillPercent()) })
	if len(some) == 0 {
		return
	}
	c.nameListeners(some[:min(len(some), namedInUse)], namedAmong)
	c.snapshot.Sockets.Listeners = c.count.described()
}
