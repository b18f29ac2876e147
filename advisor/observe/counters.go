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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// A watch reads the kernel's counters once, or twice with a pause between.
type watch struct {
	first  sample
	began  time.Time
	window bool
}

// A sample is the counters of one moment and the parts that could not be read.
type sample struct {
	groups map[string]facts.Counters
	gaps   map[facts.Part]facts.Gap
}

func startWatch() *watch {
	return &watch{first: read(), began: time.Now()}
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
		now = read()
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

func read() sample {
	r := sample{map[string]facts.Counters{}, map[facts.Part]facts.Gap{}}
	r.table(netns.ThreadDir()+"/net/netstat", facts.PartNetstat)
	r.table(netns.ThreadDir()+"/net/snmp", facts.PartSNMP)
	r.conntrack()
	r.softnet()
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
func (r *sample) conntrack() {
	path := netns.ThreadDir() + "/net/stat/nf_conntrack"
	names, rows, err := hexRows(path, true)
	if errors.Is(err, fs.ErrNotExist) {
		r.gaps[facts.PartConntrack] = facts.Gap{Cause: sysctl.ModuleMissing, Detail: "connection tracking is not loaded, or keeps no counters"}
		return
	}
	sum := facts.Counters{}
	for _, name := range []string{"drop", "early_drop", "insert_failed", "search_restart"} {
		column := slices.Index(names, name)
		if err == nil && column < 0 {
			err = fmt.Errorf("%s: there is no column %s", path, name)
		}
		for _, row := range rows {
			if err == nil {
				sum[name] += row[column]
			}
		}
	}
	if err != nil {
		r.gaps[facts.PartConntrack] = gap(err)
		return
	}
	r.groups["conntrack"] = sum
}

// softnet adds up what net.core.netdev_max_backlog dropped, on all processors: the
// second column (net/core/net-procfs.c, softnet_seq_show).
func (r *sample) softnet() {
	_, rows, err := hexRows(netns.ThreadDir()+"/net/softnet_stat", false)
	if err != nil {
		r.gaps[facts.PartSoftnet] = gap(err)
		return
	}
	dropped := int64(0)
	for _, row := range rows {
		dropped += row[1]
	}
	r.groups["softnet"] = facts.Counters{"dropped": dropped}
}

// hexRows reads a file that has a line of hexadecimal numbers for each processor,
// the names of the columns above them if it is headed. Each row has a column for
// each name, and two at least.
func hexRows(path string, headed bool) (names []string, rows [][]int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if headed && names == nil {
			names = fields
			continue
		}
		if len(fields) < max(2, len(names)) {
			return nil, nil, fmt.Errorf("%s: line %q is too short", path, line)
		}
		row := make([]int64, len(fields))
		for i, field := range fields {
			n, err := strconv.ParseUint(field, 16, 63)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %q is not a number", path, field)
			}
			row[i] = int64(n)
		}
		rows = append(rows, row)
	}
	return names, rows, nil
}
