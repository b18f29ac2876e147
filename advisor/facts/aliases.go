package facts

import "github.com/tcptune/tcptune/sysctl"

// The parameter that has two names: net/netfilter/nf_conntrack_standalone.c
// registers one variable twice.
const (
	conntrackMax      sysctl.Key = "net.netfilter.nf_conntrack_max"
	conntrackMaxAlias sysctl.Key = "net.nf_conntrack_max"
)

// canonical is one name for those of the same number.
func canonical(key sysctl.Key) sysctl.Key {
	if key == conntrackMaxAlias {
		return conntrackMax
	}
	return key
}

// aliases are all names of the number that a parameter is.
func aliases(key sysctl.Key) []sysctl.Key {
	if canonical(key) == conntrackMax {
		return []sysctl.Key{conntrackMaxAlias, conntrackMax}
	}
	return []sysctl.Key{key}
}
