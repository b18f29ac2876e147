// Package settings reads the parameters that a file sets, whatever its form:
// the files of sysctl(8) and what it prints, and the sections of other programs'
// files that set parameters, such as Ansible's and Kubernetes'. Every parameter
// has its place in the file. What is not plainly a parameter with a value, such
// as a template, is returned as skipped and never guessed.
package settings

import (
	"errors"

	"github.com/tcptune/tcptune/sysctl"
)

// A Form is a kind of file that sets parameters.
type Form string

const (
	SysctlConf  Form = "sysctl.conf"  // sysctl.conf and drop-ins
	Dump        Form = "sysctl -a"    // the state of a running host; nothing in it is asked for
	Profile     Form = "profile"      // of tcptune
	Tuned       Form = "tuned"        // a profile of TuneD
	Ansible     Form = "ansible"      // playbooks, tasks and variables, and other YAML that holds them in the same way
	Kubernetes  Form = "kubernetes"   // manifests
	Compose     Form = "compose"      // compose.yaml
	CommandLine Form = "command line" // shell scripts, Dockerfiles, systemd units and Makefiles
)

// A File is what was read from one.
type File struct {
	Form     Form
	Settings []Setting // in the order of the file, by and large
	// Exclusions are the lines "-key" of sysctl.d(5), which take a key out of
	// the globs. They have no value.
	Exclusions []Setting
	Faults     []Fault
	Skipped    []Skipped
	Comments   []Comment
	// Kernel is the release that a dump names as its kernel's, or empty.
	Kernel string
}

// A Place is a part of one line. Lines and columns count from 1, columns in
// characters; a byte that is not UTF-8 counts as one.
type Place struct {
	Line, Column int
	// EndColumn is the column behind the last character.
	EndColumn int
	// Text is the whole line as it was written, without its end. A byte order
	// mark is not part of it, except in the forms that do not know one.
	Text string
}

// A Setting is one parameter that a file sets.
type Setting struct {
	// Place reaches from the key to the value's end if they stand on one line in
	// this order; otherwise it is the key's.
	Place
	// ValuePlace is the value's alone. Lines of the two differ in YAML and TOML.
	ValuePlace Place
	// Key is a pattern in some lines of sysctl.conf files.
	Key sysctl.Key
	// Value is what reaches the kernel.
	Value sysctl.Value
	// Raw is the value as it was written, if that is not Value: quoted, or a
	// number or truth value that the form's own reader spells in another way.
	Raw string
	// Lenient: the loader ignores a failure.
	Lenient bool
	// Container: it is set for a container's network namespace, where parameters
	// of the whole host do not exist.
	Container bool
	// At is what the setting belongs to, for people, such as `task "Tune TCP"`;
	// empty if there is nothing to say.
	At string
	// Bound is "at least" or "at most" where the value is not to be set as it is,
	// and "exactly" for a profile's other wants. Else it is empty.
	Bound string
	// Kernels are those that a profile's want is for.
	Kernels sysctl.Releases
}

// A Fault is something that should be a setting and is not.
type Fault struct {
	Place
	Key    sysctl.Key // if that much is clear
	Reason string
}

// Skipped is something that may be a setting, and whose content the file alone
// does not tell: a template, a variable, another file.
type Skipped struct {
	Place
	Key    sysctl.Key // if that much is clear
	Reason string
}

// A Comment is one that begins with "tcptune:".
type Comment struct {
	Place
	Instruction string // what it says, from "tcptune:" on
}

var (
	// ErrNothing is the answer for a file that holds no parameters: a file of
	// something else.
	ErrNothing = errors.New("holds no parameters")
	// ErrNotUnderstood is the answer for a file that seems to hold parameters and
	// cannot be read. The error says what was tried.
	ErrNotUnderstood = errors.New("cannot be understood")
)

// MaxSize is the size, in bytes, beyond which a file is not read.
const MaxSize = 8 << 20
