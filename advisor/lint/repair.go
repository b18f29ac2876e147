package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/advisor/settings"
	"github.com/tcptune/tcptune/rules"
)

// repairMark begins the comment that a repair leaves.
const repairMark = "# tcptune lint: "

// Source reads a file once more that was judged under this name, and says where
// it stands, which for a link of another root is elsewhere. The path is "" if no
// such file was judged.
func (r Result) Source(name string) (path string, content []byte, err error) {
	judged, is := r.judged[name]
	if !is {
		return "", nil, nil
	}
	path = cmp.Or(judged.path, name)
	if name == StandardInput {
		return path, judged.content, nil
	}
	if content, _, err = regular.Read(path, settings.MaxSize+1); err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	return path, content, nil
}

// Repair takes out of a file what has one safe answer: the lines on which a rule
// that says so ([rules.CommentOut]) has a finding for every target. They become
// comments below their reason; everything else stays as it is, byte by byte. It
// returns the new content and the numbers of the lines that were taken out.
//
// Files of other forms than sysctl.conf and TuneD's have no line that may be
// taken out safely. It is an error if the content is not what was judged.
func (l *Linter) Repair(name string, content []byte, r Result) (repaired []byte, lines []int, err error) {
	file, err := settings.Read(name, content)
	if err != nil || file.Form != settings.SysctlConf && file.Form != settings.Tuned {
		return content, nil, nil
	}
	reasons := l.repairs(name, r.Findings)
	if len(reasons) == 0 {
		return content, nil, nil
	}
	var b strings.Builder
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		found, is := reasons[number]
		if !is {
			b.WriteString(line)
			continue
		}
		text := strings.TrimRight(line, "\r\n")
		if judged := found.Places[0].Text; strings.TrimSpace(judged) != strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) {
			return nil, nil, fmt.Errorf("%s:%d: the file changed while it was judged", name, number)
		}
		end := line[len(text):]
		rest := strings.TrimLeft(text, " \t")
		indent := text[:len(text)-len(rest)]
		newline := end
		if newline == "" { // the last line, without an end
			newline = "\n"
		}
		reason := strings.Join(strings.Fields(printable.Text(found.Rule+": "+found.Message)), " ")
		b.WriteString(indent + repairMark + reason + newline + indent + "# " + rest + end)
		lines = append(lines, number)
	}
	return []byte(b.String()), lines, nil
}

// repairs picks, by line, the finding that gives the reason to take it out.
func (l *Linter) repairs(name string, findings []advisor.Finding) map[int]advisor.Finding {
	first := map[int]advisor.Finding{}
	kernels := map[int][]string{}
	for _, f := range findings {
		rule, known := l.rules.Get(f.Rule)
		if !known || rule.Repair != rules.CommentOut || f.Places[0].File != name || f.Places[0].Line == 0 {
			continue
		}
		line := f.Places[0].Line
		if _, is := first[line]; !is {
			first[line] = f
		}
		kernels[line] = append(kernels[line], f.Kernels...)
	}
	for line := range first {
		if slices.ContainsFunc(l.targets, func(t target) bool { return !slices.Contains(kernels[line], t.Name) }) {
			delete(first, line) // on one of the kernels it may be wanted
		}
	}
	return first
}
