package lint

import (
	"path"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/settings"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// A Unit is files that take effect together, in this order, such as one
// sysctl.conf or the drop-ins of a folder.
type Unit struct {
	Files []File
	// Beside are files that stand with them and that no loader reads, though they
	// set something.
	Beside []File
	// Boot, if it is set, holds the lines of a whole system by the loader that
	// reads them, and what that loader ignores; Files then serve their comments.
	Boot map[conf.Loader]Boot
}

// Boot is what a loader makes of a system's files.
type Boot struct {
	Lines   []facts.Assignment
	Ignored []facts.BootFile
}

// A File is one that was read, or could not be.
type File struct {
	Name string
	settings.File
	// Err says why it was not read or not understood; nil if it was.
	Err error
	// Asked is set named files to judge: one that could not be read is then an
	// error and not a remark.
	Asked bool
	// NeverRead says why no loader reads a file that stands beside others.
	NeverRead string

	path    string // where it stands, if Name is not where
	content []byte // of standard input, which cannot be read again
}

// A batch is the lines of a unit that are applied to one host or container.
type batch struct {
	container bool
	dump      bool // the lines show what is, and ask for nothing
	branching bool // a line may stand in a branch that is not taken with another
	lines     []facts.Assignment
	boot      map[conf.Loader]Boot // instead of lines
}

// batches splits a unit. Each pod, service and dictionary of variables is for
// some host of its own; everything else of a file is for the same.
func (u Unit) batches() []batch {
	if u.Boot != nil {
		return []batch{{boot: u.Boot}}
	}
	var all []batch
	index := map[string]int{}
	spared := map[sysctl.Key]bool{}
	for _, file := range u.Files {
		for _, exclusion := range file.Exclusions {
			spared[exclusion.Key] = true
		}
		for _, setting := range file.Settings {
			group := ""
			if setting.Container || file.Form == settings.Ansible && !strings.HasPrefix(setting.At, "task") {
				group = file.Name + "\x00" + setting.At
			}
			i, known := index[group]
			if !known {
				i = len(all)
				index[group] = i
				all = append(all, batch{container: setting.Container, dump: file.Form == settings.Dump,
					branching: file.Form == settings.Ansible || file.Form == settings.CommandLine})
			}
			line := assignment(file.Name, setting.Place)
			line.Key, line.Value, line.Container = setting.Key, setting.Value, setting.Container
			// A profile leaves out what a kernel does not have.
			line.Lenient = setting.Lenient || file.Form == settings.Profile
			all[i].lines = append(all[i].lines, line)
		}
		if len(file.Faults) > 0 {
			faulty := batch{}
			for _, fault := range file.Faults {
				line := assignment(file.Name, fault.Place)
				line.Malformed = fault.Reason
				faulty.lines = append(faulty.lines, line)
			}
			all = append(all, faulty)
		}
	}
	for i := range all {
		all[i].lines = expanded(all[i].lines, spared)
		if !all[i].branching {
			beaten(all[i].lines)
		}
	}
	return all
}

func assignment(file string, place settings.Place) facts.Assignment {
	return facts.Assignment{File: file, Line: place.Line, Column: place.Column, EndColumn: place.EndColumn, Text: place.Text}
}

// expanded adds, behind a line whose key is a pattern, a line for each parameter
// of the catalogue that it reaches; a line that names the parameter outranks it,
// and those that are spared it leaves alone.
func expanded(lines []facts.Assignment, spared map[sysctl.Key]bool) []facts.Assignment {
	if !slices.ContainsFunc(lines, func(a facts.Assignment) bool { return a.Key.IsPattern() }) {
		return lines
	}
	named := map[sysctl.Key]bool{}
	for _, line := range lines {
		named[line.Key] = true
	}
	var all []facts.Assignment
	for _, line := range lines {
		all = append(all, line)
		if !line.Key.IsPattern() {
			continue
		}
		for _, param := range sysctl.Catalogue() {
			if reached, _ := path.Match(line.Key.Path(), param.Key.Path()); reached && !named[param.Key] && !spared[param.Key] {
				one := line
				one.Key, one.Lenient = param.Key, true // which kernel has it is not the pattern's fault
				all = append(all, one)
			}
		}
	}
	return all
}

// beaten marks the lines that a later one on the same parameter beats.
func beaten(lines []facts.Assignment) {
	last := make(map[sysctl.Key]int, len(lines))
	for i, line := range lines {
		last[line.Key] = i
	}
	for i := range lines {
		if winner := last[lines[i].Key]; winner != i && lines[i].Malformed == "" {
			place := lines[winner].Place()
			lines[i].Loses, lines[i].LosesTo = place.String()+" sets it later", &place
		}
	}
}
