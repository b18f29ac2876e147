package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
)

func (a *app) explainCommand() *cobra.Command {
	var chosen ruleFlags
	var host hostFlags
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Explain a parameter, a TCP state, a rule or a fact",
		Long: `Explain tells what a parameter does and on which kernels, what a TCP state means
and who ends it, or what a rule judges and why. For a parameter that counts
retries it shows the seconds that each setting means.`,
		Example: `  tcptune explain tcp_fin_timeout
  tcptune explain net.ipv4.tcp_synack_retries
  tcptune explain CLOSE_WAIT
  tcptune explain timewait/near-limit`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := a.text(rules.Info)
			if state, ok := tcpstate.Parse(args[0]); ok {
				return text.State(a.out, state.Info())
			}
			set, err := chosen.load()
			if err != nil {
				return err
			}
			if rule, ok := set.Get(args[0]); ok {
				return text.Rule(a.out, rule)
			}
			if param, ok := findParameter(args[0]); ok {
				s, err := host.snapshot(cmd.Context(), a)
				if err != nil {
					return err
				}
				return text.Parameter(a.out, param, s, rulesOn(set, param.Key))
			}
			if def, ok := facts.Schema()[facts.Name(args[0])]; ok {
				return text.Fact(a.out, def)
			}
			return &failure{exitUsage, fmt.Errorf("%q is no parameter, state, rule or fact that tcptune knows", args[0]), suggestion(set, args[0])}
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			set, err := rules.Builtin()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return explainable(set), cobra.ShellCompDirectiveNoFileComp
		},
	}
	chosen.register(cmd)
	host.register(cmd)
	return cmd
}

// findParameter finds a parameter by its key or by the last part of it.
func findParameter(name string) (sysctl.Param, bool) {
	if key, err := sysctl.ParseKey(name); err == nil {
		if param, ok := sysctl.Lookup(key); ok {
			return param, true
		}
	}
	for _, param := range sysctl.Catalogue() {
		if strings.HasSuffix(string(param.Key), "."+name) {
			return param, true
		}
	}
	return sysctl.Param{}, false
}

// rulesOn names the rules that judge a parameter.
func rulesOn(set rules.Set, key sysctl.Key) []string {
	var names []string
	for _, rule := range set.All() {
		needs := rule.Needs()
		if slices.Contains(needs, facts.Name(key)) || slices.Contains(needs, facts.Name("asked."+key)) {
			names = append(names, rule.Name)
		}
	}
	return names
}

func explainable(set rules.Set) []string {
	var names []string
	for _, info := range tcpstate.All() {
		names = append(names, info.Name)
	}
	for _, param := range sysctl.Catalogue() {
		names = append(names, string(param.Key))
	}
	for _, rule := range set.All() {
		names = append(names, rule.Name)
	}
	return names
}

// suggestion names what was probably meant.
func suggestion(set rules.Set, name string) string {
	candidates := explainable(set)
	for _, param := range sysctl.Catalogue() {
		parts := strings.Split(string(param.Key), ".")
		candidates = append(candidates, parts[len(parts)-1])
	}
	nearest, ok := facts.Nearest(name, slices.Values(candidates))
	if !ok {
		return "'tcptune rules list' shows the rules; parameters are named as in sysctl(8)"
	}
	return "did you mean " + printable.Text(nearest) + "?"
}
