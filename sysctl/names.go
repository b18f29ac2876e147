package sysctl

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
)

//go:embed names.txt
var namesText string

// listed are the names in names.txt and, for those that are gone, a release that
// no longer had them; the catalogue knows more of its own.
var listed = sync.OnceValue(func() map[Key]Release {
	gone := map[Key]Release{}
	for line := range strings.Lines(namesText) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] != "#" {
			gone[Key(fields[0])], _ = ParseRelease(strings.Join(fields[1:], ""))
		}
	}
	return gone
})

// Names are the parameters that kernels are known to have had, sorted: the
// catalogue's, which tcptune knows all about, and others that it knows by name.
var Names = sync.OnceValue(func() []Key {
	keys := slices.Collect(maps.Keys(listed()))
	for _, p := range Catalogue() {
		keys = append(keys, p.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
})

// GoneBy is a release that no longer had a parameter which is not in the
// catalogue; zero if none is known. It may have gone earlier.
func GoneBy(k Key) Release { return listed()[k] }

// complete are the families of names of which the list holds all that mainline
// kernels have; in others a name that is not listed may come with a module.
var complete = []string{"net.ipv4.tcp_", "net.ipv6.tcp_", "net.ipv4.ip_local_", "net.netfilter.nf_conntrack_tcp_"}

// Exists reports whether a mainline kernel has, or ever had, a parameter of that
// name. known is false where that cannot be told: tcptune knows the TCP family
// whole, and otherwise only names that look like a slip of the pen for a known
// one, which nearest then gives. nearest is "" if there is none.
func Exists(k Key) (exists, known bool, nearest Key) {
	if _, found := slices.BinarySearch(Names(), k); found {
		return true, true, ""
	}
	if !strings.HasPrefix(string(k), "net.") {
		return false, false, "" // another's: sunrpc.tcp_fin_timeout comes with NFS
	}
	nearest = nearestName(k)
	whole := slices.ContainsFunc(complete, func(prefix string) bool { return strings.HasPrefix(string(k), prefix) })
	return false, whole || nearest != "", nearest
}

// nearestName finds the name meant: the same behind something too much, the same
// last element somewhere else in the tree, or next to the same spelling.
func nearestName(k Key) Key {
	leaf := lastElement(k)
	best, least := Key(""), 3 // a slip of one or two letters
	if len(leaf) < 8 {
		least = 2
	}
	for _, name := range Names() {
		if strings.HasSuffix(string(k), "."+string(name)) || lastElement(name) == leaf && strings.Count(string(k), ".") <= 2 {
			return name
		}
		if d := len(name) - len(k); d < least && -d < least {
			if distance := levenshtein.ComputeDistance(string(name), string(k)); distance < least {
				best, least = name, distance
			}
		}
	}
	return best
}

func lastElement(k Key) string { return string(k[strings.LastIndexByte(string(k), '.')+1:]) }
