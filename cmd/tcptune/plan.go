package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl/change"
)

// planFlags choose what is planned.
type planFlags struct {
	host     hostFlags
	rules    ruleFlags
	profile  string
	stateDir string
	persist  bool
	// filesOnly persists, and writes no parameter.
	filesOnly bool
	force     bool
	dropIn    string
	// dropInNamed: the user said where, the default did not.
	dropInNamed bool
}

func (f *planFlags) register(cmd *cobra.Command) {
	f.rules.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "the profile's `NAME` or file")
	flags.BoolVar(&f.persist, "persist", false, "also write a drop-in, so that the values outlast a reboot")
	flags.BoolVar(&f.force, "force", false, "with --persist, replace the drop-in even if somebody edited it")
	flags.StringVar(&f.dropIn, "drop-in", change.DefaultDropIn, "the drop-in's `FILE`")
	registerStateDir(cmd, &f.stateDir)
}

// check refuses what cannot be, before anything is looked at.
func (f *planFlags) check(cmd *cobra.Command) (err error) {
	f.dropInNamed = cmd.Flags().Changed("drop-in")
	f.persist = f.persist || f.filesOnly
	if f.dropInNamed && !f.persist {
		return usage("", "--drop-in goes with --persist")
	}
	if f.force && !f.persist && cmd.Flags().NArg() == 0 { // a plan's file says whether it persists
		return usage("", "--force goes with --persist")
	}
	f.dropIn, err = filepath.Abs(f.dropIn)
	return err
}

// planned is a plan and what it was made from.
type planned struct {
	advisor.Plan
	snapshot *facts.Snapshot
	rules    rules.Set
	sources  []regular.Source // the files of the profile, or the plan's own
	force    bool             // replaces an edited drop-in
}

// plan makes the plan of a profile for a host.
func (a *app) plan(ctx context.Context, f planFlags) (planned, error) {
	if f.profile == "" {
		return planned{}, usage("'tcptune profile list' shows the profiles there are", "--profile NAME is missing")
	}
	profile, err := loadProfile(f.profile)
	if err != nil {
		return planned{}, err
	}
	set, err := f.rules.load()
	if err != nil {
		return planned{}, err
	}
	f.host.stateDir = f.stateDir
	s, err := f.host.snapshot(ctx, a)
	if err != nil {
		return planned{}, err
	}
	p := planned{advisor.MakePlan(s, set, *profile), s, set, profile.Files, f.force}
	if p.FilesOnly = f.filesOnly; p.FilesOnly {
		p.Steps = []advisor.Step{}
	}
	if f.persist {
		p.DropIn, err = a.planDropIn(f, p)
	}
	return p, err
}

// planFromFile is the plan of a file on this host, if it still is of its state.
func (a *app) planFromFile(ctx context.Context, path string, f planFlags) (planned, error) {
	text, source, err := regular.ReadSource(path, maxPlanFile)
	if err != nil {
		return planned{}, &failure{exitUnreadable, err, "a profile is applied by --profile NAME"}
	}
	file, err := advisor.DecodePlanFile(text)
	if err != nil {
		return planned{}, &failure{exitUnreadable, fmt.Errorf("%s: %w", path, err), "'tcptune plan --profile NAME --out FILE' makes one"}
	}
	set, err := f.rules.load()
	if err != nil {
		return planned{}, err
	}
	f.host.stateDir = f.stateDir
	s, err := f.host.snapshot(ctx, a)
	if err != nil {
		return planned{}, err
	}
	here, err := change.Here()
	if err != nil {
		return planned{}, unreadable(err)
	}
	var dropIn *advisor.PlannedDropIn
	if file.DropIn != nil {
		f.persist, f.dropIn, f.dropInNamed = true, file.DropIn.Path, true
		if dropIn, err = a.planDropIn(f, planned{snapshot: s, Plan: advisor.Plan{Profile: file.Profile, Goals: file.Goals()}, force: f.force}); err != nil {
			return planned{}, err
		}
	}
	plan, err := file.Plan(s, here, dropIn, set)
	if stale := (*advisor.StaleError)(nil); errors.As(err, &stale) {
		return planned{}, &failure{exitRefused, fmt.Errorf("refused: %s: %w", path, err), "plan again"}
	}
	return planned{plan, s, set, []regular.Source{source}, f.force}, err
}

// maxPlanFile is more than a plan of all parameters of the catalogue holds, in
// bytes.
const maxPlanFile = 1 << 20

func (a *app) planCommand() *cobra.Command {
	var (
		f        planFlags
		format   string
		out      string
		exitCode bool
	)
	cmd := &cobra.Command{
		Use:   "plan --profile NAME",
		Short: "Show what applying a profile would change, and when each change acts",
		Long: `Plan changes nothing and needs no privilege. For each change it shows the value
now and then, the reason, and when it acts: at once, for new connections, or only
when a program listens again, and then which listeners those are.

With --out the plan is kept in a file: 'tcptune apply FILE' carries out exactly
that, or refuses because something is not as it was when the plan was made.`,
		Example: `  tcptune plan --profile highconn
  tcptune plan --profile highconn --persist --format diff
  tcptune plan --profile ./ours.toml --exit-code
  sudo tcptune plan --profile edge-proxy --out edge-proxy.plan
  tcptune plan --profile edge-proxy --facts host.json --format json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(format, "text", "json", "diff"); err != nil {
				return err
			}
			if err := f.check(cmd); err != nil {
				return err
			}
			p, err := a.plan(cmd.Context(), f)
			if err != nil {
				return err
			}
			if err := a.printPlan(p, format); err != nil {
				return err
			}
			if exitCode || out != "" {
				if err := refuseForbidden(p.Plan, f.rules); err != nil {
					return err
				}
			}
			if out != "" {
				if err := keepPlan(p, out); err != nil {
					return err
				}
			}
			if exitCode && !p.Idle() {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
	f.host.register(cmd)
	f.register(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json or diff")
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in `FILE`, for 'tcptune apply FILE'")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if there is something to change, with 6 if apply would refuse it")
	cmd.MarkFlagsMutuallyExclusive("facts", "out")
	cmd.MarkFlagsMutuallyExclusive("facts", "persist")
	return cmd
}

func (a *app) printPlan(p planned, format string) error {
	switch format {
	case "json":
		return printable.JSON(a.out, p.Plan)
	case "diff":
		return a.text(rules.Info).PlanDiff(a.out, p.Plan)
	}
	return a.text(rules.Info).Plan(a.out, p.Plan)
}

// keepPlan writes a plan's file.
func keepPlan(p planned, path string) error {
	here, err := change.Here()
	if err != nil {
		return unreadable(err)
	}
	var text bytes.Buffer
	if err := printable.JSON(&text, advisor.NewPlanFile(p.Plan, p.snapshot, here, versionText(), time.Now())); err != nil {
		return err
	}
	return unreadable(replaceFile(path, text.Bytes()))
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
