package sysctl

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Release is a kernel's version: the numbers compare, the rest tells whose
// build it is. The zero Release stands for "unknown" in a host's description
// and for "always" or "never" in a [Param].
type Release struct {
	Major, Minor, Patch int
	// Suffix is what the distributor wrote behind the numbers, such as
	// "-305.19.1.el8_4.x86_64".
	Suffix string
}

// ParseRelease reads a release as uname(2) reports it. Distributors append what
// they like ("3.10.0-1160.el7.x86_64", "5.15.0-1034-aws", "6.6.0+",
// "5.10.102.1-microsoft-standard-WSL2"), so only the leading numbers are
// interpreted. A number of its own, such as "5", is not a release.
func ParseRelease(s string) (Release, error) {
	var r Release
	rest := strings.TrimSpace(s)
	for i, part := range []*int{&r.Major, &r.Minor, &r.Patch} {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 5 {
			return Release{}, fmt.Errorf("parse kernel release %q: want a number such as 6.1 at its start", s)
		}
		*part, _ = strconv.Atoi(rest[:digits])
		rest = rest[digits:]
		if i == 2 || len(rest) < 2 || rest[0] != '.' || rest[1] < '0' || rest[1] > '9' {
			if i == 0 {
				return Release{}, fmt.Errorf("parse kernel release %q: want a number such as 6.1 at its start", s)
			}
			break
		}
		rest = rest[1:]
	}
	r.Suffix = rest
	return r, nil
}

// MarshalText prints the release for JSON.
func (r Release) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Release) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRelease(string(text))
	return err
}

// Compare orders by the numbers alone: a distributor's suffix makes a kernel
// neither older nor newer.
func (r Release) Compare(o Release) int {
	return cmp.Or(cmp.Compare(r.Major, o.Major), cmp.Compare(r.Minor, o.Minor), cmp.Compare(r.Patch, o.Patch))
}

// Before reports whether r is older than o.
func (r Release) Before(o Release) bool { return r.Compare(o) < 0 }

// IsZero reports whether no release is named.
func (r Release) IsZero() bool { return r == Release{} }

// String prints the shortest form that parses back to the same release.
func (r Release) String() string {
	if r.Patch == 0 && r.Suffix == "" {
		return fmt.Sprintf("%d.%d", r.Major, r.Minor)
	}
	return fmt.Sprintf("%d.%d.%d%s", r.Major, r.Minor, r.Patch, r.Suffix)
}

// Vendor names the distributor whose marks the suffix carries, or "" if it
// carries none that is known. Such kernels hold changes of later releases.
func (r Release) Vendor() string {
	for _, v := range []struct{ mark, name string }{
		{".el6", "Red Hat Enterprise Linux 6"}, {".el7", "Red Hat Enterprise Linux 7"},
		{".el8", "Red Hat Enterprise Linux 8"}, {".el9", "Red Hat Enterprise Linux 9"},
		{".el10", "Red Hat Enterprise Linux 10"}, {".fc", "Fedora"},
		{".amzn1", "Amazon Linux 1"}, {".amzn2023", "Amazon Linux 2023"}, {".amzn2", "Amazon Linux 2"},
		{"el8uek", "Oracle Linux 8"}, {"el9uek", "Oracle Linux 9"},
		{"+deb", "Debian"}, {"-cloud-amd64", "Debian"}, {"-cloud-arm64", "Debian"}, {"-amd64", "Debian"}, {"-arm64", "Debian"},
		{"-generic", "Ubuntu"}, {"-aws", "Ubuntu"}, {"-azure", "Ubuntu"}, {"-gcp", "Ubuntu"}, {"-lowlatency", "Ubuntu"},
		{"-default", "SUSE"}, {"-microsoft-standard", "Microsoft WSL"},
	} {
		if strings.Contains(r.Suffix, v.mark) {
			return v.name
		}
	}
	return ""
}

// Releases is a range of kernels, such as ">= 4.10, < 4.12". The zero value
// holds every kernel.
type Releases struct {
	from, before Release
}

// ReleasesBetween is the range from one release up to, and not with, another;
// a zero release leaves that end open.
func ReleasesBetween(from, before Release) Releases { return Releases{from, before} }

// ParseReleases reads a range: at most one ">=" and at most one "<", separated
// by a comma. "<=" and ">" are not offered, since "<= 4.11" would leave out
// 4.11.5 and nobody means that.
func ParseReleases(s string) (Releases, error) {
	var rs Releases
	if strings.TrimSpace(s) == "" {
		return rs, nil
	}
	for _, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		bound, number := &rs.from, strings.TrimPrefix(part, ">=")
		if number == part {
			bound, number = &rs.before, strings.TrimPrefix(part, "<")
		}
		r, err := ParseRelease(number)
		if number == part || err != nil || r.Suffix != "" || !bound.IsZero() {
			return Releases{}, fmt.Errorf("parse range of kernels %q: want at most one \">= 4.10\" and one \"< 4.12\", separated by a comma", s)
		}
		*bound = r
	}
	if !rs.before.IsZero() && !rs.from.Before(rs.before) {
		return Releases{}, fmt.Errorf("parse range of kernels %q: no kernel lies in it", s)
	}
	return rs, nil
}

// Contains reports whether r lies in the range.
func (rs Releases) Contains(r Release) bool {
	return !r.Before(rs.from) && (rs.before.IsZero() || r.Before(rs.before))
}

// Overlaps reports whether a kernel may lie in both ranges.
func (rs Releases) Overlaps(o Releases) bool {
	return (rs.before.IsZero() || o.from.Before(rs.before)) && (o.before.IsZero() || rs.from.Before(o.before))
}

// String prints the range as [ParseReleases] reads it, or "" for every kernel.
func (rs Releases) String() string {
	var parts []string
	if !rs.from.IsZero() {
		parts = append(parts, ">= "+rs.from.String())
	}
	if !rs.before.IsZero() {
		parts = append(parts, "< "+rs.before.String())
	}
	return strings.Join(parts, ", ")
}
