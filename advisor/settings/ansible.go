package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tcptune/tcptune/advisor/pattern"
)

// sysctlModules are the names of Ansible's module for parameters.
var sysctlModules = []string{"sysctl", "ansible.posix.sysctl", "ansible.builtin.sysctl", "ansible.legacy.sysctl"}

// ansible looks for tasks and variables, wherever they are: in plays, blocks,
// handlers and roles. It does not follow aliases, whose anchors it comes to by
// itself.
func (y *yamlReader) ansible(n *yaml.Node, at string, container bool) {
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if name := y.textOf(item, "name"); name == "" {
				y.ansible(item, at, container)
			} else if y.get(item, "hosts") != nil {
				y.ansible(item, fmt.Sprintf("play %q", name), container)
			} else {
				y.ansible(item, fmt.Sprintf("task %q", name), container)
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch target := behind(value); {
			case slices.Contains(sysctlModules, key.Value) && y.isCall(target):
				if y.first(n, asTask) {
					y.task(n, target, at)
				}
			case slices.Contains(sysctlModules, key.Value) && y.get(n, "args") != nil && target.ShortTag() == "!!null":
				if y.first(n, asTask) {
					y.task(n, y.get(n, "args"), at)
				}
			case strings.HasSuffix(key.Value, "ecurityContext") && y.get(target, "sysctls") != nil:
				y.securityContext(target, key.Value, false) // the values of a Helm chart
			case isSysctlVariable(key.Value):
				if container {
					y.variable(target, at, true)
				} else {
					y.variable(target, key.Value, false)
				}
			default:
				y.ansible(value, at, container || isContainerModule(key.Value))
			}
		}
	}
}

// isCall reports whether a node is a module's arguments.
func (y *yamlReader) isCall(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return strings.Contains(n.Value, "=")
	}
	return y.get(n, "name", "key") != nil
}

// isSysctlVariable reports whether a name says that it holds parameters: one of
// its words is sysctl or sysctls.
func isSysctlVariable(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' }),
		func(word string) bool { return word == "sysctl" || word == "sysctls" })
}

// isContainerModule reports whether a module starts containers.
func isContainerModule(name string) bool {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return slices.Contains([]string{"docker_container", "docker_swarm_service", "podman_container", "podman_pod", "nerdctl_container"}, name)
}

func isParameter(n *yaml.Node) bool {
	if n == nil || n.Kind != yaml.ScalarNode {
		return false
	}
	_, known := parameterName(strings.TrimSpace(n.Value))
	return known
}

// variable reads a dictionary of parameters, a list of names and values, or of
// "name=value", and what is nested in them. Names are taken for parameters if
// they begin as one.
func (y *yamlReader) variable(n *yaml.Node, at string, container bool) {
	n = behind(n)
	if !y.first(n, holder) {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			item = behind(item)
			if name, _, found := strings.Cut(item.Value, "="); item.Kind == yaml.ScalarNode && found {
				if _, known := parameterName(strings.TrimSpace(name)); known && y.first(item, holder) {
					y.words(item, at, container)
				}
				continue
			}
			y.variable(item, at, container)
		}
	case yaml.MappingNode:
		if name := y.get(n, "name", "key"); isParameter(name) {
			if !isAbsent(y.get(n, "state")) {
				y.setting(name, y.get(n, "value", "val"), ansibleValue, at, container)
			}
			return
		}
		for _, p := range y.pairs(n) {
			switch {
			case !isParameter(p.key):
				y.variable(p.value, at, container)
			case !y.first(p.key, holder):
			case p.value.Kind == yaml.MappingNode && y.get(p.value, "value") != nil:
				if !isAbsent(y.get(p.value, "state")) {
					y.setting(p.key, y.get(p.value, "value"), ansibleValue, at, container)
				}
			default:
				y.setting(p.key, p.value, ansibleValue, at, container)
			}
		}
	}
}

// A round of a task's loop has a node, with a key if it is an entry of with_dict.
type round struct{ node, key *yaml.Node }

// task reads a call of the module, once for each round of its loop.
func (y *yamlReader) task(task, arguments *yaml.Node, at string) {
	if arguments.Kind == yaml.ScalarNode {
		y.freeForm(task, arguments, at)
		return
	}
	extra := y.get(task, "args")
	argument := func(names ...string) *yaml.Node {
		if n := y.get(arguments, names...); n != nil {
			return n
		}
		return y.get(extra, names...)
	}
	name, value, state := argument("name", "key"), argument("value", "val"), argument("state")
	if name == nil || name.Kind != yaml.ScalarNode {
		y.fault(y.place(arguments), "", "the module needs a name")
		return
	}
	rounds, variable, literal := y.loop(task)
	changes := template(name.Value) != "" || value != nil && template(value.Value) != "" || state != nil && template(state.Value) != ""
	if !literal && changes {
		y.skip(y.place(name), "", "it is a template, and the task's loop is not written out in it")
		return
	}
	if rounds == nil || !changes { // each round sets the same
		rounds = []round{{}}
	}
	for _, r := range rounds {
		if r.node != nil && !y.first(r.node, asRound) {
			continue
		}
		switch state := y.expand(state, r, variable); {
		case isAbsent(state):
		case state != nil && template(state.Value) != "" && !strings.Contains(state.Value, "present"): // which it is by default
			y.skip(y.place(state), "", "whether the parameter is set is a template")
		default:
			y.setting(y.expand(name, r, variable), y.expand(value, r, variable), ansibleValue, at, false)
		}
	}
}

// freeForm reads the old way of calling the module, "name=a value=b".
func (y *yamlReader) freeForm(task, arguments *yaml.Node, at string) {
	if why := template(arguments.Value); why != "" {
		y.skip(y.place(arguments), "", why)
		return
	}
	given := map[string]*yaml.Node{}
	extra := y.get(task, "args")
	for _, name := range []string{"name", "key", "value", "val", "state"} {
		if n := y.get(extra, name); n != nil {
			given[name] = n
		}
	}
	for _, match := range freeFormWord().FindAllStringSubmatchIndex(arguments.Value, -1) {
		place := y.part(arguments, match[4], match[5])
		given[arguments.Value[match[2]:match[3]]] = &yaml.Node{
			// Marked as tagged, since these words are texts even if they look like
			// numbers.
			Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.TaggedStyle,
			Value: strings.Trim(arguments.Value[match[4]:match[5]], `"'`), Line: place.Line, Column: place.Column,
		}
	}
	name, value := cmp.Or(given["name"], given["key"]), cmp.Or(given["value"], given["val"])
	switch {
	case name == nil || name.Kind != yaml.ScalarNode:
		y.fault(y.place(arguments), "", "the module needs a name")
	case !isAbsent(given["state"]):
		y.setting(name, value, ansibleValue, at, false)
	}
}

var freeFormWord = pattern.Lazy(`(\w+)=("[^"]*"|'[^']*'|\S*)`)

// loop lists the rounds of a task's loop; none if it has no loop. Literal is
// false if they are not written out.
func (y *yamlReader) loop(task *yaml.Node) (rounds []round, variable string, literal bool) {
	variable = "item"
	if v := y.textOf(y.get(task, "loop_control"), "loop_var"); v != "" {
		variable = v
	}
	for _, p := range y.pairs(task) {
		switch p.key.Value {
		case "loop", "with_items", "with_list", "with_flattened":
			if p.value.Kind != yaml.SequenceNode {
				return nil, variable, false
			}
			for _, n := range p.value.Content {
				n = behind(n)
				if n.Kind == yaml.SequenceNode && p.key.Value != "loop" && p.key.Value != "with_list" {
					for _, inner := range n.Content { // with_items flattens one level
						rounds = append(rounds, round{node: behind(inner)})
					}
					continue
				}
				rounds = append(rounds, round{node: n})
			}
			return rounds, variable, true
		case "with_dict":
			if p.value.Kind != yaml.MappingNode {
				return nil, variable, false
			}
			for _, entry := range y.pairs(p.value) {
				rounds = append(rounds, round{node: entry.value, key: entry.key})
			}
			return rounds, variable, true
		}
		if strings.HasPrefix(p.key.Value, "with_") {
			return nil, variable, false
		}
	}
	return nil, variable, true
}

// itemTemplate is a template that is nothing but a part of the loop's variable.
var itemTemplate = pattern.Lazy(`^\{\{-?\s*(\w+)((?:\.\w+|\[\s*(?:\d+|'[^'\]]*'|"[^"\]]*")\s*\])*)\s*(?:\|\s*(?:string|default\([^|]*\))\s*)?-?\}\}$`)

var itemPart = pattern.Lazy(`\.(\w+)|\[\s*(?:(\d+)|'([^']*)'|"([^"]*)")\s*\]`)

// expand is what a template stands for in a round, where that is a part of the
// loop's variable; otherwise it is the node itself.
func (y *yamlReader) expand(n *yaml.Node, r round, variable string) *yaml.Node {
	if n == nil || n.Kind != yaml.ScalarNode || r.node == nil {
		return n
	}
	match := itemTemplate().FindStringSubmatch(strings.TrimSpace(n.Value))
	if match == nil || match[1] != variable {
		return n
	}
	at := r.node
	for i, part := range itemPart().FindAllStringSubmatch(match[2], -1) {
		name := part[1] + part[2] + part[3] + part[4]
		if i == 0 && r.key != nil {
			switch name {
			case "key":
				at = r.key
			case "value":
			default:
				return n
			}
			continue
		}
		var next *yaml.Node
		if index, err := strconv.Atoi(name); err == nil && at.Kind == yaml.SequenceNode && index < len(at.Content) {
			next = behind(at.Content[index])
		} else {
			next = y.get(at, name)
		}
		if next == nil {
			return n
		}
		at = next
	}
	if at.Kind != yaml.ScalarNode {
		return n
	}
	return at
}

// isAbsent reports whether a state says that the parameter is to be taken out of
// its file.
func isAbsent(state *yaml.Node) bool { return state != nil && state.Value == "absent" }

// ansibleValue is a scalar as it reaches the parameter: PyYAML 1.1 makes of a
// plain one what it takes for a number, and the module makes 1 and 0 of what it
// takes for a truth value (ansible.posix, plugins/modules/sysctl.py,
// _parse_value; ansible, module_utils/parsing/convert_bool.py).
func ansibleValue(n *yaml.Node) scalar {
	text := n.Value
	if isPlain(n) {
		text = pythonNumber(text)
	}
	switch strings.ToLower(text) {
	case "y", "yes", "on", "true", "t", "1.0":
		text = "1"
	case "n", "no", "off", "false", "f", "0.0":
		text = "0"
	}
	return scalar{text: text}
}

// The plain scalars that YAML 1.1 takes for integers (https://yaml.org/type/int.html).
var (
	yamlBinary  = pattern.Lazy(`^[-+]?0b[01_]+$`)
	yamlOctal   = pattern.Lazy(`^[-+]?0[0-7_]+$`)
	yamlDecimal = pattern.Lazy(`^[-+]?(?:0|[1-9][0-9_]*)$`)
	yamlHex     = pattern.Lazy(`^[-+]?0x[0-9a-fA-F_]+$`)
	yamlSixties = pattern.Lazy(`^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$`)
)

// pythonNumber prints an integer of YAML 1.1 as Python does: 0x10 is 16, 010 is
// 8, 1_000 is 1000 and 1:30 is 90. Other text stays as it is.
func pythonNumber(text string) string {
	digits := strings.TrimLeft(strings.ReplaceAll(text, "_", ""), "+-")
	base := 10
	switch {
	case yamlDecimal().MatchString(text):
	case yamlBinary().MatchString(text):
		base, digits = 2, digits[2:]
	case yamlHex().MatchString(text):
		base, digits = 16, digits[2:]
	case yamlOctal().MatchString(text):
		base = 8
	case yamlSixties().MatchString(text):
		var sum uint64
		for _, part := range strings.Split(digits, ":") {
			n, err := strconv.ParseUint(part, 10, 32)
			if err != nil || sum > 1<<50 {
				return text
			}
			sum = sum*60 + n
		}
		digits = strconv.FormatUint(sum, 10)
	default:
		return text
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return text
	}
	sign := ""
	if text[0] == '-' && n != 0 {
		sign = "-"
	}
	return sign + strconv.FormatUint(n, 10)
}
