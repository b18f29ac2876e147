package profiles

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/advisor/printable"
)

// SysctlConf renders goals as a drop-in of sysctl.d(5): for each the value that
// the host would have after applying them, and why. What the host does not have
// is left out with a comment.
func SysctlConf(heading string, goals []Goal) []byte {
	var b bytes.Buffer
	b.WriteString(heading)
	for _, g := range goals {
		b.WriteString("\n")
		comment(&b, g.Why)
		if g.Skip != nil {
			comment(&b, fmt.Sprintf("%s is left out: %s", g.Key, g.Skip))
			continue
		}
		if g.Bound != Exactly {
			comment(&b, fmt.Sprintf("(%s %s)", g.Bound, g.Value))
		}
		fmt.Fprintf(&b, "%s = %s\n", g.Key, strings.Join(g.Target().Fields(), " "))
	}
	return b.Bytes()
}

// comment writes text of several lines such that it stays a comment, wherever it
// came from, and commands no terminal.
func comment(b *bytes.Buffer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(b, "# %s\n", printable.Text(strings.TrimSpace(line)))
	}
}
