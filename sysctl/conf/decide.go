package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// A slot is what a loader keeps of a line until it writes: a name and a value.
type slot struct {
	name  string // the loader's spelling of the key's path
	lines []Line // more than one where systemd-sysctl meets the same assignment again
	by    *slot  // took its place
}

func (s *slot) last() *Line { return &s.lines[len(s.lines)-1] }

// successor is what stands at the end of those that took its place.
func (s *slot) successor() *slot {
	for s.by != nil {
		s = s.by
	}
	return s
}

// A queue holds what a loader has read and not yet written.
type queue struct {
	loader Loader
	slots  []*slot // in the order in which they are written, with those that lost their place
	named  map[string]*slot
}

// add takes in a line. systemd-sysctl keeps one value of a name, and writes it
// where it was last changed: to say the same again moves nothing. procps keeps
// every line.
func (q *queue) add(l Line, name string) {
	fresh := &slot{name: name, lines: []Line{l}}
	old := q.named[name]
	switch {
	case old == nil:
		q.named[name] = fresh
	case q.loader != Systemd && old.lines[0].Exclusion: // people are told of the line that sets the key
		q.named[name] = fresh
	case q.loader != Systemd:
	case old.lines[0].Value == l.Value && old.lines[0].Exclusion == l.Exclusion:
		old.lines = append(old.lines, l)
		return
	default:
		old.by, q.named[name] = fresh, fresh
	}
	q.slots = append(q.slots, fresh)
}

// A claim is a slot's on one key.
type claim struct {
	*slot
	pattern sysctl.Key
	barrier *slot // names the key itself, and so keeps the glob from it
}

// decide says of every key which line holds, and why the others do not.
func (s System) decide(r *Resolution, q *queue) {
	match := s.matches()
	claims := map[sysctl.Key][]claim{}
	for _, slot := range q.slots {
		first := slot.lines[0]
		if !first.Key.IsPattern() {
			if !first.Exclusion {
				claims[first.Key] = append(claims[first.Key], claim{slot: slot})
			}
			continue
		}
		var keys []sysctl.Key
		if !first.Exclusion { // an exclusion is compared with names as it stands
			keys = match(first.Key)
		}
		if len(keys) == 0 {
			r.Unmatched = append(r.Unmatched, slot.lines...)
		}
		for _, key := range keys {
			claims[key] = append(claims[key], claim{slot, first.Key, q.named[spell(key, slot.name)]})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		r.Settings = append(r.Settings, settle(key, claims[key], s.Loader))
	}
}

// matches is what globs match, asked once for each.
func (s System) matches() func(pattern sysctl.Key) []sysctl.Key {
	keys := s.Keys
	known := map[sysctl.Key][]sysctl.Key{}
	return func(pattern sysctl.Key) []sysctl.Key {
		if found, ok := known[pattern]; ok {
			return found
		}
		if keys == nil {
			keys = KeysOf(keysBelow(sysctl.DefaultRoot))
		}
		alternatives := []string{pattern.Path()}
		if s.Loader == Systemd {
			alternatives = braces(alternatives[0])
		}
		var found []sysctl.Key
		for _, path := range alternatives {
			found = append(found, keys(sysctl.Key(sysctl.Key(path).Path()))...)
		}
		slices.Sort(found)
		known[pattern] = slices.Compact(found)
		return known[pattern]
	}
}

// spell is the path of a key in the spelling in which a pattern finds it: glob(3)
// hands repeated slashes on.
func spell(key sysctl.Key, pattern string) string {
	if !strings.Contains("/"+pattern, "//") && !strings.Contains("/"+pattern+"/", "/./") {
		return key.Path()
	}
	elements := strings.Split(pattern, "/")
	names := strings.Split(key.Path(), "/")
	for i, element := range elements {
		if element != "" && element != "." && len(names) > 0 {
			elements[i], names = names[0], names[1:]
		}
	}
	return strings.Join(elements, "/")
}

// settle orders the claims on a key, and says of each but the last why it loses.
func settle(key sysctl.Key, claims []claim, loader Loader) Setting {
	var winner *slot
	for _, c := range claims {
		if c.by == nil && c.barrier == nil {
			winner = c.slot
		}
	}
	var unwritten, written []Definition
	for _, c := range claims {
		for i := range c.lines {
			d := Definition{Line: c.lines[i], Pattern: c.pattern}
			switch {
			case c.by != nil:
				d.By = c.successor().last()
				d.Loses = at(d.By) + " sets it later"
				if d.By.Exclusion {
					d.Loses = fmt.Sprintf("%s takes it back: a later exclusion takes the place of an assignment in %s", at(d.By), loader)
				}
			case c.barrier != nil:
				d.By = c.barrier.last()
				d.Loses = at(d.By) + " names the key itself, which outranks a glob"
				if d.By.Exclusion {
					d.Loses = at(d.By) + " excludes the key from globs"
				}
			case i < len(c.lines)-1:
				d.By = c.last()
				d.Loses = at(d.By) + " says the same again"
			case c.slot != winner:
				d.By, d.Written = winner.last(), true
				d.Loses = at(d.By) + " sets it later"
				if i > 0 {
					d.Loses = fmt.Sprintf("it repeats %s and so takes effect there, ahead of %s", at(&c.lines[0]), at(d.By))
				}
			default:
				d.Written = true
			}
			if d.Written {
				written = append(written, d)
			} else {
				unwritten = append(unwritten, d)
			}
		}
	}
	return Setting{Key: key, Definitions: append(unwritten, written...)}
}

// at is a line's place as people write it.
func at(l *Line) string {
	if l.Number == 0 {
		return l.File
	}
	return fmt.Sprintf("%s:%d", l.File, l.Number)
}
