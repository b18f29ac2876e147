package rules

import (
	"embed"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
)

// BuiltIn is the origin of the rules inside the program.
const BuiltIn = "built in"

//go:embed */*.toml
var builtIn embed.FS

// An entry is a built-in rule as its file has it, but for the examples. Reading
// all files takes longer than judging by them, so they are read before the
// program is built: see the table.
type entry struct {
	name, title, severity, kernels, group string
	when, any                             []checked
	message, why, fix                     string
	suggest                               []suggested
	repair                                string
	redundantWith, references             []string
}

// checked is an expression and the facts that it needs.
type checked struct {
	source string
	needs  []facts.Name
}

// suggested is a parameter and what it is to be set to.
type suggested struct {
	key    sysctl.Key
	fields []checked
}

// Builtin is the rules inside the program.
func Builtin() (Set, error) {
	set := Set{byName: make(map[string]Rule, len(table))}
	for _, e := range table {
		rule, err := e.rule()
		if err != nil {
			return Set{}, err
		}
		set.byName[e.name] = rule
	}
	return set, nil
}

func (e entry) rule() (Rule, error) {
	r := Rule{Name: e.name, Origin: BuiltIn + "/" + e.name + ".toml", Title: e.title, Severity: Severity(e.severity), Group: e.group,
		When: expressions(e.when), Any: expressions(e.any), Message: facts.CheckedTemplate(e.message), Why: e.why, Fix: e.fix,
		Repair: Repair(e.repair), RedundantWith: e.redundantWith, References: e.references,
		text: func() string {
			text, _ := builtIn.ReadFile(e.name + ".toml") // it is embedded
			return string(text)
		}}
	for _, s := range e.suggest {
		r.Suggest = append(r.Suggest, Suggestion{s.key, expressions(s.fields)})
	}
	var err error
	r.Kernels, err = sysctl.ParseReleases(e.kernels)
	return r, err
}

func expressions(list []checked) []facts.Expr {
	var exprs []facts.Expr
	for _, c := range list {
		exprs = append(exprs, facts.Checked(c.source, c.needs))
	}
	return exprs
}
