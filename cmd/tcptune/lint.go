package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/lint"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

type lintFlags struct {
	kernels, distros []string
	root, loader     string
	rules            ruleFlags
	output           outputFlags
	minSeverity      string
	failOn           string
	fix, diff        bool
	baseline         string
	writeBaseline    string
	noIgnores        bool
	skipUnrelated    bool
	name             string
	verbose          bool
}

func (a *app) lintCommand() *cobra.Command {
	var f lintFlags
	cmd := &cobra.Command{
		Use:   "lint [FILE|DIR|-]...",
		Short: "Judge files that set parameters, for kernels that are not here",
		Long: `Lint reads sysctl.conf files and drop-ins, listings of 'sysctl -a', profiles of
tcptune and TuneD, and what Ansible, Kubernetes, Compose files, Dockerfiles and
shell scripts set, and judges it for each kernel named, as if it were applied to a
host with that kernel's defaults. It looks at no host and needs no privilege. A
value that the file does not tell, such as a template's, is not judged.

In a directory it takes the files that may set parameters; the drop-ins of a folder
named sysctl.d are judged together. --root DIR judges a whole system's files by the
order in which they are read at boot.

A comment on the line or above it suppresses findings:
  # tcptune: ignore timewait/recycle until 2027-01-31: the old balancer needs it`,
		Example: `  tcptune lint /etc/sysctl.conf
  tcptune lint --kernel 4.18 --kernel 6.12 roles/ k8s/
  tcptune lint --distro rhel7 --distro rhel9 --root ./image
  tcptune lint --kernel 5.15 sysctl-a-of-web1.txt
  tcptune lint -    # standard input
  tcptune lint --diff sysctl.conf
  tcptune lint --write-baseline tcptune-baseline.json fleet/
  tcptune lint --baseline tcptune-baseline.json fleet/
  tcptune lint --format sarif --output tcptune.sarif .`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.lint(cmd, f, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.kernels, "kernel", nil, "judge for Linux `RELEASE`, such as 5.15 or what uname -r prints (may be repeated; default "+strings.Join(sysctl.Maintained, ", ")+")")
	flags.StringArrayVar(&f.distros, "distro", nil, "judge for the kernel of a distribution, such as `rhel7` or ubuntu22.04 (may be repeated)")
	flags.StringVar(&f.root, "root", "", "judge what is read at boot of the system whose top is `DIR`")
	flags.StringVar(&f.loader, "loader", "", "with --root, who reads its files at boot: systemd or procps (default: found out from its files)")
	flags.BoolVar(&f.fix, "fix", false, "comment out the lines that have one safe answer, with the reason")
	flags.BoolVar(&f.diff, "diff", false, "show what --fix would change as a patch, in place of the findings")
	flags.StringVar(&f.baseline, "baseline", "", "let pass the findings that are listed in `FILE`")
	flags.StringVar(&f.writeBaseline, "write-baseline", "", "list the findings in `FILE`, to let them pass later")
	flags.BoolVar(&f.noIgnores, "no-inline-ignores", false, "report what comments in the files suppress, too")
	flags.BoolVar(&f.skipUnrelated, "skip-unrelated", false, "leave out named files that set nothing, and do not fail on those that cannot be understood, as in a directory")
	flags.StringVar(&f.name, "name", "", "judge the one file, or standard input, as if it were `FILE`")
	f.rules.register(cmd)
	f.output.register(cmd)
	flags.StringVar(&f.minSeverity, "min-severity", "info", "show findings from this severity up: info, warning or error")
	flags.StringVar(&f.failOn, "fail-on", "warning", "exit with 1 on findings from this severity up: info, warning, error, or never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "give reasons and sources, and list what was suppressed or not judged")
	cmd.MarkFlagsMutuallyExclusive("fix", "diff")
	cmd.MarkFlagsMutuallyExclusive("baseline", "write-baseline")
	for _, other := range []string{"skip-unrelated", "root", "fix", "diff"} {
		cmd.MarkFlagsMutuallyExclusive("name", other)
	}
	return cmd
}

func (a *app) lint(cmd *cobra.Command, f lintFlags, args []string) error {
	least, err := rules.ParseSeverity(f.minSeverity)
	if err != nil {
		return usage("", "--min-severity: %w", err)
	}
	threshold, err := parseFailOn(f.failOn)
	if err != nil {
		return err
	}
	if err := f.check(cmd, args); err != nil {
		return err
	}
	targets, err := f.targets()
	if err != nil {
		return err
	}
	set, err := f.rules.load()
	if err != nil {
		return err
	}
	options := lint.Options{Today: time.Now(), NoIgnores: f.noIgnores}
	if f.baseline != "" {
		if options.Baseline, err = readBaseline(f.baseline); err != nil {
			return err
		}
	}
	units := lint.Units(args, a.in)
	switch {
	case f.root != "":
		if units, err = f.system(targets); err != nil {
			return err
		}
	case f.name != "":
		units = slices.Values([]lint.Work{lint.Named(f.name, args[0], a.in)})
	case f.skipUnrelated:
		units = lint.Candidates(args)
	}
	run := &linting{app: a, flags: f, least: least, linter: lint.New(targets, set, options), worst: ""}
	ctx := cmd.Context()
	if f.fix {
		// A signal ends it between two files, never within one.
		var release func()
		ctx, release = uninterrupted(ctx)
		defer release()
	}
	return run.finish(run.judge(ctx, units), threshold, set)
}

// check refuses flags that contradict each other.
func (f lintFlags) check(cmd *cobra.Command, args []string) error {
	if err := f.output.check(cmd); err != nil {
		return err
	}
	stdin := 0
	for _, arg := range args {
		if arg == "-" {
			stdin++
		}
	}
	switch {
	case len(args) == 0 && f.root == "":
		return usage("name files, directories, or - for standard input", "nothing to lint")
	case len(args) > 0 && f.root != "":
		return usage("", "--root judges a system as a whole, and takes no further files")
	case f.name != "" && len(args) != 1:
		return usage("", "--name is the name of one file, and %d are given", len(args))
	case f.skipUnrelated && (stdin > 0 || f.root != ""):
		return usage("", "--skip-unrelated goes with the names of files")
	case f.loader != "" && f.root == "":
		return usage("", "--loader goes with --root")
	case stdin > 1:
		return usage("", "standard input can be read once")
	case stdin > 0 && f.fix:
		return usage("--diff shows what it would change", "--fix cannot change standard input")
	case (f.diff || f.fix) && f.output.format != "text":
		return usage("", "--fix and --diff go with --format text")
	case f.diff && f.writeBaseline != "":
		return usage("", "--diff and --write-baseline exclude each other")
	case f.root != "" && f.fix:
		return usage("name the files to change instead", "--fix does not change a whole system")
	}
	return nil
}

// targets are the kernels asked for.
func (f lintFlags) targets() ([]lint.Target, error) {
	var targets []lint.Target
	add := func(name, release string) error {
		kernel, err := sysctl.ParseRelease(release)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(targets, func(t lint.Target) bool { return t.Name == name }) {
			targets = append(targets, lint.Target{Name: name, Kernel: kernel})
		}
		return nil
	}
	for _, release := range f.kernels {
		if err := add(release, release); err != nil {
			return nil, usage("", "--kernel: %w", err)
		}
	}
	for _, name := range f.distros {
		distro, err := sysctl.ParseDistro(name)
		if err != nil {
			return nil, usage("", "--distro: %w", err)
		}
		kernel, _, _ := strings.Cut(distro.Kernel, "-")
		if err := add(kernel+" ("+distro.Name+")", distro.Kernel); err != nil {
			return nil, err
		}
	}
	if len(targets) == 0 {
		for _, release := range sysctl.Maintained {
			if err := add(release, release); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(targets, func(a, b lint.Target) int { return a.Kernel.Compare(b.Kernel) })
	return targets, nil
}

// system is the unit of --root, read by the loader that was named or found.
func (f lintFlags) system(targets []lint.Target) (iter.Seq[lint.Work], error) {
	if info, err := os.Stat(f.root); err != nil {
		return nil, unreadable(err)
	} else if !info.IsDir() {
		return nil, usage("", "--root %s is not a directory", f.root)
	}
	loader := cmp.Or(conf.FindLoader(f.root).Loader, conf.Systemd)
	if f.loader != "" {
		var err error
		if loader, err = conf.ParseLoader(f.loader); err != nil {
			return nil, usage("", "--loader: %w", err)
		}
	}
	for i := range targets {
		targets[i].Loader = loader
	}
	return func(yield func(lint.Work) bool) { yield(lint.System(filepath.Clean(f.root), loader)) }, nil
}

func readBaseline(path string) (lint.Baseline, error) {
	file, err := os.Open(path)
	if err != nil {
		return lint.Baseline{}, unreadable(err)
	}
	defer file.Close()
	b, err := lint.DecodeBaseline(file)
	if err != nil {
		return b, &failure{exitUnreadable, fmt.Errorf("%s: %w", path, err), ""}
	}
	return b, nil
}

// A linting is one run of the command.
type linting struct {
	app    *app
	flags  lintFlags
	least  rules.Severity
	linter *lint.Linter

	report  *lint.Report // all results, unless they are printed as they come
	totals  report.LintTotals
	text    bytes.Buffer // what is printed with --output
	worst   rules.Severity
	failed  bool // a file that was named could not be judged
	patched int  // lines that --fix would comment out
	// unwritten counts the files that --fix could not change.
	unwritten int
}

// streams reports whether text is printed while files are being judged, so that
// no result need be kept.
func (l *linting) streams() bool {
	return l.flags.output.format == "text" && l.flags.writeBaseline == ""
}

func (l *linting) judge(ctx context.Context, units iter.Seq[lint.Work]) error {
	defer l.app.progress("judging files")()
	l.report = l.linter.NewReport()
	l.totals.Kernels = l.report.Kernels
	return l.linter.Run(ctx, units, func(r lint.Result) error {
		l.failed = l.failed || r.Failed
		if l.flags.fix || l.flags.diff {
			if err := l.repair(&r); err != nil {
				return err
			}
		}
		l.totals.Add(r, l.least)
		for _, f := range r.Findings {
			if f.Severity.AtLeast(l.worst) {
				l.worst = f.Severity
			}
		}
		if !l.streams() {
			l.report.Add(r)
		}
		if l.flags.diff || l.flags.output.format != "text" {
			return nil
		}
		out, text := l.destination()
		return text.Lint(out, r, len(l.report.Kernels))
	})
}

// destination is where text goes, and its renderer.
func (l *linting) destination() (io.Writer, report.Text) {
	text := l.app.text(l.least)
	out := l.app.out
	if l.flags.output.toFile() {
		out, text = &l.text, (&app{out: &l.text, color: "never"}).text(l.least)
	}
	text.Verbose = l.flags.verbose
	return out, text
}

// repair changes the files of a result, or prints the patch, and takes what it
// settles out of the findings.
func (l *linting) repair(r *lint.Result) error {
	var names []string
	for _, f := range r.Findings {
		if name := f.Places[0].File; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var seen []string // a link and where it leads may both have been judged
	for _, name := range names {
		path, before, err := r.Source(name)
		if err != nil {
			return unreadable(err)
		}
		if path == "" || slices.Contains(seen, path) {
			continue
		}
		seen = append(seen, path)
		after, settled, err := l.linter.Repair(name, before, *r)
		if err != nil {
			return &failure{exitUnreadable, err, ""}
		}
		if len(settled) == 0 {
			continue
		}
		if l.flags.diff {
			l.patched += len(settled)
			shown := strings.TrimPrefix(path, "/")
			patch := udiff.Unified(patchName("a/"+shown), patchName("b/"+shown), string(before), string(after))
			out, _ := l.destination()
			if _, isTerminal := terminal(out); isTerminal {
				patch = printable.Lines(patch)
			}
			if _, err := io.WriteString(out, patch); err != nil {
				return err
			}
			continue
		}
		if err := replaceFile(name, after); err != nil {
			fmt.Fprintf(l.app.err, "tcptune: error: %s; it is as it was\n", printable.Text(err.Error()))
			l.unwritten++
			continue
		}
		fmt.Fprintf(l.app.err, "tcptune: %s: %d commented out\n", printable.Text(name), len(settled))
		r.Findings = slices.DeleteFunc(r.Findings, func(f advisor.Finding) bool {
			return f.Places[0].File == name && slices.Contains(settled, f.Places[0].Line)
		})
	}
	return nil
}

// patchName spells a file's name as patch(1) and git-apply(1) read it: ended by
// a tab if it has blanks, quoted with octal escapes if it is odder than that.
func patchName(name string) string {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' || r == utf8.RuneError }
	if !strings.ContainsFunc(name, odd) {
		if strings.Contains(name, " ") {
			return name + "\t"
		}
		return name
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if odd(rune(c)) || c >= utf8.RuneSelf {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// finish prints what is to be printed at the end, and says how it ended.
func (l *linting) finish(err error, threshold rules.Severity, set rules.Set) error {
	f := l.flags
	if err != nil {
		return classify(err, exitUnreadable)
	}
	results := func() report.Results {
		return report.Results{Command: "lint", Version: versionText(), Subject: "files that set parameters, for Linux " + strings.Join(l.report.Kernels, ", "),
			Kernels: l.report.Kernels, Rules: set, Findings: l.report.Findings, Suppressed: l.report.Suppressed, Passed: l.report.Clean}
	}
	if f.writeBaseline != "" {
		var b bytes.Buffer
		if err := lint.NewBaseline(l.report.Findings).Encode(&b); err != nil {
			return err
		}
		if err := replaceFile(f.writeBaseline, b.Bytes()); err != nil {
			return unreadable(err)
		}
	}
	switch {
	case f.output.format != "text":
		for _, remark := range l.report.Unread {
			fmt.Fprintf(l.app.err, "tcptune: warning: %s: not judged: %s\n", printable.Text(remark.File), printable.Text(remark.Reason))
		}
		err = l.app.emit(f.output, l.report, nil, results)
	case !f.diff:
		out, text := l.destination()
		err = text.LintSummary(out, l.totals)
	}
	if err == nil && f.output.format == "text" && f.output.toFile() {
		err = unreadable(replaceFile(f.output.file, l.text.Bytes()))
	}
	if err != nil {
		return err
	}
	if l.failed {
		return &failure{exitUnreadable, errors.New("not all files that were named could be judged"), ""}
	}
	if l.unwritten > 0 {
		return &failure{exitUnreadable, fmt.Errorf("%d of the files could not be changed", l.unwritten), ""}
	}
	if f.diff {
		return f.output.verdict(l.patched > 0, results)
	}
	failed := threshold != "" && f.writeBaseline == "" && l.worst.AtLeast(threshold)
	return f.output.verdict(failed, results)
}
