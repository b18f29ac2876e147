package settings

import (
	"encoding/json"
	"strings"

	"github.com/tcptune/tcptune/advisor/pattern"
)

// A logical line is one or more that a backslash joins, from an offset up to
// another.
type logical struct{ from, to int }

// logicals joins the lines of a file. Lines that begin with one of the marks,
// and blank ones, do not end what a backslash continues.
func (s *source) logicals(marks string) []logical {
	var found []logical
	open := false
	for number := range s.lineStarts() {
		text, start := s.line(number + 1)
		trimmed := strings.TrimSpace(text)
		if marks != "" && (trimmed == "" || strings.IndexByte(marks, trimmed[0]) >= 0) {
			continue
		}
		if !open {
			found = append(found, logical{from: start})
		}
		last := &found[len(found)-1]
		last.to = start + len(text)
		open = strings.HasSuffix(strings.TrimRight(text, " \t"), `\`)
	}
	return found
}

// asScript is a logical line as a shell would read it: comments and blank lines
// in it become continuations, every byte in its place.
func (s *source) asScript(l logical, marks string) string {
	text := s.text[l.from:l.to]
	if !strings.Contains(text, "\n") {
		return text
	}
	b := []byte(text)
	start := 0
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if end := start + len(line) - 1; marks != "" && strings.HasSuffix(line, "\n") {
			if trimmed != "" && strings.IndexByte(marks, trimmed[0]) >= 0 {
				for i := start; i < end; i++ {
					b[i] = ' '
				}
				b[end-1] = '\\'
			} else if trimmed == "" {
				for i := start; i <= end; i++ {
					b[i] = ' '
				}
			} else if body := strings.TrimRight(line, " \t\r\n"); strings.HasSuffix(body, `\`) && len(body) < len(line)-1 {
				b[start+len(body)-1], b[end-1] = ' ', '\\' // blanks behind the backslash
			}
		}
		start += len(line)
	}
	return string(b)
}

var hereDocument = pattern.Lazy(`<<-?\s*["']?(\w+)["']?`)

// readDockerfile reads the commands that RUN, CMD and ENTRYPOINT run, in the
// shell's form and as a list.
func readDockerfile(_ string, s *source) (File, error) {
	if err := noMention(s); err != nil {
		return File{}, err
	}
	c := newCommands(s)
	c.container = true
	lines := s.logicals("#")
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		instruction := s.text[l.from:l.to]
		body := strings.TrimLeft(instruction, " \t")
		keyword, _, _ := strings.Cut(body, " ")
		keyword = strings.ToUpper(strings.TrimSpace(keyword))
		if end := hereDocument().FindStringSubmatch(instruction); end != nil && (keyword == "RUN" || keyword == "COPY" || keyword == "ADD") {
			for i+1 < len(lines) {
				i++
				l.to = lines[i].to
				if strings.TrimSpace(s.text[lines[i].from:lines[i].to]) == end[1] {
					break
				}
			}
		}
		switch keyword {
		case "RUN", "CMD", "ENTRYPOINT":
		default:
			continue
		}
		if !strings.Contains(s.text[l.from:l.to], "sysctl") {
			continue
		}
		c.at = keyword
		start := l.from + len(instruction) - len(body) + len(keyword)
		text := s.asScript(logical{start, l.to}, "#")
		if words := listOfWords(text, start); words != nil {
			c.call(words, 0)
			continue
		}
		text = withoutFlags(text)
		if body, offset, found := hereScript(text); found {
			c.command(body, start+offset)
			continue
		}
		c.command(text, start)
	}
	return c.done("a Dockerfile")
}

// withoutFlags blanks the options that stand before RUN's command.
func withoutFlags(text string) string {
	b := []byte(text)
	for i := 0; i < len(b); {
		rest := strings.TrimLeft(text[i:], " \t\\\r\n")
		i = len(text) - len(rest)
		if !strings.HasPrefix(rest, "--") {
			break
		}
		for ; i < len(b) && b[i] != ' ' && b[i] != '\t' && b[i] != '\n'; i++ {
			b[i] = ' '
		}
	}
	return string(b)
}

// hereScript is the script of a RUN that is nothing but a here-document.
func hereScript(text string) (script string, offset int, found bool) {
	first, rest, _ := strings.Cut(text, "\n")
	mark := hereDocument().FindString(first)
	if mark == "" || strings.TrimSpace(first) != mark {
		return "", 0, false
	}
	if end := strings.LastIndexByte(strings.TrimRight(rest, "\r\n"), '\n'); end >= 0 {
		rest = rest[:end+1]
	}
	return rest, len(first) + 1, true
}

// listOfWords reads a command that is a JSON list of strings.
func listOfWords(text string, base int) []word {
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	var words []word
	for {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		switch t := token.(type) {
		case string:
			to := int(decoder.InputOffset())
			from := before + strings.IndexByte(text[before:to], '"')
			words = append(words, word{text: t, from: base + from, to: base + to})
		case json.Delim:
			if t == ']' {
				return words
			}
		default:
			return nil
		}
	}
}

// command reads the text of one command, and says so if it cannot.
func (c *commands) command(text string, base int) {
	if err := c.shell(text, base, 0); err != nil {
		at := base + strings.Index(text, "sysctl")
		c.file.Skipped = append(c.file.Skipped, Skipped{Place: c.whole(c.lineAt(at)), Reason: "its command cannot be read: " + err.Error()})
	}
}

// readUnit reads the commands of a systemd unit, and what a unit of Podman's
// Quadlet sets by Sysctl=.
func readUnit(_ string, s *source) (File, error) {
	if !strings.Contains(s.text, "Sysctl=") {
		if err := noMention(s); err != nil {
			return File{}, err
		}
	}
	c := newCommands(s)
	c.file.Comments = s.comments("#;", true)
	section := ""
	for _, l := range s.logicals("#;") {
		text := s.text[l.from:l.to]
		trimmed := strings.TrimSpace(text)
		if trimmed == "" {
			continue
		}
		if trimmed[0] == '[' {
			section = trimmed
			continue
		}
		name, _, found := strings.Cut(text, "=")
		start := l.from + len(name) + 1
		name = strings.TrimSpace(name)
		c.at = name
		switch {
		case !found:
		case name == "Sysctl" && (section == "[Container]" || section == "[Pod]"):
			for _, w := range fields(s.text[start:l.to], start) {
				c.assign(w, false, true)
			}
		case strings.HasPrefix(name, "Exec") && strings.Contains(text, "sysctl"):
			command := s.asScript(logical{start, l.to}, "#;")
			// What systemd reads before the program's path.
			prefix := len(command) - len(strings.TrimLeft(command, " \t@-:+!|"))
			c.command(command[prefix:], start+prefix)
		}
	}
	return c.done("a unit")
}

// fields are the words of a text without quotes.
func fields(text string, base int) []word {
	var words []word
	for from := 0; from < len(text); {
		rest := strings.TrimLeft(text[from:], " \t\\\r\n")
		from = len(text) - len(rest)
		end := strings.IndexAny(rest, " \t\r\n")
		if end < 0 {
			end = len(rest)
		}
		if end > 0 {
			words = append(words, word{text: rest[:end], from: base + from, to: base + from + end, why: template(rest[:end])})
		}
		from += end
	}
	return words
}

// readMakefile reads the commands of recipes. A variable of make looks to a
// shell like one of its own, or like a command's output, and is skipped like
// these.
func readMakefile(_ string, s *source) (File, error) {
	if err := noMention(s); err != nil {
		return File{}, err
	}
	c := newCommands(s)
	for _, l := range s.logicals("") {
		text := s.text[l.from:l.to]
		if !strings.HasPrefix(text, "\t") || !strings.Contains(text, "sysctl") {
			continue
		}
		prefix := len(text) - len(strings.TrimLeft(text, "\t @-+"))
		c.command(text[prefix:], l.from+prefix)
	}
	return c.done("a Makefile")
}
