package facts_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// holds lists what is true of a subject, with the reasons.
func holds(s facts.Subject) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(facts.Schema())) {
		if name.Group() != s.Group || s.Facts.Get(name).Content != true {
			continue
		}
		text := strings.TrimPrefix(string(name), s.Group+".")
		for _, why := range []facts.Name{name + "_why", name + "_by"} {
			if reason, told := s.Facts.Get(why).Content.(string); told && reason != "" {
				text += ": " + reason
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestWhatIsToBeSaidOfALine(t *testing.T) {
	const administrators = "administrators"
	for _, c := range []struct {
		kernel string
		line   facts.Assignment
		want   string
	}{
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_fin_timeout", Value: "30"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_tw_recycle", Value: "0"}, "removed"},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_tw_recycle", Value: "0", Lenient: true}, ""},
		{"4.11", facts.Assignment{Key: "net.ipv4.tcp_tw_recycle", Value: "0"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_rto_max_ms", Value: "9000"}, "not_yet"},
		{"7.2", facts.Assignment{Key: "net.ipv4.tcp_rto_max_ms", Value: "9000"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_frto_response", Value: "2"}, "removed"}, // outside the catalogue
		{"2.6.32", facts.Assignment{Key: "net.ipv4.tcp_frto_response", Value: "2"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_available_ulp", Value: "x"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_fin_timout", Value: "30"}, "unknown"},
		{"6.12", facts.Assignment{Key: "net.ipv6.tcp_fin_timeout", Value: "30"}, "ipv6_tcp; unknown"},
		{"6.12", facts.Assignment{Key: "net.ipv4.ip_conntrack_max", Value: "30"}, "legacy_conntrack; removed"},
		{"6.12", facts.Assignment{Key: "net.ipv4.conf.eth9.rp_filter", Value: "1", NoFile: true}, "absent"},
		{"6.12", facts.Assignment{Key: "net.ipv4.conf.eth9.rp_filter", Value: "1"}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.conf.*.rp_filter", Value: "1", Unmatched: true}, "unmatched"},
		{"6.12", facts.Assignment{Key: "net.netfilter.nf_conntrack_max", Value: "100000"}, ""}, // the module may come
		{"6.12", facts.Assignment{Key: "net.core.netdev_max_backlog", Value: "5000", Container: true}, "host_wide"},
		{"6.12", facts.Assignment{Key: "net.core.somaxconn", Value: "5000", Container: true}, ""},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_retries2", Value: "1000"}, "refused: 1000 is outside what it takes, 0 to 255"},
		{"5.4", facts.Assignment{Key: "net.ipv4.tcp_retries2", Value: "1000"}, "senseless: 1000 is outside the range that makes sense, 1 to 30"},
		{"6.12", facts.Assignment{Key: "net.ipv4.ip_local_port_range", Value: "500 65535"}, "refused: the range would begin at 500, below net.ipv4.ip_unprivileged_port_start = 1024"},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_fin_timeout", Value: "30 60"}, "swallowed: the kernel keeps 30 and drops the rest without a word"},
		{"6.12", facts.Assignment{Key: "net.core.somaxconn", Value: "1024 # kept"}, "swallowed: the kernel keeps 1024 and drops the rest without a word"},
		{"6.12", facts.Assignment{Key: "net.ipv4.tcp_fin_timeout", Value: "-5"}, "senseless: -5 is outside the range that makes sense, 1 to 3600 seconds"},
		{"6.12", facts.Assignment{Malformed: "there is no ="}, "malformed: there is no ="},
		{"6.12", facts.Assignment{Key: "vm.swappiness", Value: "nonsense"}, ""},
	} {
		t.Run(fmt.Sprintf("%s %s = %s", c.kernel, c.line.Key, c.line.Value), func(t *testing.T) {
			s, _ := facts.Untouched(release(t, c.kernel), c.line.Container).After([]facts.Assignment{c.line})
			if c.line.Container {
				s, _ = facts.Untouched(release(t, c.kernel), true).After([]facts.Assignment{c.line})
			}
			subjects := s.Subjects(facts.Derive(s))
			if len(subjects) != 1 {
				t.Fatalf("%d subjects", len(subjects))
			}
			got := strings.Split(holds(subjects[0]), "; ")
			got = slices.DeleteFunc(got, func(text string) bool { return text == administrators })
			if strings.Join(got, "; ") != c.want {
				t.Errorf("is %q, want %q", got, c.want)
			}
		})
	}
}

// What an earlier line sets counts for a later one.
func TestLinesAreJudgedInTheirOrder(t *testing.T) {
	line := func(number int, key sysctl.Key, value sysctl.Value, file string) facts.Assignment {
		return facts.Assignment{Key: key, Value: value, File: file, Line: number}
	}
	beaten := func(number int, value sysctl.Value) facts.Assignment {
		a := line(number, "net.core.somaxconn", value, "/etc/a")
		a.Loses = "a later one wins"
		return a
	}
	s, _ := facts.Untouched(release(t, "6.12"), false).After([]facts.Assignment{
		line(1, "net.ipv4.ip_unprivileged_port_start", "80", "/etc/a"),
		line(2, "net.ipv4.ip_local_port_range", "100 60999", "/etc/a"), // allowed now
		beaten(3, "1024"),
		line(4, "net.core.somaxconn", "1024", "/etc/a"), // in a branch that is not always taken, say
		line(5, "net.core.somaxconn", "2048", "/etc/a"),
		line(1, "net.core.somaxconn", "4096", "/usr/lib/b"), // another file is no contradiction
	})
	var got []string
	for _, subject := range s.Subjects(facts.Derive(s)) {
		got = append(got, subject.Place.String()+" "+holds(subject))
	}
	want := []string{
		"/etc/a:1 administrators", "/etc/a:2 administrators; senseless: 100 is outside the range that makes sense, 1024 to 65535 ports", "/etc/a:3 administrators; contradicted: line 5; loses: a later one wins",
		"/etc/a:4 administrators", "/etc/a:5 administrators", "/usr/lib/b:1 ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A pattern that leaves one parameter to another line still sets the others.
func TestPatternsLoseOnlyToTheSamePattern(t *testing.T) {
	for text, want := range map[string]string{
		"net.ipv4.conf.lo.rp_filter = 0": "",
		"-net.ipv4.conf.lo.rp_filter":    "",
		"net.ipv4.conf.l*.rp_filter = 0": "",
		"net.ipv4.conf.*.rp_filter = 0":  "contradicted: line 2; loses: a later one wins",
	} {
		const key = "net.ipv4.conf.lo.rp_filter"
		later := facts.Assignment{Key: key, Value: "0", File: "/usr/lib/sysctl.d/a.conf", Line: 2, Text: text}
		place := later.Place()
		s, _ := facts.Untouched(release(t, "6.12"), false).After([]facts.Assignment{
			{Key: key, Value: "1", File: later.File, Line: 1, Text: "net.ipv4.conf.*.rp_filter = 1", Loses: "a later one wins", LosesTo: &place}, later,
		})
		if got := holds(s.Subjects(facts.Derive(s))[0]); got != want {
			t.Errorf("before %q: %q, want %q", text, got, want)
		}
	}
}

// procps writes both lines, and the earlier one stays where the kernel refuses
// the later.
func TestLinesDoNotLoseToOnesThatTheKernelRefuses(t *testing.T) {
	for value, want := range map[sysctl.Value]string{
		"20000 60999": "contradicted: line 2; loses: a later one wins",
		"500 60999":   "", // below ip_unprivileged_port_start
		"20000":       "", // the other end stays
	} {
		const key = "net.ipv4.ip_local_port_range"
		later := facts.Assignment{Key: key, Value: value, File: "/usr/lib/sysctl.d/a.conf", Line: 2}
		s, _ := facts.Untouched(release(t, "6.12"), false).After([]facts.Assignment{
			{Key: key, Value: "10000 65001", File: later.File, Line: 1, Loses: "a later one wins"}, later,
		})
		if got := holds(s.Subjects(facts.Derive(s))[0]); got != want {
			t.Errorf("before %q: %q, want %q", value, got, want)
		}
	}
}

func TestFilesThatHaveNoEffectAreSubjects(t *testing.T) {
	s := facts.Untouched(release(t, "6.12"), false)
	s.Boot = &facts.Boot{Ignored: []facts.BootFile{{Path: "/etc/sysctl.conf", Reason: "not read"}, {Path: "/etc/sysctl.d/x.conf", Unreadable: true, Reason: "permission denied"}}}
	var got []string
	for _, subject := range s.Subjects(facts.Derive(s)) {
		got = append(got, subject.Place.String()+" "+holds(subject))
	}
	if diff := cmp.Diff([]string{"/etc/sysctl.conf never_read", "/etc/sysctl.d/x.conf unreadable"}, got); diff != "" {
		t.Error(diff)
	}
}
