package settings

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/tcptune/tcptune/advisor/pattern"
	"github.com/tcptune/tcptune/sysctl"
)

// commands collects the parameters that command lines set.
type commands struct {
	*source
	file      File
	at        string
	container bool // the commands run in one
}

// A word is an argument, after the shell has taken off its quotes.
type word struct {
	text     string
	from, to int    // in the source, with quotes
	why      string // the text is not all there, and why; else empty
}

// readShell reads a script for a POSIX shell or bash.
func readShell(_ string, s *source) (File, error) {
	if err := noMention(s); err != nil {
		return File{}, err
	}
	c := newCommands(s)
	if err := c.shell(s.text, 0, 0); err != nil {
		return File{}, fmt.Errorf("%w: broken shell script: %w", ErrNotUnderstood, err)
	}
	return c.done("a script")
}

func newCommands(s *source) *commands {
	return &commands{source: s, file: File{Form: CommandLine, Comments: s.comments("#", false)}}
}

// settingCommand is what looks like a command that sets a parameter, wherever it
// stands.
var settingCommand = pattern.Lazy(`--sysctl[= ]|\bsysctl(?:[ \t]+-[a-zA-Z-]+)*[ \t]+["']?[a-z][\w./*-]*=`)

var shellComment = pattern.Lazy(`(?:^|[ \t])#`)

// done says so where such a command stands in something else, such as an
// argument of echo, and returns what was read.
func (c *commands) done(what string) (File, error) {
	f := &c.file
	covered := map[int]bool{}
	for _, x := range f.Settings {
		covered[x.Line] = true
	}
	for _, x := range f.Faults {
		covered[x.Line] = true
	}
	for _, x := range f.Skipped {
		covered[x.Line] = true
	}
	for _, at := range settingCommand().FindAllStringIndex(c.text, -1) {
		number := c.lineAt(at[0])
		if _, start := c.line(number); !covered[number] && !shellComment().MatchString(c.text[start:at[0]]) {
			covered[number] = true
			f.Skipped = append(f.Skipped, Skipped{Place: c.span(at[0], at[1]), Reason: "it is not plainly a command that is run"})
		}
	}
	if len(f.Settings)+len(f.Faults)+len(f.Skipped) == 0 {
		return File{}, fmt.Errorf("%w: it is %s without a command that sets one", ErrNothing, what)
	}
	return *f, nil
}

// The parser's stack grows with the nesting of a script, which can be that of a
// level for every two bytes. Within these bounds it stays far below what ends
// the program.
const (
	maxScript = 128 << 10 // bytes
	maxOpen   = 1000
)

// openings is the deepest nesting that a script can have, if no bracket in it
// is quoted.
func openings(script string) int {
	open, deepest := 0, 0
	for i := range len(script) {
		switch script[i] {
		case '(', '[', '{':
			open++
			deepest = max(deepest, open)
		case ')', ']', '}':
			open = max(0, open-1)
		}
	}
	return deepest
}

// maxNesting bounds shells within shells.
const maxNesting = 4

// shell reads a script that begins at an offset of the source.
func (c *commands) shell(script string, base, depth int) error {
	if len(script) > maxScript {
		return fmt.Errorf("it is larger than %d KiB", maxScript>>10)
	}
	if openings(script) > maxOpen {
		return errors.New("it is nested too deeply")
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(asUTF8(script)), "")
	if err != nil {
		var at string
		if parse, ok := err.(syntax.ParseError); ok {
			place := c.span(base+int(parse.Pos.Offset()), base+int(parse.Pos.Offset()))
			at, err = fmt.Sprintf("line %d, column %d: ", place.Line, place.Column), fmt.Errorf("%s", parse.Text)
		}
		return fmt.Errorf("%s%w", at, err)
	}
	syntax.Walk(parsed, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CallExpr:
			c.call(wordsOf(n.Args, base), depth)
		case *syntax.Stmt:
			if pipe, ok := n.Cmd.(*syntax.BinaryCmd); ok && pipe.Op == syntax.Pipe {
				if target := written(pipe.Y, base); target.text != "" {
					c.writes(pipe.X, target, base)
					return false
				}
			}
			if target := written(n, base); target.text != "" {
				c.writes(n, target, base)
			}
		}
		return true
	})
	return nil
}

const procSys = sysctl.DefaultRoot + "/"

// written is the sysctl.conf, drop-in or parameter's own file to which a
// statement writes, by itself or by tee.
func written(statement *syntax.Stmt, base int) (target word) {
	consider := func(w word) {
		if w.why == "" && (namedSysctlConf(w.text) || strings.HasPrefix(w.text, procSys)) {
			target = w
		}
	}
	for _, redirection := range statement.Redirs {
		if redirection.Op == syntax.RdrOut || redirection.Op == syntax.AppOut || redirection.Op == syntax.RdrClob {
			consider(wordOf(redirection.Word, base))
		}
	}
	if call, ok := statement.Cmd.(*syntax.CallExpr); ok {
		words := wordsOf(call.Args, base)
		if tee := slices.IndexFunc(words, func(w word) bool { return w.text == "tee" }); tee >= 0 {
			for _, w := range words[tee:] {
				consider(w)
			}
		}
	}
	return target
}

// writes reads what a statement writes to a target: the text of a here-document,
// or one line of echo.
func (c *commands) writes(statement *syntax.Stmt, target word, base int) {
	var here *syntax.Word
	end := ""
	for _, redirection := range statement.Redirs {
		if redirection.Op == syntax.Hdoc || redirection.Op == syntax.DashHdoc {
			here, end = redirection.Hdoc, wordOf(redirection.Word, base).text
		}
	}
	var words []word
	if call, ok := statement.Cmd.(*syntax.CallExpr); ok {
		words = wordsOf(call.Args, base)
	}
	whole := c.span(base+int(statement.Pos().Offset()), base+int(statement.End().Offset()))
	echoed := len(words) == 2 && words[0].text == "echo" && words[1].why == "" && !strings.ContainsAny(words[1].text, "\\\n")
	switch {
	case strings.HasPrefix(target.text, procSys):
		if key, err := sysctl.ParseKey(strings.TrimPrefix(target.text, procSys)); err == nil && echoed {
			c.file.Settings = append(c.file.Settings, Setting{Place: c.span(target.from, target.to), ValuePlace: c.span(words[1].from, words[1].to),
				Key: key, Value: sysctl.Value(strings.TrimSpace(words[1].text)), Container: c.container, At: c.at})
			return
		}
	case here != nil:
		from, to := base+int(here.Pos().Offset()), base+int(here.End().Offset())
		// The parser counts the line that ends it as part of it.
		text := strings.TrimRight(c.text[from:to], " \t\r\n")
		if rest, found := strings.CutSuffix(text, end); found && strings.HasSuffix(strings.TrimRight(rest, "\t"), "\n") {
			text = rest
		}
		if c.sysctlConf(text, c.lineAt(from), &c.file, Setting{At: target.text, Container: c.container}) == nil {
			return
		}
	case len(words) == 0 || len(words) == 1 && words[0].why == "":
		return // it empties the file, or writes nothing of its own
	case echoed:
		if text := strings.TrimSpace(words[1].text); text != "" && text[0] != '#' {
			inner := *c
			inner.at = target.text
			inner.assign(words[1], false, c.container)
			c.file = inner.file
		}
		return
	}
	c.file.Skipped = append(c.file.Skipped, Skipped{Place: whole, Reason: "what it writes to " + target.text + " is not plain"})
}

func wordsOf(args []*syntax.Word, base int) []word {
	words := make([]word, len(args))
	for i, w := range args {
		words[i] = wordOf(w, base)
	}
	return words
}

// asUTF8 puts a question mark for every byte that is not UTF-8, which the
// parser would refuse in a comment, too.
func asUTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	b := []byte(text)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			b[i] = '?'
		}
		i += size
	}
	return string(b)
}

func wordOf(w *syntax.Word, base int) word {
	result := word{from: base + int(w.Pos().Offset()), to: base + int(w.End().Offset())}
	var text strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			text.WriteString(unescaped(p.Value, ""))
			if strings.Contains(p.Value, "{") && strings.ContainsAny(p.Value, ",.") && strings.Contains(p.Value, "}") {
				result.why = "the shell expands its braces"
			}
		case *syntax.SglQuoted:
			text.WriteString(p.Value)
			if p.Dollar {
				result.why = "it is written with escapes"
			}
		case *syntax.DblQuoted:
			for _, inner := range p.Parts {
				if lit, ok := inner.(*syntax.Lit); ok {
					text.WriteString(unescaped(lit.Value, "$`\"\\"))
				} else {
					result.why = "it has a variable in it"
				}
			}
		default:
			result.why = "it has a variable in it"
		}
	}
	result.text = text.String()
	return result
}

// unescaped takes off the backslashes that the shell takes off: all of them, or
// those before certain characters.
func unescaped(text, only string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if text[i+1] == '\n' {
				i++
				continue
			}
			if only == "" || strings.IndexByte(only, text[i+1]) >= 0 {
				i++
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

var (
	// wrappers run the command that follows their options.
	wrappers = []string{"sudo", "doas", "env", "command", "exec", "builtin", "nohup", "nice", "ionice", "time", "timeout", "busybox", "setsid", "stdbuf", "chroot"}
	// namespaces do so in other namespaces.
	namespaces = []string{"nsenter", "unshare"}
	shells     = []string{"sh", "bash", "dash", "ash", "ksh"}
	engines    = []string{"docker", "podman", "nerdctl"}
)

// call reads one simple command.
func (c *commands) call(words []word, depth int) {
	container := c.container
	for i := 0; i < len(words) && words[i].why == ""; i++ {
		rest := words[i+1:]
		switch program := path.Base(words[i].text); {
		case program == "sysctl":
			c.sysctl(rest, container)
			return
		case slices.Contains(engines, program):
			c.engine(rest, depth)
			return
		case program == "kubectl":
			c.within(rest, depth)
			return
		case slices.Contains(shells, program):
			c.nested(rest, container, depth)
			return
		case program == "ip":
			at := slices.IndexFunc(rest, func(w word) bool { return w.text == "exec" })
			if at < 1 || rest[at-1].text != "netns" || at+2 > len(rest) {
				return
			}
			container = true
			i += at + 2
		case slices.Contains(wrappers, program), slices.Contains(namespaces, program):
			container = container || slices.Contains(namespaces, program)
			i += options(rest)
		default:
			return
		}
	}
}

// options is the number of words that a command has before the one it runs:
// options, what follows one, assignments and numbers.
func options(words []word) int {
	for i, w := range words {
		name := path.Base(w.text)
		after := i > 0 && strings.HasPrefix(words[i-1].text, "-") && !slices.Contains(wrappers, name) && name != "sysctl" && !slices.Contains(engines, name) && !slices.Contains(shells, name)
		if !strings.HasPrefix(w.text, "-") && !strings.Contains(w.text, "=") && !after && strings.Trim(w.text, "0123456789.smhd") != "" {
			return i
		}
	}
	return len(words)
}

// sysctl reads the arguments of sysctl(8).
func (c *commands) sysctl(words []word, container bool) {
	write, lenient := false, false
	for i := 0; i < len(words); i++ {
		w := words[i]
		option, isOption := strings.CutPrefix(w.text, "-")
		switch {
		case !isOption:
		case slices.Contains([]string{"-write", "w"}, option):
			write = true
		case option == "-ignore":
			lenient = true
		case option == "-pattern" || option == "r":
			i++
		case strings.HasPrefix(option, "-"):
			if option == "-load" || strings.HasPrefix(option, "-load=") || option == "-system" || option == "-all" {
				return
			}
		default:
			if strings.ContainsAny(option, "pfaAX") {
				return // it reads files, or prints
			}
			write = write || strings.Contains(option, "w")
			lenient = lenient || strings.Contains(option, "e")
		}
		if isOption {
			continue
		}
		if w.why != "" {
			if write || strings.Contains(w.text, "=") {
				c.skip(w)
			}
			continue
		}
		if strings.Contains(w.text, "=") || write {
			c.assign(w, lenient, container)
		}
	}
}

// engine reads the arguments of docker and its kind.
func (c *commands) engine(words []word, depth int) {
	run := slices.IndexFunc(words, func(w word) bool { return slices.Contains([]string{"run", "create", "exec"}, w.text) })
	if run < 0 {
		return
	}
	if words[run].text == "exec" {
		c.within(words[run:], depth)
		return
	}
	for i := run + 1; i < len(words); i++ {
		w := words[i]
		switch {
		case w.text == "--sysctl" && w.why == "":
			if i++; i < len(words) {
				if words[i].why != "" {
					c.skip(words[i])
				} else {
					c.assign(words[i], false, true)
				}
			}
		case strings.HasPrefix(w.text, "--sysctl="):
			if w.why != "" {
				c.skip(w)
				break
			}
			// The option and the parameter are one word, and only the latter is
			// shown, if its quotes allow.
			w.text = strings.TrimPrefix(w.text, "--sysctl=")
			if strings.HasPrefix(c.text[w.from:], "--sysctl=") {
				w.from += len("--sysctl=")
			}
			c.assign(w, false, true)
		}
	}
}

// within reads the command that a program runs in a container.
func (c *commands) within(words []word, depth int) {
	if !slices.ContainsFunc(words, func(w word) bool { return w.text == "exec" }) {
		return
	}
	at := slices.IndexFunc(words, func(w word) bool {
		program := path.Base(w.text)
		return program == "sysctl" || slices.Contains(shells, program)
	})
	if at < 0 {
		return
	}
	if path.Base(words[at].text) == "sysctl" {
		c.sysctl(words[at+1:], true)
	} else {
		c.nested(words[at+1:], true, depth)
	}
}

// nested reads the script of "sh -c".
func (c *commands) nested(words []word, container bool, depth int) {
	at := slices.IndexFunc(words, func(w word) bool {
		return len(w.text) > 1 && w.text[0] == '-' && w.text[1] != '-' && strings.HasSuffix(w.text, "c")
	})
	if at < 0 || at+1 >= len(words) || depth >= maxNesting {
		return
	}
	script := words[at+1]
	from := strings.Index(c.text[script.from:script.to], script.text)
	if script.why != "" || from < 0 || !strings.Contains(script.text, "sysctl") {
		return // with escapes or variables in it, places could not be told
	}
	inner := *c
	inner.container = container
	if inner.shell(script.text, script.from+from, depth+1) == nil {
		c.file = inner.file
	}
}

// assign reads a word "name=value".
func (c *commands) assign(w word, lenient, container bool) {
	place := c.span(w.from, w.to)
	name, value, found := strings.Cut(w.text, "=")
	key, err := sysctl.ParseKey(name)
	switch {
	case !found:
		c.file.Faults = append(c.file.Faults, Fault{Place: place, Reason: `it is not of the form "name=value"`})
		return
	case err != nil:
		c.file.Faults = append(c.file.Faults, Fault{Place: place, Reason: err.Error()})
		return
	}
	written := c.text[w.from:w.to]
	at := strings.IndexByte(written, '=') + 1
	setting := Setting{
		Place: place, ValuePlace: c.trimmed(w.from+at, w.to), Key: key, Value: sysctl.Value(strings.TrimSpace(value)),
		Lenient: lenient, Container: container, At: c.at,
	}
	if raw := written[at:]; raw != value && !strings.Contains(raw, "\n") && strings.Trim(raw, `"'`) != value {
		setting.Raw = raw
	}
	c.file.Settings = append(c.file.Settings, setting)
}

func (c *commands) skip(w word) {
	name, _, _ := strings.Cut(w.text, "=")
	key, _ := parameterName(name)
	if name != string(key) || strings.Contains(c.text[w.from:w.to], "$") && !strings.Contains(w.text, "=") {
		key = ""
	}
	c.file.Skipped = append(c.file.Skipped, Skipped{c.span(w.from, w.to), key, w.why})
}
