package managers

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// A kubeConntrack is what kube-proxy's configuration says of connection
// tracking.
type kubeConntrack struct {
	MaxPerCore            *int64         `yaml:"maxPerCore"`
	Min                   *int64         `yaml:"min"`
	TCPEstablishedTimeout *time.Duration `yaml:"tcpEstablishedTimeout"`
	TCPCloseWaitTimeout   *time.Duration `yaml:"tcpCloseWaitTimeout"`
	TCPBeLiberal          bool           `yaml:"tcpBeLiberal"`
}

// kubeProxy finds what a running kube-proxy sets, from its configuration or its
// options, the former outranking the latter, and its defaults
// (kubernetes, pkg/proxy/conntrack/sysctls.go; the reference of kube-proxy).
func (f *finder) kubeProxy() (facts.Manager, bool) {
	m := f.service("kube-proxy", "kube-proxy", "kube-proxy", "when it starts")
	if len(f.processes["kube-proxy"]) == 0 {
		return m, false
	}
	m.AtBoot = true // a node's services come back with the node
	proc := fmt.Sprintf("/proc/%d", f.processes["kube-proxy"][0])
	commandLine, ok := f.read(proc + "/cmdline")
	if !ok {
		m.Also = "how it was started cannot be read, so that what it sets is not known"
		return m, true
	}
	options := map[string]string{}
	for _, argument := range strings.Split(strings.TrimRight(commandLine, "\x00"), "\x00") {
		if name, value, is := strings.Cut(strings.TrimLeft(argument, "-"), "="); is {
			options[name] = value
		} else {
			options[name] = "true"
		}
	}
	conntrack, place, why := f.kubeSettings(proc, options)
	if why != "" {
		m.Also = why
		return m, true
	}
	if place.File != "" {
		m.Evidence = append(m.Evidence, place.File)
	}
	m.Sets = conntrack.holds(f.cpus, place)
	return m, true
}

// kubeSettings reads the configuration, or else the options.
func (f *finder) kubeSettings(proc string, options map[string]string) (c kubeConntrack, place facts.Place, why string) {
	if file := options["config"]; file != "" {
		// The path is that of its container.
		inside := path.Join(proc, "root", file)
		text, ok := f.read(inside)
		var doc struct {
			Conntrack kubeConntrack                      `yaml:"conntrack"`
			Linux     struct{ Conntrack *kubeConntrack } `yaml:"linux"`
		}
		switch err := yaml.Unmarshal([]byte(text), &doc); {
		case !ok:
			return c, place, "its configuration " + quoted(file) + " cannot be read, so that what it sets is not known"
		case err != nil:
			return c, place, "its configuration " + quoted(file) + " is no YAML, so that what it sets is not known"
		case doc.Linux.Conntrack != nil:
			doc.Conntrack = *doc.Linux.Conntrack
		}
		return doc.Conntrack, facts.Place{File: inside}, ""
	}
	number := func(name string) *int64 {
		if n, err := strconv.ParseInt(options[name], 10, 64); err == nil {
			return &n
		}
		return nil
	}
	duration := func(name string) *time.Duration {
		if d, err := time.ParseDuration(options[name]); err == nil {
			return &d
		}
		return nil
	}
	return kubeConntrack{number("conntrack-max-per-core"), number("conntrack-min"), duration("conntrack-tcp-timeout-established"),
		duration("conntrack-tcp-timeout-close-wait"), options["conntrack-tcp-be-liberal"] == "true"}, place, ""
}

func (c kubeConntrack) holds(cpus int, place facts.Place) []facts.Hold {
	or := func(given *int64, otherwise int64) int64 {
		if given != nil {
			return *given
		}
		return otherwise
	}
	var holds []facts.Hold
	if perCore := or(c.MaxPerCore, 32768); perCore > 0 && cpus > 0 {
		const newerCap = 1 << 20
		hold := facts.Hold{Key: "net.netfilter.nf_conntrack_max", Bound: "at least", Place: place}
		most := max(perCore*int64(cpus), or(c.Min, 131072))
		hold.Value = sysctl.Value(strconv.FormatInt(most, 10))
		if most > newerCap {
			hold.Doubt = fmt.Sprintf("later releases set no more than %d", newerCap)
		}
		holds = append(holds, hold)
	}
	for _, timeout := range []struct {
		key       sysctl.Key
		given     *time.Duration
		otherwise time.Duration
	}{
		{"net.netfilter.nf_conntrack_tcp_timeout_established", c.TCPEstablishedTimeout, 24 * time.Hour},
		{"net.netfilter.nf_conntrack_tcp_timeout_close_wait", c.TCPCloseWaitTimeout, time.Hour},
	} {
		wanted := timeout.otherwise
		if timeout.given != nil {
			wanted = *timeout.given
		}
		if seconds := int64(wanted / time.Second); seconds > 0 {
			holds = append(holds, facts.Hold{Key: timeout.key, Value: sysctl.Value(strconv.FormatInt(seconds, 10)), Place: place,
				Doubt: "some releases raise it and never lower it"})
		}
	}
	if c.TCPBeLiberal {
		holds = append(holds, facts.Hold{Key: "net.netfilter.nf_conntrack_tcp_be_liberal", Value: "1", Place: place})
	}
	return holds
}

// docker turns forwarding on for its bridges unless it is told not to (dockerd,
// --ip-forward; moby, libnetwork/drivers/bridge/setup_ip_forwarding.go).
func (f *finder) docker() (facts.Manager, bool) {
	const config = "/etc/docker/daemon.json"
	m := f.service("Docker", "dockerd", "docker", "when it starts")
	if !m.Active {
		return m, false
	}
	var options struct {
		Forward *bool  `json:"ip-forward"`
		Bridge  string `json:"bridge"`
		Backend string `json:"firewall-backend"`
	}
	hold := facts.Hold{Key: "net.ipv4.ip_forward", Value: "1"}
	if text, ok := f.read(config); ok {
		if err := json.Unmarshal([]byte(text), &options); err != nil {
			m.Also = config + " is not JSON, so that what it sets is not known"
			return m, true
		}
		if options.Forward != nil {
			hold.Place = line(config, text, `"ip-forward"`)
		}
	}
	switch {
	case options.Forward != nil && !*options.Forward:
		return m, false
	case options.Bridge == "none":
		hold.Doubt = "only once a network with a bridge is made"
	case options.Backend == "nftables":
		hold.Doubt = "with nftables it leaves this to the administrator"
	}
	m.Sets = []facts.Hold{hold}
	return m, true
}

// cni finds the parameters that the plug-in "tuning" sets in the network
// namespace of each container (https://www.cni.dev/plugins/current/meta/tuning/).
func (f *finder) cni() (facts.Manager, bool) {
	m := facts.Manager{Name: "CNI's plug-in tuning", When: "for each container that it connects"}
	for _, file := range f.list("/etc/cni/net.d") {
		if !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(file)) {
			continue
		}
		type plugin struct {
			Type   string            `json:"type"`
			Sysctl map[string]string `json:"sysctl"`
		}
		var network struct {
			plugin
			Plugins []plugin `json:"plugins"`
		}
		text, ok := f.read(file)
		if !ok || json.Unmarshal([]byte(text), &network) != nil {
			continue
		}
		for _, p := range append(network.Plugins, network.plugin) {
			var names []string
			for name := range p.Sysctl {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				key, err := sysctl.ParseKey(name)
				if p.Type != "tuning" || err != nil || !concerned(key) {
					continue
				}
				place := line(file, text, strconv.Quote(name))
				m.Sets = append(m.Sets, facts.Hold{Key: key, Value: sysctl.Value(p.Sysctl[name]), Container: true, Place: place})
				m.Evidence = append(m.Evidence, place.String())
			}
		}
	}
	m.Active = len(m.Sets) > 0
	return m, m.Active
}
