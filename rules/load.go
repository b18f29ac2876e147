package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/tomlfile"
	"github.com/tcptune/tcptune/sysctl"
)

// A Set is rules by name.
type Set struct{ byName map[string]Rule }

// Add reads every *.toml file below the root of fsys, in folders or not. A rule
// whose name is there already is replaced. origin names the root in errors and
// listings. All faulty files are reported, and the set then holds what it held.
func (s *Set) Add(fsys fs.FS, origin string) error {
	added := map[string]Rule{}
	var faults []error
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		where := printable.Text(path.Join(origin, file))
		switch {
		case err != nil:
			return fmt.Errorf("rules in %s: %w", where, err)
		case file != "." && strings.HasPrefix(entry.Name(), "."): // an editor's or a repository's
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || path.Ext(file) != ".toml":
			return nil
		}
		text, err := read(fsys, file)
		if err != nil {
			return fmt.Errorf("rule file %s: %w", where, err)
		}
		rule, err := parse(string(text), where)
		if err == nil {
			_, err = rule.Examples()
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("rule file %s: %w", where, err))
			return nil
		}
		rule.Name = strings.TrimSuffix(file, ".toml")
		added[rule.Name] = rule
		return nil
	})
	if err := errors.Join(append(faults, err)...); err != nil {
		return err
	}
	together := Set{byName: maps.Clone(s.byName)}
	maps.Copy(together.byName, added)
	for _, name := range slices.Sorted(maps.Keys(added)) {
		if err := together.checkRedundance(added[name]); err != nil {
			faults = append(faults, fmt.Errorf("rule file %s: redundant_with %w", added[name].Origin, err))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	maps.Copy(s.byName, added)
	return nil
}

// checkRedundance refuses a rule that yields to one that is not there, or that
// yields in turn to it: of such two that fire neither would be reported.
func (s Set) checkRedundance(rule Rule) error {
	seen := map[string]bool{}
	for queue := rule.RedundantWith; len(queue) > 0; queue = queue[1:] {
		names, err := s.matching(queue[0])
		if err != nil {
			return err
		}
		for _, name := range names {
			switch {
			case name == rule.Name:
				return errors.New("leads back to the rule itself")
			case !seen[name]:
				seen[name] = true
				queue = append(slices.Clip(queue), s.byName[name].RedundantWith...)
			}
		}
	}
	return nil
}

// matching lists the rules that a name or a pattern (path.Match) means.
func (s Set) matching(pattern string) (names []string, err error) {
	if _, known := s.byName[pattern]; known {
		return []string{pattern}, nil
	}
	for name := range s.byName {
		match, err := path.Match(pattern, name)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if match {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil, fmt.Errorf("no rule is called %q", pattern)
	}
	return names, nil
}

func read(fsys fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(fsys, file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > tomlfile.MaxSize:
		return nil, fmt.Errorf("is larger than %d KiB", tomlfile.MaxSize>>10)
	}
	return fs.ReadFile(fsys, file)
}

// All lists the rules by name.
func (s Set) All() []Rule {
	all := make([]Rule, 0, len(s.byName))
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		all = append(all, s.byName[name])
	}
	return all
}

// Get finds a rule by its name.
func (s Set) Get(name string) (Rule, bool) {
	r, ok := s.byName[name]
	return r, ok
}

// Without is the set less the rules whose names match one of the patterns
// (path.Match), as in "timewait/*". A pattern that matches none is an error.
func (s Set) Without(patterns []string) (Set, error) {
	if len(patterns) == 0 {
		return s, nil
	}
	rest := Set{byName: maps.Clone(s.byName)}
	for _, pattern := range patterns {
		names, err := s.matching(pattern)
		if err != nil {
			return Set{}, err
		}
		for _, name := range names {
			delete(rest.byName, name)
		}
	}
	return rest, nil
}

// Only is what of the set matches one of the patterns, as Without takes them.
func (s Set) Only(patterns []string) (Set, error) {
	chosen := Set{byName: map[string]Rule{}}
	for _, pattern := range patterns {
		names, err := s.matching(pattern)
		if err != nil {
			return Set{}, err
		}
		for _, name := range names {
			chosen.byName[name] = s.byName[name]
		}
	}
	return chosen, nil
}

// document is a rule's file up to its examples. What is below Suggest is free in
// form; everything else is checked strictly.
type document struct {
	Title         string         `toml:"title"`
	Severity      string         `toml:"severity"`
	Kernels       string         `toml:"kernels"`
	When          []string       `toml:"when"`
	Any           []string       `toml:"any"`
	Message       string         `toml:"message"`
	Why           string         `toml:"why"`
	Fix           string         `toml:"fix"`
	Suggest       map[string]any `toml:"suggest"`
	Repair        string         `toml:"repair"`
	RedundantWith []string       `toml:"redundant_with"`
	References    []string       `toml:"references"`
}

// exampleMark begins the first example, and with it the part of the file that
// only tests and readers need; a check of a host does not decode it.
const exampleMark = "\n[[example]]"

func parse(text, where string) (Rule, error) {
	head, _, _ := strings.Cut(text, exampleMark)
	var doc document
	if err := tomlfile.Decode(head, &doc, "suggest"); err != nil {
		return Rule{}, err
	}
	p := parser{text: text}
	r := Rule{Origin: where, Title: doc.Title, Why: strings.TrimSpace(doc.Why), Fix: strings.TrimSpace(doc.Fix),
		Repair: Repair(doc.Repair), RedundantWith: doc.RedundantWith, References: doc.References, text: func() string { return text }}
	p.require("title", doc.Title)
	p.require("message", doc.Message)
	p.require("why", doc.Why)
	p.require("fix", doc.Fix)
	if len(doc.References) == 0 {
		p.fail("references", errors.New("a rule needs at least one source"))
	}
	if len(doc.When)+len(doc.Any) == 0 {
		p.fail("", errors.New("a rule needs conditions: when = [...] or any = [...]"))
	}
	if r.Repair != "" && r.Repair != CommentOut {
		p.fail("repair", fmt.Errorf("repair %q is none of %q", r.Repair, CommentOut))
	}
	var err error
	r.Severity, err = ParseSeverity(doc.Severity)
	p.fail("severity", err)
	r.Kernels, err = sysctl.ParseReleases(doc.Kernels)
	p.fail("kernels", err)
	r.When = p.conditions(doc.When)
	r.Any = p.conditions(doc.Any)
	r.Message, err = facts.CompileTemplate(doc.Message)
	p.fail("message", err)
	r.Group, err = group(append(r.Needs(), r.Message.Needs()...))
	p.fail("", err)
	r.Suggest = p.suggestions(doc.Suggest)
	return r, p.err
}

// group is the group of the facts that belong to one; a rule asks about one thing.
func group(needs []facts.Name) (string, error) {
	found := ""
	for _, name := range needs {
		if g := name.Group(); g != "" && g != found {
			if found != "" {
				return "", fmt.Errorf("a rule is about one thing: it names facts of %s and of %s", found, g)
			}
			found = g
		}
	}
	return found, nil
}

// A parser keeps the first fault and its line.
type parser struct {
	text string
	err  error
}

// fail records a fault at the line where the needle stands.
func (p *parser) fail(needle string, err error) {
	if err == nil || p.err != nil {
		return
	}
	p.err = err
	if needle != "" {
		p.err = fmt.Errorf("line %d: %w", tomlfile.Line(p.text, needle, 0), err)
	}
}

func (p *parser) require(key, content string) {
	if strings.TrimSpace(content) == "" {
		p.fail("", fmt.Errorf("%s is missing or empty", key))
	}
}

func (p *parser) conditions(sources []string) []facts.Expr {
	var exprs []facts.Expr
	for _, source := range sources {
		e, err := facts.CompileCondition(source)
		p.fail(source, err)
		exprs = append(exprs, e)
	}
	return exprs
}

func (p *parser) suggestions(tree map[string]any) []Suggestion {
	flat := facts.Flatten(tree)
	var suggestions []Suggestion
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		param, known := sysctl.Lookup(sysctl.Key(name))
		if !known {
			p.fail(string(name), fmt.Errorf("suggest: no parameter is called %s", name))
			continue
		}
		fields, err := facts.CompileFields(flat[name])
		if err == nil && max(1, param.Fields) != len(fields) {
			err = fmt.Errorf("suggest: %s takes %d numbers", name, max(1, param.Fields))
		}
		p.fail(string(name), err)
		suggestions = append(suggestions, Suggestion{param.Key, fields})
	}
	return suggestions
}
