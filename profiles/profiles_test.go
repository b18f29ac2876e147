package profiles_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

func builtin(t testing.TB) (map[string]profiles.Profile, rules.Set) {
	t.Helper()
	all := map[string]profiles.Profile{}
	for _, name := range profiles.Names() {
		p, err := profiles.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = p
	}
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return all, set
}

// No profile may ask for what our own rules call wrong, on any kernel.
func TestProfilesSatisfyTheRules(t *testing.T) {
	all, set := builtin(t)
	for name, p := range all {
		for _, kernel := range []string{"2.6.32-754.el6.x86_64", "3.10.0-1160.el7.x86_64", "4.4.178", "4.9.229", "4.11.0", "4.18.0-553.el8.x86_64", "4.19.108", "5.4.59", "5.10.262", "5.15.0-1034-aws", "6.1.192", "6.12.95", "6.18.44", "7.2.12"} {
			t.Run(name+" on "+kernel, func(t *testing.T) {
				s := factstest.Healthy(kernel)
				plan := advisor.MakePlan(s, set, p)
				for _, f := range plan.Worse {
					t.Errorf("it would bring in %s: %s", f.Rule, f.Message)
				}
				after := map[sysctl.Key]sysctl.Value{}
				for _, step := range plan.Steps {
					after[step.Key] = step.To
				}
				then := s.With(after, "plan")
				if again := advisor.MakePlan(then, set, p); len(again.Steps) != 0 {
					t.Errorf("applied, it still wants %v", again.Steps)
				}
				for _, goal := range p.Goals(then, facts.Derive(then)) {
					if goal.Skip != nil && goal.Skip.Cause == sysctl.BadValue {
						t.Errorf("%s is skipped: %s", goal.Key, goal.Skip)
					}
				}
			})
		}
	}
}

// Applied for real, checked, and undone to the last value.
func TestProfilesAreAppliedAndUndoneOnThisKernel(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	all, set := builtin(t)
	release, err := sysctl.RunningRelease()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil {
		t.Fatal(err)
	}
	look := func() *facts.Snapshot {
		s, err := observe.Host(context.Background(), observe.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, p := range all {
		journal, err := change.OpenJournal(filepath.Join(t.TempDir(), "journal"))
		if err != nil {
			t.Fatal(err)
		}
		before := look()
		plan := advisor.MakePlan(before, set, p)
		if name != "baseline" && len(plan.Steps) == 0 {
			t.Errorf("%s changes nothing", name)
		}
		if _, err := change.Apply(context.Background(), tree, journal, change.Request{Changes: plan.Changes(), Profile: name}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again := advisor.MakePlan(look(), set, p); len(again.Steps) != 0 {
			t.Errorf("%s: applied, and the kernel still differs: %v", name, again.Steps)
		}
		if len(plan.Steps) == 0 {
			continue
		}
		if _, err := change.Rollback(context.Background(), tree, journal, change.Undo{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before.Sysctls, look().Sysctls, cmp.AllowUnexported(facts.Reading{})); diff != "" {
			t.Errorf("%s left a trace:\n%s", name, diff)
		}
	}
}

func TestFloorsAndCeilingsKeepBetterValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.toml")
	text := `summary = "s"
[[want]]
key = "net.core.somaxconn"
at_least = 4096
why = "w"
[[want]]
key = "net.ipv4.tcp_fin_timeout"
at_most = 30
why = "w"
[[want]]
key = "net.ipv4.ip_local_port_range"
exactly = [32768, 65535]
why = "w"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		somaxconn, finTimeout, ports sysctl.Value
		met                          string
	}{
		{"128", "60", "32768 60999", "no no no"},
		{"4096", "30", "32768\t65535", "yes yes yes"},
		{"65535", "10", "1024 65535", "yes yes no"},
		{"-1", "-1", "", "no no no"}, // nonsense is never good enough
		{"0", "0", "1", "no no no"},
		{"", "", "", "no no no"},
		{"70000", "1", "32768 65535", "yes yes yes"},
	} {
		s := factstest.Healthy("6.12")
		for key, value := range map[sysctl.Key]sysctl.Value{"net.core.somaxconn": c.somaxconn, "net.ipv4.tcp_fin_timeout": c.finTimeout, "net.ipv4.ip_local_port_range": c.ports} {
			s.Sysctls[key] = facts.Reading{Value: value}
		}
		var met []string
		for _, goal := range p.Goals(s, facts.Derive(s)) {
			if goal.Met {
				met = append(met, "yes")
			} else {
				met = append(met, "no")
			}
		}
		if got := strings.Join(met, " "); got != c.met {
			t.Errorf("with %+v: met %s, want %s", c, got, c.met)
		}
	}
}

func TestFaultyProfilesAreRefusedWithTheLine(t *testing.T) {
	const somaxconn = `summary = "s"
[[want]]
key = "net.core.somaxconn"
why = "w"
`
	for name, c := range map[string]struct{ text, want string }{
		"no summary":         {"", "summary is missing"},
		"unknown key":        {"summary = \"s\"\nsuit = []\n", `line 2: unknown key "suit"`},
		"no bound":           {somaxconn, "line 2: net.core.somaxconn: say one of"},
		"two bounds":         {somaxconn + "at_least = 1\nat_most = 2\n", "say one of"},
		"nonsense":           {somaxconn + "exactly = -1\n", "outside the range that makes sense"},
		"text":               {somaxconn + "exactly = \"kernel.release\"\n", "must be a number"},
		"no such fact":       {somaxconn + "exactly = \"sockets.time_wiat\"\n", "no fact is called"},
		"two numbers":        {somaxconn + "exactly = [1, 2]\n", "takes 1 numbers, not 2"},
		"twice":              {somaxconn + "exactly = 1\n" + strings.TrimPrefix(somaxconn, "summary = \"s\"\n") + "exactly = 2\nkernels = \">= 4\"\n", "line 6: net.core.somaxconn: parse range"},
		"twice on some":      {somaxconn + "exactly = 1\n" + strings.TrimPrefix(somaxconn, "summary = \"s\"\n") + "exactly = 2\nkernels = \">= 4.0\"\n", "line 6: net.core.somaxconn: is wanted twice"},
		"unknown parameter":  {strings.Replace(somaxconn, "core", "cor", 1) + "exactly = 1\n", "is not a parameter that tcptune knows"},
		"read-only":          {strings.Replace(somaxconn, "net.core.somaxconn", "net.ipv4.tcp_ehash_entries", 1) + "exactly = 1\n", "is read-only"},
		"words":              {strings.Replace(somaxconn, "net.core.somaxconn", "net.ipv4.tcp_congestion_control", 1) + "exactly = 1\n", "profiles hold numbers"},
		"a floor of several": {strings.Replace(somaxconn, "net.core.somaxconn", "net.ipv4.tcp_rmem", 1) + "at_least = [1, 2, 3]\n", "can only be wanted exactly"},
		"no reason":          {strings.Replace(somaxconn, `"w"`, `" "`, 1) + "exactly = 1\n", "why is missing"},
		"itself":             {"summary = \"s\"\nextends = \"PATH\"\n", "extends itself"},
		"nobody":             {"summary = \"s\"\nextends = \"nobody\"\n", `no profile is called "nobody"; there are baseline`},
	} {
		path := filepath.Join(t.TempDir(), "p.toml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(c.text, "PATH", path)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := profiles.Load(path)
		if err == nil {
			t.Errorf("%s: was taken", name)
		} else if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: refused with %q, which does not say %q", name, err, c.want)
		}
	}
}

// A snapshot is foreign text; what a drop-in says of it must stay a comment.
func TestADropInHoldsOnlyWhatTheProfileWants(t *testing.T) {
	all, _ := builtin(t)
	p := all["highconn"]
	s := factstest.Healthy("6.12")
	s.Sysctls["net.core.somaxconn"] = facts.Reading{Absent: "gone\nkernel.a = 1", Detail: "\x1b]0;owned\a\r\nkernel.b = 1"}
	text := string(profiles.SysctlConf("# heading\n", p.Goals(s, facts.Derive(s))))
	lines, faults, _ := conf.Parse(strings.NewReader(text), "f", "")
	for _, line := range lines {
		if !slices.ContainsFunc(p.Wants, func(w profiles.Want) bool { return w.Key == line.Key }) || line.Key == "net.core.somaxconn" {
			t.Errorf("line %d sets %s", line.Number, line.Key)
		}
	}
	if len(faults) > 0 || strings.ContainsAny(text, "\x1b\a\r") || !strings.Contains(text, "# net.core.somaxconn is left out: gone") {
		t.Errorf("faults %v in:\n%s", faults, text)
	}
}

func TestInheritanceOverridesByKey(t *testing.T) {
	all, _ := builtin(t)
	base, heir := all["highconn"], all["edge-proxy"]
	finTimeouts := slices.DeleteFunc(slices.Clone(heir.Wants), func(w profiles.Want) bool { return w.Key != "net.ipv4.tcp_fin_timeout" })
	if len(finTimeouts) != 1 || finTimeouts[0].String() != "at most 30" || finTimeouts[0].Profile != "edge-proxy" {
		t.Errorf("edge-proxy wants of tcp_fin_timeout %v", finTimeouts)
	}
	if len(heir.Wants) != len(base.Wants)+2 {
		t.Errorf("edge-proxy has %d wants and highconn %d; it adds two and overrides one", len(heir.Wants), len(base.Wants))
	}
}

func TestWrittenProfilesReadBackTheSame(t *testing.T) {
	all, _ := builtin(t)
	for name, p := range all {
		p.Extends = "" // the wants are merged already
		text, err := profiles.Encode(p, "a heading\nof two lines")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".toml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := profiles.Load(path)
		if err != nil {
			t.Fatalf("%s, written and read: %v\n%s", name, err, text)
		}
		second, err := profiles.Encode(again, "a heading\nof two lines")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(second)); diff != "" {
			t.Errorf("%s, written, read and written:\n%s", name, diff)
		}
		if len(again.Wants) != len(p.Wants) {
			t.Errorf("%s has %d wants, and read back %d", name, len(p.Wants), len(again.Wants))
		}
	}
}
