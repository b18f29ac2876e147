package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/tcptune/tcptune/advisor/tomlfile"
	"github.com/tcptune/tcptune/sysctl"
)

// readProfile reads the wants of a tcptune profile. Whether it is a good one is
// for package profiles to say.
func readProfile(_ string, s *source) (File, error) {
	if !strings.Contains(s.text, "want") {
		return File{}, fmt.Errorf("%w: it is TOML without a [[want]]", ErrNothing)
	}
	type want struct {
		Key     any `toml:"key"`
		AtLeast any `toml:"at_least"`
		AtMost  any `toml:"at_most"`
		Exactly any `toml:"exactly"`
		Kernels any `toml:"kernels"`
	}
	var doc struct {
		Extends any `toml:"extends"`
		Wants   any `toml:"want"`
	}
	if len(s.text) > tomlfile.MaxSize {
		return File{}, fmt.Errorf("%w: it is larger than the %d KiB of a profile", ErrNotUnderstood, tomlfile.MaxSize>>10)
	}
	if _, err := toml.Decode(s.text, &doc); err != nil {
		if !strings.Contains(s.text, wantHeading) {
			return File{}, fmt.Errorf("%w: it is broken TOML without a [[want]]: %w", ErrNothing, err)
		}
		return File{}, fmt.Errorf("%w: broken TOML: %w", ErrNotUnderstood, tomlError(err))
	}
	tables, ok := doc.Wants.([]map[string]any)
	if _, isList := doc.Wants.([]any); isList && strings.Contains(s.text, "key") {
		return File{}, fmt.Errorf("%w: its wants are not all written as [[want]]", ErrNotUnderstood)
	}
	if !ok {
		return File{}, fmt.Errorf("%w: it is TOML without a [[want]]", ErrNothing)
	}
	blocks := s.wantBlocks()
	if len(blocks) != len(tables) {
		return File{}, fmt.Errorf("%w: its wants are not all written as [[want]]", ErrNotUnderstood)
	}
	file := File{Form: Profile, Comments: s.comments("#", false)}
	if extends, ok := doc.Extends.(string); ok {
		file.Skipped = append(file.Skipped, Skipped{Place: s.whole(tomlfile.Line(s.text, "extends", 0)), Reason: fmt.Sprintf("it extends the profile %q, which is read on its own", extends)})
	}
	for i, t := range tables {
		w := want{Key: t["key"], AtLeast: t["at_least"], AtMost: t["at_most"], Exactly: t["exactly"], Kernels: t["kernels"]}
		block := blocks[i]
		var key sysctl.Key
		fault := func(place Place, reason string) { file.Faults = append(file.Faults, Fault{place, key, reason}) }
		name, ok := w.Key.(string)
		if !ok {
			fault(block.heading, "it has no key")
			continue
		}
		keyPlace := block.place("key")
		parsed, err := sysctl.ParseKey(name)
		if err != nil {
			fault(keyPlace, err.Error())
			continue
		}
		key = parsed
		setting := Setting{Key: key, Place: keyPlace}
		var content any
		bounds := 0
		for _, b := range []struct {
			name, bound string
			content     any
		}{{"at_least", "at least", w.AtLeast}, {"at_most", "at most", w.AtMost}, {"exactly", "exactly", w.Exactly}} {
			if b.content != nil {
				bounds++
				content, setting.Bound, setting.ValuePlace = b.content, b.bound, block.place(b.name)
			}
		}
		if bounds != 1 {
			fault(keyPlace, "a want says one of at_least, at_most, exactly")
			continue
		}
		if w.Kernels != nil {
			kernels, _ := w.Kernels.(string)
			if setting.Kernels, err = sysctl.ParseReleases(kernels); err != nil {
				fault(block.place("kernels"), err.Error())
				continue
			}
		}
		value, ok := numbers(content)
		if !ok {
			file.Skipped = append(file.Skipped, Skipped{setting.ValuePlace, key, "it depends on facts of a host"})
			continue
		}
		setting.Value = value
		file.Settings = append(file.Settings, setting)
	}
	return file, nil
}

// numbers is a value that says the same on all hosts: a number or several.
func numbers(content any) (sysctl.Value, bool) {
	list, isList := content.([]any)
	if !isList {
		list = []any{content}
	}
	var fields []string
	for _, item := range list {
		switch n := item.(type) {
		case int64:
			fields = append(fields, strconv.FormatInt(n, 10))
		case string:
			if _, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64); err != nil {
				return "", false
			}
			fields = append(fields, strings.TrimSpace(n))
		default:
			return "", false
		}
	}
	return sysctl.Value(strings.Join(fields, " ")), len(fields) > 0
}

// tomlError says what is wrong and where, in one line.
func tomlError(err error) error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d: %s", parse.Position.Line, parse.Message)
	}
	return err
}

const wantHeading = "[[want]]"

// A wantBlock is the lines of one [[want]].
type wantBlock struct {
	heading Place
	places  map[string]Place // of what stands behind "name ="
}

// place is where the value of a name is; the heading if it is written in a way
// that is not found, such as a quoted name.
func (b wantBlock) place(name string) Place {
	if place, found := b.places[name]; found {
		return place
	}
	return b.heading
}

// wantBlocks finds the places that the decoder does not tell.
func (s *source) wantBlocks() []wantBlock {
	var blocks []wantBlock
	for number := range s.lineStarts() {
		number++
		text, start := s.line(number)
		trimmed := strings.TrimSpace(text)
		switch {
		case strings.HasPrefix(trimmed, wantHeading):
			blocks = append(blocks, wantBlock{s.whole(number), map[string]Place{}})
		case blocks != nil:
			name, content, found := strings.Cut(text, "=")
			name = strings.TrimSpace(name)
			places := blocks[len(blocks)-1].places
			if _, again := places[name]; !found || again {
				break
			}
			from := start + len(text) - len(strings.TrimLeft(content, " \t"))
			places[name] = s.trimmed(from, from+tomlValue(s.text[from:start+len(text)]))
		}
	}
	return blocks
}

// tomlValue is the length of the value that a text begins with: a string, or
// what stands before a comment.
func tomlValue(text string) int {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return end + 2
		}
	}
	if end := strings.IndexByte(text, '#'); end >= 0 {
		return end
	}
	return len(text)
}
