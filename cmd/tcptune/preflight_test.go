package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const preflight = "../../docs/preflight"

// recycling is a drop-in that sets what kernels have no longer.
const recycling = "net.ipv4.tcp_tw_recycle = 1\n"

func needs(t *testing.T, commands ...string) {
	t.Helper()
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			sysctltest.RequireKernel(t, "needs "+command)
		}
	}
}

func readYAML[T any](t *testing.T, path string) T {
	t.Helper()
	return parseYAML[T](t, readText(t, path))
}

func parseYAML[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// writeFiles makes the files of a tree below dir.
func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// binary is a folder in which the command under test is named tcptune.
func binary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "tcptune")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ended runs a command and returns all that it printed and its exit code.
func ended(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", strings.Join(cmd.Args, " "), out)
	return string(out), cmd.ProcessState.ExitCode()
}

// holds fails the test unless a text has all parts.
func holds(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}

// A host has parameters, an /etc/sysctl.d, a /usr/local/bin with tcptune alone
// and a /var/lib of its own, all of them as new.
type host struct {
	namespaces string // the id of the process that holds them
	dir        string // where commands run
}

func newHost(t *testing.T, dir string) host {
	t.Helper()
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "needs root for a mount namespace")
	}
	cmd := exec.Command("unshare", "--net", "--mount", "sh", "-ec", `
		ip link set lo up
		for folder in /etc/sysctl.d /usr/local/bin /var/lib; do mount -t tmpfs none "$folder"; done
		ln -s "$1" /usr/local/bin/tcptune
		echo made
		read -r end || exit 0`, "sh", filepath.Join(binary(t), "tcptune"))
	cmd.Stderr = t.Output()
	end, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		sysctltest.RequireKernel(t, "cannot make namespaces: "+err.Error())
	}
	t.Cleanup(func() {
		end.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "made\n" {
		t.Fatalf("no host was made: %q, %v", line, err)
	}
	return host{strconv.Itoa(cmd.Process.Pid), dir}
}

// run runs a command on the host and returns all that it printed and its exit
// code.
func (h host) run(t *testing.T, command ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--target", h.namespaces, "--net", "--mount", "sh", "-c", `cd "$0" && exec "$@"`, h.dir}, command...)...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + h.dir, "LANG=C.UTF-8", "COLUMNS=100",
		"ANSIBLE_NOCOLOR=1", "ANSIBLE_PIPELINING=1", "ANSIBLE_GATHER_SUBSET=min"}
	return ended(t, cmd)
}

// shell is what a script prints on the host, where it must succeed.
func (h host) shell(t *testing.T, script string) string {
	t.Helper()
	out, code := h.run(t, "sh", "-ec", script)
	if code != 0 {
		t.Fatalf("%s: exit code %d: %s", script, code, out)
	}
	return strings.TrimSpace(out)
}

// running is what a parameter of the host is.
func (h host) running(t *testing.T, key string) string {
	t.Helper()
	return h.shell(t, "sysctl -n "+key)
}

// What a page shows of a file stands in one that is linked in the same section.
func TestPreflightPagesShowTheirFiles(t *testing.T) {
	blocks := 0
	for _, page := range []string{"../../README.md", filepath.Join(preflight, "README.md")} {
		for _, part := range regexp.MustCompile(`\n###? `).Split(readText(t, page), -1) {
			heading, _, _ := strings.Cut(part, "\n")
			var files strings.Builder
			for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(part, -1) {
				files.WriteString(readText(t, filepath.Join(filepath.Dir(page), link[1])))
			}
			for _, block := range regexp.MustCompile("(?s)\n```(?:yaml|puppet|ini)\n(.*?)```").FindAllStringSubmatch(part, -1) {
				blocks++
				if !strings.Contains(files.String(), block[1]) {
					t.Errorf("%s, %s: no file that is linked holds:\n%s", page, heading, block[1])
				}
			}
		}
	}
	if blocks < 8 {
		t.Errorf("the pages show only %d parts of files", blocks)
	}
}

// The hooks are installed from this source, as pre-commit does it from a
// repository, and stand in the way of a commit.
func TestPreCommitHooks(t *testing.T) {
	t.Parallel()
	needs(t, "pre-commit", "git", "go")
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(out))
	home := t.TempDir()
	site := filepath.Join(home, "site")
	environment := append(os.Environ(), "HOME="+home, "PRE_COMMIT_HOME="+filepath.Join(home, "pre-commit"), "GIT_CONFIG_GLOBAL=/dev/null",
		"GOCACHE="+caches[0], "GOMODCACHE="+caches[1], "GOPROXY=off", "GOTOOLCHAIN=local",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	try := func(dir, command string, args ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(command, args...)
		cmd.Dir, cmd.Env = dir, environment
		return ended(t, cmd)
	}
	run := func(dir, command string, args ...string) string {
		t.Helper()
		out, code := try(dir, command, args...)
		if code != 0 {
			t.Fatalf("%s %q: exit code %d: %s", command, args, code, out)
		}
		return strings.TrimSpace(out)
	}

	source := filepath.Join(home, "source.git")
	run(home, "git", "init", "--quiet", "--bare", source)
	inSource := func(args ...string) string {
		t.Helper()
		return run("../..", "git", append([]string{"--git-dir=" + source, "--work-tree=."}, args...)...)
	}
	inSource("add", "--all")
	inSource("commit", "--quiet", "--message=the source")

	config := readYAML[map[string][]map[string]any](t, filepath.Join(preflight, "pre-commit-config.yaml"))
	config["repos"][0]["repo"] = source
	config["repos"][0]["rev"] = inSource("rev-parse", "HEAD")
	configured, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	rule := fenced(readText(t, "../../README.md"), "toml")[0]
	writeFiles(t, site, map[string]string{
		".pre-commit-config.yaml":         string(configured),
		"etc/sysctl.d/90-tcp.conf":        "net.ipv4.tcp_keepalive_time = 600\n",
		"etc/sysctl.d/README":             "Read by sysctl --system.\n",
		"site/rules.d/site/capacity.toml": rule,
		"chart.yaml":                      "{{- if .Values.tcp }}\nspec: {securityContext: {sysctls: []}}\n{{- end }}\n",
		"values.yaml":                     "replicas: 3\n",
		"README.md":                       "Nothing about parameters.\n",
		"empty":                           "",
	})
	run("../..", "pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
	run(site, "pre-commit", "validate-config")
	run(site, "git", "init", "--quiet")
	run(site, "pre-commit", "install")
	run(site, "git", "add", "--all")
	holds(t, run(site, "git", "commit", "--message=fine"), "tcptune lint....", "tcptune rules test....", "Passed")

	writeFiles(t, site, map[string]string{"etc/sysctl.d/95-old.conf": recycling, "notes.md": "Recycling again.\n"})
	run(site, "git", "add", "--all")
	refused, code := try(site, "git", "commit", "--message=faulty")
	if code == 0 {
		t.Error("a faulty drop-in was committed")
	}
	holds(t, refused, "etc/sysctl.d/95-old.conf:1:1: warning: ", "[timewait/recycle-no-longer-exists]", "Failed")

	run(site, "git", "reset", "--quiet", "--hard")
	writeFiles(t, site, map[string]string{"site/rules.d/site/capacity.toml": strings.Replace(rule, "> 50000", "> 60000", 1)})
	run(site, "git", "add", "--all")
	refused, code = try(site, "git", "commit", "--message=faulty rule")
	if code == 0 {
		t.Error("a rule was committed whose example does not hold")
	}
	holds(t, refused, "site/capacity", "a busy day")
}

// A workflow is what this test knows of one. Whatever else stands in it is for
// GitHub.
type workflow struct {
	Jobs map[string]struct {
		Strategy struct {
			Matrix map[string][]string
		}
		Steps []struct {
			ID   string // "install" marks what fetches tcptune, in whose place the command under test is there
			Uses string
			Run  string
			With map[string]string
		}
	}
}

// runWorkflow runs the steps of a job that are commands, in a tree of files,
// until one fails, and returns what they printed and the last exit code.
func runWorkflow(t *testing.T, job string, files map[string]string) (string, int) {
	t.Helper()
	w := readYAML[workflow](t, filepath.Join(preflight, "github/tcptune.yml"))
	dir := t.TempDir()
	writeFiles(t, dir, files)
	path := "PATH=" + binary(t) + ":" + os.Getenv("PATH")
	combinations := []map[string]string{{}}
	for name, values := range w.Jobs[job].Strategy.Matrix {
		if len(combinations) > 1 {
			t.Fatal("this test knows matrices of one dimension")
		}
		combinations = nil
		for _, value := range values {
			combinations = append(combinations, map[string]string{"${{ matrix." + name + " }}": value})
		}
	}
	var printed strings.Builder
	steps := 0
	for _, values := range combinations {
		for _, step := range w.Jobs[job].Steps {
			if file := step.With["sarif_file"]; file != "" {
				var log struct{ Version string }
				if err := json.Unmarshal([]byte(readText(t, filepath.Join(dir, file))), &log); err != nil || log.Version != "2.1.0" {
					t.Errorf("%s, which is uploaded, is no SARIF: %v", file, err)
				}
			}
			if step.ID == "install" {
				if want := "go install github.com/tcptune/tcptune/cmd/tcptune@latest"; step.Run != want {
					t.Errorf("it is installed by %q, and not by %q", step.Run, want)
				}
				continue
			}
			if step.Run == "" {
				continue
			}
			script := step.Run
			for expression, value := range values {
				script = strings.ReplaceAll(script, expression, value)
			}
			if strings.Contains(script, "${{") {
				t.Fatalf("this test does not know all expressions of %q", script)
			}
			steps++
			cmd := exec.Command("bash", "-e", "-c", script)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), path)
			out, code := ended(t, cmd)
			printed.WriteString(out)
			if code != 0 {
				return printed.String(), code
			}
		}
	}
	if steps == 0 {
		t.Fatalf("the job %q has no steps", job)
	}
	return printed.String(), 0
}

func TestGitHubWorkflow(t *testing.T) {
	t.Parallel()
	needs(t, "bash")
	for _, test := range []struct {
		job, content, says string
		code               int
	}{
		{"lint", "net.ipv4.tcp_keepalive_time = 600\n", "", 0},
		{"lint", recycling, "::warning file=sysctl.d/90-tcp.conf,line=1,col=1,", 1},
		{"hosts", "net.ipv4.tcp_keepalive_time = 600\n", "1 file judged for Linux 6.12", 0},
		{"hosts", recycling, "sysctl.d/90-tcp.conf:1:1: warning: ", 1},
	} {
		t.Run(fmt.Sprintf("%s exits with %d", test.job, test.code), func(t *testing.T) {
			t.Parallel()
			out, code := runWorkflow(t, test.job, map[string]string{"sysctl.d/90-tcp.conf": test.content})
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			holds(t, out, test.says)
		})
	}
}

func TestAnsibleTasks(t *testing.T) {
	t.Parallel()
	needs(t, "ansible-playbook")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(preflight, "ansible"))); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, dir)
	play := func(args ...string) (string, int) {
		t.Helper()
		return h.run(t, append([]string{"ansible-playbook", "--inventory", "localhost,", "--connection", "local", "site.yml"}, args...)...)
	}
	faulty := []string{"--extra-vars", `{"sysctl_tcp": {"net.ipv4.tcp_keepalive_time": 500, "net.ipv4.tcp_tw_recycle": 1}}`}

	out, code := play("--check")
	if drop := h.shell(t, "ls /etc/sysctl.d"); code != 0 || drop != "" {
		t.Errorf("in check mode: exit code %d, and there is %q", code, drop)
	}
	holds(t, out, "changed=1")

	out, code = play()
	if got := h.running(t, "net.ipv4.tcp_keepalive_time"); code != 0 || got != "600" {
		t.Errorf("exit code %d, and tcp_keepalive_time is %s", code, got)
	}
	holds(t, out, "changed=2")

	out, code = play()
	if code != 0 {
		t.Errorf("a second time: exit code %d", code)
	}
	holds(t, out, "changed=0")

	for _, mode := range [][]string{nil, {"--check"}} {
		out, code = play(append(mode, faulty...)...)
		if code != 2 {
			t.Errorf("a faulty drop-in: exit code %d %v", code, mode)
		}
		holds(t, out, "/etc/sysctl.d/90-tcp.conf:3:1: warning: ", "[timewait/recycle-no-longer-exists]", "changed=0")
		holds(t, h.shell(t, "cat /etc/sysctl.d/90-tcp.conf"), "net.ipv4.tcp_keepalive_time = 600\n")
	}

	h.shell(t, "sysctl -w net.ipv4.tcp_syncookies=0; rm /etc/sysctl.d/*")
	out, code = play()
	if drop := h.shell(t, "ls /etc/sysctl.d"); code != 2 || drop != "" {
		t.Errorf("on a faulty host: exit code %d, and there is %q", code, drop)
	}
	holds(t, out, `"warning: synrecv/cookies-off: `, "changed=0")
	if _, code := play("--extra-vars", `{"tcptune_flags": "--fail-on error"}`); code != 0 {
		t.Errorf("with a higher threshold: exit code %d", code)
	}
}

func TestPuppetClass(t *testing.T) {
	t.Parallel()
	needs(t, "puppet")
	dir := t.TempDir()
	class := readText(t, filepath.Join(preflight, "puppet/tcp_parameters.pp"))
	writeFiles(t, dir, map[string]string{
		"site.pp":   class + "include tcp_parameters\n",
		"faulty.pp": class + "class { 'tcp_parameters': values => { 'net.ipv4.tcp_keepalive_time' => 500, 'net.ipv4.tcp_tw_recycle' => 1 } }\n",
	})
	h := newHost(t, dir)
	// Of its exit codes, 0 means no changes, 2 changes and 4 failures.
	apply := func(args ...string) (string, int) {
		t.Helper()
		return h.run(t, append([]string{"puppet", "apply", "--color=false", "--detailed-exitcodes",
			"--confdir=" + dir + "/conf", "--codedir=" + dir + "/code", "--vardir=" + dir + "/var", "--ssldir=" + dir + "/ssl", "--rundir=" + dir + "/run", "--logdir=" + dir + "/log"}, args...)...)
	}

	_, code := apply("--noop", "site.pp")
	if drop := h.shell(t, "ls /etc/sysctl.d"); code != 0 || drop != "" {
		t.Errorf("noop: exit code %d, and there is %q", code, drop)
	}
	if _, code := apply("site.pp"); code != 2 {
		t.Errorf("exit code %d, and not that of changes", code)
	}
	if got := h.running(t, "net.ipv4.tcp_keepalive_time"); got != "600" {
		t.Errorf("tcp_keepalive_time is %s", got)
	}
	if _, code := apply("site.pp"); code != 0 {
		t.Errorf("a second time: exit code %d", code)
	}

	out, code := apply("faulty.pp")
	if code != 4 {
		t.Errorf("a faulty drop-in: exit code %d", code)
	}
	holds(t, out, "/etc/sysctl.d/90-tcp.conf:2:1: warning: ", "[timewait/recycle-no-longer-exists]")
	holds(t, h.shell(t, "cat /etc/sysctl.d/90-tcp.conf"), "net.ipv4.tcp_keepalive_time = 600\n")

	h.shell(t, "sysctl -w net.ipv4.tcp_syncookies=0; rm /etc/sysctl.d/*")
	out, code = apply("site.pp")
	if drop := h.shell(t, "ls /etc/sysctl.d"); code != 4 || drop != "" {
		t.Errorf("on a faulty host: exit code %d, and there is %q", code, drop)
	}
	holds(t, out, "/returns: warning: synrecv/cookies-off: ", "Skipping because of failed dependencies")
}

// Debian 12 has no Salt: its state is rendered by Jinja as Salt would do it, and
// what the state would run is run.
func TestSaltState(t *testing.T) {
	t.Parallel()
	needs(t, "/usr/bin/python3")
	if err := exec.Command("/usr/bin/python3", "-c", "import jinja2").Run(); err != nil {
		sysctltest.RequireKernel(t, "needs Debian's python3-jinja2")
	}
	dir := t.TempDir()
	h := newHost(t, dir)
	type state map[string]map[string][]map[string]any
	render := func(pillar string) state {
		t.Helper()
		cmd := exec.Command("/usr/bin/python3", "-c", `
import jinja2, json, os, sys
pillar = json.loads(sys.argv[2])
salt = {"pillar.get": lambda key, default: pillar.get(key, default)}
template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(open(sys.argv[1]).read())
print(template.render(salt=salt, grains={"kernelrelease": os.uname().release}))`,
			filepath.Join(preflight, "salt/tcp_parameters.sls"), pillar)
		out, code := ended(t, cmd)
		if code != 0 {
			t.Fatal("the state cannot be rendered")
		}
		return parseYAML[state](t, out)
	}
	// argument is one of a state's.
	argument := func(s state, id, module, name string) any {
		t.Helper()
		for _, pair := range s[id][module] {
			if value, given := pair[name]; given {
				return value
			}
		}
		t.Fatalf("%s has no %s", id, name)
		return nil
	}
	const dropIn = "/etc/sysctl.d/90-tcp.conf"
	// manage does what file.managed does.
	manage := func(s state) (string, int) {
		t.Helper()
		var content strings.Builder
		for _, line := range argument(s, dropIn, "file.managed", "contents").([]any) {
			fmt.Fprintln(&content, line)
		}
		writeFiles(t, dir, map[string]string{"__salt.tmp.x": content.String()})
		return h.run(t, "sh", "-c", fmt.Sprint(argument(s, dropIn, "file.managed", "check_cmd"), " ", filepath.Join(dir, "__salt.tmp.x")))
	}

	fine := render("{}")
	if out, code := manage(fine); code != 0 {
		t.Errorf("the drop-in is not clean: %s", out)
	}
	out, code := manage(render(`{"tcp_parameters": {"net.ipv4.tcp_keepalive_time": 500, "net.ipv4.tcp_tw_recycle": 1}}`))
	if code != 1 {
		t.Errorf("a faulty drop-in: exit code %d", code)
	}
	holds(t, out, dropIn+":2:1: warning: ", "[timewait/recycle-no-longer-exists]")

	unless := argument(fine, "tcptune check", "cmd.run", "unless").(string)
	if _, code := h.run(t, "sh", "-c", unless); code != 0 {
		t.Errorf("%s: exit code %d on a host that is fine", unless, code)
	}
	h.shell(t, "sysctl -w net.ipv4.tcp_syncookies=0")
	command := argument(fine, "tcptune check", "cmd.run", "name").(string)
	if out, code = h.run(t, "sh", "-c", command); code != 1 {
		t.Errorf("exit code %d on a faulty host", code)
	}
	holds(t, out, "synrecv/cookies-off")
	if watched := argument(fine, "sysctl -p "+dropIn, "cmd.run", "onchanges"); fmt.Sprint(watched) != "[map[file:"+dropIn+"]]" {
		t.Errorf("the drop-in is loaded on changes of %v", watched)
	}
}

func TestMonitoringExamples(t *testing.T) {
	t.Parallel()
	needs(t, "promtool", "systemd-analyze")
	dir, err := filepath.Abs(filepath.Join(preflight, "monitoring"))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, line := range strings.Split(readText(t, filepath.Join(dir, "nrpe.cfg")), "\n") {
		if _, command, found := strings.Cut(line, "]="); found {
			commands = append(commands, command)
		}
	}
	list := regexp.MustCompile(`command = (\[.*\])`).FindStringSubmatch(readText(t, filepath.Join(dir, "icinga2.conf")))
	commands = append(commands, strings.Join(parseYAML[[]string](t, list[1]), " "))
	if len(commands) != 3 {
		t.Fatalf("commands of plugins: %q", commands)
	}

	h := newHost(t, dir)
	says := func(command, status string, exit int) {
		t.Helper()
		if strings.Contains(command, "tcptune drift") {
			status, exit = "UNKNOWN", 3 // at boot no files are applied to a network namespace
		}
		if out, code := h.run(t, strings.Fields(command)...); code != exit || !strings.HasPrefix(out, "TCPTUNE "+status+" - ") {
			t.Errorf("%s: exit code %d, want %d and %s: %s", command, code, exit, status, out)
		}
	}
	for _, command := range commands {
		says(command, "OK", 0)
	}
	h.shell(t, "sysctl -w net.ipv4.tcp_syncookies=0")
	for _, command := range commands {
		says(command, "WARNING", 1)
	}

	if out, code := h.run(t, "systemd-analyze", "verify", "./tcptune-metrics.service", "./tcptune-metrics.timer"); code != 0 || out != "" {
		t.Errorf("the units are not right: exit code %d\n%s", code, out)
	}
	_, start, _ := strings.Cut(readText(t, filepath.Join(dir, "tcptune-metrics.service")), "ExecStart=")
	h.shell(t, "mkdir -p /var/lib/prometheus/node-exporter")
	h.shell(t, start)
	metrics := h.shell(t, "cd /var/lib/prometheus/node-exporter; promtool check metrics < tcptune.prom; cat *.prom")
	holds(t, metrics, `severity="warning"`)
	if entries := h.shell(t, "ls -A /var/lib/prometheus/node-exporter"); entries != "tcptune.prom" {
		t.Errorf("the collector's folder holds %q", entries)
	}
}

// The unit is hardened, and not so much that drift would take what the hardening
// does for a property of the host.
func TestDriftUnitSeesTheHost(t *testing.T) {
	t.Parallel()
	needs(t, "systemd-analyze", "setpriv", "/lib/systemd/systemd-sysctl")
	dir, err := filepath.Abs(filepath.Join(preflight, "monitoring"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, dir)
	if out, code := h.run(t, "systemd-analyze", "verify", "./tcptune-drift.service", "./tcptune-drift.timer"); code != 0 || out != "" {
		t.Errorf("the units are not right: exit code %d\n%s", code, out)
	}
	unit := map[string]string{}
	for line := range strings.Lines(readText(t, filepath.Join(dir, "tcptune-drift.service"))) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			unit[key] = value
		}
	}
	for _, blind := range []string{"ProtectKernelTunables", "ProtectProc", "ProcSubset", "PrivateNetwork", "PrivateUsers", "User"} {
		if unit[blind] != "" {
			t.Errorf("%s=%s", blind, unit[blind])
		}
	}
	if unit["ExecStart"] != "/usr/local/bin/tcptune drift" || unit["DynamicUser"] != "yes" || unit["AmbientCapabilities"] != unit["CapabilityBoundingSet"] {
		t.Errorf("this test knows another unit: %v", unit)
	}

	// As the unit's user, who has the unit's capabilities.
	capability := strings.ToLower(strings.TrimPrefix(unit["AmbientCapabilities"], "CAP_"))
	only := "-all,+" + capability
	asUnit := "setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --inh-caps " + only + " --ambient-caps " + only + " --bounding-set " + only + " "
	h.shell(t, "mount -t tmpfs none /run; mkdir -p /run/systemd/system; umask 077; echo net.ipv4.tcp_fin_timeout = 33 > /etc/sysctl.d/50-secret.conf")
	for command, reads := range map[string]bool{asUnit: true, strings.ReplaceAll(asUnit, only, "-all"): false} {
		seen := h.shell(t, command+"tcptune facts")
		holds(t, seen, `"loader": "systemd-sysctl"`)
		if got := strings.Contains(seen, `"value": "33"`); got != reads {
			t.Errorf("that %sreads a file of root's alone is %v", command, got)
		}
	}
	if out, code := h.run(t, "sh", "-c", asUnit+"sysctl -w net.ipv4.tcp_fin_timeout=33"); code == 0 || h.running(t, "net.ipv4.tcp_fin_timeout") != "60" {
		t.Errorf("it may write parameters: %s", out)
	}
	// What ProtectKernelTunables would do.
	h.shell(t, "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
	holds(t, h.shell(t, asUnit+"tcptune facts"), `"loader": ""`, "/proc/sys/net is read-only, without which systemd-sysctl.service is not started")
}
