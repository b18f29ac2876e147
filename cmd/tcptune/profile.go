package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "List, show, compare and render profiles",
		Long: `A profile is a wanted state: floors, ceilings and exact values, each with its
reason. Those in ` + profiles.Directory + ` add to the built-in ones or, under the
same name, replace them. Where a profile's name is asked for, a file will do.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.profileListCommand(), a.profileShowCommand(), a.profileDiffCommand(), a.profileRenderCommand())
	return cmd
}

func (a *app) profileListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the profiles there are",
		Example: "  tcptune profile list",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			rows := [][]string{{"profile", "origin", "for"}}
			var faults []error
			for _, name := range profiles.Names() {
				p, err := profiles.Load(name)
				if err != nil { // one that is broken does not hide the others
					faults = append(faults, err)
					continue
				}
				rows = append(rows, []string{p.Name, p.Origin, p.Summary})
			}
			if err := a.text(rules.Info).Table(a.out, rows); err != nil {
				return err
			}
			return unreadable(errors.Join(faults...))
		},
	}
}

func (a *app) profileShowCommand() *cobra.Command {
	var host hostFlags
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a profile wants of this host, and why",
		Example: `  tcptune profile show highconn
  tcptune profile show ./ours.toml --facts host.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, goals, err := a.goals(cmd.Context(), args[0], host)
			if err != nil {
				return err
			}
			return a.text(rules.Info).Profile(a.out, *p, goals)
		},
	}
	host.register(cmd)
	return cmd
}

// goals loads a profile and computes what it wants of a host.
func (a *app) goals(ctx context.Context, name string, host hostFlags) (*profiles.Profile, []profiles.Goal, error) {
	p, err := loadProfile(name)
	if err != nil {
		return nil, nil, err
	}
	s, err := host.snapshot(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Goals(s, facts.Derive(s)), nil
}

func (a *app) profileDiffCommand() *cobra.Command {
	var host hostFlags
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two profiles, or one with the current values or the kernel's defaults",
		Long: `Diff prints a unified diff from A to B. Each is a profile's name or file,
"current" (the values of this host) or "defaults" (what its kernel starts with).
Beside current or defaults, a profile shows what the host would have after
applying it: a better value than a floor or ceiling asks for is no difference.`,
		Example: `  tcptune profile diff current highconn
  tcptune profile diff highconn edge-proxy
  tcptune profile diff defaults current`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var loaded [2]*profiles.Profile
			for i, name := range args {
				if name == "current" || name == "defaults" {
					continue
				}
				p, err := loadProfile(name)
				if err != nil {
					return err
				}
				loaded[i] = p
			}
			s, err := host.snapshot(cmd.Context(), a)
			if err != nil {
				return err
			}
			left, right := describe(s, args, loaded)
			_, err = fmt.Fprint(a.out, printable.Lines(udiff.Unified(printable.Text(args[0]), printable.Text(args[1]), left, right)))
			return err
		},
	}
	host.register(cmd)
	return cmd
}

// describe prints both sides of a comparison as "key = value" lines.
func describe(s *facts.Snapshot, names []string, loaded [2]*profiles.Profile) (left, right string) {
	if loaded[0] != nil && loaded[1] != nil {
		f := facts.Derive(s)
		return wants(loaded[0].Goals(s, f)), wants(loaded[1].Goals(s, f))
	}
	tables := [2]map[sysctl.Key]sysctl.Value{}
	for i := range tables {
		if loaded[i] == nil {
			tables[i] = values(s, names[i])
		}
	}
	for i, p := range loaded {
		if p == nil {
			continue
		}
		reference := tables[1-i]
		tables[i] = map[sysctl.Key]sysctl.Value{}
		// The profile against values: judged as if the host had them.
		for _, goal := range p.Goals(s.With(reference, ""), facts.Derive(s)) {
			if goal.Skip == nil {
				tables[i][goal.Key] = goal.Target()
			}
		}
		maps.DeleteFunc(tables[1-i], func(key sysctl.Key, _ sysctl.Value) bool { _, wanted := tables[i][key]; return !wanted })
	}
	return lines(tables[0]), lines(tables[1])
}

// values is the current or default value of every parameter that can be set.
func values(s *facts.Snapshot, which string) map[sysctl.Key]sysctl.Value {
	table := map[sysctl.Key]sysctl.Value{}
	for _, p := range sysctl.Catalogue() {
		reading, read := s.Sysctls[p.Key]
		value, known := reading.Value, true
		if which == "defaults" {
			value, known = p.Default(s.SizingHost())
		}
		if read && reading.Absent == "" && known && !p.ReadOnly {
			table[p.Key] = value
		}
	}
	return table
}

func lines(table map[sysctl.Key]sysctl.Value) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&b, "%s = %s\n", key, strings.Join(table[key].Fields(), " "))
	}
	return b.String()
}

func wants(goals []profiles.Goal) string {
	var text []string
	for _, goal := range goals {
		switch {
		case goal.Skip != nil:
			text = append(text, fmt.Sprintf("%s: %s, not to be had here: %s\n", goal.Key, goal.Want, goal.Skip))
		case goal.Bound == profiles.Exactly:
			text = append(text, fmt.Sprintf("%s = %s\n", goal.Key, goal.Value))
		case goal.Bound == profiles.AtLeast:
			text = append(text, fmt.Sprintf("%s >= %s\n", goal.Key, goal.Value))
		default:
			text = append(text, fmt.Sprintf("%s <= %s\n", goal.Key, goal.Value))
		}
	}
	slices.Sort(text)
	return strings.Join(text, "")
}

func (a *app) profileRenderCommand() *cobra.Command {
	var host hostFlags
	var as string
	cmd := &cobra.Command{
		Use:   "render NAME",
		Short: "Print a profile as a configuration file for this host",
		Example: `  tcptune profile render highconn --as sysctl.conf
  tcptune profile render highconn --facts host.json > 90-tcptune.conf`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if as != "sysctl.conf" {
				return usage("", "--as %q is not known; there is sysctl.conf", as)
			}
			p, goals, err := a.goals(cmd.Context(), args[0], host)
			if err != nil {
				return err
			}
			_, err = a.out.Write(dropIn(p.Name, goals))
			return err
		},
	}
	host.register(cmd)
	cmd.Flags().StringVar(&as, "as", "sysctl.conf", "form of the file; sysctl.conf is a drop-in of sysctl.d(5)")
	return cmd
}

// dropIn is the content of the one file that tcptune owns below /etc/sysctl.d.
func dropIn(profile string, goals []profiles.Goal) []byte {
	return profiles.SysctlConf(fmt.Sprintf("%s\n# Profile %s.\n", change.Header, printable.Text(profile)), goals)
}
