package change

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

const (
	reserved = sysctl.Key("net.ipv4.ip_local_reserved_ports")
	somax    = sysctl.Key("net.core.somaxconn")
)

// openTree opens the parameters of the test's own namespace.
func openTree(t *testing.T) *sysctl.Tree {
	t.Helper()
	release, err := sysctl.RunningRelease()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := sysctl.Open(sysctl.DefaultRoot, release)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// read reads parameters as text, to the letter.
func read(t *testing.T, p Params, keys ...sysctl.Key) map[sysctl.Key]sysctl.Value {
	t.Helper()
	values := make(map[sysctl.Key]sysctl.Value)
	for _, k := range keys {
		v, err := p.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		values[k] = v
	}
	return values
}

// put writes parameters the way an administrator would.
func put(t *testing.T, p Params, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := p.Restore(sysctl.Key(pairs[i]), sysctl.Value(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKernelAppliesOnceAndRestoresExactly(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, j := openTree(t), openTestJournal(t)
	put(t, p, string(fin), "-5", string(reserved), "8080,9000-9010")
	keys := []sysctl.Key{fin, reserved, ports, somax}
	old := read(t, p, keys...)
	request := Request{Changes: Set{
		{Key: fin, From: old[fin], To: "30"},
		{Key: ports, From: "32768 60999", To: "10240 65535"}, // the kernel says it with a tab
		{Key: reserved, From: old[reserved], To: "9000-9010,8080,9011"},
		{Key: somax, From: old[somax], To: "8192"},
	}}
	result := mustApply(t, p, j, request)
	want := map[sysctl.Key]sysctl.Value{fin: "30", ports: "10240\t65535", reserved: "8080,9000-9011", somax: "8192"}
	if diff := cmp.Diff(want, read(t, p, keys...)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	if c, _ := entries(t, j)[0].Changes.find(ports); c.From != old[ports] {
		t.Errorf("journalled %q as the old value; want it to the letter, %q", c.From, old[ports])
	}
	if again := mustApply(t, p, j, request); again.ID != "" || len(again.Same) != 4 || len(entries(t, j)) != 1 {
		t.Errorf("second time: %+v", again)
	}
	if result := mustRollback(t, p, j, result.ID); len(result.Restored) != 4 {
		t.Errorf("rolled back: %+v", result)
	}
	if diff := cmp.Diff(old, read(t, p, keys...)); diff != "" {
		t.Errorf("rolled back (-want +got):\n%s", diff)
	}
}

func TestKernelValuesOfSomebodyElseAreLeft(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, j := openTree(t), openTestJournal(t)
	keys := []sysctl.Key{fin, keep, reserved} // reserved ports start as the empty set
	old := read(t, p, keys...)
	mustApply(t, p, j, Request{Changes: Set{
		{Key: fin, From: old[fin], To: "30"}, {Key: keep, From: old[keep], To: "600"}, {Key: reserved, From: old[reserved], To: "8080"},
	}})
	put(t, p, string(keep), "900")
	result := mustRollback(t, p, j, "")
	if diff := cmp.Diff(map[sysctl.Key]sysctl.Value{fin: old[fin], keep: "900", reserved: ""}, read(t, p, keys...)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if len(result.Left) != 1 || result.Left[0].Key != keep || result.Left[0].Found != "900" || len(result.Restored) != 2 {
		t.Errorf("result %+v", result)
	}
}

func TestKernelRefusalIsUndone(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, j := openTree(t), openTestJournal(t)
	// The catalogue has nothing against the new range, but its low end is below
	// the first unprivileged port of this namespace.
	put(t, p, string(start), "1500")
	old := read(t, p, fin, ports, start)
	_, err := Apply(t.Context(), p, j, Request{Changes: Set{
		{Key: fin, From: old[fin], To: "30"}, {Key: ports, From: old[ports], To: "1024 60999"},
	}})
	undone := (*UndoneError)(nil)
	if !errors.As(err, &undone) || !errors.Is(err, syscall.EINVAL) || sysctl.CauseOf(err) != sysctl.Refused {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(old, read(t, p, fin, ports, start)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// Sensible settings are reached from any that the kernel can hold, whichever way
// round the caller names the two, and left again.
func TestKernelTakesEveryStepOfThePorts(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	p, j := openTree(t), openTestJournal(t)
	sane := [][2]string{{"32768 60999", "1024"}, {"1024 65535", "1024"}, {"10240 65535", "80"}}
	odd := [][2]string{{"500 60999", "80"}, {"80 1023", "80"}, {"10240 65535", "10240"}, {"40000 65535", "33000"}}
	for _, old := range append(odd, sane...) {
		for _, new := range sane {
			if new == old {
				continue
			}
			for _, startFirst := range []bool{false, true} {
				put(t, p, string(start), "0", string(ports), old[0], string(start), old[1])
				before := read(t, p, ports, start)
				set := Set{{Key: ports, From: before[ports], To: sysctl.Value(new[0])}, {Key: start, From: before[start], To: sysctl.Value(new[1])}}
				if startFirst {
					set[0], set[1] = set[1], set[0]
				}
				if _, err := Apply(t.Context(), p, j, Request{Changes: set}); err != nil {
					t.Fatalf("from %v to %v: %v", old, new, err)
				}
				if _, err := rollback(t, p, j, ""); err != nil {
					t.Fatalf("back from %v to %v: %v", new, old, err)
				}
				if diff := cmp.Diff(before, read(t, p, ports, start)); diff != "" {
					t.Fatalf("back from %v to %v (-want +got):\n%s", new, old, diff)
				}
			}
		}
	}
}

func TestKernelNamespacesAreToldApart(t *testing.T) {
	const variable = "TCPTUNE_TEST_OUTSIDE"
	here, err := Here()
	if err != nil {
		t.Fatal(err)
	}
	outside := os.Getenv(variable)
	if outside == "" {
		t.Setenv(variable, here.Namespace.String())
	}
	if !sysctltest.Namespace(t) {
		return
	}
	if inside := here.Namespace.String(); inside == outside {
		t.Errorf("outside and inside are both %s", inside)
	}
}
