package managers

import (
	"errors"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/pattern"
	"github.com/tcptune/tcptune/advisor/settings"
	"github.com/tcptune/tcptune/sysctl"
)

// A script's commands are certain where they stand alone at the margin. What is
// indented or joined to another command may depend on a condition.
const conditional = "whether it is run depends on the script"

var joined = pattern.Lazy(`&&|\|\||^\s+\S|\bif\b|\bfor\b|\bcase\b`)

// commands adds what the commands of a text set. offset is the number of lines
// of the file before the text. It reports whether there is anything to tell.
func (f *finder) commands(m *facts.Manager, file, text string, offset int) bool {
	if !strings.Contains(text, "sysctl") {
		return false
	}
	before := len(m.Sets)
	read, err := settings.Read("commands.sh", []byte(text))
	for _, s := range read.Settings {
		if !concerned(s.Key) {
			continue
		}
		hold := facts.Hold{Key: s.Key, Value: s.Value, Container: s.Container,
			Place: facts.Place{File: file, Line: offset + s.Line, Column: s.Column, EndColumn: s.EndColumn, Text: s.Text}}
		if joined().MatchString(s.Text) {
			hold.Doubt = conditional
		}
		m.Sets = append(m.Sets, hold)
		m.Evidence = append(m.Evidence, hold.Place.String())
	}
	m.Sets = append(m.Sets, f.loadedBy(m, file, text, offset)...)
	mentions := errors.Is(err, settings.ErrNotUnderstood)
	for _, s := range read.Skipped {
		mentions = mentions || strings.Contains(s.Text, "net.") || strings.Contains(s.Text, "net/")
	}
	if mentions {
		place := line(file, text, "sysctl")
		place.Line += offset
		m.Evidence = append(m.Evidence, place.String())
		m.Also = "it mentions sysctl, and not all of what it sets is certain"
	}
	return mentions || len(m.Sets) > before
}

// loads is the command by which sysctl(8) applies one file: /etc/sysctl.conf if
// none is named.
var loads = pattern.Lazy(`^[^#]*\bsysctl[ \t]+(?:-[a-z]*p|--load)\b(?:[= \t]*([^ \t;&|>]+))?`)

// loadedBy are the lines of files that commands apply by "sysctl -p".
func (f *finder) loadedBy(m *facts.Manager, script, text string, offset int) []facts.Hold {
	var holds []facts.Hold
	number := 0
	for l := range strings.Lines(text) {
		number++
		found := loads().FindStringSubmatch(strings.TrimRight(l, "\r\n"))
		if found == nil {
			continue
		}
		file := found[1]
		if file == "" || !strings.HasPrefix(file, "/") {
			file = "/etc/sysctl.conf"
		}
		text, _ := f.read(file)
		read, _ := settings.Read("/etc/sysctl.conf", []byte(text))
		for _, s := range read.Settings {
			if !concerned(s.Key) || s.Key.IsPattern() {
				continue
			}
			hold := facts.Hold{Key: s.Key, Value: s.Value, Place: facts.Place{File: file, Line: s.Line, Column: s.Column, EndColumn: s.EndColumn, Text: s.Text}}
			if joined().MatchString(l) {
				hold.Doubt = conditional
			}
			holds = append(holds, hold)
		}
		if len(holds) > 0 {
			m.Evidence = append(m.Evidence, facts.Place{File: script, Line: offset + number}.String())
		}
	}
	return holds
}

// executable is the text of a script that can be run.
func (f *finder) executable(file string) (string, bool) {
	text, mode, ok := f.readWithMode(file)
	return text, ok && mode&0o111 != 0
}

func (f *finder) rcLocal() (facts.Manager, bool) {
	m := facts.Manager{Name: "rc.local", Active: true, AtBoot: true, When: "at the end of each boot"}
	for _, file := range []string{"/etc/rc.local", "/etc/rc.d/rc.local"} {
		if text, ok := f.executable(file); ok && f.commands(&m, file, text, 0) {
			return m, true
		}
	}
	return m, false
}

// runParts are the names that run-parts(8) takes.
var runParts = pattern.Lazy(`^[A-Za-z0-9_-]+$`)

// interfaces finds what ifupdown runs (interfaces(5)).
func (f *finder) interfaces() (facts.Manager, bool) {
	m := facts.Manager{Name: "ifupdown", Active: true, AtBoot: true, When: "when an interface comes up"}
	files := append([]string{"/etc/network/interfaces"}, f.list("/etc/network/interfaces.d")...)
	found := false
	for _, file := range files {
		text, _ := f.read(file)
		number := 0
		for l := range strings.Lines(text) {
			number++
			option, command, _ := strings.Cut(strings.TrimSpace(l), " ")
			if slices.Contains([]string{"up", "post-up", "pre-up"}, option) && f.commands(&m, file, strings.TrimSpace(command), number-1) {
				found = true
			}
		}
	}
	for _, dir := range []string{"/etc/network/if-pre-up.d", "/etc/network/if-up.d"} {
		for _, file := range f.list(dir) {
			if text, ok := f.executable(file); ok && runParts().MatchString(path.Base(file)) && f.commands(&m, file, text, 0) {
				found = true
			}
		}
	}
	return m, found
}

// dispatchers finds what NetworkManager and networkd-dispatcher run
// (NetworkManager-dispatcher(8)).
func (f *finder) dispatchers() (facts.Manager, bool) {
	m := facts.Manager{Name: "network dispatcher scripts", Active: true, AtBoot: true, When: "when an interface changes"}
	found := false
	for _, dir := range []string{
		"/etc/NetworkManager/dispatcher.d", "/etc/NetworkManager/dispatcher.d/pre-up.d", "/usr/lib/NetworkManager/dispatcher.d",
		"/etc/networkd-dispatcher/routable.d", "/etc/networkd-dispatcher/configured.d", "/etc/networkd-dispatcher/carrier.d",
	} {
		for _, file := range f.list(dir) {
			if base := path.Base(file); base == "pre-up.d" || base == "pre-down.d" || base == "no-wait.d" {
				continue
			}
			if text, ok := f.executable(file); ok && f.commands(&m, file, text, 0) {
				found = true
			}
		}
	}
	return m, found
}

// cron finds jobs, at boot and at set times (crontab(5)).
func (f *finder) cron() (facts.Manager, bool) {
	m := facts.Manager{Name: "cron", Active: true, AtBoot: true, When: "at boot or at its set times"}
	found := false
	look := func(file string, withUser bool) {
		text, _ := f.read(file)
		number := 0
		for l := range strings.Lines(text) {
			number++
			l = strings.TrimSpace(l)
			if l == "" || l[0] == '#' {
				continue
			}
			fields := 5
			if l[0] == '@' {
				fields = 1
			}
			if withUser {
				fields++
			}
			for range fields {
				_, l, _ = strings.Cut(strings.TrimLeft(l, " \t"), " ")
			}
			if f.commands(&m, file, strings.TrimSpace(l), number-1) {
				found = true
			}
		}
	}
	for _, file := range append([]string{"/etc/crontab"}, f.list("/etc/cron.d")...) {
		look(file, true)
	}
	for _, dir := range []string{"/var/spool/cron/crontabs", "/var/spool/cron"} {
		for _, file := range f.list(dir) {
			if path.Base(file) != "crontabs" {
				look(file, false)
			}
		}
	}
	return m, found
}

// Assignments of a udev rule that write parameters (udev(7)).
var (
	udevRun    = pattern.Lazy(`RUN(?:\{program\})?\+?=\s*"([^"]*sysctl[^"]*)"`)
	udevSysctl = pattern.Lazy(`SYSCTL\{([^}]+)\}\+?=\s*"([^"=][^"]*|)"`)
)

// udev finds rules that write parameters when a device or a module appears,
// which may be before or after the loader runs.
func (f *finder) udev() (facts.Manager, bool) {
	m := facts.Manager{Name: "udev", Active: true, AtBoot: true, When: "when what the rule names appears"}
	found := false
	for _, file := range f.inForce(".rules", "/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d") {
		text, _ := f.read(file)
		if !strings.Contains(text, "sysctl") && !strings.Contains(text, "SYSCTL{") {
			continue
		}
		number := 0
		for l := range strings.Lines(text) {
			number++
			if strings.HasPrefix(strings.TrimSpace(l), "#") {
				continue
			}
			before := len(m.Sets)
			for _, command := range udevRun().FindAllStringSubmatch(l, -1) {
				found = f.commands(&m, file, command[1], number-1) || found
			}
			for _, set := range udevSysctl().FindAllStringSubmatch(l, -1) {
				if key, err := sysctl.ParseKey(set[1]); err == nil && concerned(key) {
					m.Sets = append(m.Sets, facts.Hold{Key: key, Value: sysctl.Value(set[2]), Place: facts.Place{File: file, Line: number, Text: strings.TrimSpace(l)}})
					m.Evidence, found = append(m.Evidence, facts.Place{File: file, Line: number}.String()), true
				}
			}
			for i := range m.Sets[before:] {
				m.Sets[before+i].Doubt = "it may come before the files of sysctl.d or after them"
			}
		}
	}
	return m, found
}

// units finds services that run sysctl and that systemd starts at boot.
func (f *finder) units() (facts.Manager, bool) {
	m := facts.Manager{Name: "systemd units", Active: true, AtBoot: true, When: "when they are started"}
	found := false
	for _, file := range f.inForce(".service", "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system") {
		text, ok := f.read(file)
		if !ok || !strings.Contains(text, "sysctl") {
			continue
		}
		base := path.Base(file)
		read, err := settings.Read(base, []byte(text))
		if err != nil || !slices.ContainsFunc(read.Settings, func(s settings.Setting) bool { return concerned(s.Key) }) {
			continue
		}
		link, enabled := f.enabled(strings.TrimSuffix(base, ".service"))
		if enabled {
			m.Evidence = append(m.Evidence, link)
		}
		for _, s := range read.Settings {
			if !concerned(s.Key) || strings.HasPrefix(s.At, "ExecStop") {
				continue
			}
			hold := facts.Hold{Key: s.Key, Value: s.Value, Container: s.Container,
				Place: facts.Place{File: file, Line: s.Line, Column: s.Column, EndColumn: s.EndColumn, Text: s.Text}}
			if !enabled {
				hold.Doubt = "nothing that was found starts the unit"
			}
			m.Sets = append(m.Sets, hold)
			m.Evidence, found = append(m.Evidence, hold.Place.String()), true
		}
	}
	return m, found
}

// cloudInit finds the commands that cloud-init runs at each boot; those of
// runcmd are run once (https://cloudinit.readthedocs.io, module bootcmd).
func (f *finder) cloudInit() (facts.Manager, bool) {
	m := facts.Manager{Name: "cloud-init", Active: true, AtBoot: true, When: "early at each boot"}
	found := false
	for _, file := range append([]string{"/etc/cloud/cloud.cfg", "/var/lib/cloud/instance/cloud-config.txt"}, f.list("/etc/cloud/cloud.cfg.d")...) {
		text, ok := f.read(file)
		if !ok || !strings.Contains(text, "sysctl") {
			continue
		}
		var config struct {
			BootCommands []yaml.Node `yaml:"bootcmd"`
		}
		if yaml.Unmarshal([]byte(text), &config) != nil {
			continue
		}
		for _, node := range config.BootCommands {
			command, words := node.Value, []string{}
			if node.Decode(&words) == nil && len(words) > 0 {
				for i, word := range words {
					words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
				}
				command = strings.Join(words, " ")
			}
			before := len(m.Sets)
			found = f.commands(&m, file, command, node.Line-1) || found
			for i := range m.Sets[before:] {
				m.Sets[before+i].Doubt = "it may come before the files of sysctl.d or after them"
			}
		}
	}
	return m, found
}

// networkd turns forwarding on for the whole host where its configuration says
// so (systemd.network(5), IPForward=; networkd.conf(5), IPv4Forwarding= and
// IPv6Forwarding=, from systemd 256 on).
func (f *finder) networkd() (facts.Manager, bool) {
	m := f.service("systemd-networkd", "systemd-networkd", "systemd-networkd", "when it starts or configures an interface")
	yes := []string{"1", "yes", "true", "on", "y", "t"}
	add := func(key sysctl.Key, e entry) {
		m.Sets = append(m.Sets, facts.Hold{Key: key, Value: "1", Place: e.place})
		m.Evidence = append(m.Evidence, e.place.String())
	}
	var files []string
	for _, dir := range []string{"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"} {
		for _, file := range f.list(dir) {
			if path.Ext(file) == ".network" {
				files = append(files, file)
			}
		}
	}
	for _, file := range append(files, "/etc/systemd/networkd.conf") {
		text, _ := f.read(file)
		for _, section := range sections(file, text, false) {
			for _, e := range section.entries {
				answer := strings.ToLower(e.value)
				isNetwork := section.name == "Network"
				both := e.name == "IPForward" && slices.Contains(yes, answer)
				global := path.Base(file) == "networkd.conf" && slices.Contains(yes, answer)
				if isNetwork && (both || e.name == "IPForward" && answer == "ipv4" || global && e.name == "IPv4Forwarding") {
					add("net.ipv4.ip_forward", e)
				}
				if isNetwork && (both || e.name == "IPForward" && answer == "ipv6" || global && e.name == "IPv6Forwarding") {
					add("net.ipv6.conf.all.forwarding", e)
				}
			}
		}
	}
	return m, m.Active && len(m.Sets) > 0
}
