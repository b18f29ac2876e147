package lint

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/settings"
)

// A Result is what there is to say about a unit.
type Result struct {
	// Findings are in the order of the files and their lines, the gravest about a
	// line first.
	Findings   []advisor.Finding
	Suppressed []advisor.Suppressed
	// Unread are the files that could not be read or understood. Files that hold
	// no parameters are among them only if they were asked for.
	Unread []Remark
	// Skipped is what may set a parameter and was not judged, such as a template.
	Skipped []Remark
	// Clean names the files without a finding; Files counts those judged.
	Clean []string
	Files int
	// Failed: a file that was asked for could not be judged.
	Failed bool

	judged map[string]File // by name; less what was found in them
}

// A Remark is something that was not judged, and why.
type Remark struct {
	facts.Place
	Reason string `json:"reason"`
}

// finish puts the result in order and adds what is to be said about files.
func (r *Result) finish(u Unit) {
	r.judged = map[string]File{}
	position := map[string]int{}
	faulty := map[string]bool{}
	for i, file := range u.Files {
		position[file.Name] = i
	}
	slices.SortStableFunc(r.Findings, func(a, b advisor.Finding) int {
		return cmp.Or(position[a.Places[0].File]-position[b.Places[0].File], advisor.ByPlace(a, b))
	})
	for _, f := range r.Findings {
		faulty[f.Places[0].File] = true
	}
	for _, file := range u.Files {
		switch {
		case errors.Is(file.Err, settings.ErrNothing) && !file.Asked:
			continue
		case file.Err != nil:
			reason := strings.TrimPrefix(file.Err.Error(), file.Name+": ")
			r.Unread = append(r.Unread, Remark{facts.Place{File: file.Name}, reason})
			r.Failed = r.Failed || file.Asked && !errors.Is(file.Err, settings.ErrNothing)
			continue
		}
		r.Files++
		r.judged[file.Name] = File{path: file.path, content: file.content}
		if !faulty[file.Name] {
			r.Clean = append(r.Clean, file.Name)
		}
		for _, s := range file.Skipped {
			r.Skipped = append(r.Skipped, Remark{assignment(file.Name, s.Place).Place(), s.Reason})
		}
	}
}
