package settings

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// manifest looks for the securityContext of pods, wherever a manifest has one:
// in a Pod, in the template of a workload, in a List.
func (y *yamlReader) manifest(n *yaml.Node, at string, inContainer bool) {
	n = behind(n)
	if !y.first(n, passed) {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			y.manifest(item, at, inContainer)
		}
	case yaml.MappingNode:
		if kind := y.textOf(n, "kind"); kind != "" && y.get(n, "metadata", "spec") != nil {
			at = kind
			metadata := y.get(n, "metadata")
			if name := y.textOf(metadata, "name"); name != "" {
				if namespace := y.textOf(metadata, "namespace"); namespace != "" {
					name = namespace + "/" + name
				}
				at += " " + name
			}
		}
		for _, p := range y.pairs(n) {
			switch p.key.Value {
			case "securityContext":
				y.securityContext(p.value, at, inContainer)
			case "containers", "initContainers", "ephemeralContainers":
				y.manifest(p.value, at, true)
			default:
				y.manifest(p.value, at, inContainer)
			}
		}
	}
}

func (y *yamlReader) securityContext(context *yaml.Node, at string, inContainer bool) {
	for _, p := range y.pairs(context) {
		if p.key.Value != "sysctls" || !y.first(p.value, holder) {
			continue
		}
		switch {
		case inContainer:
			y.fault(y.place(p.key), "", "only the securityContext of a pod has sysctls; in a container's they set nothing")
		case p.value.Kind == yaml.SequenceNode:
			for _, item := range p.value.Content {
				y.podSysctl(behind(item), at)
			}
		case p.value.Kind == yaml.ScalarNode && template(p.value.Value) != "":
			y.skip(y.place(p.value), "", template(p.value.Value))
		case p.value.ShortTag() != "!!null":
			y.fault(y.place(p.key), "", "sysctls is a list of name and value")
		}
	}
}

func (y *yamlReader) podSysctl(item *yaml.Node, at string) {
	if !y.first(item, holder) {
		return
	}
	switch name, value := y.get(item, "name"), y.get(item, "value"); {
	case name == nil || name.Kind != yaml.ScalarNode:
		y.fault(y.place(item), "", "an entry of sysctls has a name and a value")
	default:
		y.setting(name, value, kubernetesValue, at, true)
	}
}

// kubernetesValue is a scalar as the API server takes it: it must be a string,
// and YAML's plain numbers and truth values are none (k8s.io/api/core/v1,
// Sysctl).
func kubernetesValue(n *yaml.Node) scalar {
	if !isPlain(n) {
		return scalar{text: n.Value}
	}
	switch tag := n.ShortTag(); {
	case tag == "!!int" || tag == "!!float":
		return scalar{fault: n.Value + " is a number, and the API server takes only a string: put it in quotes"}
	case tag == "!!bool" || plainBool().MatchString(n.Value):
		return scalar{fault: fmt.Sprintf("%s is a truth value, and the API server takes only a string: write %q", n.Value, ansibleValue(n).text)}
	}
	return scalar{text: n.Value}
}
