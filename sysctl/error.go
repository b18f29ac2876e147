package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
)

// A Cause is why a parameter, or any piece of evidence, is not to be had. The
// text of each is stable: it stands in snapshots and reports.
type Cause string

const (
	NotYet        Cause = "not yet in this kernel"
	Removed       Cause = "removed from this kernel"
	NotBuilt      Cause = "not on this kernel"
	ModuleMissing Cause = "module not loaded"
	HostWide      Cause = "host-wide, not visible in this namespace"
	NotPermitted  Cause = "not permitted"
	ReadOnlyTree  Cause = "read-only file system"
	Unknown       Cause = "no such parameter"
	BadValue      Cause = "value makes no sense"
	Refused       Cause = "refused by the kernel"
	NotKept       Cause = "not kept by the kernel"
	Failed        Cause = "failed"
	NotMeasured   Cause = "not measured"
	NotAsked      Cause = "not set by any file"
	OutOfScope    Cause = "not asked for"
)

// Causes lists them all.
var Causes = []Cause{NotYet, Removed, NotBuilt, ModuleMissing, HostWide, NotPermitted, ReadOnlyTree, Unknown, BadValue, Refused, NotKept, Failed, NotMeasured, NotAsked, OutOfScope}

// Definitive reports whether the cause says that the thing is not there at all,
// or is not what was asked about, as against there and out of sight. What is
// definitively absent cannot be wrong; what is out of sight may be.
func (c Cause) Definitive() bool {
	switch c {
	case NotYet, Removed, NotBuilt, ModuleMissing, Unknown, NotAsked, OutOfScope:
		return true
	}
	return false
}

// Error is the error of every operation on a parameter. Absent parameters
// satisfy errors.Is(err, fs.ErrNotExist), refused permission
// errors.Is(err, fs.ErrPermission), and a write that the kernel refused unwraps
// to its errno.
type Error struct {
	Op     string // "read" or "set"
	Key    Key
	Cause  Cause
	Detail string // for people, may be empty
	Err    error  // what lies beneath, may be nil
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %s", e.Op, e.Key, e.Cause)
	if e.Detail != "" {
		text += ": " + e.Detail
	} else if e.Err != nil && !e.Is(fs.ErrNotExist) {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Is lets absence of whatever cause be recognised as fs.ErrNotExist.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Cause.Definitive() || e.Cause == HostWide)
}

// CauseOf is the cause inside an error, or Failed if it carries none.
func CauseOf(err error) Cause {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Cause
	}
	return Failed
}
