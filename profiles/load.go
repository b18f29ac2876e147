package profiles

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/advisor/tomlfile"
	"github.com/tcptune/tcptune/sysctl"
)

// BuiltIn is the origin of the profiles inside the program.
const BuiltIn = "built in"

// Directory is where the administrator's profiles stand; one of the same name
// replaces a built-in one.
const Directory = "/etc/tcptune/profiles"

//go:embed *.toml
var builtIn embed.FS

// Names lists the profiles that Load finds by name, sorted.
func Names() []string {
	var names []string
	for _, fsys := range []fs.FS{os.DirFS(Directory), builtIn} {
		files, _ := fs.Glob(fsys, "*.toml")
		for _, file := range files {
			names = append(names, strings.TrimSuffix(file, ".toml"))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Load reads a profile: by its name or, if it contains a slash or ends in
// ".toml", from a file. Its error names the file and line.
func Load(name string) (Profile, error) { return load(name, nil) }

func load(name string, heirs []string) (Profile, error) {
	if slices.Contains(heirs, name) {
		return Profile{}, fmt.Errorf("profile %s extends itself, by way of %s", name, strings.Join(heirs, ", "))
	}
	text, file, err := find(name)
	if err != nil {
		return Profile{}, err
	}
	origin := file.Path
	p, err := parse(string(text), strings.TrimSuffix(filepath.Base(name), ".toml"))
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", origin, err)
	}
	p.Origin = origin
	if origin != BuiltIn {
		p.Files = []regular.Source{file}
	}
	if p.Extends == "" {
		return p, nil
	}
	extends := p.Extends
	if isPath(extends) && !filepath.IsAbs(extends) && origin != BuiltIn {
		extends = filepath.Join(filepath.Dir(origin), extends)
		if !isPath(extends) {
			extends = "./" + extends
		}
	}
	base, err := load(extends, append(heirs, name))
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: extends: %w", origin, err)
	}
	for _, want := range p.Wants {
		base.Wants = slices.DeleteFunc(base.Wants, func(w Want) bool { return w.Key == want.Key })
	}
	p.Wants = append(base.Wants, p.Wants...)
	p.Cautions = append(base.Cautions, p.Cautions...)
	p.Files = append(p.Files, base.Files...)
	return p, nil
}

// find reads a profile's text. The file's path is BuiltIn for those in the
// program.
func find(name string) (text []byte, file regular.Source, err error) {
	if isPath(name) {
		return regular.ReadSource(name, tomlfile.MaxSize)
	}
	if !fs.ValidPath(name) {
		return nil, regular.Source{}, fmt.Errorf("%q is not a profile's name", name)
	}
	text, file, err = regular.ReadSource(filepath.Join(Directory, name+".toml"), tomlfile.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		file = regular.Source{Path: BuiltIn}
		text, err = builtIn.ReadFile(name + ".toml")
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no profile is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return text, file, err
}

// isPath reports whether a name is that of a file rather than of a profile.
func isPath(name string) bool {
	return strings.Contains(name, "/") || strings.HasSuffix(name, ".toml")
}

// document is a profile's file.
type document struct {
	Summary  string   `toml:"summary"`
	Extends  string   `toml:"extends,omitempty"`
	Suits    []string `toml:"suits,omitempty"`
	Cautions []string `toml:"cautions,omitempty"`
	Wants    []want   `toml:"want"`
}

type want struct {
	Key     string `toml:"key"`
	AtLeast any    `toml:"at_least,omitempty"`
	AtMost  any    `toml:"at_most,omitempty"`
	Exactly any    `toml:"exactly,omitempty"`
	Kernels string `toml:"kernels,omitempty"`
	Why     string `toml:"why"`
}

// Check says what is wrong with a profile's text as such, whatever it extends,
// with the line; nil if nothing is.
func Check(text string) error {
	_, err := parse(text, "")
	return err
}

func parse(text, name string) (Profile, error) {
	var doc document
	if err := tomlfile.Decode(text, &doc); err != nil {
		return Profile{}, err
	}
	if strings.TrimSpace(doc.Summary) == "" {
		return Profile{}, errors.New("summary is missing or empty")
	}
	p := Profile{Name: name, Summary: doc.Summary, Extends: doc.Extends, Suits: doc.Suits, Cautions: doc.Cautions}
	for i, w := range doc.Wants {
		parsed, err := w.parse()
		if err == nil && slices.ContainsFunc(p.Wants, func(o Want) bool { return o.Key == parsed.Key && o.Kernels.Overlaps(parsed.Kernels) }) {
			err = errors.New("is wanted twice on the same kernels")
		}
		if err != nil {
			return Profile{}, fmt.Errorf("line %d: %.80s: %w", tomlfile.Line(text, "[[want]]", i), printable.Text(w.Key), err)
		}
		parsed.Profile = name
		p.Wants = append(p.Wants, parsed)
	}
	return p, nil
}

func (w want) parse() (Want, error) {
	parsed := Want{Why: strings.TrimSpace(w.Why)}
	var err error
	if parsed.Key, err = sysctl.ParseKey(w.Key); err != nil {
		return Want{}, err
	}
	param, known := sysctl.Lookup(parsed.Key)
	if !known {
		return Want{}, errors.New("is not a parameter that tcptune knows, and it sets no others")
	}
	if param.ReadOnly {
		return Want{}, errors.New("is read-only")
	}
	if parsed.Why == "" {
		return Want{}, errors.New("why is missing or empty")
	}
	if parsed.Kernels, err = sysctl.ParseReleases(w.Kernels); err != nil {
		return Want{}, err
	}
	var content any
	for _, c := range []struct {
		bound   Bound
		content any
	}{{AtLeast, w.AtLeast}, {AtMost, w.AtMost}, {Exactly, w.Exactly}} {
		if c.content == nil {
			continue
		}
		if content != nil {
			return Want{}, errors.New("say one of at_least, at_most, exactly")
		}
		parsed.Bound, content = c.bound, c.content
	}
	switch {
	case content == nil:
		return Want{}, errors.New("say one of at_least, at_most, exactly")
	case param.Type != sysctl.Number && param.Type != sysctl.Vector:
		return Want{}, fmt.Errorf("profiles hold numbers, and this is a %s", param.Type)
	case param.Type != sysctl.Number && parsed.Bound != Exactly:
		return Want{}, errors.New("several numbers can only be wanted exactly")
	}
	if parsed.Fields, err = facts.CompileFields(content); err != nil {
		return Want{}, err
	}
	if len(parsed.Fields) != max(1, param.Fields) {
		return Want{}, fmt.Errorf("takes %d numbers, not %d", max(1, param.Fields), len(parsed.Fields))
	}
	if value, missing := facts.EvalFields(parsed.Fields, facts.Facts{}); missing == nil {
		if err := param.CheckSane(value); err != nil {
			return Want{}, err
		}
	}
	return parsed, nil
}
