package facts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// bootedBy is a healthy host of 16 GiB whose files a loader applies.
func bootedBy(release, loader string) *facts.Snapshot {
	s := factstest.Healthy(release)
	s.Boot = &facts.Boot{Loader: loader, Evidence: "test"}
	return s
}

func run(s *facts.Snapshot, key sysctl.Key, value sysctl.Value) {
	s.Sysctls[key] = facts.Reading{Value: value}
}

// ask adds a line of /etc/f; one that begins with "lost:" loses to the next.
func ask(s *facts.Snapshot, lines ...string) {
	for _, l := range lines {
		text, loses := strings.CutPrefix(l, "lost:")
		key, value, _ := strings.Cut(text, "=")
		a := facts.Assignment{Key: sysctl.Key(key), Value: sysctl.Value(value), File: "/etc/f", Line: len(s.Asked) + 1}
		if loses {
			a.Loses, a.LosesTo = "later", &facts.Place{File: "/etc/f", Line: a.Line + 1}
		}
		s.Asked = append(s.Asked, a)
	}
}

func manage(s *facts.Snapshot, name string, holds ...facts.Hold) {
	s.Managers = append(s.Managers, facts.Manager{Name: name, Active: true, AtBoot: true, Sets: holds})
}

// future tells what becomes of a parameter in one line.
func future(t *testing.T, s *facts.Snapshot, key sysctl.Key) string {
	t.Helper()
	all := s.Futures()
	i := slices.IndexFunc(all, func(f facts.Future) bool { return f.Key == key })
	if i < 0 {
		return "none"
	}
	f := all[i]
	text := fmt.Sprintf("%s -> ", strings.Join(f.Running.Fields(), " "))
	if f.Next != nil {
		text += fmt.Sprintf("%s (%s)", strings.Join(f.Next.Fields(), " "), f.From)
	} else {
		text += "unknown: " + f.Doubt
	}
	return strings.TrimSpace(text + " " + string(f.Drift))
}

func TestFutures(t *testing.T) {
	const (
		fin       sysctl.Key = "net.ipv4.tcp_fin_timeout"
		somaxconn sysctl.Key = "net.core.somaxconn"
		ports     sysctl.Key = "net.ipv4.ip_local_port_range"
		tracked   sysctl.Key = "net.netfilter.nf_conntrack_max"
		blackhole sysctl.Key = "net.ipv4.tcp_fastopen_blackhole_timeout_sec"
	)
	hold := func(key sysctl.Key, value sysctl.Value, line int) facts.Hold {
		return facts.Hold{Key: key, Value: value, Place: facts.Place{File: "/m", Line: line}}
	}
	for name, c := range map[string]struct {
		release string
		loader  string
		given   func(*facts.Snapshot)
		key     sysctl.Key
		want    string
	}{
		"untouched":        {given: func(*facts.Snapshot) {}, key: fin, want: "60 -> 60 (the kernel's default)"},
		"set by hand":      {given: func(s *facts.Snapshot) { run(s, fin, "30") }, key: fin, want: "30 -> 60 (the kernel's default) lost"},
		"set by a file":    {given: func(s *facts.Snapshot) { run(s, fin, "30"); ask(s, "net.ipv4.tcp_fin_timeout=30") }, key: fin, want: "30 -> 30 (/etc/f:1)"},
		"the file differs": {given: func(s *facts.Snapshot) { run(s, fin, "30"); ask(s, "net.ipv4.tcp_fin_timeout=20") }, key: fin, want: "30 -> 20 (/etc/f:1) changes"},
		"the file was not applied": {given: func(s *facts.Snapshot) { ask(s, "net.ipv4.tcp_fin_timeout=20") }, key: fin,
			want: "60 -> 20 (/etc/f:1) changes"},
		"two lines": {given: func(s *facts.Snapshot) {
			run(s, fin, "20")
			ask(s, "lost:net.ipv4.tcp_fin_timeout=30", "net.ipv4.tcp_fin_timeout=20")
		}, key: fin, want: "20 -> 20 (/etc/f:2)"},
		"a value that the kernel refuses": {given: func(s *facts.Snapshot) { run(s, somaxconn, "1024"); ask(s, "net.core.somaxconn=many") }, key: somaxconn,
			want: "1024 -> 4096 (the kernel's default) lost"},
		"systemd-sysctl drops what loses, whatever the kernel says to the winner": {given: func(s *facts.Snapshot) {
			ask(s, "lost:net.core.somaxconn=1024", "net.core.somaxconn=many")
		}, key: somaxconn, want: "4096 -> 4096 (the kernel's default)"},
		"procps writes both in turn": {loader: "procps", given: func(s *facts.Snapshot) {
			ask(s, "lost:net.core.somaxconn=1024", "net.core.somaxconn=many")
		}, key: somaxconn, want: "4096 -> 1024 (/etc/f:1) changes"},
		"a value that is swallowed": {given: func(s *facts.Snapshot) { run(s, fin, "30"); ask(s, "net.ipv4.tcp_fin_timeout=30 60") }, key: fin,
			want: "30 -> 30 (/etc/f:1)"},
		"an empty value": {given: func(s *facts.Snapshot) { ask(s, "net.ipv4.tcp_fin_timeout=") }, key: fin, want: "60 -> 60 (/etc/f:1)"},
		"one number for a pair, over the default": {given: func(s *facts.Snapshot) {
			run(s, ports, "40000\t60999")
			ask(s, "net.ipv4.ip_local_port_range=40000")
		}, key: ports, want: "40000 60999 -> 40000 60999 (/etc/f:1)"},
		"ports are the same set in another order": {given: func(s *facts.Snapshot) {
			run(s, "net.ipv4.ip_local_reserved_ports", "8080,9000-9001")
			ask(s, "net.ipv4.ip_local_reserved_ports=9000,9001,8080")
		}, key: "net.ipv4.ip_local_reserved_ports", want: "8080,9000-9001 -> 8080,9000-9001 (/etc/f:1)"},
		"a name beats a pattern behind it, for procps, too": {loader: "procps", given: func(s *facts.Snapshot) {
			ask(s, "net.ipv4.tcp_fin_timeout=50", "lost:net.ipv4.tcp_fin_timeout=20")
			s.Asked[1].Text = "net.ipv4.tcp_fin_* = 20"
		}, key: fin, want: "60 -> 50 (/etc/f:1) changes"},
		"the kernel's command line needs no loader": {loader: "none", given: func(s *facts.Snapshot) {
			s.Asked = []facts.Assignment{{Key: fin, Value: "20", File: conf.CommandLine}}
		}, key: fin, want: "60 -> 20 (" + conf.CommandLine + ") changes"},
		"a pattern that matches nothing": {given: func(s *facts.Snapshot) { ask(s, "net.ipv4.tcp_fin_timeout*=20") }, key: fin, want: "60 -> 60 (the kernel's default)"},
		"no default is known": {given: func(s *facts.Snapshot) { run(s, "net.ipv4.tcp_mem", "1 2 3") }, key: "net.ipv4.tcp_mem",
			want: "1 2 3 -> unknown: the kernel's default on this host is not known"},
		"a file replaces what is not known": {given: func(s *facts.Snapshot) { ask(s, "net.ipv4.tcp_mem=1000 2000 3000") }, key: "net.ipv4.tcp_mem",
			want: "190770 254360 381540 -> 1000 2000 3000 (/etc/f:1) changes"},
		"no loader is known, and a file would change the value": {loader: "none", given: func(s *facts.Snapshot) { run(s, fin, "20"); ask(s, "net.ipv4.tcp_fin_timeout=20") }, key: fin,
			want: "20 -> unknown: 60 by the kernel's default, or 20 by /etc/f:1"},
		"no loader is known, and it makes no difference": {loader: "none", given: func(s *facts.Snapshot) { run(s, fin, "20"); ask(s, "net.ipv4.tcp_fin_timeout=60") }, key: fin,
			want: "20 -> 60 (/etc/f:1) changes"},
		"a module may be loaded after the files were applied": {given: func(s *facts.Snapshot) {
			run(s, tracked, "1000000")
			ask(s, "net.netfilter.nf_conntrack_max=1000000")
		}, key: tracked, want: "1000000 -> unknown: 262144 by the kernel's default, or 1000000 by /etc/f:1"},
		"by its other name": {given: func(s *facts.Snapshot) { run(s, tracked, "7"); ask(s, "net.nf_conntrack_max=7") }, key: tracked,
			want: "7 -> unknown: 262144 by the kernel's default, or 7 by /etc/f:1"},
		"what a module's parameter sizes is not lost": {given: func(s *facts.Snapshot) { run(s, tracked, "1000000") }, key: tracked,
			want: "1000000 -> unknown: the kernel's default on this host is not known: 262144, or what it is now"},
		"what is only read": {given: func(s *facts.Snapshot) { run(s, "net.netfilter.nf_conntrack_count", "7") }, key: "net.netfilter.nf_conntrack_count", want: "none"},
		"what a program turns on when it starts": {given: func(s *facts.Snapshot) { run(s, "net.ipv4.ip_forward", "1") }, key: "net.ipv4.ip_forward",
			want: "1 -> unknown: 0 by the kernel's default, or programs that forward packets turn it on"},
		"a limit that is estimated from memory is not lost": {release: "5.10.0", given: func(s *facts.Snapshot) { run(s, "net.ipv4.tcp_max_orphans", "65535") }, key: "net.ipv4.tcp_max_orphans",
			want: "65535 -> unknown: the kernel's default on this host is not known: 65536, or what it is now"},
		"a limit that follows a table of known size is": {given: func(s *facts.Snapshot) { run(s, "net.ipv4.tcp_max_orphans", "65535") }, key: "net.ipv4.tcp_max_orphans",
			want: "65535 -> 65536 (the kernel's default) lost"},
		"a vendor took a default over": {release: "4.18.0-305.el8.x86_64", given: func(s *facts.Snapshot) { run(s, somaxconn, "4096") }, key: somaxconn,
			want: "4096 -> unknown: the kernel's default on this host is not known: 128, or what it is now"},
		"a vendor took a default over, in another namespace": {release: "4.18.0-305.el8.x86_64", given: func(s *facts.Snapshot) {
			s.Namespace.Initial = false
			run(s, somaxconn, "4096")
		}, key: somaxconn, want: "4096 -> unknown: the kernel's default on this host is not known: 128, or what it is now"},
		"a vendor has that default nowhere": {release: "4.18.0-305.el8.x86_64", given: func(s *facts.Snapshot) { run(s, somaxconn, "77") }, key: somaxconn,
			want: "77 -> 128 (the kernel's default) lost"},
		"a long-term kernel may have taken a default over": {release: "5.10.262", given: func(s *facts.Snapshot) { run(s, blackhole, "0") }, key: blackhole,
			want: "0 -> unknown: the kernel's default on this host is not known"},
		"the kernel rounds up": {given: func(s *facts.Snapshot) {
			run(s, "net.ipv4.tcp_invalid_ratelimit", "4")
			ask(s, "net.ipv4.tcp_invalid_ratelimit=1")
		}, key: "net.ipv4.tcp_invalid_ratelimit", want: "4 -> 1 (/etc/f:1)"},
		"a manager writes last": {given: func(s *facts.Snapshot) {
			run(s, fin, "30")
			ask(s, "net.ipv4.tcp_fin_timeout=30")
			manage(s, "TuneD", hold(fin, "20", 7))
		}, key: fin, want: "30 -> 20 (TuneD, /m:7) changes"},
		"a manager's floor is below": {given: func(s *facts.Snapshot) {
			h := hold(somaxconn, "2048", 7)
			h.Bound = "at least"
			manage(s, "TuneD", h)
		}, key: somaxconn, want: "4096 -> 4096 (the kernel's default)"},
		"a manager's floor is above": {given: func(s *facts.Snapshot) {
			ask(s, "net.core.somaxconn=128")
			h := hold(somaxconn, "2048", 7)
			h.Bound = "at least"
			manage(s, "TuneD", h)
		}, key: somaxconn, want: "4096 -> 2048 (TuneD, /m:7) changes"},
		"a manager that applies the files again": {given: func(s *facts.Snapshot) {
			ask(s, "net.core.somaxconn=128")
			manage(s, "TuneD", hold(somaxconn, "2048", 7), facts.Hold{Key: somaxconn, Value: "128", Place: facts.Place{File: "/etc/f", Line: 1}})
		}, key: somaxconn, want: "4096 -> 128 (TuneD, /etc/f:1) changes"},
		"a manager that applies the same line again": {given: func(s *facts.Snapshot) {
			run(s, fin, "30")
			ask(s, "net.ipv4.tcp_fin_timeout=20")
			manage(s, "TuneD", facts.Hold{Key: fin, Value: "20", Place: facts.Place{File: "/etc/f", Line: 1}})
		}, key: fin, want: "30 -> 20 (/etc/f:1) changes"},
		"a manager's floor over what is not known": {release: "2.6.32", given: func(s *facts.Snapshot) {
			run(s, "net.core.rmem_max", "131071")
			h := hold("net.core.rmem_max", "65536", 7)
			h.Bound = "at least"
			manage(s, "TuneD", h)
		}, key: "net.core.rmem_max", want: "131071 -> unknown: the kernel's default on this host is not known, or 65536 by TuneD, /m:7 (if that is needed to have at least that)"},
		"two managers in an unknown order": {given: func(s *facts.Snapshot) {
			manage(s, "TuneD", hold(fin, "20", 7))
			manage(s, "cron", hold(fin, "10", 9))
		}, key: fin, want: "60 -> unknown: 20 by TuneD, /m:7, or 10 by cron, /m:9"},
		"a manager that may": {given: func(s *facts.Snapshot) {
			h := hold(fin, "20", 7)
			h.Doubt = "perhaps"
			manage(s, "cron", h)
		}, key: fin, want: "60 -> unknown: 60 by the kernel's default, or 20 by cron, /m:7 (perhaps)"},
		"a manager for containers": {given: func(s *facts.Snapshot) {
			h := hold(fin, "20", 7)
			h.Container = true
			manage(s, "CNI", h)
		}, key: fin, want: "60 -> 60 (the kernel's default)"},
		"a manager that is not started": {given: func(s *facts.Snapshot) {
			s.Managers = []facts.Manager{{Name: "TuneD", Sets: []facts.Hold{hold(fin, "20", 7)}}}
		}, key: fin, want: "60 -> 60 (the kernel's default)"},
		"a manager whose value the kernel refuses": {given: func(s *facts.Snapshot) { manage(s, "TuneD", hold(somaxconn, "many", 7)) }, key: somaxconn,
			want: "4096 -> 4096 (the kernel's default)"},
		"another namespace": {given: func(s *facts.Snapshot) {
			s.Namespace.Initial = false
			run(s, fin, "30")
			ask(s, "net.ipv4.tcp_fin_timeout=20")
		}, key: fin, want: "30 -> 60 (the kernel's default)"},
		"another namespace takes its buffers from the first": {given: func(s *facts.Snapshot) { s.Namespace.Initial = false }, key: "net.ipv4.tcp_rmem",
			want: "4096 131072 6291456 -> unknown: a new namespace takes it from the host's first"},
		"another namespace shows what is the host's": {given: func(s *facts.Snapshot) { s.Namespace.Initial = false }, key: "net.core.rmem_max",
			want: "212992 -> unknown: it belongs to the whole host"},
	} {
		t.Run(name, func(t *testing.T) {
			release, loader := c.release, c.loader
			if release == "" {
				release = "6.12.95"
			}
			switch loader {
			case "":
				loader = "systemd-sysctl"
			case "none":
				loader = ""
			}
			s := bootedBy(release, loader)
			c.given(s)
			if got := future(t, s, c.key); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// What a plan would set is not what runs, and says nothing of the next boot.
func TestPlannedValuesHaveNoFuture(t *testing.T) {
	s := bootedBy("6.12.95", "systemd-sysctl").With(map[sysctl.Key]sysctl.Value{"net.ipv4.tcp_fin_timeout": "30"}, "the plan")
	if got := future(t, s, "net.ipv4.tcp_fin_timeout"); got != "none" {
		t.Error(got)
	}
}

func TestDriftFacts(t *testing.T) {
	subjects := func(s *facts.Snapshot) []string {
		var told []string
		for _, subject := range s.Subjects(facts.Derive(s)) {
			if lost, changes := subject.Facts.Get("drift.lost").Content, subject.Facts.Get("drift.changes").Content; lost == true || changes == true {
				told = append(told, fmt.Sprintf("%v lost=%v changes=%v at %s", subject.Facts.Get("drift.key").Content, lost, changes, subject.Place))
			}
		}
		return told
	}
	s := bootedBy("6.12.95", "systemd-sysctl")
	run(s, "net.ipv4.tcp_fin_timeout", "30")
	ask(s, "net.core.somaxconn=1024")
	want := []string{"net.core.somaxconn lost=false changes=true at /etc/f:1", "net.ipv4.tcp_fin_timeout lost=true changes=false at /proc/sys/net/ipv4/tcp_fin_timeout"}
	if diff := cmp.Diff(want, subjects(s)); diff != "" {
		t.Error(diff)
	}

	s.Gaps[facts.PartFiles] = facts.Gap{Cause: sysctl.NotPermitted}
	if diff := cmp.Diff(want[:1], subjects(s)); diff != "" {
		t.Errorf("a file cannot be read, and may set what seems lost: %s", diff)
	}
	for name, spoil := range map[string]func(*facts.Snapshot){
		"not the first namespace": func(s *facts.Snapshot) { s.Namespace.Initial = false },
		"managers not looked for": func(s *facts.Snapshot) { s.Managers = nil },
	} {
		s := bootedBy("6.12.95", "systemd-sysctl")
		run(s, "net.ipv4.tcp_fin_timeout", "30")
		spoil(s)
		if told := subjects(s); told != nil {
			t.Errorf("%s: %v", name, told)
		}
		if v := facts.Derive(s).Get("drift.lost"); v.Missing == nil || v.Missing.Detail == "" {
			t.Errorf("%s: no reason why: %+v", name, v)
		}
	}
}
