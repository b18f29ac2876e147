package advisor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

func builtin(t testing.TB) rules.Set {
	t.Helper()
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// found lists the findings as "severity rule".
func found(r advisor.Report) []string {
	var names []string
	for _, f := range r.Findings {
		names = append(names, string(f.Severity)+" "+f.Rule)
	}
	return names
}

// The operator's table and settings, judged on three kernels.
func TestBusyServerOnThreeKernels(t *testing.T) {
	common := []string{"info finwait/fin-timeout-is-not-time-wait", "info orphan/waiting-for-vanished-peers",
		"info synrecv/many-half-open", "info timewait/reuse-everywhere"}
	for kernel, want := range map[string][]string{
		"3.10.108": append([]string{"warning closewait/not-closed-by-program", "warning timewait/recycle"}, common...),
		"4.11.0":   append([]string{"error timewait/recycle-breaks-every-client", "warning closewait/not-closed-by-program"}, common...),
		"6.12.95":  append([]string{"warning closewait/not-closed-by-program", "warning timewait/recycle-no-longer-exists"}, common...),
	} {
		r := advisor.Advise(factstest.BusyServer(kernel), builtin(t), nil)
		if diff := cmp.Diff(want, found(r)); diff != "" {
			t.Errorf("on Linux %s:\n%s", kernel, diff)
		}
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Rule, "closewait/") && len(f.Suggest) > 0 {
				t.Errorf("on Linux %s: CLOSE-WAIT is the program's fault, and %v is suggested", kernel, f.Suggest)
			}
		}
	}
}

// 7,314 half-open connections are a flood, an overload or nothing, and only the
// counters can tell.
func TestHalfOpenConnectionsAreJudgedByTheCounters(t *testing.T) {
	for name, c := range map[string]struct {
		counters facts.Counters
		want     string
	}{
		"nobody is turned away": {facts.Counters{}, "info synrecv/many-half-open"},
		"cookies do not return": {facts.Counters{"SyncookiesSent": 500_000, "SyncookiesRecv": 900, "TCPReqQFullDoCookies": 500_000}, "warning synrecv/flood"},
		"cookies return":        {facts.Counters{"SyncookiesSent": 500_000, "SyncookiesRecv": 470_000, "TCPReqQFullDoCookies": 500_000}, "warning synrecv/overload"},
	} {
		s := factstest.BusyServer("6.12.95")
		s.Window = &facts.Window{Seconds: 5, Increase: map[string]facts.Counters{"TcpExt": c.counters, "Tcp": {}}}
		names := slices.DeleteFunc(found(advisor.Advise(s, builtin(t), nil)), func(n string) bool { return !strings.Contains(n, " synrecv/") })
		if diff := cmp.Diff([]string{c.want}, names); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestTotalsSinceBootLowerConfidence(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Counters["TcpExt"]["TCPTimeWaitOverflow"] = 100_000
	r := advisor.Advise(s, builtin(t), nil)
	i := slices.IndexFunc(r.Findings, func(f advisor.Finding) bool { return f.Rule == "timewait/overflow" })
	if i < 0 {
		t.Fatalf("no finding of the overflow: %v", found(r))
	}
	if r.Findings[i].Confidence != advisor.SinceBootOnly {
		t.Errorf("confidence is %q", r.Findings[i].Confidence)
	}
	// Within a window, what happens now is certain, and what is over is gone.
	s.Window = &facts.Window{Seconds: 5, Increase: map[string]facts.Counters{"TcpExt": {"TCPTimeWaitOverflow": 1000}}}
	r = advisor.Advise(s, builtin(t), nil)
	if i := slices.IndexFunc(r.Findings, func(f advisor.Finding) bool { return f.Rule == "timewait/overflow" }); i < 0 || r.Findings[i].Confidence != advisor.Certain {
		t.Errorf("within a window: %v", found(r))
	}
	s.Window.Increase["TcpExt"] = facts.Counters{}
	if names := found(advisor.Advise(s, builtin(t), nil)); len(names) != 0 {
		t.Errorf("an overflow of long ago, and nothing within the window: %v", names)
	}
}

func TestRedundantFindingsYield(t *testing.T) {
	set := builtin(t)
	if err := set.Add(fstest.MapFS{"a/cause.toml": file("sockets.established > 1", ""), "a/consequence.toml": file("sockets.established > 2", "a/cause")}, "test"); err != nil {
		t.Fatal(err)
	}
	r := advisor.Advise(factstest.Healthy("6.12"), set, nil)
	if diff := cmp.Diff([]string{"warning a/cause"}, found(r)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]advisor.Redundant{{Rule: "a/consequence", By: "a/cause"}}, r.Redundant); diff != "" {
		t.Error(diff)
	}
}

func file(condition, redundantWith string) *fstest.MapFile {
	text := `title = "t"
severity = "warning"
when = ["` + condition + `"]
message = "m"
why = "w"
fix = "f"
references = ["r"]
`
	if redundantWith != "" {
		text += `redundant_with = ["` + redundantWith + `"]` + "\n"
	}
	return &fstest.MapFile{Data: []byte(text)}
}

// Nothing that cannot be seen passes for right.
func TestWhatCannotBeSeenIsInconclusive(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Sockets = nil
	s.Gaps[facts.PartSockets] = facts.Gap{Cause: sysctl.NotPermitted, Detail: "seccomp"}
	s.Sysctls["net.ipv4.tcp_max_orphans"] = facts.Reading{Absent: sysctl.HostWide}
	r := advisor.Advise(s, builtin(t), nil)
	missing := map[string]string{}
	for _, i := range r.Inconclusive {
		missing[i.Rule] = strings.Join(i.Missing, "; ")
	}
	for rule, want := range map[string]string{
		"closewait/not-closed-by-program": "sockets.close_wait: not permitted (seccomp)",
		"orphan/near-limit":               "net.ipv4.tcp_max_orphans: host-wide, not visible in this namespace",
		"listen/queue-full":               "listeners.full: not permitted (seccomp)",
	} {
		if !strings.Contains(missing[rule], want) {
			t.Errorf("%s misses %q, want %q", rule, missing[rule], want)
		}
	}
	for _, n := range r.NotApplicable {
		if strings.HasPrefix(n.Rule, "conntrack/") && !strings.Contains(n.Reason, "module not loaded") && !strings.Contains(n.Reason, "concerns Linux") {
			t.Errorf("%s is not applicable: %s", n.Rule, n.Reason)
		}
	}
	if !slices.ContainsFunc(r.NotApplicable, func(n advisor.NotApplicable) bool { return n.Rule == "conntrack/nearly-full" }) {
		t.Error("a conntrack rule has an opinion without conntrack")
	}
}

// A finding that was hidden behind a graver one is not brought in by what ends
// the latter.
func TestAPlanIsNotBlamedForWhatWasRedundant(t *testing.T) {
	set := builtin(t)
	severe := func(f *fstest.MapFile) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.Replace(string(f.Data), `"warning"`, `"error"`, 1))}
	}
	err := set.Add(fstest.MapFS{
		"a/cause.toml":       severe(file("net.ipv4.tcp_keepalive_time > 1800", "")),
		"a/consequence.toml": severe(file("net.ipv4.tcp_keepalive_intvl > 1", "a/cause")),
		"a/new.toml":         severe(file("net.ipv4.tcp_keepalive_time < 1900", "")),
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	highconn, err := profiles.Load("highconn") // sets tcp_keepalive_time to 1800
	if err != nil {
		t.Fatal(err)
	}
	plan := advisor.MakePlan(factstest.Healthy("6.12"), set, highconn)
	if diff := cmp.Diff([]string{"error a/new"}, found(advisor.Report{Findings: plan.Worse})); diff != "" {
		t.Errorf("brought in:\n%s", diff)
	}
	if f, forbidden := plan.Forbidden(); !forbidden || f.Rule != "a/new" {
		t.Errorf("forbidden: %v, for %q", forbidden, f.Rule)
	}
}

func TestPlanNamesTheListenersThatKeepTheirLimit(t *testing.T) {
	highconn, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	s := factstest.Healthy("6.12")
	s.Sockets.Listeners = append(s.Sockets.Listeners, s.Sockets.Listeners[0]) // SO_REUSEPORT
	if f, forbidden := advisor.MakePlan(s, builtin(t), highconn).Forbidden(); forbidden {
		t.Errorf("refused for %s", f.Rule)
	}
	for approximate, want := range map[bool][]string{false: {"[::]:22 (limit 128)", "[::]:443 (limit 511)"}, true: {"[::]:22", "[::]:443"}} {
		s.Sockets.Approximate = approximate
		for _, step := range advisor.MakePlan(s, builtin(t), highconn).Steps {
			if step.Key != "net.core.somaxconn" {
				if len(step.Listeners) > 0 {
					t.Errorf("%s waits for listeners", step.Key)
				}
				continue
			}
			if diff := cmp.Diff(want, step.Listeners); diff != "" {
				t.Errorf("approximate %v:\n%s", approximate, diff)
			}
		}
	}
}

func TestRecommendationIsTheSameTwiceAndEndsTheFindings(t *testing.T) {
	s := factstest.BusyServer("4.11.0")
	highconn, err := profiles.Load("highconn")
	if err != nil {
		t.Fatal(err)
	}
	recommend := func() profiles.Profile {
		p, err := advisor.Recommend(advisor.Advise(s, builtin(t), &highconn), &highconn, highconn.Goals(s, facts.Derive(s)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := recommend()
	first, _ := profiles.Encode(p, "h")
	second, _ := profiles.Encode(recommend(), "h")
	if diff := cmp.Diff(string(first), string(second)); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	plan := advisor.MakePlan(s, builtin(t), p)
	if len(plan.Worse) > 0 {
		t.Errorf("the recommendation brings in %s", plan.Worse[0].Rule)
	}
	after := map[sysctl.Key]sysctl.Value{}
	for _, step := range plan.Steps {
		after[step.Key] = step.To
	}
	for _, f := range advisor.Advise(s.With(after, "plan"), builtin(t), nil).Findings {
		for _, suggestion := range f.Suggest {
			t.Errorf("after the recommendation %s still suggests %v", f.Rule, suggestion)
		}
	}
}

// What a finding suggests goes before what the profile wants, and of two findings
// the graver one's.
func TestRecommendationPutsFindingsFirst(t *testing.T) {
	s := factstest.Healthy("6.12")
	suggesting := func(severity, key, value string) *fstest.MapFile {
		text := strings.Replace(string(file("sockets.established > 1", "").Data), `"warning"`, `"`+severity+`"`, 1)
		return &fstest.MapFile{Data: []byte(text + "[suggest]\n" + key + " = " + value + "\n")}
	}
	set := builtin(t)
	if err := set.Add(fstest.MapFS{
		"a/info.toml":  suggesting("info", "net.core.somaxconn", "1000"),
		"b/error.toml": suggesting("error", "net.core.somaxconn", "2000"),
		"c/vain.toml":  suggesting("error", "net.ipv4.tcp_tw_recycle", "0"),            // not there
		"d/same.toml":  suggesting("error", "net.ipv4.tcp_fin_timeout", "60"),          // as it is
		"e/bad.toml":   suggesting("error", "net.ipv4.tcp_keepalive_probes", "100000"), // makes no sense
	}, "test"); err != nil {
		t.Fatal(err)
	}
	highconn, err := profiles.Load("highconn") // wants a somaxconn of 16384
	if err != nil {
		t.Fatal(err)
	}
	p, err := advisor.Recommend(advisor.Advise(s, set, &highconn), &highconn, highconn.Goals(s, facts.Derive(s)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[sysctl.Key]string{}
	for _, w := range p.Wants {
		if got[w.Key] != "" {
			t.Errorf("%s is wanted twice", w.Key)
		}
		got[w.Key] = w.String()
	}
	for key, want := range map[sysctl.Key]string{
		"net.core.somaxconn": "exactly 2000", "net.ipv4.tcp_keepalive_time": "at most 1800", "net.ipv4.tcp_fin_timeout": "at most 60",
		"net.ipv4.tcp_keepalive_probes": "at most 6", "net.ipv4.tcp_tw_recycle": "", "net.netfilter.nf_conntrack_max": "",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
}

func TestRecommendationNeedsNoProfile(t *testing.T) {
	p, err := advisor.Recommend(advisor.Advise(factstest.BusyServer("4.11.0"), builtin(t), nil), nil, nil)
	if err != nil || len(p.Wants) == 0 || strings.Contains(p.Summary, "over the profile") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestHeadroomShowsHowNearTheLimitsAre(t *testing.T) {
	head := func(s *facts.Snapshot) map[string]advisor.Headroom {
		rows := map[string]advisor.Headroom{}
		for _, row := range advisor.Advise(s, rules.Set{}, nil).Headroom {
			rows[row.What] = row
		}
		return rows
	}
	s := factstest.Healthy("6.12")
	s.Sysctls["net.ipv4.tcp_max_orphans"] = facts.Reading{Value: "0"}
	s.Sockstat.TimeWait, s.Sockstat.Orphan = 49152, 5
	rows := head(s)
	for what, want := range map[string]string{
		"TIME-WAIT":                             "49152 of 65536, 75 %, FIN-WAIT-2 mini-sockets included",
		"orphans on the host":                   "5 of 0, 0 %, resets begin at a quarter of the limit",
		"connections tracked":                   "module not loaded (nf_conntrack)",
		"ports towards the busiest destination": "40 of 28232, 0 %, 10.0.0.5:3306 from 10.0.0.1",
		"fullest accept queue, %":               "0 of 100, 0 %, [::]:443 (1 of 511)",
	} {
		got := rows[what].Unknown
		if got == "" {
			got = fmt.Sprintf("%d of %d, %d %%, %s", rows[what].Used, rows[what].Limit, rows[what].Percent, rows[what].Note)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	s.Sockets.Outbound.Sample, s.Sockets.Outbound.Error = &facts.Sample{Looked: 2000, Of: 6000}, 8
	if got := head(s)["ports towards the busiest destination"].Note; !strings.HasSuffix(got, "; a sample of 2000 of about 6000 sockets: give or take 8") {
		t.Errorf("note of ports that are estimated: %q", got)
	}
	s.Sockets.Source, s.Sockets.Outbound = facts.ByArithmetic, facts.Spread{Together: true, Sockets: 9000, Top: []facts.Target{}}
	if got := head(s)["ports towards the busiest destination"].Note; !strings.HasPrefix(got, "all destinations together") || strings.Contains(got, "sockstat") {
		t.Errorf("note of ports of destinations that were not told apart: %q", got)
	}
	s.Sockets.Listeners, s.Sockets.Outbound = nil, facts.Spread{}
	rows = head(s)
	if got := rows["fullest accept queue, %"].Note; got != "nothing listens" {
		t.Errorf("note of the queues: %q", got)
	}
	if got := rows["ports towards the busiest destination"].Note; got != "" {
		t.Errorf("note of the ports: %q", got)
	}
	s.Sockets = nil
	if got := head(s)["fullest accept queue, %"].Unknown; got != "not measured (the snapshot holds no sockets)" {
		t.Errorf("without sockets: %q", got)
	}
}

func BenchmarkAdvise(b *testing.B) {
	s, set := factstest.BusyServer("6.12.95"), builtin(b)
	for b.Loop() {
		advisor.Advise(s, set, nil)
	}
}
