package sysctl

import (
	"fmt"
	"strings"
	"unicode"
)

// A Key names a kernel parameter the way sysctl(8) prints it, as in
// "net.ipv4.tcp_fin_timeout": dots separate the path's elements, and a dot
// inside an element (the interface of "net.ipv4.conf.eth0/100.forwarding") is
// written as a slash. Make one from foreign text with [ParseKey].
type Key string

// ParseKey reads both spellings that sysctl(8) and sysctl.d(5) know: the first
// separator in the name decides, and if it is a slash then dots are ordinary
// characters. It fails on a name that is empty, has empty or relative elements,
// or holds anything that could not stand in a file name on one line.
func ParseKey(s string) (Key, error) {
	name := strings.TrimSpace(s)
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' {
		name = swapSeparators(name)
	}
	for _, element := range strings.Split(name, ".") {
		file := swapSeparators(element)
		if element == "" || file == "." || file == ".." {
			return "", fmt.Errorf("parse parameter name %q: empty or relative element", s)
		}
	}
	for _, r := range name {
		if r <= ' ' || unicode.IsSpace(r) || unicode.IsControl(r) || r == '=' || r == '\\' {
			return "", fmt.Errorf("parse parameter name %q: character %q is not allowed", s, r)
		}
	}
	return Key(name), nil
}

// Path is the parameter's file relative to /proc/sys.
func (k Key) Path() string { return swapSeparators(string(k)) }

func (k Key) String() string { return string(k) }

// IsPattern reports whether the name holds a glob, as sysctl.d(5) allows.
func (k Key) IsPattern() bool { return strings.ContainsAny(string(k), "*?[") }

var separators = strings.NewReplacer(".", "/", "/", ".")

func swapSeparators(s string) string { return separators.Replace(s) }
