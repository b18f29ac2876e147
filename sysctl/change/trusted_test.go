package change

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

func TestNothingIsWrittenBelowWhatOthersCanExchange(t *testing.T) {
	for name, make := range map[string]func(t *testing.T, dir string) string{
		"others may write": func(t *testing.T, dir string) string {
			must(t, os.Chmod(dir, 0o777))
			return dir
		},
		"others may write above": func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "below"), 0o700))
			must(t, os.Chmod(dir, 0o777))
			return filepath.Join(dir, "below")
		},
		"a link where others may write": func(t *testing.T, dir string) string {
			must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "link")))
			must(t, os.Chmod(dir, 0o777))
			return filepath.Join(dir, "link")
		},
		"a link to where others may write": func(t *testing.T, dir string) string {
			must(t, os.Chmod(dir, 0o777))
			link := filepath.Join(t.TempDir(), "link")
			must(t, os.Symlink(dir, link))
			return link
		},
		"somebody else's": func(t *testing.T, dir string) string {
			giveAway(t, dir)
			return dir
		},
		"somebody else's link": func(t *testing.T, dir string) string {
			link := filepath.Join(dir, "link")
			must(t, os.Symlink(t.TempDir(), link))
			giveAway(t, link)
			return link
		},
		"somebody else's link in a sticky directory": func(t *testing.T, dir string) string {
			link := filepath.Join(dir, "link")
			must(t, os.Symlink(t.TempDir(), link))
			giveAway(t, link)
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
			return link
		},
		"a link in a circle": func(t *testing.T, dir string) string {
			must(t, os.Symlink("link", filepath.Join(dir, "link")))
			return filepath.Join(dir, "link")
		},
	} {
		dir := make(t, t.TempDir())
		p, j := newFake(), openTestJournal(t)
		request := Request{Changes: three(), Persist: &Layer{Path: filepath.Join(dir, "x.conf"), Settings: settings(string(fin), "30")}}
		if _, err := Apply(t.Context(), p, j, request); err == nil || !strings.Contains(err.Error(), request.Persist.Path) || len(p.log) != 0 || len(entries(t, j)) != 0 {
			t.Errorf("%s: drop-in: error %v, writes %q", name, err, p.log)
		}
		if name == "somebody else's" {
			must(t, os.Chmod(dir, 0o777)) // below which the journal could be made
		}
		below, err := OpenJournal(filepath.Join(dir, "state"))
		if err == nil {
			_, err = Apply(t.Context(), p, below, Request{Changes: three()})
		}
		if err == nil || len(p.log) != 0 {
			t.Errorf("%s: journal: error %v, writes %q", name, err, p.log)
		}
	}
}

func TestLinksOfOursAreFollowed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	must(t, os.Symlink("../"+filepath.Base(dir)+"/real", filepath.Join(dir, "link")))
	p, j := newFake(), openTestJournal(t)
	request := Request{Persist: &Layer{Path: filepath.Join(dir, "link", "x.conf"), Settings: settings(string(fin), "30")}}
	mustApply(t, p, j, request)
	if sets(t, filepath.Join(dir, "real", "x.conf")) == "absent" {
		t.Error("not written")
	}
}

// A folder that was safe when the drop-in was written need not be so any more.
func TestUndoAsksAgainWhoseTheFolderIs(t *testing.T) {
	p, j, d := newFake(), openTestJournal(t), layer(t, string(fin), "30")
	mustApply(t, p, j, Request{Changes: three(), Persist: d})
	must(t, os.Chmod(filepath.Dir(d.Path), 0o777))
	if _, err := rollback(t, p, j, ""); err == nil || !strings.Contains(err.Error(), "lets others write") || contentOf(t, d.Path) == "absent" {
		t.Errorf("error %v", err)
	}
	if p.values[fin] != "60" || entries(t, j)[0].State != UndoFailed {
		t.Errorf("values %v, entry %+v", p.values, entries(t, j)[0])
	}
	must(t, os.Chmod(filepath.Dir(d.Path), 0o700))
	if mustRollback(t, p, j, ""); contentOf(t, d.Path) != "absent" {
		t.Error("still there")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func giveAway(t *testing.T, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		sysctltest.RequireKernel(t, "only root can give a file away")
	}
	must(t, os.Lchown(path, 12345, -1))
}
