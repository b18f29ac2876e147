package main

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/rules"
)

// registerFormat adds --format to a command that prints text or JSON.
func registerFormat(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVar(format, "format", "text", "text or json")
}

func checkFormat(format string) error { return oneOf(format, "text", "json") }

func oneOf(format string, known ...string) error {
	if !slices.Contains(known, format) {
		return usage("", "--format %q is none of %s", format, strings.Join(known, ", "))
	}
	return nil
}

// nagios is the format whose exit codes are those of a monitoring plugin.
const nagios = "nagios"

// formats are those of results.
var formats = []string{"text", "json", "sarif", "junit", "github", "prometheus", nagios}

// renderers are the formats of results beside text and JSON.
var renderers = map[string]func(io.Writer, report.Results) error{
	"sarif": report.SARIF, "junit": report.JUnit, "github": report.GitHub, "prometheus": report.Prometheus, nagios: report.Nagios,
}

// outputFlags choose in which form the results of check, lint and drift are
// shown, and where.
type outputFlags struct {
	format string
	file   string
}

func (o *outputFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", "text", strings.Join(formats[:len(formats)-1], ", ")+" or "+formats[len(formats)-1])
	cmd.Flags().StringVar(&o.file, "output", "-", "write the result to `FILE`, whole or not at all (- for standard output)")
}

// check refuses what cannot be, before anything is looked at. Nagios has its own
// threshold, so a command's --fail-on may not be given beside it.
func (o outputFlags) check(cmd *cobra.Command) error {
	if err := oneOf(o.format, formats...); err != nil {
		return err
	}
	if o.format == nagios && cmd.Flags().Changed("fail-on") {
		return usage("the severity of the findings decides: warnings are WARNING, errors CRITICAL", "--fail-on has no part in --format nagios")
	}
	return nil
}

// toFile reports whether standard output stays free.
func (o outputFlags) toFile() bool { return o.file != "-" }

// emit writes results in the form and to the place that were chosen, and nothing
// if that fails half-way. text gets a renderer that suits the place, in which it
// may set what is to be shown.
func (a *app) emit(o outputFlags, asJSON any, text func(report.Text, io.Writer) error, results func() report.Results) error {
	var b bytes.Buffer
	var err error
	switch o.format {
	case "text":
		stream := a
		if o.toFile() {
			stream = &app{out: &b, color: "never"}
		}
		err = text(stream.text(rules.Info), &b)
	case "json":
		err = printable.JSON(&b, asJSON)
	default:
		err = renderers[o.format](&b, results())
	}
	if err != nil {
		return err
	}
	if o.toFile() {
		return unreadable(replaceFile(o.file, b.Bytes()))
	}
	_, err = a.out.Write(b.Bytes())
	return err
}

// atOnce prints what f writes in one piece, and nothing if it fails half-way.
func (a *app) atOnce(f func(io.Writer) error) error {
	var b bytes.Buffer
	if err := f(&b); err != nil {
		return err
	}
	_, err := a.out.Write(b.Bytes())
	return err
}

// verdict is how a command ends whose results were emitted: with code 1 if
// something is at or above the threshold or, for Nagios, with the status.
func (o outputFlags) verdict(failed bool, results func() report.Results) error {
	if o.format == nagios {
		if status := results().NagiosStatus(); status != report.NagiosOK {
			return &failure{code: int(status)}
		}
		return nil
	}
	if failed {
		return &failure{code: exitFindings}
	}
	return nil
}

// wantsNagios reports whether a command line asks for the format of Nagios,
// whatever else may be wrong with it.
func wantsNagios(args []string) bool {
	for i, arg := range args {
		if arg == "--format="+nagios || arg == nagios && i > 0 && args[i-1] == "--format" {
			return true
		}
	}
	return false
}
