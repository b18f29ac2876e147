package main

import (
	"cmp"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/report"
)

func (a *app) driftCommand() *cobra.Command {
	var (
		host        hostFlags
		chosen      ruleFlags
		profileName string
		output      outputFlags
		failOn      string
		all         bool
	)
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Compare what runs with what will run after the next boot",
		Long: `Drift shows for each parameter what it is now, what it will be after the next boot
and what gives it that value, and what the kernel's default is. It names the
program that applies the files of sysctl.d at boot, and others that set parameters:
TuneD, saptune, bpftune, kube-proxy, scripts. It changes nothing and needs no
privilege, though root sees more files.

What is set at run time only, and what a file or a program will change, are
findings. In a network namespace that is not the host's first there are none.`,
		Example: `  tcptune drift
  tcptune drift --profile highconn --all
  tcptune drift --facts host.json --format json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			threshold, err := parseFailOn(failOn)
			if err != nil {
				return err
			}
			if err := output.check(cmd); err != nil {
				return err
			}
			set, err := chosen.load()
			if err != nil {
				return err
			}
			profile, err := loadProfile(profileName)
			if err != nil {
				return err
			}
			snapshot, err := host.snapshot(cmd.Context(), a)
			if err != nil {
				return err
			}
			d := advisor.FindDrift(snapshot, set, profile, all)
			results := func() report.Results { return report.DriftResults(d, set, versionText()) }
			var nothingKnown error
			if !snapshot.KnowsParameters() {
				nothingKnown = &failure{exitUnreadable, errors.New("not one parameter of the host is known"), ""}
			}
			if output.format != nagios || nothingKnown == nil {
				err = a.emit(output, d, func(text report.Text, w io.Writer) error { return text.Drift(w, d) }, results)
			}
			if err := cmp.Or(err, nothingKnown); err != nil {
				return err
			}
			return output.verdict(threshold != "" && d.Worst().AtLeast(threshold), results)
		},
	}
	host.register(cmd)
	host.registerNetns(cmd, false)
	chosen.register(cmd)
	cmd.Flags().StringVar(&profileName, "profile", "", "show what the profile of this `NAME` or file wants as well")
	cmd.Flags().BoolVar(&all, "all", false, "show the parameters without a difference, too")
	output.register(cmd)
	cmd.Flags().StringVar(&failOn, "fail-on", "warning", "exit with 1 on findings from this severity up: info, warning, error, or never")
	return cmd
}
