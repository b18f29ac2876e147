package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set when a release is built (-ldflags "-X main.version=v1.2.3").
var version = ""

// An app is the process's streams and what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	color    string
	warned   map[string]bool
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, a *app) int {
	root := a.rootCommand(args)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	err = plainly(err)
	if wantsNagios(args) {
		return sayToNagios(a.out, err)
	}
	return say(a.err, err, cmd.CommandPath())
}

// refuseEmptyFlags refuses --state-dir "" and its like: the shell variable that
// was meant to fill it is unset, and the default would be a surprise.
func refuseEmptyFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && f.Name != "reason" {
			err = usage("", "--%s is empty", f.Name)
		}
	})
	return err
}

// noArguments is the check of commands that take none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Sprintf("'%s --help' shows the usage", cmd.CommandPath()), "%s takes no arguments, and got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// rootCommand is tcptune with the command that the arguments begin with or, if
// they begin with something else, with all commands: to make all takes a tenth of
// the time of a short one.
func (a *app) rootCommand(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "tcptune",
		Short: "Advise on, and safely apply, the Linux parameters that govern TCP connections",
		Long: `tcptune looks at a host: the kernel, its TCP parameters, the files that set them
at boot, its sockets by state, queues, ports and counters. It says what is wrong,
with numbers, a reason and a source for each claim, and says "unknown" where it
could not look. A profile is applied as one transaction and can be undone.`,
		Example: `  tcptune check                             what is wrong on this host
  tcptune check --interval 5s               what is happening now, rather than since boot
  tcptune facts > host.json                 take a snapshot ...
  tcptune check --facts host.json           ... and judge it on another machine
  tcptune explain TIME_WAIT                 a state, a parameter or a rule
  tcptune plan --profile highconn           what a profile would change
  sudo tcptune apply --profile highconn     change it, and
  sudo tcptune rollback                     take it back`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := refuseEmptyFlags(cmd); err != nil {
				return err
			}
			switch a.color {
			case "auto", "always", "never":
				return nil
			}
			return usage("", "--color %q is none of auto, always, never", a.color)
		},
	}
	root.SetVersionTemplate("tcptune {{.Version}}\n")
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colour the text: auto, always or never (NO_COLOR is honoured)")
	for _, c := range a.commands() {
		if len(args) > 0 && args[0] == c.name {
			root.AddCommand(c.make())
			return root
		}
	}
	for _, c := range a.commands() {
		root.AddCommand(c.make())
	}
	return root
}

// A maker makes the command of a name.
type maker struct {
	name string
	make func() *cobra.Command
}

func (a *app) commands() []maker {
	return []maker{
		{"check", a.checkCommand}, {"states", a.statesCommand}, {"lint", a.lintCommand}, {"conf", a.confCommand}, {"facts", a.factsCommand},
		{"explain", a.explainCommand}, {"rules", a.rulesCommand}, {"profile", a.profileCommand}, {"drift", a.driftCommand}, {"plan", a.planCommand},
		{"apply", a.applyCommand}, {"confirm", a.confirmCommand}, {"extend", a.extendCommand}, {"rollback", a.rollbackCommand}, {"recover", a.recoverCommand},
		{"unpersist", a.unpersistCommand}, {"history", a.historyCommand}, {"guard", a.guardCommand},
	}
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
