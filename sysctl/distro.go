package sysctl

import (
	"fmt"
	"slices"
	"strings"
)

// Maintained are the long-term releases and the latest one, for which files are
// judged if nobody says for which.
var Maintained = []string{"5.10", "5.15", "6.1", "6.6", "6.12", "6.18", "7.2"}

// A Distro is a distribution's release and the kernel that it came with. The
// numbers after the second dot change with updates and decide nothing.
type Distro struct {
	Name   string
	Kernel string // as uname -r prints it
}

// distros lists those that files can be judged for by name, with the general
// release of each kernel. Their vendors' pages on kernel versions are the source.
var distros = []Distro{
	{"rhel6", "2.6.32-754.el6.x86_64"}, {"rhel7", "3.10.0-1160.el7.x86_64"}, {"rhel8", "4.18.0-553.el8_10.x86_64"},
	{"rhel9", "5.14.0-570.el9_6.x86_64"}, {"rhel10", "6.12.0-55.el10_0.x86_64"},
	{"debian8", "3.16.0-11-amd64"}, {"debian9", "4.9.0-19-amd64"}, {"debian10", "4.19.0-27-amd64"}, {"debian11", "5.10.0-35-amd64"},
	{"debian12", "6.1.0-40-amd64"}, {"debian13", "6.12.48+deb13-amd64"},
	{"ubuntu14.04", "3.13.0-170-generic"}, {"ubuntu16.04", "4.4.0-210-generic"}, {"ubuntu18.04", "4.15.0-213-generic"},
	{"ubuntu20.04", "5.4.0-216-generic"}, {"ubuntu22.04", "5.15.0-157-generic"}, {"ubuntu24.04", "6.8.0-85-generic"},
	{"sles12sp5", "4.12.14-122-default"}, {"sles15sp3", "5.3.18-150300-default"}, {"sles15sp5", "5.14.21-150500-default"}, {"sles15sp6", "6.4.0-150600-default"},
	{"amazon2", "4.14.355-275.amzn2.x86_64"}, {"amazon2023", "6.1.148-173.amzn2023.x86_64"},
}

// sameAs are distributions that take another one's kernel.
var sameAs = map[string]string{"centos": "rhel", "rocky": "rhel", "alma": "rhel", "almalinux": "rhel", "ol": "rhel", "oracle": "rhel", "al": "amazon", "amzn": "amazon"}

// ParseDistro reads a distribution's name and version, as in "rhel7",
// "ubuntu-22.04" or "Rocky 9". The error lists what there is.
func ParseDistro(s string) (Distro, error) {
	name := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
	if digit := strings.IndexAny(name, "0123456789"); digit > 0 {
		if other, is := sameAs[name[:digit]]; is {
			name = other + name[digit:]
		}
	}
	if i := slices.IndexFunc(distros, func(d Distro) bool { return d.Name == name }); i >= 0 {
		return distros[i], nil
	}
	known := make([]string, len(distros))
	for i, d := range distros {
		known[i] = d.Name
	}
	return Distro{}, fmt.Errorf("no distribution is called %q here; there are %s", s, strings.Join(known, ", "))
}
