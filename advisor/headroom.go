package advisor

import (
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
)

// headroom lists the limits that stop connections, and how near each is.
func headroom(f facts.Facts) []Headroom {
	rows := []Headroom{
		limit(f, "TIME-WAIT", "sockstat.tw", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_tw_buckets", "FIN-WAIT-2 mini-sockets included"),
		limit(f, "orphans on the host", "sockstat.orphan", "net.ipv4.tcp_max_orphans", "net.ipv4.tcp_max_orphans", "resets begin at a quarter of the limit"),
		limit(f, "TCP memory on the host, pages", "memory.tcp_pages", "memory.tcp_max_pages", "net.ipv4.tcp_mem", ""),
		limit(f, "connections tracked", "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_max", ""),
	}
	ports := limit(f, "ports towards the busiest destination", "ports.busiest.used", "ports.size", "net.ipv4.ip_local_port_range", "")
	if name, ok := f.Get("ports.busiest.name").Content.(string); ok && ports.Used > 0 {
		ports.Note = name
	}
	if n, _ := f.Int("ports.busiest.reusable"); n > 0 && ports.Limit > 0 {
		ports.Used -= n
		ports.Percent = int(100 * float64(ports.Used) / float64(ports.Limit))
		ports.Note += fmt.Sprintf("; %d more in TIME-WAIT, reusable", n)
	}
	if sample, is := strings.CutPrefix(f.Get("ports.busiest.used").Source, string(facts.ByDump)+", a sample"); is && ports.Note != "" {
		ports.Note += "; a sample" + sample
	}
	queue := Headroom{What: "fullest accept queue, %", Limit: 100, Governs: "the program's backlog, net.core.somaxconn"}
	if percent := f.Get("listeners.busiest_percent"); percent.Missing != nil {
		queue.Unknown = percent.Missing.String()
	} else {
		queue.Used, _ = percent.Content.(int)
		queue.Percent = queue.Used
		if n, _ := f.Int("listeners.count"); n > 0 {
			queue.Note, _ = f.Get("listeners.busiest").Content.(string)
		} else {
			queue.Note = "nothing listens"
		}
	}
	return append(rows, ports, queue)
}

// turnover tells how fast sockets pass through states, as far as a window shows.
func turnover(s *facts.Snapshot, f facts.Facts) []Evidence {
	var seen []Evidence
	if s.Window == nil {
		return nil
	}
	for _, name := range []facts.Name{"connected_per_second", "accepted_per_second", "opened_per_second", "established_seconds", "time_wait_per_second", "time_wait_estimate", "time_wait_steady", "time_wait_ahead"} {
		name = "turnover." + name
		if v := f.Get(name); v.Missing == nil {
			seen = append(seen, Evidence{name, facts.Format(v.Content), v.Source})
		}
	}
	return seen
}

func limit(f facts.Facts, what string, used, limit facts.Name, governs, note string) Headroom {
	row := Headroom{What: what, Governs: governs, Note: note}
	for _, name := range []facts.Name{used, limit} {
		if v := f.Get(name); v.Missing != nil {
			row.Unknown = v.Missing.String()
			return row
		}
	}
	row.Used, _ = f.Int(used)
	row.Limit, _ = f.Int(limit)
	if row.Limit > 0 {
		row.Percent = int(100 * float64(row.Used) / float64(row.Limit))
	}
	return row
}
