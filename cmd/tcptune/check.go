package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
)

func (a *app) checkCommand() *cobra.Command {
	var (
		host         hostFlags
		ruleFlags    ruleFlags
		profileName  string
		output       outputFlags
		minSeverity  string
		failOn       string
		writeProfile string
		verbose      bool
		period       time.Duration
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong on a host, with evidence",
		Long: `Check looks at the sockets, limits, parameters and counters of the network
namespace it runs in and judges them by its rules. It changes nothing and needs
no privilege; what it could not see it lists as inconclusive.

--netns looks into another network namespace, which needs root. With --netns all
the host is reported in full, and of each other namespace what differs: findings
that the host has not got and parameters with another value.

--watch prints a line, in JSON an object on a line, for each finding that appears or
is gone, until interrupted.`,
		Example: `  tcptune check
  tcptune check --interval 5s --behind-nat
  tcptune check --watch 10s
  sudo tcptune check --netns web
  sudo tcptune check --netns all
  tcptune check --facts host.json --format json
  tcptune check --profile edge-proxy --fail-on error
  tcptune check --format sarif --output tcptune.sarif
  tcptune check --write-profile recommended.toml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			shown, err := rules.ParseSeverity(minSeverity)
			if err != nil {
				return usage("", "--min-severity: %w", err)
			}
			threshold, err := parseFailOn(failOn)
			if err != nil {
				return err
			}
			if err := output.check(cmd); err != nil {
				return err
			}
			inPlace := writeProfile == "-" && !output.toFile() // the profile in place of the report
			if inPlace && output.format != "text" {
				return usage("name a file for the profile", "--write-profile - and --format %s both want standard output", output.format)
			}
			if err := host.check(); err != nil {
				return err
			}
			if err := checkWatch(cmd, period, host, output); err != nil {
				return err
			}
			if host.netns == everyNamespace && writeProfile != "" {
				return usage("", "--write-profile is for one network namespace")
			}
			set, err := ruleFlags.load()
			if err != nil {
				return err
			}
			if period != 0 {
				return a.watch(cmd.Context(), host, set, period, output.format, shown)
			}
			profile, err := loadProfile(profileName)
			if err != nil {
				return err
			}
			snapshot, survey, err := host.look(cmd.Context(), a)
			if err != nil {
				return err
			}
			if survey != nil {
				if writeProfile != "" {
					return &failure{exitUnreadable, fmt.Errorf("%s: %w", host.facts, &facts.SurveyError{Namespaces: len(survey.Namespaces)}), "--write-profile is for one network namespace"}
				}
				return a.checkEverywhere(survey, set, profile, output, shown, threshold)
			}
			r := advisor.Advise(snapshot, set, profile)
			if writeProfile != "" {
				if err := a.writeRecommendation(writeProfile, snapshot, r, profile); err != nil {
					return err
				}
			}
			var nothingKnown error
			if !snapshot.KnowsParameters() {
				nothingKnown = &failure{exitUnreadable, errors.New("not one parameter of the host is known"), ""}
			}
			results := func() report.Results { return report.ResultsOf(r, set, versionText()) }
			if !inPlace && (output.format != nagios || nothingKnown == nil) {
				err = a.emit(output, r, func(text report.Text, w io.Writer) error {
					text.MinSeverity, text.Verbose = shown, verbose
					return text.Report(w, r)
				}, results)
			}
			if err := cmp.Or(err, nothingKnown); err != nil {
				return err
			}
			failed := threshold != "" && r.Worst().AtLeast(threshold)
			if failed && output.format == "text" && !r.Worst().AtLeast(shown) {
				fmt.Fprintf(a.err, "tcptune: warning: --fail-on %s fails on findings that --min-severity %s hides\n", threshold, shown)
			}
			return output.verdict(failed, results)
		},
	}
	host.register(cmd)
	host.registerNetns(cmd, true)
	host.registerSampleAbove(cmd, fmt.Sprintf("estimate destinations from a sample where there are more than `N` sockets (default %d; where the ports towards one may be running out, %d)",
		observe.ScreenAbove, observe.DefaultSampleAbove))
	cmd.Flags().DurationVar(&period, "watch", 0, "look again and again, this often, and tell which findings appear and which are gone")
	ruleFlags.register(cmd)
	cmd.Flags().StringVar(&profileName, "profile", "", "compare with the profile of this `NAME` or file as well")
	output.register(cmd)
	cmd.Flags().StringVar(&minSeverity, "min-severity", "info", "show findings from this severity up: info, warning or error")
	cmd.Flags().StringVar(&failOn, "fail-on", "warning", "exit with 1 on findings from this severity up: info, warning, error, or never")
	cmd.Flags().StringVar(&writeProfile, "write-profile", "", "write the recommended state as a profile to `FILE` (- for standard output, in place of the report)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list the rules that were silent or not applicable, too")
	for _, other := range []string{"facts", "interval", "profile", "write-profile", "fail-on", "output", "verbose"} {
		cmd.MarkFlagsMutuallyExclusive("watch", other)
	}
	return cmd
}

// checkWatch refuses what --watch cannot do.
func checkWatch(cmd *cobra.Command, period time.Duration, host hostFlags, output outputFlags) error {
	switch {
	case !cmd.Flags().Changed("watch"):
		return nil
	case period < watchLeast:
		return usage("", "--watch %v is less than %v", period, watchLeast)
	case output.format != "text" && output.format != "json":
		return usage("", "--watch has no part in --format %s", output.format)
	}
	return nil
}

// checkEverywhere judges the host and all of its network namespaces.
func (a *app) checkEverywhere(survey *facts.Survey, set rules.Set, profile *profiles.Profile, output outputFlags, shown, threshold rules.Severity) error {
	n := advisor.Compare(survey, set, profile)
	results := func() report.Results { return report.NamespacesResults(n, set, versionText()) }
	err := a.emit(output, n, func(text report.Text, w io.Writer) error {
		text.MinSeverity = shown
		return text.Namespaces(w, n)
	}, results)
	if err != nil {
		return err
	}
	return output.verdict(threshold != "" && n.Worst().AtLeast(threshold), results)
}

// parseFailOn reads a severity or "never", which is the empty one.
func parseFailOn(text string) (rules.Severity, error) {
	if text == "never" {
		return "", nil
	}
	s, err := rules.ParseSeverity(text)
	if err != nil {
		return "", usage("", "--fail-on: %w, or never", err)
	}
	return s, nil
}

// loadProfile reads a profile; without a name there is none.
func loadProfile(name string) (*profiles.Profile, error) {
	if name == "" {
		return nil, nil
	}
	p, err := profiles.Load(name)
	if errors.As(err, new(*fs.PathError)) {
		return nil, unreadable(err)
	}
	if err != nil {
		return nil, usage("'tcptune profile list' shows the profiles there are", "%w", err)
	}
	return &p, nil
}

func (a *app) writeRecommendation(path string, s *facts.Snapshot, r advisor.Report, profile *profiles.Profile) error {
	var goals []profiles.Goal
	if profile != nil {
		goals = profile.Goals(s, facts.Derive(s))
	}
	recommended, err := advisor.Recommend(r, profile, goals)
	if err != nil {
		return err
	}
	content, err := profiles.Encode(recommended, "Written by tcptune check. 'tcptune apply --profile FILE' takes it.")
	if err != nil {
		return err
	}
	if path == "-" {
		_, err = a.out.Write(content)
		return err
	}
	return unreadable(replaceFile(path, content))
}
