package sysctl

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notLoaded tells the parameters whose module a capture's kernel lacked.
func notLoaded(t *testing.T, c capture, p Param, kernel string) bool {
	switch p.Module {
	case "ipv6":
		_, there := c.row(t, string(p.Key)).cells[kernel]
		return !there && release(t, kernel).Suffix == "" // user-mode Linux without IPv6
	case "nf_conntrack_ipv4":
		return true // built into none of them
	}
	return false
}

func TestPresenceOnRealKernels(t *testing.T) {
	for _, name := range []string{"defaults.tsv", "conntrack.tsv"} {
		c := readCapture(t, name)
		used := map[Key]bool{}
		for _, row := range c.rows {
			if row.name == "MemTotal" {
				continue
			}
			p := lookup(t, Key(row.name))
			for _, kernel := range c.columns {
				r := release(t, kernel)
				_, there := row.cells[kernel]
				if there == p.presentByNumber(r) || !there && notLoaded(t, c, p, kernel) {
					continue
				}
				if backported(t, p.Key, r) {
					used[p.Key] = true
					continue
				}
				t.Errorf("%s on %s: file there: %v, by the catalogue: %v", p.Key, kernel, there, !there)
			}
		}
		for key := range backports {
			if name == "defaults.tsv" && !used[key] {
				t.Errorf("%s is listed as taken over by older kernels and none captured shows it", key)
			}
		}
	}
}

func TestLegacyNamesAreGone(t *testing.T) {
	c := readCapture(t, "conntrack.tsv")
	for _, row := range c.rows {
		if !strings.HasPrefix(row.name, "net.ipv4.") {
			continue
		}
		p := lookup(t, Key(row.name))
		for _, kernel := range c.columns {
			if r := release(t, kernel); !r.Before(linux(4, 9)) {
				if cause, why := p.WhyAbsent(r, false); cause != Removed || !strings.Contains(why, "nf_conntrack_") {
					t.Errorf("%s on %s is absent: %s, %q; want the name to use now", p.Key, kernel, cause, why)
				}
			}
		}
	}
}

func TestPresenceInNewNamespacesOfRealKernels(t *testing.T) {
	for _, name := range []string{"modes-newnetns.tsv", "conntrack-modes-newnetns.tsv"} {
		c := readCapture(t, name)
		for _, row := range c.rows {
			p := lookup(t, Key(row.name))
			for _, kernel := range c.columns {
				r := release(t, kernel)
				if backported(t, p.Key, r) || notLoaded(t, c, p, kernel) {
					continue
				}
				mode, there := row.cells[kernel]
				if want := p.presentByNumber(r) && p.ShownInChild(r); there != want {
					t.Errorf("%s in a new namespace of %s: file there: %v, by the catalogue: %v", p.Key, kernel, there, want)
				}
				if want := p.IsNamespaced(r) && !p.ReadOnly; there && (mode == "0644") != want {
					t.Errorf("%s in a new namespace of %s has mode %s; writable by the catalogue: %v", p.Key, kernel, mode, want)
				}
			}
		}
	}
}

// unlike lists where a captured kernel does not have the default of its release
// number, and why.
var unlike = map[string]map[Key]string{
	"5.10.46": { // user-mode Linux sees less memory than it sized its hash for
		"net.ipv4.tcp_max_orphans":    "user-mode Linux",
		"net.ipv4.tcp_max_tw_buckets": "user-mode Linux",
	},
	"6.1.176": {
		"net.ipv4.tcp_max_orphans":    "user-mode Linux",
		"net.ipv4.tcp_max_tw_buckets": "user-mode Linux",
		"net.ipv4.tcp_ehash_entries":  "user-mode Linux",
	},
}

// noDefault is the parameters whose default cannot be told.
var noDefault = map[Key]bool{
	"net.ipv4.tcp_mem":                 true, // by the memory free at boot
	"net.ipv4.tcp_congestion_control":  true, // by the distributor
	"net.netfilter.nf_conntrack_count": true, // is no setting
}

func TestDefaultsOfRealKernels(t *testing.T) {
	for _, name := range []string{"defaults.tsv", "conntrack.tsv"} {
		c := readCapture(t, name)
		memory := c.row(t, "MemTotal")
		for _, row := range c.rows {
			if row.name == "MemTotal" {
				continue
			}
			p := lookup(t, Key(row.name))
			for _, kernel := range c.columns {
				captured, there := row.cells[kernel]
				r := release(t, kernel)
				if !there || backported(t, p.Key, r) {
					continue
				}
				kib, err := strconv.ParseInt(memory.cells[kernel], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				v, known := p.Default(Host{Release: r, MemoryKiB: kib, PageSize: 4096})
				if doubted := p.defaults(r); len(doubted) > 1 {
					if !slices.ContainsFunc(doubted, func(d Default) bool { return p.Type.Equal(valueOf(d, kib, r), Value(captured)) }) {
						t.Errorf("%s on %s: the default is %s, captured %q", p.Key, kernel, p.DefaultText(Host{Release: r}), captured)
					}
					if known {
						t.Errorf("%s on %s: the default passes for known: %q", p.Key, kernel, v)
					}
					continue
				}
				if known == noDefault[p.Key] {
					// From 6.16 on the cap of tcp_rmem is out of reach of 1 GiB.
					if p.Key == "net.ipv4.tcp_rmem" && !known && !r.Before(linux(6, 16)) && kib < 1<<20 {
						continue
					}
					t.Errorf("%s on %s: default known: %v (%q)", p.Key, kernel, known, v)
				}
				why, excused := unlike[kernel][p.Key]
				if equal := p.Type.Equal(v, Value(captured)); known && equal == excused {
					t.Errorf("%s on %s: default %q, captured %q (listed as unlike: %q)", p.Key, kernel, v, captured, why)
				}
			}
		}
	}
}

// valueOf is a default on a host of some memory.
func valueOf(d Default, kib int64, r Release) Value {
	if d.Rule == nil {
		return d.Value
	}
	return d.Rule.Compute(Host{Release: r, MemoryKiB: kib, PageSize: 4096})
}

// Long-term kernels take over defaults; from where on, a number does not tell, and
// the one in the name of a distributor's kernel tells even less.
func TestDefaultThatALongTermKernelMayHaveTakenOverIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		key, kernel, want string // "" if it is not known
	}{
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "4.12", "3600"},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "4.19.108-lab", "3600"},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "4.18.20", "3600"},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "4.18.0-553.el8_10.x86_64", ""},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.10", "3600"},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.10.46", "3600"},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.10.54", ""},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.10.0-46-cloud-amd64", ""},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.4.0-150-generic", ""},
		{"net.ipv4.tcp_fastopen_blackhole_timeout_sec", "5.14", "0"},
		{"net.ipv4.tcp_challenge_ack_limit", "3.10.0-1160.el7.x86_64", ""},
		{"net.ipv4.tcp_challenge_ack_limit", "4.6.7", ""},
		{"net.ipv4.tcp_challenge_ack_limit", "4.7", "1000"},
	} {
		p := lookup(t, Key(c.key))
		v, known := p.Default(Host{Release: release(t, c.kernel)})
		if string(v) != c.want || known != (c.want != "") {
			t.Errorf("%s of Linux %s = %q, %v; want %q", c.key, c.kernel, v, known, c.want)
		}
		if text := p.DefaultText(Host{Release: release(t, c.kernel)}); c.want == "" && !strings.Contains(text, " or ") || c.want != "" && text != c.want {
			t.Errorf("%s of Linux %s is said to be %q", c.key, c.kernel, text)
		}
	}
}

// A new namespace starts from the kernel's defaults, not from the host's values.
func TestDefaultsInNewNamespacesOfRealKernels(t *testing.T) {
	c := readCapture(t, "defaults-newnetns.tsv")
	memory := readCapture(t, "defaults.tsv").row(t, "MemTotal")
	checked := 0
	for _, row := range c.rows {
		p := lookup(t, Key(row.name))
		for _, kernel := range c.columns {
			captured, there := row.cells[kernel]
			r := release(t, kernel)
			_, excused := unlike[kernel][p.Key]
			if !there || excused || backported(t, p.Key, r) {
				continue
			}
			kib, err := strconv.ParseInt(memory.cells[kernel], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			v, known := p.Default(Host{Release: r, MemoryKiB: kib, PageSize: 4096})
			if p.Key == "net.ipv4.tcp_ehash_entries" {
				v = "-" + v // the host's table, shared
			}
			if !known {
				continue
			}
			checked++
			if !p.Type.Equal(v, Value(captured)) {
				t.Errorf("%s in a new namespace of %s: default %q, captured %q", p.Key, kernel, v, captured)
			}
		}
	}
	if checked < 400 {
		t.Errorf("only %d values were compared", checked)
	}
}

func TestSizesFollowMemory(t *testing.T) {
	c := readCapture(t, "memory.tsv")
	for _, row := range c.rows {
		kib, err := strconv.ParseInt(row.cells["mem_total_kib"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		h := Host{Release: release(t, row.name), MemoryKiB: kib, PageSize: 4096}
		for _, parameter := range []string{"tcp_max_orphans", "tcp_max_tw_buckets", "tcp_max_syn_backlog"} {
			v, known := lookup(t, Key("net.ipv4."+parameter)).Default(h)
			if want := row.cells[parameter]; !known || string(v) != want {
				t.Errorf("%s of Linux %s with %s MiB = %q, %v; captured %s", parameter, row.name, row.cells["ram_mib"], v, known, want)
			}
		}
		// Not computed for every host, but never wrong.
		for _, parameter := range []string{"tcp_rmem", "tcp_wmem"} {
			v, known := lookup(t, Key("net.ipv4."+parameter)).Default(h)
			if want := row.cells[parameter]; known && string(v) != want {
				t.Errorf("%s of Linux %s with %s MiB = %q; captured %s", parameter, row.name, row.cells["ram_mib"], v, want)
			} else if !known && kib > 8<<20 {
				t.Errorf("%s of Linux %s with %s MiB is not known", parameter, row.name, row.cells["ram_mib"])
			}
		}
	}
}

func TestSizesFollowTheHashWhereItIsKnown(t *testing.T) {
	c := readCapture(t, "defaults.tsv")
	const kernel = "6.1.176" // whose hash is twice what its memory says
	buckets, err := strconv.ParseInt(c.row(t, "net.ipv4.tcp_ehash_entries").cells[kernel], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	h := Host{Release: release(t, kernel), MemoryKiB: 1 << 20, EhashBuckets: buckets}
	for _, key := range []Key{"net.ipv4.tcp_max_orphans", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_syn_backlog"} {
		v, _ := lookup(t, key).Default(h)
		if want := c.row(t, string(key)).cells[kernel]; string(v) != want {
			t.Errorf("%s with %d buckets = %s; captured %s", key, buckets, v, want)
		}
	}
	if v, known := lookup(t, "net.ipv4.tcp_max_tw_buckets").Default(Host{Release: release(t, kernel)}); known {
		t.Errorf("tcp_max_tw_buckets of a host of unknown size = %s", v)
	}
}

// written is one write of testdata/writes.tsv on one kernel.
type written struct {
	key    Key
	text   Value
	kernel string
	kept   bool // taken, and read back as written
	result string
}

func readWrites(t *testing.T) []written {
	t.Helper()
	c := readCapture(t, "writes.tsv")
	var writes []written
	for _, row := range c.rows {
		p := lookup(t, Key(row.name))
		text := ""
		if quoted := row.cells["written"]; quoted != "" {
			var err error
			if text, err = strconv.Unquote(quoted); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
		}
		for _, kernel := range c.columns[1:] {
			result, there := row.cells[kernel]
			if !there {
				continue
			}
			w := written{key: p.Key, text: Value(text), kernel: kernel, result: result}
			if back, taken := strings.CutPrefix(result, "ok "); taken {
				value, err := strconv.Unquote(back)
				if err != nil {
					t.Fatalf("%s: %v", row.name, err)
				}
				w.kept = p.Type.Equal(Value(value), w.text)
			}
			writes = append(writes, w)
		}
	}
	return writes
}

func TestAcceptedRangesAgainstRealWrites(t *testing.T) {
	checked := 0
	for _, w := range readWrites(t) {
		p := lookup(t, w.key)
		numbers, err := w.text.Ints()
		// A range of ports depends on another parameter besides.
		plain := p.Type == Number && len(numbers) == 1 || p.Type == Vector && len(numbers) == p.Fields && p.Unit == Bytes
		accepted, known := p.Accepted(release(t, w.kernel))
		if err != nil || !plain || !known {
			continue
		}
		checked++
		want := true
		for _, n := range numbers {
			want = want && accepted.Contains(n)
		}
		if w.kernel == "5.10.0-46-cloud-amd64" && w.text == "256" {
			// 5.10.262 has the one-byte numbers of 5.13.
			if w.kept {
				t.Errorf("%s = 256 is kept by %s, which is listed as an exception", w.key, w.kernel)
			}
			continue
		}
		if w.kept != want {
			t.Errorf("%s = %q on %s: %s; the catalogue says %v", w.key, w.text, w.kernel, w.result, accepted)
		}
	}
	if checked < 500 {
		t.Errorf("only %d writes were compared", checked)
	}
}

// What tcptune lets pass, every kernel takes and keeps.
func TestSaneValuesAreKeptByRealKernels(t *testing.T) {
	checked := 0
	for _, w := range readWrites(t) {
		p := lookup(t, w.key)
		if p.Type == Word || p.CheckSane(w.text) != nil {
			continue // a kernel need not have a congestion control
		}
		checked++
		if !w.kept {
			t.Errorf("%s = %q makes sense to tcptune, and %s answers: %s", w.key, w.text, w.kernel, w.result)
		}
	}
	if checked < 300 {
		t.Errorf("only %d writes were compared", checked)
	}
}
