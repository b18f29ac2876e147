package observe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// A watch reads the kernel's counters once, or twice with a pause between.
type watch struct {
	proc   procfs.FS
	first  sample
	began  time.Time
	window bool
}

// A sample is the counters of one moment and the parts that could not be read.
type sample struct {
	groups map[string]facts.Counters
	gaps   map[facts.Part]facts.Gap
}

func startWatch(proc procfs.FS) *watch {
	return &watch{proc: proc, first: read(proc), began: time.Now()}
}

// wait lets the interval pass.
func (w *watch) wait(ctx context.Context, interval time.Duration) error {
	w.window = interval > 0
	return pause(ctx, interval)
}

// pause ends early, with an error, if ctx does.
func pause(ctx context.Context, interval time.Duration) error {
	if interval <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// finish takes the second sample, if one was asked for, and records both.
func (w *watch) finish(s *facts.Snapshot) {
	now := w.first
	if w.window {
		now = read(w.proc)
		s.Window = &facts.Window{Seconds: time.Since(w.began).Seconds(), Increase: map[string]facts.Counters{}}
		for group, counters := range now.groups {
			increase := facts.Counters{}
			for name, n := range counters {
				if before, ok := w.first.groups[group][name]; ok && n != before {
					increase[name] = max(0, n-before)
				}
			}
			s.Window.Increase[group] = increase
		}
	}
	s.Counters = now.groups
	maps.Copy(s.Gaps, now.gaps)
}

func read(proc procfs.FS) sample {
	r := sample{map[string]facts.Counters{}, map[facts.Part]facts.Gap{}}
	r.table(netns.ThreadDir()+"/net/netstat", facts.PartNetstat)
	r.table(netns.ThreadDir()+"/net/snmp", facts.PartSNMP)
	r.conntrack(proc)
	r.softnet(proc)
	return r
}

// table reads a file of paired lines: "Group: name name" and "Group: 1 2".
// Which names there are differs from kernel to kernel, so they are paired by
// position and none is expected.
func (r *sample) table(path string, part facts.Part) {
	file, err := os.Open(path)
	if err != nil {
		r.gaps[part] = gap(err)
		return
	}
	defer file.Close()
	groups, err := parseTable(file)
	if err != nil {
		r.gaps[part] = gap(fmt.Errorf("%s: %w", path, err))
		return
	}
	maps.Copy(r.groups, groups)
}

func parseTable(r io.Reader) (map[string]facts.Counters, error) {
	groups := map[string]facts.Counters{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		group, names, ok := strings.Cut(lines.Text(), ": ")
		if !ok || !lines.Scan() {
			return nil, fmt.Errorf("line %q has no pair", group)
		}
		same, numbers, _ := strings.Cut(lines.Text(), ": ")
		name, number := strings.Fields(names), strings.Fields(numbers)
		if same != group || len(name) != len(number) {
			return nil, fmt.Errorf("the names and numbers of %q do not match", group)
		}
		counters := facts.Counters{}
		for i := range name {
			n, err := parseCounter(number[i])
			if err != nil {
				return nil, fmt.Errorf("%s %s: %q is not a number", group, name[i], number[i])
			}
			counters[name[i]] = n
		}
		groups[group] = counters
	}
	return groups, lines.Err()
}

// parseCounter reads a number of 64 bits. One above all signed numbers is below
// zero: a gauge such as CurrEstab is the sum of what the processors hold, read
// one after the other, and printed as if it had no sign (net/ipv4/proc.c,
// snmp_seq_show_tcp_udp).
func parseCounter(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return int64(n), err
}

// conntrack adds up the counters of all processors.
func (r *sample) conntrack(proc procfs.FS) {
	rows, err := proc.ConntrackStat()
	if errors.Is(err, fs.ErrNotExist) {
		r.gaps[facts.PartConntrack] = facts.Gap{Cause: sysctl.ModuleMissing, Detail: "connection tracking is not loaded, or keeps no counters"}
		return
	}
	if err != nil {
		r.gaps[facts.PartConntrack] = gap(err)
		return
	}
	sum := facts.Counters{"drop": 0, "early_drop": 0, "insert_failed": 0, "search_restart": 0}
	for _, row := range rows {
		sum["drop"] += int64(row.Drop)
		sum["early_drop"] += int64(row.EarlyDrop)
		sum["insert_failed"] += int64(row.InsertFailed)
		sum["search_restart"] += int64(row.SearchRestart)
	}
	r.groups["conntrack"] = sum
}

// softnet adds up what net.core.netdev_max_backlog dropped, on all processors.
func (r *sample) softnet(proc procfs.FS) {
	rows, err := proc.NetSoftnetStat()
	if err != nil {
		r.gaps[facts.PartSoftnet] = gap(err)
		return
	}
	dropped := int64(0)
	for _, row := range rows {
		dropped += int64(row.Dropped)
	}
	r.groups["softnet"] = facts.Counters{"dropped": dropped}
}

func sockstat(s *facts.Snapshot, proc procfs.FS) {
	v4, err := proc.NetSockstat()
	if err != nil {
		s.Gaps[facts.PartSockstat] = gap(err)
		return
	}
	stat := &facts.Sockstat{}
	for _, p := range v4.Protocols {
		if p.Protocol != "TCP" {
			continue
		}
		stat.InUse = int64(p.InUse)
		for _, field := range []struct {
			from *int
			to   *int64
		}{{p.Orphan, &stat.Orphan}, {p.TW, &stat.TimeWait}, {p.Alloc, &stat.Alloc}, {p.Mem, &stat.MemPages}} {
			if field.from != nil {
				*field.to = max(0, int64(*field.from)) // sums of per-CPU counters may dip below 0
			}
		}
	}
	if v6, err := proc.NetSockstat6(); err == nil { // absent where IPv6 is switched off
		for _, p := range v6.Protocols {
			if p.Protocol == "TCP6" {
				stat.InUse6 = int64(p.InUse)
			}
		}
	}
	s.Sockstat = stat
}
