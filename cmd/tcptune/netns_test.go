package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// inhabited starts a process in a network namespace of its own with that
// somaxconn and gives its number.
func inhabited(t *testing.T, somaxconn string) string {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, "cannot make a network namespace: "+err.Error())
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	pid := strconv.Itoa(cmd.Process.Pid)
	n, err := netns.Lookup(pid)
	if err == nil {
		err = n.Do(func() error { return os.WriteFile("/proc/sys/net/core/somaxconn", []byte(somaxconn), 0) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// attached gives the namespace of a process a name, as ip-netns(8) does.
func attached(t *testing.T, pid string) string {
	t.Helper()
	name := fmt.Sprintf("tcptune-test-%d", os.Getpid())
	attach(t, name, pid)
	return name
}

func attach(t *testing.T, name, pid string) {
	t.Helper()
	ip(t, "netns attach "+name+" "+pid)
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
}

func TestOneNamespaceByProcessFileAndName(t *testing.T) {
	pid := inhabited(t, "7")
	name := attached(t, pid)
	for _, ref := range []string{pid, "/proc/" + pid + "/ns/net", name} {
		if text := printed(t, []int{exitOK}, "facts", "--netns", ref, "--values"); !strings.Contains(text, "\nnet.core.somaxconn = 7  ") || !strings.Contains(text, "\nnamespace.initial = no ") {
			t.Errorf("facts --netns %s shows another somaxconn than 7, or the host", ref)
		}
		if text := printed(t, []int{exitOK, exitFindings}, "check", "--netns", ref); !strings.Contains(strings.Join(strings.Fields(text[:min(200, len(text))]), " "), " · network namespace ") {
			t.Errorf("check --netns %s begins with\n%.200s", ref, text)
		}
	}
	number := strconv.Itoa(1<<22 + os.Getpid()) // more than that of any process
	attach(t, number, pid)
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"states", "--netns", number}, &app{out: &out, err: &errs}); code != exitUnreadable || !strings.Contains(errs.String(), "the network namespace of that name is /run/netns/"+number+"\n") {
		t.Errorf("of a namespace whose name is a number is said: %s", errs.String())
	}
	if text := printed(t, []int{exitOK, exitFindings}, "drift", "--netns", pid); !strings.Contains(text, "net:[") {
		t.Errorf("drift does not name the namespace:\n%s", text)
	}
}

func TestAllNamespacesAreComparedWithTheHost(t *testing.T) {
	first, second := inhabited(t, "7"), inhabited(t, "9")
	var n advisor.Namespaces
	text := printed(t, []int{exitOK}, "check", "--netns", "all", "--format", "json", "--fail-on", "never")
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	for pid, value := range map[string]string{first: "7", second: "9"} {
		id, err := os.Readlink("/proc/" + pid + "/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(n.Namespaces, func(r advisor.NamespaceReport) bool { return r.ID == id })
		if i < 0 {
			t.Fatalf("%s is not among %+v", id, n.Namespaces)
		}
		r := n.Namespaces[i]
		if !slices.ContainsFunc(r.Differs, func(d advisor.NamespaceDifference) bool {
			return d.Key == "net.core.somaxconn" && string(d.Value) == value && d.Host != d.Value
		}) || r.Name == "" || r.Processes != 1 {
			t.Errorf("in the namespace of %s somaxconn is %s, and this is reported: %+v", pid, value, r)
		}
		if slices.ContainsFunc(r.Differs, func(d advisor.NamespaceDifference) bool { return slices.Contains(n.HostWide, d.Key) }) {
			t.Errorf("what is host-wide is called different: %+v", r.Differs)
		}
	}
	report := printed(t, []int{exitOK}, "check", "--netns", "all", "--fail-on", "never")
	for _, part := range []string{"\nOTHER NAMESPACES  ", "One value for the whole host: ", "net.ipv4.tcp_max_orphans", "\n  net.core.somaxconn  7 ", "\n  net.core.somaxconn  9 "} {
		if !strings.Contains(report, part) {
			t.Errorf("no %q in:\n%s", part, report)
		}
	}
	if one := printed(t, []int{exitOK}, "check", "--fail-on", "never"); strings.Contains(one, "OTHER NAMESPACES") {
		t.Error("without --netns others are looked into")
	}
	if values := strings.Count(printed(t, []int{exitOK}, "facts", "--netns", "all", "--values"), "\n# "); values+1 < 3 {
		t.Errorf("values of %d namespaces besides the host's", values)
	}
	prometheus := printed(t, []int{exitOK}, "check", "--netns", "all", "--format", "github", "--fail-on", "never")
	if strings.Contains(report, "listen/somaxconn") && !strings.Contains(prometheus, "net:[") {
		t.Errorf("the namespace is not named:\n%s", prometheus)
	}
}

// Of the host and two namespaces the one is named in which a program does not
// accept, and it alone.
func TestTheNamespaceInTroubleIsNamed(t *testing.T) {
	trouble, other := inhabited(t, "4096"), inhabited(t, "4096")
	n, err := netns.Lookup(trouble)
	if err == nil {
		err = n.Do(func() error {
			err := sysctltest.LoopbackUp()
			fullListener(t)
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	var all advisor.Namespaces
	if err := json.Unmarshal([]byte(printed(t, []int{exitFindings}, "check", "--netns", "all", "--format", "json", "--fail-on", "error")), &all); err != nil {
		t.Fatal(err)
	}
	full := func(findings []advisor.Finding) bool {
		return slices.ContainsFunc(findings, func(f advisor.Finding) bool { return f.Rule == "listen/queue-full" })
	}
	if full(all.Host.Findings) {
		t.Error("the host is blamed")
	}
	quiet, err := netns.Lookup(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all.Namespaces { // among them whatever else there is on this host
		if r.ID == n.ID.String() && !full(r.Findings) || r.ID == quiet.ID.String() && full(r.Findings) {
			t.Errorf("in trouble is %v; of %s (%s) is said: %+v", n.ID, r.Name, r.ID, r.Findings)
		}
	}
	text := printed(t, []int{exitOK}, "states", "--netns", "all")
	row := "  process " + trouble + " sleep\n"
	if !strings.Contains(text, "  LISTEN  ") || !strings.Contains(text, row) {
		t.Errorf("no row for process %s in:\n%s", trouble, text)
	}
	if by := printed(t, []int{exitOK}, "states", "--by", "namespace"); !strings.Contains(by, "  LISTEN  ") || !strings.Contains(by, row) || !strings.Contains(by, "  all of these\n") {
		t.Errorf("by namespace:\n%s", by)
	}
	if text := printed(t, []int{exitOK}, "states", "--netns", "all", "--by", "listener"); !strings.Contains(text, "("+n.ID.String()+")\n\nLISTENERS") {
		t.Errorf("the listeners of %v are not listed:\n%s", n.ID, text)
	}
	var states advisor.StatesByNamespace
	if err := json.Unmarshal([]byte(printed(t, []int{exitOK}, "states", "--netns", "all", "--format", "json")), &states); err != nil {
		t.Fatal(err)
	}
	if !states.Namespaces[0].Namespace.Initial || !slices.ContainsFunc(states.Namespaces, func(of advisor.States) bool { return of.Namespace.ID == n.ID.String() && of.Total() == 3 }) {
		t.Errorf("the host's is not the first, or none has the 3 sockets of %v", n.ID)
	}
	// From a file as from the host, wherever that is read.
	file := filepath.Join(t.TempDir(), "all.json")
	if err := os.WriteFile(file, []byte(printed(t, []int{exitOK}, "facts", "--netns", "all")), 0o600); err != nil {
		t.Fatal(err)
	}
	var read advisor.Namespaces
	if err := json.Unmarshal([]byte(printed(t, []int{exitFindings}, "check", "--facts", file, "--format", "json", "--fail-on", "error")), &read); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{n.ID.String(), quiet.ID.String()} {
		live := slices.IndexFunc(all.Namespaces, func(r advisor.NamespaceReport) bool { return r.ID == of })
		again := slices.IndexFunc(read.Namespaces, func(r advisor.NamespaceReport) bool { return r.ID == of })
		if again < 0 {
			t.Fatalf("in the file %s is missing", of)
		}
		if diff := cmp.Diff(all.Namespaces[live], read.Namespaces[again]); diff != "" {
			t.Errorf("of %s the file says something else than the host:\n%s", of, diff)
		}
	}
	if host := read.Host; host.Namespace.Initial != all.Host.Namespace.Initial || len(read.HostWide) == 0 || read.UnseenProcesses != all.UnseenProcesses {
		t.Errorf("the host in the file: %+v", host.Namespace)
	}
	for _, args := range [][]string{{"states", "--facts", file}, {"states", "--by", "namespace", "--facts", file}} {
		if text := printed(t, []int{exitOK}, args...); !strings.Contains(text, row) {
			t.Errorf("%q: no row for process %s in what the file holds:\n%s", args, trouble, text)
		}
	}
	if again := printed(t, []int{exitOK}, "facts", "--facts", file); again != readText(t, file) {
		t.Error("the file does not come out as it went in")
	}
	for _, args := range [][]string{{"drift"}, {"plan", "--profile", "highconn"}, {"check", "--write-profile", "-"}} {
		var out, errs strings.Builder
		code := run(t.Context(), append(args, "--facts", file), &app{in: strings.NewReader(""), out: &out, err: &errs})
		if code != exitUnreadable || !strings.Contains(errs.String(), "all.json: holds snapshots of all network namespaces of a host (") || !strings.Contains(errs.String(), "hint: ") || out.Len() > 0 {
			t.Errorf("tcptune %q of a file with all namespaces: exit code %d; said %q, printed %q", args, code, errs.String(), out.String())
		}
	}
	// And by a process within.
	printed(t, []int{exitFindings}, "check", "--netns", trouble, "--fail-on", "error")
	printed(t, []int{exitOK}, "check", "--netns", other, "--fail-on", "error")
}

func TestSkippedNamespaceIsNamedOnce(t *testing.T) {
	n := netns.Namespace{Owner: netns.Owner{Kind: netns.Process, Name: "4711 sleep"}}
	gone := observe.Inside{Namespace: n, Err: fmt.Errorf("%v: %w", n, netns.ErrGone)}
	survey := surveyOf([]observe.Inside{{Namespace: netns.Namespace{Processes: 5}, Snapshot: &facts.Snapshot{}}, gone})
	if len(survey.Namespaces) != 1 || survey.Namespaces[0].Processes != 5 || len(survey.Skipped) != 1 || survey.Skipped[0] != skippedOf(gone) {
		t.Errorf("of a namespace and one that is gone is kept: %+v", survey)
	}
	if skipped := skippedOf(gone); skipped.Reason != "the network namespace is gone" || skipped.Name != "process 4711 sleep" {
		t.Errorf("skipped: %+v", skipped)
	}
	refused := observe.Inside{Namespace: n, Err: fmt.Errorf("enter %v needs CAP_SYS_ADMIN: %w", n, os.ErrPermission)}
	if why := skippedOf(refused).Reason; why != "to enter it needs CAP_SYS_ADMIN" {
		t.Errorf("skipped: %s", why)
	}
	var errs strings.Builder
	a := &app{err: &errs}
	for range 2 {
		var skipped []facts.SkippedNamespace
		for i := range 20 {
			skipped = append(skipped, facts.SkippedNamespace{Name: fmt.Sprintf("\x1b%d", i), ID: fmt.Sprintf("net:[%d]", i), Reason: "r"})
		}
		a.skipped(append(skipped, skippedOf(gone)))
	}
	if said := errs.String(); strings.Count(said, "\n") != 2 || !strings.Contains(said, `warning: \u001b0 (net:[0]), `) || !strings.Contains(said, ", 8 more skipped: r\n") ||
		!strings.Contains(said, " skipped: the network namespace is gone\n") {
		t.Errorf("of 20 namespaces twice, skipped for one reason, and another, is said:\n%s", said)
	}
}

func TestNamespacesThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUnreadable, `/run/netns has no network namespace "nope"`, []string{"check", "--netns", "nope"}},
		{exitUnreadable, "there is no process 4194305", []string{"facts", "--netns", "4194305"}},
		{exitUnreadable, "/proc/self/ns/mnt: not a network namespace", []string{"check", "--netns", "/proc/self/ns/mnt"}},
		{exitUnreadable, "no such file", []string{"drift", "--netns", "./nope"}},
		{exitUnreadable, `has no network namespace "\x1b[31m"`, []string{"check", "--netns", "\x1b[31m"}},
		{exitUsage, "--netns is empty", []string{"check", "--netns", ""}},
		{exitUsage, "cannot look into all", []string{"drift", "--netns", "all"}},
		{exitUsage, "--facts and --netns do not go together\n", []string{"check", "--netns", "1", "--facts", "x"}},
		{exitUsage, "--write-profile is for one", []string{"check", "--netns", "all", "--write-profile", "-"}},
		{exitUsage, "counts all network namespaces", []string{"states", "--by", "namespace", "--netns", "1"}},
		{exitUnreadable, "holds one network namespace\ntcptune: hint: ", []string{"states", "--by", "namespace", "--facts", "testdata/facts/busy-server-6.12.json"}},
		{exitUsage, "less than 100ms", []string{"check", "--watch", "1ms"}},
		{exitUsage, "less than 100ms", []string{"check", "--watch", "-1s"}},
		{exitUsage, "less than 100ms", []string{"check", "--watch", "0"}},
		{exitUsage, "less than 100ms", []string{"states", "--watch", "1ns"}},
		{exitUsage, "less than 100ms", []string{"states", "--watch", "0"}},
		{exitUsage, "states are counted exactly", []string{"states", "--sample-above", "1000"}},
		{exitUsage, "states are counted exactly", []string{"states", "--by", "namespace", "--sample-above", "1000"}},
		{exitUsage, "no part in --format sarif", []string{"check", "--watch", "1s", "--format", "sarif"}},
		{exitUsage, "--interval and --watch do not go together\n", []string{"check", "--watch", "1s", "--interval", "1s"}},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), c.args, &app{in: strings.NewReader(""), out: &out, err: &errs})
		if code != c.code || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("tcptune %q: exit code %d, want %d; said %q, want %q; printed %q", c.args, code, c.code, errs.String(), c.want, out.String())
		}
	}
}
