package sysctl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Value is a parameter's content as the kernel prints it, without the final
// newline: fields separated by blanks or tabs. Compare two with [Type.Equal],
// since the same content has several spellings.
type Value string

// Fields are the value's numbers or words.
func (v Value) Fields() []string { return strings.Fields(string(v)) }

// Ints are the value's fields as numbers. It reads decimal only, and refuses
// leading zeros, because the kernel would read "010" as eight
// (lib/vsprintf.c, simple_strtoul with base 0).
func (v Value) Ints() ([]int64, error) {
	var ints []int64
	for _, field := range v.Fields() {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != field {
			return nil, fmt.Errorf("%q is not a decimal number", field)
		}
		ints = append(ints, n)
	}
	return ints, nil
}

// A Type is the shape of a parameter's value.
type Type string

const (
	Number  Type = "number"  // one number
	Vector  Type = "vector"  // several numbers, all of which must be written together
	PortSet Type = "portset" // ports and ranges of ports, separated by commas; a write replaces the whole set
	Word    Type = "word"    // one or more words
)

// Normalize brings a value into the spelling that the kernel reads without
// surprise: single blanks between fields, decimal numbers, port sets without
// blanks. The error says what is wrong with the value.
func (t Type) Normalize(v Value) (Value, error) {
	switch t {
	case Number, Vector:
		if _, err := v.Ints(); err != nil {
			return "", err
		}
		if t == Number && len(v.Fields()) != 1 {
			return "", fmt.Errorf("%q is not one number; the kernel would keep the first and say nothing", v)
		}
	case PortSet:
		ports, err := ParsePorts(v)
		if err != nil {
			return "", err
		}
		return ports.Value(), nil
	}
	return Value(strings.Join(v.Fields(), " ")), nil
}

// Equal reports whether two values mean the same to the kernel. Values that do
// not parse are compared as text.
func (t Type) Equal(a, b Value) bool {
	if t == PortSet {
		x, errX := ParsePorts(a)
		y, errY := ParsePorts(b)
		if errX == nil && errY == nil {
			return slices.Equal(x, y)
		}
	}
	return slices.Equal(a.Fields(), b.Fields())
}

// Ports is a set of ports as ascending ranges that do not touch.
type Ports []PortRange

// PortRange is the ports from First to Last, both included.
type PortRange struct{ First, Last int }

// ParsePorts reads the grammar of net.ipv4.ip_local_reserved_ports
// (kernel/sysctl.c, proc_do_large_bitmap): ports and ranges separated by
// commas, of which one may stand at the end, and no blanks inside. An empty
// value is the empty set.
func ParsePorts(v Value) (Ports, error) {
	text := strings.TrimSpace(string(v))
	if text == "" {
		return nil, nil
	}
	var ports Ports
	for item := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		a, okA := parsePort(first)
		b, okB := parsePort(last)
		if !okA || !okB || a > b {
			return nil, fmt.Errorf("%q is not a port or a range of ports such as 8080 or 9000-9010", item)
		}
		ports = append(ports, PortRange{a, b})
	}
	slices.SortFunc(ports, func(a, b PortRange) int { return a.First - b.First })
	merged := ports[:1]
	for _, r := range ports[1:] {
		if last := &merged[len(merged)-1]; r.First <= last.Last+1 {
			last.Last = max(last.Last, r.Last)
		} else {
			merged = append(merged, r)
		}
	}
	return merged, nil
}

// parsePort reads a decimal number of 16 bits without leading zeros, for the
// reason given at [Value.Ints].
func parsePort(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && strconv.FormatUint(n, 10) == s
}

// Value is the set as the kernel prints it.
func (p Ports) Value() Value {
	items := make([]string, len(p))
	for i, r := range p {
		items[i] = strconv.Itoa(r.First)
		if r.Last != r.First {
			items[i] += "-" + strconv.Itoa(r.Last)
		}
	}
	return Value(strings.Join(items, ","))
}

// Contains reports whether the set holds the port.
func (p Ports) Contains(port int) bool {
	return slices.ContainsFunc(p, func(r PortRange) bool { return r.First <= port && port <= r.Last })
}

// Within counts the set's ports from first to last, both included.
func (p Ports) Within(first, last int) int {
	n := 0
	for _, r := range p {
		n += max(0, min(r.Last, last)-max(r.First, first)+1)
	}
	return n
}
