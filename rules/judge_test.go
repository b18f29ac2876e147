package rules_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

// rule is a file of a rule with these conditions.
func rule(conditions string) string {
	return `title = "t"
severity = "warning"
` + conditions + `
message = "{sockets.time_wait}"
why = "w"
fix = "f"
references = ["r"]
`
}

func load(t *testing.T, files map[string]string) (rules.Set, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return set, set.Add(fsys, "dir")
}

func TestVerdictsFollowKleenesLogic(t *testing.T) {
	f := facts.Given(sysctl.Release{Major: 6, Minor: 1}, map[facts.Name]any{"sockets.time_wait": 5, "sockets.listen": 0},
		map[facts.Name]facts.Gap{
			"sockets.close_wait":       {Cause: sysctl.NotPermitted},
			"net.ipv4.tcp_max_orphans": {Cause: sysctl.HostWide},
			"net.ipv4.tcp_tw_recycle":  {Cause: sysctl.Removed},
		})
	const (
		yes, no, unknown, outOfSight, absent = `"sockets.time_wait == 5"`, `"sockets.listen == 1"`, `"sockets.close_wait > 0"`, `"net.ipv4.tcp_max_orphans > 0"`, `"net.ipv4.tcp_tw_recycle == 1"`
	)
	for _, c := range []struct {
		when, any string
		want      rules.Verdict
	}{
		{yes, "", rules.Fires},
		{no, "", rules.Silent},
		{unknown, "", rules.Inconclusive},
		{outOfSight, "", rules.Inconclusive},
		{absent, "", rules.NotApplicable},
		{yes + "," + unknown, "", rules.Inconclusive},
		{no + "," + unknown, "", rules.Silent},            // one false decides, whatever else is unknown
		{absent + "," + unknown, "", rules.NotApplicable}, // so does what does not exist
		{absent + "," + no, "", rules.Silent},
		{"", yes + "," + unknown, rules.Fires}, // one true decides
		{"", no + "," + unknown, rules.Inconclusive},
		{"", absent + "," + unknown, rules.Inconclusive},
		{"", no + "," + absent, rules.Silent},
		{"", absent, rules.NotApplicable},
		{yes, no, rules.Silent},
		{yes, unknown, rules.Inconclusive},
		{yes, yes, rules.Fires},
		{unknown, yes, rules.Inconclusive},
		{unknown, no, rules.Silent},
		{no, yes, rules.Silent},
	} {
		conditions := ""
		if c.when != "" {
			conditions = "when = [" + c.when + "]\n"
		}
		if c.any != "" {
			conditions += "any = [" + c.any + "]"
		}
		set, err := load(t, map[string]string{"x/y.toml": rule(conditions)})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := set.Get("x/y")
		got := r.Judge(f)
		if got.Verdict != c.want {
			t.Errorf("%s: %s, want %s", conditions, got.Verdict, c.want)
		}
		if got.Verdict == rules.Inconclusive && len(got.Missing) == 0 {
			t.Errorf("%s: inconclusive, and nothing is said to be missing", conditions)
		}
	}
}

func TestFindingsSayWhatTheyRestOn(t *testing.T) {
	s := factstest.Healthy("6.12")
	s.Counters["TcpExt"]["ListenDrops"] = 9
	f := facts.Derive(s)
	const now, boot, no = `"sockets.established > sockets.listen"`, `"counters.TcpExt.ListenDrops > 0"`, `"sockets.close_wait > 5"`
	for _, c := range []struct {
		when, any  string
		evidence   string
		fromTotals bool
	}{
		{now, "", "sockets.established sockets.listen", false},
		{now + "," + boot, "", "sockets.established sockets.listen counters.TcpExt.ListenDrops", true},
		{now, now, "sockets.established sockets.listen", false},
		{now, boot, "sockets.established sockets.listen counters.TcpExt.ListenDrops", true},
		{now, no + "," + boot, "sockets.established sockets.listen counters.TcpExt.ListenDrops", true},
		{"", now + "," + boot, "sockets.established sockets.listen counters.TcpExt.ListenDrops", false}, // it would fire without
		{"", boot + "," + now, "counters.TcpExt.ListenDrops sockets.established sockets.listen", false},
		{boot, now, "counters.TcpExt.ListenDrops sockets.established sockets.listen", true},
	} {
		set, err := load(t, map[string]string{"x/y.toml": rule("when = [" + c.when + "]\nany = [" + c.any + "]")})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := set.Get("x/y")
		got := r.Judge(f)
		var evidence []string
		for _, name := range got.Evidence {
			evidence = append(evidence, string(name))
		}
		if got.Verdict != rules.Fires || strings.Join(evidence, " ") != c.evidence || got.FromTotals != c.fromTotals {
			t.Errorf("when %s any %s: %s on %v, from totals: %v", c.when, c.any, got.Verdict, evidence, got.FromTotals)
		}
	}
}

func TestOnlyWhatIsMissedIsSaidToBeMissing(t *testing.T) {
	f := facts.Given(sysctl.Release{Major: 6, Minor: 1}, map[facts.Name]any{"sockets.time_wait": 5}, nil)
	set, err := load(t, map[string]string{"x/y.toml": rule(`when = ["sockets.listen > 0"]
any = ["sockets.time_wait == 5", "sockets.close_wait > 0"]`)})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.Get("x/y")
	got := r.Judge(f)
	if len(got.Missing) != 1 || got.Missing[0].Name != "sockets.listen" {
		t.Errorf("%s for want of %v", got.Verdict, got.Missing)
	}
}

func TestRulesThatYieldToEachOtherAreRefused(t *testing.T) {
	yields := func(to string) string {
		return rule(`when = ["sockets.time_wait == 5"]`) + `redundant_with = ["` + to + `"]`
	}
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	all := set.All()
	yielding := all[slices.IndexFunc(all, func(r rules.Rule) bool { return len(r.RedundantWith) > 0 })]
	for name, files := range map[string]map[string]string{
		"to itself":                 {"x/a.toml": yields("x/a")},
		"in a circle":               {"x/a.toml": yields("x/b"), "x/b.toml": yields("x/c"), "x/c.toml": yields("x/a")},
		"by way of a built-in rule": {yielding.RedundantWith[0] + ".toml": yields(yielding.Name)},
	} {
		set, err := load(t, files)
		if err == nil || !strings.Contains(err.Error(), "leads back to the rule itself") {
			t.Errorf("%s: %v", name, err)
		}
		for file := range files {
			if r, _ := set.Get(strings.TrimSuffix(file, ".toml")); r.Title == "t" {
				t.Errorf("%s: %s is in the set all the same", name, file)
			}
		}
	}
	// A rule that yields to one in a circle is not at fault itself.
	_, err = load(t, map[string]string{"x/a.toml": yields("x/b"), "x/b.toml": yields("x/b")})
	if err == nil || strings.Contains(err.Error(), "x/a.toml") || !strings.Contains(err.Error(), "x/b.toml") {
		t.Errorf("refused with %v", err)
	}
}

func TestKernelsLimitARule(t *testing.T) {
	set, err := load(t, map[string]string{"x/y.toml": rule(`kernels = "< 4.12"
when = ["sockets.time_wait == 5"]`)})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.Get("x/y")
	for release, want := range map[string]rules.Verdict{"4.11.12": rules.Fires, "4.12.0": rules.NotApplicable} {
		kernel, _ := sysctl.ParseRelease(release)
		if got := r.Judge(facts.Given(kernel, map[facts.Name]any{"sockets.time_wait": 5}, nil)); got.Verdict != want {
			t.Errorf("on %s: %s, want %s", release, got.Verdict, want)
		}
	}
}

func TestFaultyRulesAreRefusedWithFileAndLine(t *testing.T) {
	good := rule(`when = ["sockets.time_wait == 5"]`)
	for name, c := range map[string]struct{ text, want string }{
		"syntax":            {"title = ", "rule file dir/x/y.toml: toml: line 1"},
		"unknown key":       {good + "severty = 1\n", `line 8: unknown key "severty"`},
		"misspelt fact":     {rule(`when = ["sockets.time_wiat == 5"]`), "line 3: no fact is called sockets.time_wiat; did you mean sockets.time_wait?"},
		"no conditions":     {rule(""), "a rule needs conditions"},
		"severity":          {strings.Replace(good, `"warning"`, `"fatal"`, 1), `line 2: "fatal" is not a severity`},
		"no title":          {strings.Replace(good, `title = "t"`, `title = " "`, 1), "title is missing or empty"},
		"no message":        {strings.Replace(good, `message = "{sockets.time_wait}"`, "", 1), "message is missing or empty"},
		"no reason":         {strings.Replace(good, `why = "w"`, "", 1), "why is missing or empty"},
		"no remedy":         {strings.Replace(good, `fix = "f"`, "", 1), "fix is missing or empty"},
		"no source":         {strings.Replace(good, `references = ["r"]`, "", 1), "needs at least one source"},
		"kernels":           {good + `kernels = "<= 4.11"`, "line 8: parse range of kernels"},
		"message":           {strings.Replace(good, "{sockets.time_wait}", "{sockets", 1), "a brace is opened and not closed"},
		"redundant with":    {good + `redundant_with = ["no/such"]`, `no rule is called`},
		"suggest":           {good + "[suggest]\nnet.ipv4.tcp_nothing = 1\n", "no parameter is called net.ipv4.tcp_nothing"},
		"suggest text":      {good + "[suggest]\nnet.core.somaxconn = \"kernel.release\"\n", "line 9: a parameter's value must be a number"},
		"suggest two":       {good + "[suggest]\nnet.ipv4.ip_local_port_range = 1\n", "takes 2 numbers"},
		"example: fact":     {good + "[[example]]\nverdict = \"fires\"\ngiven = { sockets.nothing = 1 }\n", "line 8: example \"\": no fact is called sockets.nothing"},
		"example: kind":     {good + "[[example]]\nverdict = \"fires\"\ngiven = { sockets.time_wait = \"x\" }\n", "is a whole number, not x"},
		"example: verdict":  {good + "[[example]]\nverdict = \"maybe\"\n", `verdict "maybe" is none of`},
		"example: given2":   {good + "[[example]]\nverdict = \"fires\"\ngivn = { sockets.time_wait = 1 }\n", "unknown key"},
		"loops are not had": {rule(`when = ["all(1..1000000, # > 0)"]`), "only comparisons"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, map[string]string{"x/y.toml": c.text})
			if err == nil {
				t.Fatal("was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("refused with %q, which does not say %q", err, c.want)
			}
		})
	}
}

func TestRulesOfTheAdministratorReplaceBuiltInOnes(t *testing.T) {
	set, err := load(t, map[string]string{"timewait/near-limit.toml": rule(`when = ["sockets.time_wait > 10"]`)})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.Get("timewait/near-limit")
	if r.Origin != "dir/timewait/near-limit.toml" || r.Title != "t" {
		t.Errorf("the built-in rule is still there: %+v", r)
	}
}

func TestRulesWithoutExamplesFailTheirTest(t *testing.T) {
	set, err := load(t, map[string]string{"x/y.toml": rule(`when = ["sockets.time_wait == 5"]`) + `
[[example]]
note    = "claims too much"
verdict = "fires"
given   = { sockets.time_wait = 6 }
`})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := set.Get("x/y")
	faults := strings.Join(r.Test(), "\n")
	for _, want := range []string{`dir/x/y.toml:9: example "claims too much": the verdict is "silent", not "fires"`, `no example with the verdict "silent"`, `no example with the verdict "inconclusive"`} {
		if !strings.Contains(faults, want) {
			t.Errorf("the faults do not say %q:\n%s", want, faults)
		}
	}
}

func TestRulesAreSwitchedOffByPattern(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	rest, err := set.Without([]string{"timewait/*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rest.All() {
		if strings.HasPrefix(r.Name, "timewait/") {
			t.Errorf("%s is still there", r.Name)
		}
	}
	if _, err := set.Without([]string{"no/such"}); err == nil {
		t.Error("a pattern that matches nothing was taken")
	}
}

func BenchmarkLoadBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := rules.Builtin(); err != nil {
			b.Fatal(err)
		}
	}
}
