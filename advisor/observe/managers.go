package observe

import (
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/advisor/observe/managers"
)

// otherManagers records the programs that set parameters besides the loader.
func otherManagers(s *facts.Snapshot) {
	found, err := managers.Find("/", s.Host.CPUs)
	s.Managers = found
	if err != nil {
		g := gap(err)
		g.Detail = strings.ReplaceAll(g.Detail, "\n", "; ")
		s.Gaps[facts.PartManagers] = g
	}
}
