package lint_test

import (
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/rules"
)

// A site's own rule may be about anything that is known of a line.
const noSack = `title = "SACK is off by a file"
severity = "error"
when = ["line.key == 'net.ipv4.tcp_sack'", "line.value == '0'"]
message = "{line.key} = {line.value}"
why = "x"
fix = "x"
references = ["x"]

[[example]]
note = "off"
verdict = "fires"
given = { line.key = "net.ipv4.tcp_sack", line.value = "0" }

[[example]]
note = "on"
verdict = "silent"
given = { line.key = "net.ipv4.tcp_sack", line.value = "1" }

[[example]]
note = "unreadable"
verdict = "inconclusive"
missing = { line.key = "not permitted", line.value = "not permitted" }
`

// One of several signs may need a host to be looked at.
const oneOfTwo = `title = "Cookies, or TIME-WAIT"
severity = "warning"
any = ["sockets.time_wait > 1", "net.ipv4.tcp_syncookies == 2"]
message = "net.ipv4.tcp_syncookies = {net.ipv4.tcp_syncookies}"
why = "x"
fix = "x"
references = ["x"]
`

func TestRulesThatMayDoWithoutAHostAreAsked(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Add(fstest.MapFS{"site/one-of-two.toml": {Data: []byte(oneOfTwo)}}, "site"); err != nil {
		t.Fatal(err)
	}
	l := lint.New(targets(t, "6.12"), set, lint.Options{})
	r := l.Judge(unit("f", "net.ipv4.tcp_syncookies", "2"))
	if !slices.ContainsFunc(r.Findings, func(f advisor.Finding) bool { return f.Rule == "site/one-of-two" }) {
		t.Errorf("the findings are %+v", r.Findings)
	}
}

func TestRulesOfASiteAreAskedAboutLines(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Add(fstest.MapFS{"site/no-sack.toml": {Data: []byte(noSack)}}, "site"); err != nil {
		t.Fatal(err)
	}
	l := lint.New(targets(t, "4.4", "6.12"), set, lint.Options{})
	r := l.Judge(unit("f", "net.ipv4.tcp_sack", "0"))
	if len(r.Findings) != 1 || r.Findings[0].Rule != "site/no-sack" || len(r.Findings[0].Kernels) != 2 {
		t.Errorf("the findings are %+v", r.Findings)
	}
	if r := l.Judge(unit("f", "net.ipv4.tcp_sack", "1")); len(r.Findings) != 0 || len(r.Clean) != 1 {
		t.Errorf("the findings are %+v", r.Findings)
	}
}

// Of a listing only what it shows is known; a file is for a host that has the
// kernel's defaults besides.
func TestListingsSayNothingOfWhatTheyDoNotShow(t *testing.T) {
	t.Chdir(t.TempDir())
	const head = "fs.file-nr = 1024\t0\t9223372036854775807\nkernel.osrelease = 6.12.1\nkernel.ostype = Linux\nvm.a = 1\nvm.b = 1\nvm.c = 1\nvm.d = 1\nvm.e = 1\nvm.f = 1\n"
	l := newLinter(t, targets(t, "6.12"), lint.Options{})
	for content, want := range map[string][]string{
		head + "net.ipv4.tcp_max_syn_backlog = 262144\n":                                           nil,
		head + "net.ipv4.tcp_max_syn_backlog = 262144\nnet.ipv4.tcp_syncookies = 1\n":              {"listen/syn-backlog-has-no-effect"},
		head + "net.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_fin_timout = 1\n":                        nil,
		head + "net.ipv4.ip_local_port_range = 1024\t65535\n":                                      nil,
		head + "net.ipv4.ip_local_port_range = 1024\t65535\nnet.ipv4.ip_local_reserved_ports = \n": {"ports/covers-services"},
		"net.ipv4.tcp_max_syn_backlog = 262144\n":                                                  {"listen/syn-backlog-has-no-effect"},
	} {
		write(t, "host.sysctl", content)
		var got []string
		for _, f := range resultOf(t, l, "host.sysctl").Findings {
			got = append(got, f.Rule)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s(-want +got)\n%s", filepath.Base(content), diff)
		}
	}
}
