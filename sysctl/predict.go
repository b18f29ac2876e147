package sysctl

import (
	"fmt"
	"strconv"
	"strings"
)

// A Prediction is what the kernel makes of a text that is written to a
// parameter.
type Prediction struct {
	// Kept is what the parameter then reads as; the old value if the text is
	// refused or changes nothing, and "" if that cannot be told.
	Kept Value
	// Refused says why the write fails and the old value stays; "" if it does not.
	Refused string
	// Swallowed says what the kernel makes of the text without a word, where that
	// is not what it seems to say; "" if it is.
	Swallowed string
}

// Predict tells what a write does on the kernel of a release, where the
// parameter can be written at all (kernel/sysctl.c, do_proc_dointvec and
// proc_do_large_bitmap). read gives the present value of this and of other
// parameters, or "". A range that the catalogue does not know is taken for any.
func (p Param) Predict(r Release, text Value, read func(Key) Value) Prediction {
	old := read(p.Key)
	refused := func(format string, args ...any) Prediction {
		return Prediction{Kept: old, Refused: fmt.Sprintf(format, args...)}
	}
	fields := text.Fields()
	switch {
	case p.ReadOnly:
		return refused("the parameter is read-only")
	case p.Type == PortSet:
		ports, err := ParsePorts(text)
		if err != nil {
			return refused("%v; it takes ports and ranges separated by commas without blanks", err)
		}
		return Prediction{Kept: ports.Value()}
	case len(fields) == 0:
		return Prediction{Kept: old, Swallowed: "the kernel takes an empty text and leaves the value as it is"}
	case p.Type == Word:
		return Prediction{Kept: Value(strings.Join(fields, " "))}
	}
	return p.predictNumbers(r, fields, read, refused)
}

const unprivilegedStart Key = "net.ipv4.ip_unprivileged_port_start"

func (p Param) predictNumbers(r Release, fields []string, read func(Key) Value, refused func(string, ...any) Prediction) Prediction {
	want := max(1, p.Fields)
	isRange := p.Unit == PortNumber && p.Type == Vector
	if isRange && len(fields) > want {
		return refused("%d numbers where it takes %d", len(fields), want)
	}
	accepted, known := p.Accepted(r)
	kept := read(p.Key).Fields()
	odd := "" // a field that does not say what it seems to say
	for i, field := range fields[:min(want, len(fields))] {
		n, isNumber := parseNumber(field)
		if !isNumber {
			return refused("%q is not a number", field)
		}
		if known && !accepted.Contains(n) && p.Unit == Seconds && (n < 0 || r.Before(linux(4, 12))) {
			return Prediction{Swallowed: fmt.Sprintf("the kernel takes %d without an error and keeps another number", n)}
		}
		if known && !accepted.Contains(n) {
			return refused("%d is outside what it takes, %v%s", n, accepted, p.Unit.behind())
		}
		if as10, err := strconv.ParseInt(field, 10, 64); err == nil && as10 != n && odd == "" {
			odd = fmt.Sprintf("the kernel reads %s as %d, since a leading 0 makes a number octal", field, n)
		}
		if i < len(kept) {
			kept[i] = decimal(n)
		} else {
			kept = append(kept, decimal(n))
		}
	}
	if ends, err := Value(strings.Join(kept, " ")).Ints(); isRange && err == nil && len(ends) == 2 {
		if ends[0] > ends[1] {
			return refused("the range would end at %d, before it begins at %d", ends[1], ends[0])
		}
		// net/ipv4/sysctl_net_ipv4.c, ipv4_local_port_range
		start, err := read(unprivilegedStart).Ints()
		if err == nil && len(start) == 1 && ends[0] < start[0] && !r.Before(linux(4, 11)) {
			return refused("the range would begin at %d, below %s = %d", ends[0], unprivilegedStart, start[0])
		}
	}
	done := Prediction{Kept: Value(strings.Join(kept, "\t")), Swallowed: odd}
	switch {
	case len(fields) > want:
		done.Swallowed = fmt.Sprintf("the kernel keeps %s and drops the rest without a word", strings.Join(fields[:want], " "))
	case len(fields) < want:
		done.Swallowed = fmt.Sprintf("the kernel wants %d numbers; it sets %s and leaves the others as they are", want, strings.Join(fields, " "))
	}
	return done
}

// parseNumber reads a number as the kernel does (lib/vsprintf.c, simple_strtoul
// with base 0, behind a minus at the most). One of more than 64 bits is none, as
// it is refused in any case.
func parseNumber(field string) (n int64, ok bool) {
	digits := strings.TrimPrefix(field, "-")
	base := 10
	switch {
	case len(digits) > 2 && strings.EqualFold(digits[:2], "0x"):
		digits, base = digits[2:], 16
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	magnitude, err := strconv.ParseUint(digits, base, 63)
	if strings.HasPrefix(field, "-") {
		return -int64(magnitude), err == nil
	}
	return int64(magnitude), err == nil
}
