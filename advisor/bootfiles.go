package advisor

import (
	"slices"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// BootFilesSchema is the version of the form in JSON (docs/conf.schema.json).
const BootFilesSchema = 1

// BootFiles is what the files that are read at boot come to, for one loader or
// for several.
type BootFiles struct {
	Schema  int          `json:"schema"`
	Loaders []BootLoader `json:"loaders"`
}

// BootLoader is what one loader makes of the files.
type BootLoader struct {
	Loader conf.Loader `json:"loader"`
	// InUse: the system sets its parameters with this loader. Evidence tells how
	// that is known, or why it is not.
	InUse    bool          `json:"in_use"`
	Evidence string        `json:"evidence"`
	Files    []LoaderFile  `json:"files"` // in the order in which they apply, then those not read
	Settings []BootSetting `json:"settings"`
	// Findings are about lines and files, on the running kernel. A system that is
	// not running has none: see lint.
	Findings []Finding `json:"findings"`
}

// LoaderFile is a file and what becomes of it.
type LoaderFile struct {
	Path   string      `json:"path"`
	Target string      `json:"target,omitempty"` // where a link leads
	Status conf.Status `json:"status"`
	Reason string      `json:"reason,omitempty"`
}

// BootSetting is one parameter and all lines on it, in the order in which they
// take effect.
type BootSetting struct {
	Key         sysctl.Key       `json:"key"`
	Definitions []BootDefinition `json:"definitions"`
}

// BootDefinition is one line.
type BootDefinition struct {
	File    string       `json:"file"`
	Line    int          `json:"line"`
	Value   sysctl.Value `json:"value"`
	Pattern sysctl.Key   `json:"pattern,omitempty"` // by which the line names the parameter
	Lenient bool         `json:"lenient,omitempty"`
	Holds   bool         `json:"holds"`
	Loses   string       `json:"loses,omitempty"` // why it does not hold
}

// NewBootLoader shows a resolution, of the parameters that are wanted.
func NewBootLoader(r conf.Resolution, inUse conf.InUse, wanted func(sysctl.Key) bool) BootLoader {
	b := BootLoader{Loader: r.Loader, InUse: inUse.Loader == r.Loader, Evidence: inUse.Evidence, Files: []LoaderFile{}, Settings: []BootSetting{}, Findings: []Finding{}}
	for _, f := range r.Files {
		b.Files = append(b.Files, LoaderFile{f.Path, f.Target, f.Status, f.Reason})
	}
	for _, s := range r.Settings {
		if !wanted(s.Key) {
			continue
		}
		setting := BootSetting{Key: s.Key}
		for _, d := range s.Definitions {
			setting.Definitions = append(setting.Definitions, BootDefinition{d.File, d.Number, d.Value, d.Pattern, d.Lenient, d.Loses == "", d.Loses})
		}
		b.Settings = append(b.Settings, setting)
	}
	return b
}

// AboutFiles is what the rules about lines and files say of a snapshot, by file
// and line.
func AboutFiles(s *facts.Snapshot, set rules.Set, wanted func(sysctl.Key) bool) []Finding {
	f := facts.Derive(s)
	subjects := slices.DeleteFunc(s.Subjects(f), func(x facts.Subject) bool {
		key, isLine := x.Facts.Get("line.key").Content.(string)
		return x.Group != "line" && x.Group != "file" || isLine && key != "" && !wanted(sysctl.Key(key))
	})
	opinions := map[string][]rules.Opinion{}
	for _, rule := range set.All() {
		if rule.Group != "line" && rule.Group != "file" {
			continue
		}
		if given := rule.Ask(f, subjects); given[0].Verdict == rules.Fires {
			opinions[rule.Name] = given
		}
	}
	found := []Finding{}
	kept, _ := Conclude(set, opinions)
	for _, c := range kept {
		found = append(found, NewFinding(c.Rule, c.Opinion))
	}
	slices.SortStableFunc(found, ByPlace)
	return found
}
