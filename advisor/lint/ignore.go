package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/settings"
)

// An ignore is a comment that suppresses findings about a line:
//
//	# tcptune: ignore timewait/recycle until 2027-01-31: the old balancer needs it
//
// on the line itself or above it. It names rules or patterns of them, separated
// by commas, a last day if it has one, and a reason.
type ignore struct {
	place    facts.Place // of the comment
	covers   int         // the line that it speaks of; 0 if none follows
	patterns []string
	until    time.Time // the last day; zero for none
	reason   string
	used     bool
}

// covered reports whether the comment speaks of a finding.
func (i *ignore) covered(f advisor.Finding) bool {
	onLine := slices.ContainsFunc(f.Places, func(p facts.Place) bool { return p.File == i.place.File && p.Line == i.covers })
	return onLine && slices.ContainsFunc(i.patterns, func(pattern string) bool {
		match, _ := path.Match(pattern, f.Rule)
		return match
	})
}

// ignores reads a file's comments. A comment that is faulty, over or without a
// reason suppresses nothing and is a subject of its own.
func (l *Linter) ignores(file File) (valid []*ignore, faulty []facts.Subject) {
	for _, comment := range file.Comments {
		i := &ignore{place: assignment(file.Name, comment.Place).Place()}
		fault, why := facts.Name(""), ""
		if err := i.parse(comment.Instruction); err != nil {
			fault, why = "line.ignore_malformed", err.Error()
		} else if i.reason == "" {
			fault = "line.ignore_unreasoned"
		} else if !i.until.IsZero() && l.options.Today.After(i.until.AddDate(0, 0, 1)) {
			fault, why = "line.ignore_expired", i.until.Format(time.DateOnly)
		}
		if fault != "" {
			faulty = append(faulty, l.aboutIgnore(i, comment.Instruction, fault, why))
			continue
		}
		i.covers = coveredLine(file, comment)
		valid = append(valid, i)
	}
	return valid, faulty
}

// aboutIgnore makes a comment a subject of rules.
func (l *Linter) aboutIgnore(i *ignore, text string, holds facts.Name, why string) facts.Subject {
	values := map[facts.Name]any{"line.ignore_text": text, "line.ignore_why": why}
	for _, name := range []facts.Name{"line.ignore_malformed", "line.ignore_unreasoned", "line.ignore_expired", "line.ignore_unused"} {
		values[name] = name == holds
	}
	return facts.NewSubject("line", i.place, values, l.targets[0].host.facts)
}

// parse reads the text behind "tcptune:".
func (i *ignore) parse(text string) error {
	text = strings.TrimSpace(strings.TrimPrefix(text, "tcptune:"))
	rest, found := strings.CutPrefix(text, "ignore")
	if !found || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return fmt.Errorf("it does not begin with ignore")
	}
	head, reason, _ := strings.Cut(rest, ":")
	i.reason = strings.TrimSpace(reason)
	i.patterns = strings.FieldsFunc(head, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	if limited := slices.Index(i.patterns, "until"); limited >= 0 {
		day := strings.Join(i.patterns[limited+1:], " ")
		until, err := time.ParseInLocation(time.DateOnly, day, time.Local)
		if err != nil {
			return fmt.Errorf("%q is not a day such as 2027-01-31", day)
		}
		i.until, i.patterns = until, i.patterns[:limited]
	}
	if len(i.patterns) == 0 {
		return fmt.Errorf("it names no rule")
	}
	for _, pattern := range i.patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%q is not a pattern", pattern)
		}
	}
	return nil
}

// coveredLine is the line of a comment if something is set on it, and otherwise
// the next one on which something is.
func coveredLine(file File, comment settings.Comment) int {
	next := 0
	consider := func(line int) {
		if line >= comment.Line && (next == 0 || line < next) {
			next = line
		}
	}
	for _, s := range file.Settings {
		consider(s.Line)
	}
	for _, f := range file.Faults {
		consider(f.Line)
	}
	return next
}

// suppress takes the findings out that comments or the baseline speak of, and
// adds those about the comments.
func (l *Linter) suppress(u Unit, r *Result) {
	var valid []*ignore
	var about []facts.Subject
	if !l.options.NoIgnores {
		for _, file := range u.Files {
			good, faulty := l.ignores(file)
			valid, about = append(valid, good...), append(about, faulty...)
		}
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f advisor.Finding) bool {
		i := slices.IndexFunc(valid, func(i *ignore) bool { return i.covered(f) })
		if i >= 0 {
			valid[i].used = true
			r.Suppressed = append(r.Suppressed, advisor.Suppressed{Finding: f, By: "comment", Reason: valid[i].reason})
		}
		return i >= 0
	})
	for _, i := range valid {
		if !i.used {
			about = append(about, l.aboutIgnore(i, strings.Join(i.patterns, ", "), "line.ignore_unused", ""))
		}
	}
	if len(about) > 0 {
		r.Findings = append(r.Findings, l.about(about...)...)
	}
	known := counter{l.known, map[Known]int{}}
	r.Findings = slices.DeleteFunc(r.Findings, func(f advisor.Finding) bool {
		took := known.take(f)
		if took {
			r.Suppressed = append(r.Suppressed, advisor.Suppressed{Finding: f, By: "baseline", Reason: "known when the baseline was written"})
		}
		return took
	})
}
