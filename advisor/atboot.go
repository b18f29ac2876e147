package advisor

import (
	"bytes"
	"fmt"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
	"github.com/tcptune/tcptune/sysctl/conf"
)

// Applied is what apply did, and what of it will outlast a reboot.
type Applied struct {
	change.Result
	// AtBoot is nil if no drop-in was asked for.
	AtBoot *AtBoot `json:"at_boot,omitempty"`
	// Watched: health checks confirm the transaction at the end of its window.
	Watched bool `json:"-"`
}

// AtBoot is what the files that are read at boot make of a drop-in: whether its
// values will hold.
type AtBoot struct {
	// Loader sets the parameters of this system at boot; "" if none is known, and
	// then Beaten holds for either. Evidence tells how that is known, or why not.
	Loader   conf.Loader `json:"loader,omitempty"`
	Evidence string      `json:"evidence"`
	// Unread is why nothing reads the drop-in; "" if something does.
	Unread string `json:"unread,omitempty"`
	// Beaten are the drop-in's settings that will not hold.
	Beaten []Beaten `json:"beaten"`
	// Unseen names the files that this process could not read, and that may decide
	// otherwise.
	Unseen []string `json:"unseen"`
}

// Beaten is a setting of the drop-in for which another line holds.
type Beaten struct {
	Key   sysctl.Key   `json:"key"`
	Value sysctl.Value `json:"value"` // the drop-in's
	// Holds is what it will be; "" if the other line only takes the drop-in's back.
	Holds sysctl.Value `json:"holds"`
	File  string       `json:"file"` // the other line's
	Line  int          `json:"line"`
	// Loader is the one for which that is so.
	Loader conf.Loader `json:"loader"`
}

func (b Beaten) String() string {
	does := "sets it to " + string(b.Holds)
	if b.Holds == "" {
		does = "takes it back"
	}
	return fmt.Sprintf("%s = %s will not hold at boot: %s:%d %s (%s)", b.Key, b.Value, b.File, b.Line, does, b.Loader)
}

// ResolveAtBoot resolves the files of a system as its loader will read them, with
// the drop-in laid over them, whether it is there by now or not.
func ResolveAtBoot(system conf.System, inUse conf.InUse, path string, content []byte) (AtBoot, error) {
	b := AtBoot{Loader: inUse.Loader, Evidence: inUse.Evidence, Beaten: []Beaten{}, Unseen: []string{}}
	ours, faults, err := conf.Parse(bytes.NewReader(content), path, "")
	if err != nil {
		return b, err
	}
	if len(faults) > 0 {
		return b, faults[0]
	}
	system.Laid = map[string][]byte{path: content}
	loaders := []conf.Loader{inUse.Loader}
	if inUse.Loader == "" {
		loaders = conf.Loaders
	}
	for _, system.Loader = range loaders {
		r := system.Resolve()
		b.look(r, path)
		if b.Unread != "" {
			return b, nil
		}
		for _, line := range ours {
			b.judge(r, line)
		}
	}
	return b, nil
}

// look finds out whether the drop-in is read, and what could not be.
func (b *AtBoot) look(r conf.Resolution, path string) {
	b.Unseen = b.Unseen[:0] // the same for each loader
	b.Unread = "it is not in a folder of sysctl.d"
	for _, f := range r.Files {
		if f.Err != nil {
			b.Unseen = append(b.Unseen, f.Path)
		}
		if f.Path == path {
			b.Unread = f.Reason
		}
	}
}

func (b *AtBoot) judge(r conf.Resolution, ours conf.Line) {
	setting, _ := r.Setting(ours.Key)
	param, _ := sysctl.Lookup(ours.Key)
	winner, ok := setting.Winner()
	if ok && param.Type.Equal(winner.Value, ours.Value) {
		return
	}
	lost := Beaten{Key: ours.Key, Value: ours.Value, Loader: r.Loader}
	rival := winner.Line
	if !ok { // an exclusion
		for _, d := range setting.Definitions {
			if d.File == ours.File && d.By != nil {
				rival = *d.By
			}
		}
	}
	lost.Holds, lost.File, lost.Line = winner.Value, rival.File, rival.Number
	b.Beaten = append(b.Beaten, lost)
}
