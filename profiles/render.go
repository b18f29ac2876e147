package profiles

import (
	"bytes"
	"fmt"
	"strings"
)

// SysctlConf renders goals as a drop-in of sysctl.d(5): for each the value that
// the host would have after applying them, and why. What the host does not have
// is left out with a comment.
func SysctlConf(heading string, goals []Goal) []byte {
	var b bytes.Buffer
	b.WriteString(heading)
	for _, g := range goals {
		b.WriteString("\n")
		for line := range strings.Lines(g.Why) {
			fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
		}
		if g.Skip != nil {
			fmt.Fprintf(&b, "# %s is left out: %s\n", g.Key, g.Skip)
			continue
		}
		if g.Bound != Exactly {
			fmt.Fprintf(&b, "# (%s %s)\n", g.Bound, g.Value)
		}
		fmt.Fprintf(&b, "%s = %s\n", g.Key, strings.Join(g.Target().Fields(), " "))
	}
	return b.Bytes()
}
