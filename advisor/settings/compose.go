package settings

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// compose reads the sysctls of a compose file's services, a mapping or a list.
func (y *yamlReader) compose(root *yaml.Node) {
	for _, service := range y.pairs(y.get(root, "services")) {
		at := "service " + service.key.Value
		for _, p := range y.pairs(service.value) {
			if p.key.Value != "sysctls" || !y.first(p.value, holder) {
				continue
			}
			switch p.value.Kind {
			case yaml.MappingNode:
				for _, entry := range y.pairs(p.value) {
					if y.first(entry.key, holder) {
						y.setting(entry.key, entry.value, composeValue, at, true)
					}
				}
			case yaml.SequenceNode:
				for _, item := range p.value.Content {
					if item = behind(item); item.Kind == yaml.ScalarNode && y.first(item, holder) {
						y.words(item, at, true)
					}
				}
			default:
				if p.value.ShortTag() != "!!null" {
					y.fault(y.place(p.key), "", "sysctls is a mapping, or a list of name=value")
				}
			}
		}
	}
}

// composeValue is a scalar as docker compose passes it on: what its YAML reader,
// the same as ours, makes of it, printed.
func composeValue(n *yaml.Node) scalar {
	if !isPlain(n) {
		return scalar{text: n.Value}
	}
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool":
		var value any
		if n.Decode(&value) == nil {
			return scalar{text: fmt.Sprint(value)}
		}
	}
	return scalar{text: n.Value}
}
