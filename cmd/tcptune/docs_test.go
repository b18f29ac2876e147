package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/facts/factstest"
	"github.com/tcptune/tcptune/profiles"
	"github.com/tcptune/tcptune/rules"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const manPage = "../../docs/tcptune.8"

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The tables of exit codes hold the constants of exit.go, and each meaning begins
// as the constant's comment does.
func TestExitCodesAreThoseOfTheSource(t *testing.T) {
	table := func(text, row string) map[string]string {
		codes := map[string]string{}
		for _, match := range regexp.MustCompile(row).FindAllStringSubmatch(text, -1) {
			codes[match[1]] = strings.ToLower(match[2])
		}
		return codes
	}
	source := table(readText(t, "exit.go"), `(?m)^\texit\w+ += (\d+) // (\w+)`)
	if len(source) < 7 {
		t.Fatalf("exit.go has the codes %v", source)
	}
	man := section(readText(t, manPage), ".SH EXIT STATUS")
	for name, got := range map[string]map[string]string{
		"tcptune.8": table(man, `(?m)^\.TP\n\.B (\d+)\n(\w+)`),
		"README.md": table(readText(t, "../../README.md"), `(?m)^\| (\d+) \| (\w+)`),
	} {
		if diff := cmp.Diff(source, got); diff != "" {
			t.Errorf("exit.go (-) and %s (+):\n%s", name, diff)
		}
	}
}

// section is a part of the page, from its heading to the next one of its kind.
func section(page, heading string) string {
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		return ""
	}
	for _, next := range []string{"\n.SH ", "\n.SS "} {
		if next[:4] == "\n.SS" && strings.HasPrefix(heading, ".SH") {
			continue
		}
		rest, _, _ = strings.Cut(rest, next)
	}
	return rest
}

var (
	longFlag  = regexp.MustCompile(`--([a-z][a-z-]*)`)
	shortFlag = regexp.MustCompile(`(?:^|[^\w-])-([a-zA-Z])\b`)
)

// flagsIn are the flags that a piece of the page names, sorted.
func flagsIn(text string, pattern *regexp.Regexp) []string {
	names := map[string]bool{}
	for _, match := range pattern.FindAllStringSubmatch(strings.ReplaceAll(text, `\-`, "-"), -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// itemsIn are the flags that a piece of the page has an item for.
func itemsIn(text string) []string {
	var heads strings.Builder
	for _, match := range regexp.MustCompile(`(?m)^\.TP.*\n(.*)$`).FindAllStringSubmatch(text, -1) {
		heads.WriteString(match[1] + "\n")
	}
	return flagsIn(heads.String(), longFlag)
}

// commandTree is the root with all that cobra adds when it runs.
func commandTree() *cobra.Command {
	root := (&app{out: io.Discard, err: io.Discard}).rootCommand(nil)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	return root
}

func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var all []*cobra.Command
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			all = append(all, leaves(sub)...)
		}
	}
	return all
}

func TestManPageNamesEveryCommandAndFlag(t *testing.T) {
	page := readText(t, manPage)
	root := commandTree()
	common := itemsIn(section(page, ".SH OPTIONS"))
	known, letters := map[string]bool{"help": true}, map[string]bool{"h": true}
	note := func(f *pflag.Flag) {
		known[f.Name] = true
		if f.Shorthand != "" {
			letters[f.Shorthand] = true
			if head := regexp.MustCompile(`(?m)^\.TP.*\n\.BR \\-` + f.Shorthand + ` ", " ` + regexp.QuoteMeta(roff("--"+f.Name)) + `$`); !head.MatchString(page) {
				t.Errorf("no item for -%s, --%s", f.Shorthand, f.Name)
			}
		}
	}
	root.PersistentFlags().VisitAll(note)
	root.Flags().VisitAll(note)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !slices.Contains(common, name) {
			t.Errorf("--%s, of every command, has no item below OPTIONS", name)
		}
	}
	headings := map[string]bool{}
	for _, cmd := range leaves(root) {
		path := cmd.CommandPath()
		if cmd.Parent().Name() == "completion" {
			path = cmd.Parent().CommandPath()
			if !strings.Contains(section(page, ".SS "+path), cmd.Name()) {
				t.Errorf("%s does not name %s", path, cmd.Name())
			}
		}
		headings[path] = true
		text := section(page, ".SS "+path)
		if text == "" {
			t.Errorf("no heading for %s", path)
			continue
		}
		_, synopsis, _ := strings.Cut(text, ".SY \""+path+"\"\n")
		synopsis, _, _ = strings.Cut(synopsis, ".YS")
		items := append(itemsIn(text), common...)
		var flags []string
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || root.PersistentFlags().Lookup(f.Name) != nil {
				return
			}
			note(f)
			flags = append(flags, f.Name)
			if !slices.Contains(items, f.Name) {
				t.Errorf("%s: no item for --%s", path, f.Name)
			}
			spelt := regexp.QuoteMeta(roff("--" + f.Name))
			withValue := regexp.MustCompile(`(?m)^(\.OP ` + spelt + `|\.B ` + spelt + `\n\.I) [A-Z]+$`).MatchString(synopsis)
			if withValue != (f.Value.Type() != "bool") {
				t.Errorf("%s: whether --%s takes a value is %v in the synopsis", path, f.Name, withValue)
			}
		})
		slices.Sort(flags)
		if diff := cmp.Diff(flags, flagsIn(synopsis, longFlag)); diff != "" {
			t.Errorf("%s: flags that it has (-) and that its synopsis names (+):\n%s", path, diff)
		}
	}
	for _, match := range regexp.MustCompile(`(?m)^\.SS (tcptune .*)$`).FindAllStringSubmatch(page, -1) {
		if !headings[match[1]] {
			t.Errorf("the page describes %s, which does not exist", match[1])
		}
	}
	for _, name := range flagsIn(page, longFlag) {
		if !known[name] {
			t.Errorf("the page names --%s, which does not exist", name)
		}
	}
	for _, letter := range flagsIn(page, shortFlag) {
		if !letters[letter] {
			t.Errorf("the page names -%s, which does not exist", letter)
		}
	}
}

// roff is a flag as the page spells it.
func roff(flag string) string { return strings.ReplaceAll(flag, "-", `\-`) }

func TestManPageNamesTheFilesOfTheSource(t *testing.T) {
	files := strings.ReplaceAll(section(readText(t, manPage), ".SH FILES"), `\-`, "-")
	for _, path := range []string{change.DefaultDir, change.DefaultDropIn, rulesDirectory, profiles.Directory} {
		if !strings.Contains(files, path) {
			t.Errorf("FILES does not name %s", path)
		}
	}
}

func TestManPageIsCleanForGroff(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		sysctltest.RequireKernel(t, "needs groff")
	}
	cmd := exec.Command("groff", "-man", "-ww", "-Tutf8", manPage)
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 || len(out) < 5000 {
		t.Errorf("groff: %v, %d bytes\n%s", err, len(out), warnings.String())
	}
}

// Command lines that the documents show can be called so. They are parsed and
// not run.
func TestCommandsShownCanBeCalled(t *testing.T) {
	page := readText(t, manPage)
	var blocks []string
	for _, match := range regexp.MustCompile(`(?s)\n\.EX\n(.*?)\.EE\n`).FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, strings.NewReplacer(`\-`, "-", `\(aq`, "'").Replace(match[1]))
	}
	for _, name := range []string{"writing-rules.md", "writing-profiles.md"} {
		blocks = append(blocks, fenced(readText(t, "../../docs/"+name), "sh")...)
	}
	for _, cmd := range leaves(commandTree()) {
		if cmd.Parent().Name() != "completion" {
			blocks = append(blocks, cmd.Example)
		}
	}
	shown := 0
	for _, block := range blocks {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, ">")
			line, _, _ = strings.Cut(line, "|")
			line = strings.TrimPrefix(strings.TrimSpace(line), "sudo ")
			if line == "" {
				continue
			}
			shown++
			if err := callable(words(line)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if shown < 30 {
		t.Errorf("only %d commands were found", shown)
	}
}

// words splits a command line as a shell does, single quotes included.
func words(line string) []string {
	var list []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

func callable(args []string) error {
	if args[0] != "tcptune" {
		return fmt.Errorf("it does not call tcptune")
	}
	cmd, rest, err := commandTree().Find(args[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateFlagGroups(); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// filesIn are the blocks of a Markdown text that begin with a comment of their
// name, by that name.
func filesIn(t *testing.T, document string) fstest.MapFS {
	t.Helper()
	found := fstest.MapFS{}
	for _, block := range fenced(readText(t, "../../docs/"+document), "toml") {
		name, _, _ := strings.Cut(strings.TrimPrefix(block, "# "), "\n")
		if !strings.HasPrefix(block, "# ") || filepath.Ext(name) != ".toml" {
			t.Fatalf("%s: a block does not begin with its file's name but with %q", document, name)
		}
		found[name] = &fstest.MapFile{Data: []byte(block)}
	}
	return found
}

func TestRulesShownPassTheirTests(t *testing.T) {
	shown := filesIn(t, "writing-rules.md")
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	before := len(set.All())
	if err := set.Add(shown, "writing-rules.md"); err != nil {
		t.Fatal(err)
	}
	if added := len(set.All()) - before; len(shown) != 2 || added != 1 {
		t.Errorf("of %d rules shown %d are new; one should be, and one override a built-in rule", len(shown), added)
	}
	for name := range shown {
		rule, _ := set.Get(strings.TrimSuffix(name, ".toml"))
		for _, fault := range rule.Test() {
			t.Error(fault)
		}
	}
	// On a healthy host both are quiet.
	report := advisor.Advise(factstest.Healthy("6.12"), set, nil)
	for _, finding := range report.Findings {
		if shown[finding.Rule+".toml"] != nil {
			t.Errorf("%s fires on a healthy host: %s", finding.Rule, finding.Message)
		}
	}
}

func TestProfilesShownCanBeLoaded(t *testing.T) {
	set, err := rules.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range filesIn(t, "writing-profiles.md") {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		profile, err := profiles.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, kernel := range []string{"3.10.0-1160.el7.x86_64", "6.12.95"} {
			plan := advisor.MakePlan(factstest.Healthy(kernel), set, profile)
			if len(plan.Steps) < 4 || len(plan.Worse) > 0 {
				t.Errorf("%s on %s: %d changes, and it would bring in %v", name, kernel, len(plan.Steps), plan.Worse)
			}
			for _, goal := range plan.Goals {
				if goal.Skip != nil && goal.Skip.Cause == sysctl.BadValue {
					t.Errorf("%s: %s: %s", name, goal.Key, goal.Skip)
				}
			}
		}
	}
}

// The documents name every key of the files, every group of facts, every reason
// for which one is missing, and no fact that does not exist.
func TestDocumentsNameWhatTheSourceHas(t *testing.T) {
	ruleText, profileText := readText(t, "../../docs/writing-rules.md"), readText(t, "../../docs/writing-profiles.md")
	for _, c := range []struct{ document, source string }{
		{ruleText, "../../rules/load.go"}, {ruleText, "../../rules/example.go"}, {profileText, "../../profiles/load.go"},
	} {
		keys := regexp.MustCompile("`toml:\"(\\w+)").FindAllStringSubmatch(readText(t, c.source), -1)
		for _, key := range keys {
			if named := regexp.MustCompile("(?m)^\\| `\\[*" + key[1] + "\\]*` \\|"); !named.MatchString(c.document) {
				t.Errorf("the key %s of %s has no row", key[1], c.source)
			}
		}
		if len(keys) < 5 {
			t.Errorf("%s has only %d keys", c.source, len(keys))
		}
	}
	for _, cause := range constants(t, "../../sysctl", "Cause") {
		if !strings.Contains(ruleText, "`"+cause+"`") {
			t.Errorf("the reason %q is not named", cause)
		}
	}
	groups := map[string]bool{}
	for name := range facts.Schema() {
		group, _, _ := strings.Cut(string(name), ".")
		groups[group] = true
	}
	for group := range groups {
		if !strings.Contains(ruleText, "`"+group+".") {
			t.Errorf("the facts %s.* are not named", group)
		}
	}
	for _, match := range regexp.MustCompile(`\b([a-z]+)(?:\.\w+)+`).FindAllStringSubmatch(ruleText+profileText, -1) {
		_, known := facts.Schema()[facts.Name(match[0])]
		if groups[match[1]] && !known && !strings.HasSuffix(match[0], ".json") && !strings.HasSuffix(match[0], ".toml") {
			t.Errorf("no fact is called %s", match[0])
		}
	}
	// What is said of conditions.
	for source, want := range map[string]bool{
		`not nat.seen and (ports.low < 1024 or ports.high != 60999)`:      true,
		`kernel.release == "6.12" && kernel.release != '6.1'`:             true,
		`-1 < 2 * sockets.total - 1 / 2`:                                  true,
		`len(ports.listening_list) > 1`:                                   false,
		`ports.listening_list contains "8080"`:                            false,
		`sockets.total > "1"`:                                             false,
		strings.Repeat("sockets.total + ", 64) + `1 > 0`:                  false,
		`sockets.total > 1 ? true : false`:                                false,
		`net.ipv4.tcp_rmem > 4096`:                                        false,
		`net.ipv4.tcp_rmem != "4096 131072 6291456" or nat.seen == false`: true,
	} {
		if _, err := facts.CompileCondition(source); (err == nil) != want {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// constants are the values of a package's constants of a type, as the source has
// them.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok {
				return true
			}
			named, _ := spec.Type.(*ast.Ident)
			literal := (*ast.BasicLit)(nil)
			if len(spec.Values) == 1 {
				literal, _ = spec.Values[0].(*ast.BasicLit)
			}
			if named != nil && named.Name == typ && literal != nil {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, text)
			}
			return true
		})
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", dir, typ)
	}
	return values
}

func TestEachCommandIsMadeByItsName(t *testing.T) {
	a := &app{out: io.Discard, err: io.Discard}
	for _, c := range a.commands() {
		if got := c.make().Name(); got != c.name {
			t.Errorf("%s makes the command %s", c.name, got)
		}
	}
}
