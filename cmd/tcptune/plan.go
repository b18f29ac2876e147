package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
)

// planned is a plan and what it was made from.
type planned struct {
	advisor.Plan
	profile  profiles.Profile
	snapshot *facts.Snapshot
}

// plan makes the plan of a profile for a host.
func (a *app) plan(ctx context.Context, name string, chosen ruleFlags, host hostFlags) (planned, error) {
	if name == "" {
		return planned{}, usage("'tcptune profile list' shows the profiles there are", "--profile NAME is missing")
	}
	profile, err := loadProfile(name)
	if err != nil {
		return planned{}, err
	}
	set, err := chosen.load()
	if err != nil {
		return planned{}, err
	}
	s, err := host.snapshot(ctx, a)
	if err != nil {
		return planned{}, err
	}
	return planned{advisor.MakePlan(s, set, *profile), *profile, s}, nil
}

func (a *app) planCommand() *cobra.Command {
	var (
		host     hostFlags
		chosen   ruleFlags
		profile  string
		format   string
		exitCode bool
	)
	cmd := &cobra.Command{
		Use:   "plan --profile NAME",
		Short: "Show what applying a profile would change, and when each change acts",
		Long: `Plan writes nothing and needs no privilege. For each change it shows the value
now and then, the reason, and when it acts: at once, for new connections, or only
when a program listens again, and then which listeners those are.`,
		Example: `  tcptune plan --profile highconn
  tcptune plan --profile ./ours.toml --exit-code
  tcptune plan --profile edge-proxy --facts host.json --format json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			p, err := a.plan(cmd.Context(), profile, chosen, host)
			if err != nil {
				return err
			}
			if format == "json" {
				err = printable.JSON(a.out, p.Plan)
			} else {
				err = a.text(rules.Info).Plan(a.out, p.Plan)
			}
			if err != nil {
				return err
			}
			if exitCode {
				if err := refuseForbidden(p.Plan, chosen); err != nil {
					return err
				}
			}
			if exitCode && len(p.Steps) > 0 {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
	host.register(cmd)
	chosen.register(cmd)
	cmd.Flags().StringVar(&profile, "profile", "", "the profile's `NAME` or file")
	registerFormat(cmd, &format)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if there is something to change, with 6 if apply would refuse it")
	return cmd
}

// refuseForbidden is the refusal of a plan that would bring in an error.
func refuseForbidden(p advisor.Plan, chosen ruleFlags) error {
	f, forbidden := p.Forbidden()
	if !forbidden {
		return nil
	}
	return &failure{exitRefused, fmt.Errorf("refused: the planned state would bring in %s: %s", f.Rule, f.Message),
		"'tcptune explain " + strings.Join(append([]string{f.Rule}, chosen.arguments()...), " ") + "' says why"}
}
