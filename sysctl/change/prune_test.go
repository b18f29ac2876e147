package change

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/tcptune/tcptune/sysctl"
)

// What is over goes in time; what says how to undo something stays for ever.
func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	d, dir := newMemoryDisk(), t.TempDir()
	p, j := newFake(), d.journal(t, filepath.Join(dir, "state"))
	persisted := mustApply(t, p, j, Request{Persist: &Layer{Path: filepath.Join(dir, "90.conf"), Settings: settings(string(fin), "30")}})
	ofAnotherBoot := mustApply(t, p, j, Request{Changes: three()[2:]})
	p.values[retries] = "15"
	reboot(j)
	covered := mustApply(t, p, j, Request{Changes: three()[1:2]})
	covering := mustApply(t, p, j, Request{Changes: Set{{Key: keep, From: "600", To: "500"}}})
	mustRollback(t, p, j, covered.ID)
	var ended []string
	for i := range keptEnded + 10 {
		ended = append(ended, mustApply(t, p, j, Request{Changes: Set{{Key: fin, From: "60", To: sysctl.Value(fmt.Sprint(10 + i%10))}}}).ID)
		mustRollback(t, p, j, "")
	}
	there := make(map[string]bool)
	for _, e := range entries(t, j) {
		there[e.ID] = true
	}
	for id, want := range map[string]bool{
		persisted.ID: true, covering.ID: true, covered.ID: true, ofAnotherBoot.ID: false,
		ended[0]: false, ended[len(ended)-1]: true, ended[len(ended)-keptEnded]: true, ended[len(ended)-keptEnded-2]: false,
	} {
		if there[id] != want {
			t.Errorf("%s: there %v, want %v", id, there[id], want)
		}
	}
	if mustRollback(t, p, j, covering.ID); p.values[keep] != "7200" {
		t.Errorf("%s: what the older transaction had replaced is forgotten", p.values[keep])
	}
}

// forgetful lists a file that is gone by the time it is read.
type forgetful struct{ *memoryDisk }

func (d forgetful) names(dir string) ([]string, error) {
	names, err := d.memoryDisk.names(dir)
	return append(names, "20200101T000000.000Z.json"), err
}

func TestEntryThatIsPrunedAmidAListIsNotDamaged(t *testing.T) {
	d := newMemoryDisk()
	p, j := newFake(), d.journal(t, filepath.Join(t.TempDir(), "state"))
	j.disk = forgetful{d}
	mustApply(t, p, j, Request{Changes: three()})
	if list := entries(t, j); len(list) != 1 {
		t.Errorf("entries %+v", list)
	}
}
