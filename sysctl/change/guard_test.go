package change

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childVariable has the test binary hold a lock of the journal that it names.
const childVariable = "TCPTUNE_TEST_HOLD"

// hold has another process hold what is named until it is ended.
func hold(t *testing.T, name, dir, id string) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), childVariable+"="+name+" "+id+" "+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	end = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(end)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("it says %q", line)
	}
	return cmd.Process.Pid, end
}

func TestHold(t *testing.T) {
	what, held := os.LookupEnv(childVariable)
	if !held {
		t.Skip("the child of other tests")
	}
	name, rest, _ := strings.Cut(what, " ")
	id, dir, _ := strings.Cut(rest, " ")
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if name == "lock" {
		_, err = j.Lock()
	} else {
		_, err = j.Guard(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("held")
	time.Sleep(time.Hour) // or until it is ended
}

func TestAGuardIsSeenAsLongAsItLives(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, windowed(nil)).ID
	guarded := func(id string) (Process, bool) {
		t.Helper()
		by, ok, err := j.GuardOf(id)
		if err != nil {
			t.Fatal(err)
		}
		return by, ok
	}
	if by, ok := guarded(id); ok {
		t.Errorf("guarded by %v", by)
	}
	pid, end := hold(t, "guard", j.dir, id)
	if by, ok := guarded(id); !ok || by.PID != pid || by.Name == "" || by.Stopped {
		t.Errorf("guarded: %v, by %+v, and not by %d", ok, by, pid)
	}
	if by, ok := guarded("20261120T140000.000Z"); ok {
		t.Errorf("another transaction is guarded by %v", by)
	}
	if _, err := j.Guard(id); !errors.Is(err, ErrGuarded) {
		t.Errorf("a second guard: %v", err)
	}
	if end(); true {
		if by, ok := guarded(id); ok {
			t.Errorf("after its end guarded by %v", by)
		}
	}
	release, err := j.Guard(id)
	if err != nil {
		t.Fatal(err)
	}
	release()
	for _, id := range []string{"", "../../etc/passwd"} {
		if _, _, err := j.GuardOf(id); !errors.Is(err, ErrNoEntry) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestWhoHoldsTheLockIsNamed(t *testing.T) {
	j := openTestJournal(t)
	if by, ok := j.Holder(); ok {
		t.Errorf("held by %v", by)
	}
	mustApply(t, newFake(), j, Request{Changes: three()})
	if by, ok := j.Holder(); ok {
		t.Errorf("held by %v", by)
	}
	pid, end := hold(t, "lock", j.dir, "")
	if by, ok := j.Holder(); !ok || by.PID != pid || by.String() != fmt.Sprintf("%s[%d]", by.Name, pid) || by.Name == "" {
		t.Errorf("held: %v, by %+v, and not by %d", ok, by, pid)
	}
	end()
	if by, ok := j.Holder(); ok {
		t.Errorf("after its end held by %v", by)
	}
}

// A journal that is not there says nothing of a transaction.
func TestAJournalThatIsGoneIsNoAbsentEntry(t *testing.T) {
	p, j := newFake(), openTestJournal(t)
	id := mustApply(t, p, j, windowed(nil)).ID
	if _, err := j.Entry("20261120T140000.000Z"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("an absent entry: %v", err)
	}
	must(t, os.Rename(j.dir, j.dir+".away"))
	if _, err := j.Entry(id); err == nil || errors.Is(err, ErrNoEntry) {
		t.Errorf("without a journal: %v", err)
	}
	must(t, os.Mkdir(j.dir, 0o700)) // as where it is mounted
	if _, err := j.Entry(id); err == nil || errors.Is(err, ErrNoEntry) {
		t.Errorf("with an empty folder in its place: %v", err)
	}
}
