package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

func (a *app) confCommand() *cobra.Command {
	var (
		root, loader, format string
		ruleFlags            ruleFlags
	)
	cmd := &cobra.Command{
		Use:   "conf [PARAMETER]...",
		Short: "Show which line of which file sets a parameter at boot, and which lose",
		Long: `Conf reads the files from which parameters are set at boot as the loader in use
does, systemd-sysctl or procps (sysctl --system), and shows for each parameter every
line on it, the one that holds, and why each other does not. It names the files that
are never read and the lines that the running kernel would refuse, swallow or not know.

Which loader this system uses is found out; --loader shows what another would make of
the files. A parameter may be a pattern, as in 'net.ipv4.tcp_*'.`,
		Example: `  tcptune conf
  tcptune conf net.core.somaxconn
  tcptune conf --loader both 'net.ipv4.tcp_*'
  tcptune conf --root ./image --loader systemd
  tcptune conf --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			wanted, err := wantedKeys(args)
			if err != nil {
				return err
			}
			root = filepath.Clean(root)
			if info, err := os.Stat(root); err != nil {
				return unreadable(err)
			} else if !info.IsDir() {
				return usage("", "--root %s is not a directory", root)
			}
			inUse := conf.FindLoader(root)
			loaders, err := chosenLoaders(loader, inUse)
			if err != nil {
				return err
			}
			set, err := ruleFlags.load()
			if err != nil {
				return err
			}
			shown := advisor.BootFiles{Schema: advisor.BootFilesSchema}
			for _, loader := range loaders {
				b, err := a.bootLoader(cmd, root, loader, inUse, set, wanted)
				if err != nil {
					return err
				}
				shown.Loaders = append(shown.Loaders, b)
			}
			if format == "json" {
				return printable.JSON(a.out, shown)
			}
			if root != "/" {
				fmt.Fprintf(a.err, "tcptune: hint: 'tcptune lint --root %s' judges the lines for kernels\n", printable.Text(root))
			}
			return a.text(rules.Info).BootFiles(a.out, shown)
		},
	}
	cmd.Flags().StringVar(&root, "root", "/", "look at the system whose top is `DIR`, such as an image")
	cmd.Flags().StringVar(&loader, "loader", "", "systemd, procps or both (default: the one in use)")
	registerFormat(cmd, &format)
	ruleFlags.register(cmd)
	return cmd
}

// chosenLoaders are those to show: the one in use, or both where none was found.
func chosenLoaders(name string, inUse conf.InUse) ([]conf.Loader, error) {
	switch {
	case name == "both", name == "" && inUse.Loader == "":
		return conf.Loaders, nil
	case name == "":
		return []conf.Loader{inUse.Loader}, nil
	}
	loader, err := conf.ParseLoader(name)
	if err != nil {
		return nil, usage("", "--loader: %w, or both", err)
	}
	return []conf.Loader{loader}, nil
}

// wantedKeys picks the parameters named; all if none is.
func wantedKeys(args []string) (func(sysctl.Key) bool, error) {
	var patterns []sysctl.Key
	for _, arg := range args {
		key, err := sysctl.ParseKey(arg)
		if err == nil {
			_, err = path.Match(string(key), "")
		}
		if err != nil {
			return nil, usage("", "%q is not a parameter's name: %w", arg, err)
		}
		patterns = append(patterns, key)
	}
	return func(key sysctl.Key) bool {
		for _, pattern := range patterns {
			if match, _ := path.Match(string(pattern), string(key)); match {
				return true
			}
		}
		return len(patterns) == 0
	}, nil
}

// bootLoader resolves the files; on the running system it asks the rules about
// them, too.
func (a *app) bootLoader(cmd *cobra.Command, root string, loader conf.Loader, inUse conf.InUse, set rules.Set, wanted func(sysctl.Key) bool) (advisor.BootLoader, error) {
	system := conf.System{Root: root, Loader: loader}
	if root != "/" {
		system.Keys = conf.KeysOf(sysctl.Names())
	}
	inUse.Evidence = cmp.Or(inUse.Evidence, "which loader is in use is not known")
	b := advisor.NewBootLoader(system.Resolve(), inUse, wanted)
	if root != "/" {
		return b, nil
	}
	s, err := observe.Boot(system)
	if err != nil {
		return b, unreadable(err)
	}
	b.Findings = advisor.AboutFiles(s, set, wanted)
	return b, nil
}
