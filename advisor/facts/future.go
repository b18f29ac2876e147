package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// A Future is what becomes of one parameter at the next boot or, in a network
// namespace that is not the host's first, in a new one.
type Future struct {
	Key     sysctl.Key   `json:"key"`
	Running sysctl.Value `json:"running"`
	// Next is the value after the next boot; nil if Doubt says why it is not known.
	Next *sysctl.Value `json:"next,omitempty"`
	// From tells what gives it: a file and line, a manager, the kernel's default.
	From  string `json:"from"`
	Doubt string `json:"doubt,omitempty"`
	// Default is what the kernel gives the parameter on this host; nil if that is
	// not known.
	Default *sysctl.Value `json:"default,omitempty"`
	Drift   Drift         `json:"drift,omitempty"`

	place Place // the line that gives Next, or the parameter's own file
}

// Drift is how a running value comes off at the next boot; "" if it stays, or if
// it is not known what happens.
type Drift string

const (
	// Lost: it was set at run time, and nothing at boot sets it.
	Lost Drift = "lost"
	// Changes: a file or a manager sets another one.
	Changes Drift = "changes"
)

// KernelDefault is where a value comes from that nothing sets.
const KernelDefault = "the kernel's default"

// Futures tell for each parameter that the host shows, and that somebody can
// set, what it is now and after the next boot, sorted by key. Values that are
// only planned have none.
func (s *Snapshot) Futures() []Future {
	outcomes := s.outcomes()
	var all []Future
	for _, p := range sysctl.Catalogue() {
		reading, read := s.Sysctls[p.Key]
		if !read || reading.Absent != "" || reading.origin != "" || p.ReadOnly {
			continue
		}
		f := Future{Key: p.Key, Running: reading.Value, place: Place{File: sysctl.DefaultRoot + "/" + p.Key.Path()}}
		if value, known := p.Default(s.SizingHost()); known {
			f.Default = &value
		}
		if s.Namespace.Initial {
			f.settle(p, outcomes[canonical(p.Key)])
			f.judge(s, p)
		} else {
			f.inNewNamespace(s, p)
		}
		all = append(all, f)
	}
	return all
}

// inNewNamespace is for a network namespace that is not the host's first: no
// loader applies files to it, and it ends at the latest when the host does.
func (f *Future) inNewNamespace(s *Snapshot, p sysctl.Param) {
	switch {
	case !p.IsNamespaced(s.Kernel):
		f.Doubt = "it belongs to the whole host"
	case slices.Contains(inherited, p.Key) && !s.Kernel.Before(sysctl.Release{Major: 4, Minor: 15}):
		f.Doubt = "a new namespace takes it from the host's first"
	case f.Default == nil:
		f.Doubt = unknownDefault
	case !p.Type.Equal(f.Running, *f.Default) && s.mayBeDefault(p, f.Running):
		f.doubtDefault()
	default:
		f.Next, f.From = f.Default, KernelDefault
	}
}

// inherited: net/ipv4/tcp_ipv4.c, tcp_sk_init.
var inherited = []sysctl.Key{"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_congestion_control"}

const unknownDefault = "the kernel's default on this host is not known"

// doubtDefault takes back a default that was computed: the running value may be
// the kernel's own.
func (f *Future) doubtDefault() {
	f.Doubt = fmt.Sprintf("%s: %s, or what it is now", unknownDefault, plain(*f.Default))
	f.Next, f.From, f.Default = nil, "", nil
}

// An outcome is one value that a parameter may have after boot.
type outcome struct {
	value sysctl.Value
	doubt string // why the value, or whether it is written, is not known
	from  string
	place Place
}

// settle makes one of the outcomes there may be.
func (f *Future) settle(p sysctl.Param, outcomes []outcome) {
	last := outcomes[len(outcomes)-1]
	if !slices.ContainsFunc(outcomes, func(o outcome) bool { return o.doubt != "" || !p.Type.Equal(o.value, last.value) }) {
		f.Next, f.From = &last.value, last.from
		if last.place.File != "" {
			f.place = last.place
		}
		return
	}
	var froms, texts []string
	for _, o := range outcomes {
		if o.from != KernelDefault && !slices.Contains(froms, o.from) {
			froms = append(froms, o.from)
		}
		if text := o.String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	f.From, f.Doubt = strings.Join(froms, ", "), strings.Join(texts, ", or ")
}

func (o outcome) String() string {
	switch {
	case o.doubt == "":
		return plain(o.value) + " by " + o.from
	case o.value != "":
		return fmt.Sprintf("%s by %s (%s)", plain(o.value), o.from, o.doubt)
	case o.from == KernelDefault:
		return o.doubt
	}
	return o.from + ": " + o.doubt
}

// judge says how the running value comes off.
func (f *Future) judge(s *Snapshot, p sysctl.Param) {
	if f.Next == nil || p.Type.Equal(f.Running, *f.Next) || roundedUp(p.Key, *f.Next, f.Running) {
		return
	}
	switch {
	case f.From != KernelDefault:
		f.Drift = Changes
	case s.mayBeDefault(p, f.Running):
		f.doubtDefault()
	default:
		f.Drift = Lost
	}
}

// mayBeDefault reports whether a value that differs from the default that was
// computed may still be the kernel's own: the computation rests on an estimate,
// or a vendor may have taken it over from another release.
func (s *Snapshot) mayBeDefault(p sysctl.Param, running sysctl.Value) bool {
	host := s.SizingHost()
	literal, _ := p.Default(sysctl.Host{Release: s.Kernel})
	computed, _ := p.Default(host)
	if literal == computed && s.Kernel.Vendor() == "" {
		return false
	}
	if literal != computed && (p.Module != "" || host.EhashBuckets == 0 && p.Unit == sysctl.Count) {
		return true // sized by a module's parameter, or by a hash of unknown size
	}
	return slices.ContainsFunc(p.Defaults, func(d sysctl.Default) bool {
		value := d.Value
		if d.Rule != nil && d.Rule.Compute != nil {
			value = d.Rule.Compute(host)
		}
		return p.Type.Equal(value, running)
	})
}

// roundedUp reports whether the kernel makes the running value of the one that
// is written: nf_conntrack_buckets fills pages, and tcp_invalid_ratelimit is
// kept in ticks of at most 10 ms.
func roundedUp(key sysctl.Key, written, running sysctl.Value) bool {
	const bucketsOfLargestPage = 65536 / 8
	slack := map[sysctl.Key]int64{"net.netfilter.nf_conntrack_buckets": bucketsOfLargestPage, "net.ipv4.tcp_invalid_ratelimit": 10}[key]
	from, errFrom := written.Ints()
	to, errTo := running.Ints()
	return errFrom == nil && errTo == nil && len(from) == 1 && len(to) == 1 && from[0] <= to[0] && to[0] < from[0]+slack
}

// forwarding is what container engines, virtual networks and routing programs
// turn on when they need it, and which of them do is not known.
var forwarding = []sysctl.Key{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"}

// outcomes are the values that each parameter may have after boot, by its
// canonical name: first the kernel's default, then what lines of files make of
// it in their order, then managers. What is not certain to happen adds a value,
// what is replaces those before.
func (s *Snapshot) outcomes() map[sysctl.Key][]outcome {
	all := map[sysctl.Key][]outcome{}
	host := s.SizingHost()
	for _, p := range sysctl.Catalogue() {
		o := outcome{from: KernelDefault}
		if value, known := p.Default(host); known {
			o.value = value
		} else {
			o.doubt = unknownDefault
		}
		all[p.Key] = []outcome{o}
		if slices.Contains(forwarding, p.Key) {
			all[p.Key] = append(all[p.Key], outcome{from: KernelDefault, doubt: "programs that forward packets turn it on"})
		}
	}
	last := map[sysctl.Key]sysctl.Value{}
	read := s.before(last)
	for _, a := range s.Asked {
		if a.Malformed != "" || a.Container || a.Loses != "" && !s.writtenInTurn(a) {
			continue
		}
		p, known := sysctl.Lookup(a.Key)
		if !known || p.ReadOnly {
			continue
		}
		predicted := p.Predict(s.Kernel, a.Value, read)
		if predicted.Refused != "" {
			continue
		}
		o := outcome{value: predicted.Kept, from: a.Place().String(), place: a.Place()}
		if predicted.Kept == "" && p.Type != sysctl.PortSet {
			o.doubt = cmp.Or(predicted.Swallowed, "what the kernel keeps of it is not known")
		}
		last[a.Key] = o.value
		if key := canonical(a.Key); s.certainlyApplied(a, p) {
			all[key] = []outcome{o}
		} else {
			all[key] = append(all[key], o)
		}
	}
	for _, p := range sysctl.Catalogue() {
		if canonical(p.Key) == p.Key {
			all[p.Key] = s.managed(p, all[p.Key])
		}
	}
	return all
}

// writtenInTurn reports whether a line that another outranks is written all the
// same, before that other: so does procps with two lines on one parameter, other
// than patterns, and the kernel with its own command line.
func (s *Snapshot) writtenInTurn(a Assignment) bool {
	return a.File == conf.CommandLine || s.Boot != nil && s.Boot.Loader == string(conf.Procps) && !sysctl.Key(a.writtenName()).IsPattern()
}

// certainlyApplied reports whether a line is sure to reach a parameter: it is
// known which loader runs, and the parameter is there when it does. Modules are
// mostly loaded later.
func (s *Snapshot) certainlyApplied(a Assignment, p sysctl.Param) bool {
	return p.Module == "" && (a.File == conf.CommandLine || s.Boot != nil && s.Boot.Loader != "")
}

// managed adds what managers that act after each boot make of a parameter. The
// order among them is not known.
func (s *Snapshot) managed(p sysctl.Param, loaded []outcome) []outcome {
	var all []outcome
	for _, m := range s.Managers {
		if !m.AtBoot {
			continue
		}
		outcomes, acts := loaded, false
		for _, hold := range m.Sets {
			if canonical(hold.Key) == p.Key && !hold.Container {
				outcomes, acts = s.held(p, outcomes, hold, m), true
			}
		}
		if acts {
			all = append(all, outcomes...)
		}
	}
	if all == nil {
		return loaded
	}
	return all
}

// held are the outcomes once a manager has acted on each.
func (s *Snapshot) held(p sysctl.Param, outcomes []outcome, hold Hold, m Manager) []outcome {
	var after []outcome
	for _, before := range outcomes {
		if hold.Place.Line != 0 && hold.Place.Same(before.place) {
			after = append(after, before) // the loader's own line, once more
			continue
		}
		by := outcome{value: hold.Value, doubt: hold.Doubt, from: hold.By(m), place: hold.Place}
		value, known := hold.Over(before.value)
		if hold.Bound != "" && (before.doubt != "" || !known) {
			by.doubt = cmp.Or(by.doubt, "if that is needed to have "+hold.Bound+" that")
		}
		if by.doubt != "" {
			after = append(after, before, by)
			continue
		}
		predicted := p.Predict(s.Kernel, value, s.before(map[sysctl.Key]sysctl.Value{p.Key: before.value}))
		if by.value = predicted.Kept; predicted.Refused != "" || hold.Bound != "" && p.Type.Equal(value, before.value) {
			by = before
		}
		after = append(after, by)
	}
	return after
}

// noDrift says why nothing can be said of drift at all, if so.
func (s *Snapshot) noDrift() (why Gap, none bool) {
	switch {
	case !s.Namespace.Initial:
		return Gap{sysctl.NotAsked, "files are applied to the host's first network namespace only"}, true
	case s.Managers == nil:
		return Gap{sysctl.NotMeasured, "the snapshot does not tell which other programs set parameters"}, true
	}
	return Gap{}, false
}

// drifts are the facts of each future.
func (s *Snapshot) drifts(host Facts) []Subject {
	if _, none := s.noDrift(); none {
		return nil
	}
	var all []Subject
	for _, f := range s.Futures() {
		if _, incomplete := s.Gaps[PartFiles]; incomplete && f.Drift == Lost {
			continue // a file that could not be read may set it
		}
		values := map[Name]any{
			"drift.key": string(f.Key), "drift.running": plain(f.Running),
			"drift.lost": f.Drift == Lost, "drift.changes": f.Drift == Changes,
		}
		if f.Next != nil {
			values["drift.next_boot"], values["drift.next_boot_from"] = plain(*f.Next), f.From
		}
		if f.Default != nil {
			values["drift.default"] = plain(*f.Default)
		}
		all = append(all, NewSubject("drift", f.place, values, host))
	}
	return all
}

// plain is a value for a sentence.
func plain(v sysctl.Value) string {
	if text := strings.Join(v.Fields(), " "); text != "" {
		return text
	}
	return "empty"
}
