package observe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// sockstat reads the numbers of sockets that the kernel keeps (net/ipv4/proc.c,
// sockstat_seq_show; net/ipv6/proc.c, sockstat6_seq_show), however many there are.
func sockstat(s *facts.Snapshot) {
	four, err := protocol(netns.ThreadDir()+"/net/sockstat", "TCP")
	if err != nil {
		s.Gaps[facts.PartSockstat] = gap(err)
		return
	}
	six, err := protocol(netns.ThreadDir()+"/net/sockstat6", "TCP6")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // absent where IPv6 is switched off
		s.Gaps[facts.PartSockstat] = gap(err)
		return
	}
	s.Sockstat = &facts.Sockstat{InUse: four["inuse"], InUse6: six["inuse"], TimeWait: four["tw"],
		Orphan: four["orphan"], Alloc: four["alloc"], MemPages: four["mem"]}
}

// protocol reads the line of one protocol, such as "TCP: inuse 12 orphan 0 tw 3".
// Sums of what each processor counts may dip below 0, which is 0.
func protocol(path, name string) (map[string]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		numbers := map[string]int64{}
		for i := 0; i+1 < len(fields); i += 2 {
			n, err := strconv.ParseInt(fields[i+1], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %s %s: %q is not a number", path, name, fields[i], fields[i+1])
			}
			numbers[fields[i]] = max(0, n)
		}
		return numbers, nil
	}
	return nil, fmt.Errorf("%s has no line of %s", path, name)
}
