package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
)

// rulesDirectory is where the administrator's rules stand.
const rulesDirectory = "/etc/tcptune/rules.d"

// ruleFlags choose the rules.
type ruleFlags struct {
	dirs    []string
	disable []string
}

func (r *ruleFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.dirs, "rules", nil, "add the rules in `DIR`, over those of "+rulesDirectory+" and the built-in ones (may be repeated)")
	cmd.Flags().StringArrayVar(&r.disable, "disable", nil, "leave out rules that match `PATTERN`, such as 'timewait/*' (may be repeated)")
}

// arguments are the flags that choose the same rules again.
func (r *ruleFlags) arguments() []string {
	var args []string
	for _, dir := range r.dirs {
		args = append(args, "--rules", dir)
	}
	return args
}

// absolute are the flags that choose the same rules from any folder.
func (r ruleFlags) absolute() (args []string, err error) {
	for _, dir := range r.dirs {
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
		args = append(args, "--rules", dir)
	}
	for _, pattern := range r.disable {
		args = append(args, "--disable", pattern)
	}
	return args, nil
}

// folders are those with the administrator's rules and those of --rules.
func (r *ruleFlags) folders() []string {
	if _, err := os.Stat(rulesDirectory); errors.Is(err, fs.ErrNotExist) {
		return slices.Clone(r.dirs)
	}
	return append([]string{rulesDirectory}, r.dirs...)
}

// load reads the built-in rules, the administrator's and those of --rules; of
// two with one name the later wins.
func (r *ruleFlags) load() (rules.Set, error) {
	set, err := rules.Builtin()
	if err != nil {
		return rules.Set{}, err
	}
	for _, dir := range r.folders() {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is not a folder", dir)
		}
		if err == nil {
			err = set.Add(os.DirFS(dir), dir)
		}
		if err != nil {
			if errors.As(err, new(*fs.PathError)) {
				return rules.Set{}, unreadable(err)
			}
			return rules.Set{}, &failure{exitUsage, err, "'tcptune rules test DIR' tests a folder of rules"}
		}
	}
	set, err = set.Without(r.disable)
	if err != nil {
		return rules.Set{}, usage("'tcptune rules list' shows the rules there are", "--disable: %w", err)
	}
	return set, nil
}

func (a *app) rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List and test the rules",
		Long: `Rules are data, one TOML file each. Those in ` + rulesDirectory + ` and --rules DIR
add to the built-in ones or, under the same name, replace them. The examples in a
rule are its tests.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.rulesListCommand(), a.rulesTestCommand())
	return cmd
}

func (a *app) rulesListCommand() *cobra.Command {
	var chosen ruleFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the rules, their severity and where they come from",
		Example: "  tcptune rules list\n  tcptune rules list --rules ./rules",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			set, err := chosen.load()
			if err != nil {
				return err
			}
			rows := [][]string{{"rule", "severity", "title"}}
			for _, r := range set.All() {
				title := r.Title
				if kernels := r.Kernels.String(); kernels != "" {
					title += " (Linux " + kernels + ")"
				}
				if !r.IsBuiltIn() {
					title += " (" + r.Origin + ")"
				}
				rows = append(rows, []string{r.Name, string(r.Severity), title})
			}
			return a.text(rules.Info).Table(a.out, rows)
		},
	}
	chosen.register(cmd)
	return cmd
}

func (a *app) rulesTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the examples of the rules in a folder, or of all rules",
		Long: `Test runs the examples of every rule in DIR; without DIR, those of the built-in
rules and of ` + rulesDirectory + `. It exits with 1 if one does not hold.`,
		Example: "  tcptune rules test\n  tcptune rules test ./rules",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			chosen := ruleFlags{dirs: args}
			set, err := chosen.load()
			if err != nil {
				return err
			}
			tested, examples, failed := 0, 0, 0
			for _, r := range set.All() {
				if len(args) == 1 && !below(r.Origin, args[0]) {
					continue
				}
				tested++
				shown, err := r.Examples()
				if err != nil {
					return err
				}
				examples += len(shown)
				for _, fault := range r.Test() {
					failed++
					fmt.Fprintln(a.out, printable.Text(fault))
				}
			}
			if tested == 0 {
				return usage("", "there are no rules in %s", args[0])
			}
			if _, err := fmt.Fprintf(a.out, "rules: %d, examples: %d, faults: %d\n", tested, examples, failed); err != nil {
				return err
			}
			if failed > 0 {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
}

// below reports whether a rule was read from a folder.
func below(origin, dir string) bool {
	rest, err := filepath.Rel(dir, origin)
	return err == nil && fs.ValidPath(rest)
}
