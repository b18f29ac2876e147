package settings

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tcptune/tcptune/advisor/pattern"
	"github.com/tcptune/tcptune/sysctl"
)

// A yamlReader collects what the documents of a YAML file set. Nodes are read
// once in each role, so that aliases do not multiply what there is to do; what
// an alias stands for has its place at the anchor.
type yamlReader struct {
	*source
	file File
	seen map[visit]bool
	// entries counts what was looked at in mappings. Only a file whose aliases
	// stand for each other comes to its limit.
	entries, maxEntries int
}

// readYAML reads manifests of Kubernetes, compose files, and everything else as
// Ansible's.
func readYAML(_ string, s *source) (File, error) {
	if err := noMention(s); err != nil {
		return File{}, err
	}
	s.text = strings.TrimPrefix(s.text, "\ufeff")
	y := &yamlReader{source: s, seen: map[visit]bool{}, maxEntries: 1<<16 + 8*len(s.text)}
	y.file.Comments = s.comments("#", false)
	decoder := yaml.NewDecoder(strings.NewReader(oneKindOfLineEnd.Replace(s.text)))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return File{}, y.broken(err)
		}
		if len(document.Content) == 1 {
			y.document(document.Content[0])
		}
	}
	if y.entries > y.maxEntries {
		return File{}, fmt.Errorf("%w: its aliases stand for too much", ErrNotUnderstood)
	}
	if len(y.file.Settings)+len(y.file.Faults)+len(y.file.Skipped) == 0 {
		return File{}, fmt.Errorf("%w: it is YAML without a place in which parameters are set", ErrNothing)
	}
	return y.file, nil
}

// oneKindOfLineEnd leaves the line ends of YAML 1.1 that are none in a source,
// one character for one, so that the two count alike.
var oneKindOfLineEnd = strings.NewReplacer("\r\n", "\r\n", "\r", " ", "\u0085", " ", "\u2028", " ", "\u2029", " ")

// broken explains an error of the parser.
func (y *yamlReader) broken(err error) error {
	why := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(y.text, "{{") || strings.Contains(y.text, "{%") {
		return fmt.Errorf("%w: it is a template, of Helm perhaps, and not YAML: %s", ErrNotUnderstood, why)
	}
	return fmt.Errorf("%w: broken YAML: %s", ErrNotUnderstood, why)
}

func (y *yamlReader) document(root *yaml.Node) {
	form := Ansible
	if y.get(root, "tcptune") != nil && y.get(root, "schema") != nil {
		return // a snapshot of tcptune's own shows what is, and asks for nothing
	}
	switch services := y.get(root, "services"); {
	case y.textOf(root, "apiVersion") != "" && y.textOf(root, "kind") != "":
		form = Kubernetes
	case services != nil && services.Kind == yaml.MappingNode:
		form = Compose
	}
	if y.file.Form == "" || len(y.file.Settings)+len(y.file.Faults)+len(y.file.Skipped) == 0 {
		y.file.Form = form
	}
	switch form {
	case Kubernetes:
		y.manifest(root, "", false)
	case Compose:
		y.compose(root)
	default:
		y.ansible(root, "", false)
	}
}

// A visit is the reading of a node in a role.
type visit struct {
	node *yaml.Node
	role role
}

type role int

const (
	passed  role = iota // looked through for settings
	holder              // of settings
	asTask              // of Ansible
	asRound             // of a task's loop
)

// first reports whether a node is read for the first time in a role.
func (y *yamlReader) first(n *yaml.Node, as role) bool {
	v := visit{n, as}
	if y.seen[v] {
		return false
	}
	y.seen[v] = true
	return true
}

// behind follows an alias.
func behind(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// A pair is an entry of a mapping; its value is behind the alias.
type pair struct{ key, value *yaml.Node }

// pairs lists a mapping's entries, a key that is there twice twice, and then
// those that merge keys bring in and the mapping has not.
func (y *yamlReader) pairs(mapping *yaml.Node) []pair {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	var found []pair
	own := map[string]bool{}
	seen := map[*yaml.Node]bool{}
	var add func(m *yaml.Node)
	add = func(m *yaml.Node) {
		y.entries += len(m.Content) + 1
		if m.Kind != yaml.MappingNode || seen[m] || y.entries > y.maxEntries {
			return
		}
		seen[m] = true
		var merged []*yaml.Node
		level := map[string]bool{}
		for i := 0; i+1 < len(m.Content); i += 2 {
			key, value := behind(m.Content[i]), behind(m.Content[i+1])
			if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
				merged = append(merged, value)
				continue
			}
			if key.Kind == yaml.ScalarNode && own[key.Value] {
				continue
			}
			level[key.Value] = true
			found = append(found, pair{key, value})
		}
		for key := range level {
			own[key] = true
		}
		for _, source := range merged {
			if source.Kind == yaml.SequenceNode {
				for _, item := range source.Content {
					add(behind(item))
				}
			} else {
				add(source)
			}
		}
	}
	add(mapping)
	return found
}

// get is a mapping's value for a key, behind aliases, or nil.
func (y *yamlReader) get(mapping *yaml.Node, names ...string) *yaml.Node {
	for _, p := range y.pairs(mapping) {
		for _, name := range names {
			if p.key.Value == name && p.key.Kind == yaml.ScalarNode {
				return p.value
			}
		}
	}
	return nil
}

// textOf is a mapping's text for a key, or empty.
func (y *yamlReader) textOf(mapping *yaml.Node, names ...string) string {
	if n := y.get(mapping, names...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// place is where a node's text is. Of a text of several lines it is the part on
// the first, of a block scalar its first line, and of a mapping or a list its
// first character.
func (y *yamlReader) place(n *yaml.Node) Place {
	from := y.offset(n.Line, n.Column)
	text, start := y.line(min(n.Line, len(y.lineStarts())))
	end := start + len(text)
	// The parser's place is that of a tag or an anchor, if there is one.
	for from < end && (y.text[from] == '&' || y.text[from] == '!') {
		rest := y.text[from:end]
		i := strings.IndexAny(rest, " \t")
		if i < 0 {
			return y.span(from, end)
		}
		from = end - len(strings.TrimLeft(rest[i:], " \t"))
	}
	rest := y.text[from:end]
	switch {
	case n.Kind != yaml.ScalarNode:
		return y.span(from, from+1)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for number := n.Line + 1; number <= len(y.lineStarts()); number++ {
			if text, _ := y.line(number); strings.TrimSpace(text) != "" {
				return y.whole(number)
			}
		}
	case strings.HasPrefix(rest, n.Value) && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0:
		return y.span(from, from+len(n.Value))
	case rest != "" && (rest[0] == '"' || rest[0] == '\''):
		return y.span(from, from+quoted(rest))
	}
	return y.trimmed(from, end)
}

// quoted is the length of the quoted scalar that a text begins with.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[0] == '\'' && strings.HasPrefix(text[i:], "''"):
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return len(text)
}

// A scalar's text is what the program that reads the file makes of it; or there
// is a fault, for which it makes nothing of it.
type scalar struct{ text, fault string }

// setting adds one parameter. The name is a scalar; the value may be missing.
func (y *yamlReader) setting(name, value *yaml.Node, read func(*yaml.Node) scalar, at string, container bool) {
	namePlace := y.place(name)
	key, err := sysctl.ParseKey(name.Value)
	switch why := template(name.Value); {
	case why != "":
		y.skip(namePlace, "", why)
		return
	case err != nil:
		y.fault(namePlace, "", err.Error())
		return
	case value == nil || value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null":
		y.fault(namePlace, key, "it has no value")
		return
	}
	valuePlace := y.place(value)
	place := joined(namePlace, valuePlace)
	if place == namePlace {
		place = valuePlace
	}
	if value.Kind != yaml.ScalarNode {
		y.fault(place, key, "a value is one text or number")
		return
	}
	if tag := value.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		y.skip(place, key, "it has the tag "+tag)
		return
	}
	if why := template(value.Value); why != "" {
		y.skip(place, key, why)
		return
	}
	content := read(value)
	if content.fault != "" {
		y.fault(place, key, content.fault)
		return
	}
	setting := Setting{
		Place: joined(namePlace, valuePlace), ValuePlace: valuePlace, At: at, Container: container,
		Key: key, Value: sysctl.Value(strings.TrimSpace(content.text)),
	}
	if raw := y.written(value); raw != string(setting.Value) {
		setting.Raw = raw
	}
	y.file.Settings = append(y.file.Settings, setting)
}

// written is a scalar as it stands in the file, if on one line.
func (y *yamlReader) written(n *yaml.Node) string {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return strings.TrimSpace(n.Value)
	}
	place := y.place(n)
	return y.text[y.offset(place.Line, place.Column):y.offset(place.Line, place.EndColumn)]
}

// words adds a parameter that is written as one scalar "name=value".
func (y *yamlReader) words(n *yaml.Node, at string, container bool) {
	place := y.place(n)
	name, value, found := strings.Cut(n.Value, "=")
	key, err := sysctl.ParseKey(name)
	switch why := template(n.Value); {
	case why != "":
		y.skip(place, knownKey(key), why)
	case !found:
		y.fault(place, "", `it is not of the form "name=value"`)
	case err != nil:
		y.fault(place, "", err.Error())
	default:
		y.file.Settings = append(y.file.Settings, Setting{
			Place: place, ValuePlace: y.part(n, len(name)+1, len(n.Value)),
			Key: key, Value: sysctl.Value(strings.TrimSpace(value)), At: at, Container: container,
		})
	}
}

// part is the place of a part of a scalar's text, from one offset in it to
// another; the scalar's if it is written otherwise than it reads.
func (y *yamlReader) part(n *yaml.Node, from, to int) Place {
	place := y.place(n)
	start := y.offset(place.Line, place.Column)
	i := strings.Index(y.text[start:y.offset(place.Line, place.EndColumn)], n.Value)
	if i < 0 {
		return place
	}
	return y.span(start+i+from, start+i+to)
}

func (y *yamlReader) fault(place Place, key sysctl.Key, reason string) {
	y.file.Faults = append(y.file.Faults, Fault{place, key, reason})
}

func (y *yamlReader) skip(place Place, key sysctl.Key, reason string) {
	y.file.Skipped = append(y.file.Skipped, Skipped{place, key, reason})
}

// plainBool are the truth values of YAML 1.1, which PyYAML and the API server's
// reader know (https://yaml.org/type/bool.html; neither takes y and n for one in
// the same way, so these are left out).
var plainBool = pattern.Lazy(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)

// isPlain reports whether a scalar has neither quotes nor a tag, and so may be a
// number, a truth value or nothing.
func isPlain(n *yaml.Node) bool {
	const notPlain = yaml.TaggedStyle | yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Style&notPlain == 0
}
