package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/sysctl"
)

// known are the keys that globs match in trees that are not of this kernel.
var known = KeysOf([]sysctl.Key{fin, intvl, "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", filterLo})

func resolve(t *testing.T, loader Loader, files tree) Resolution {
	t.Helper()
	root := t.TempDir()
	files.plant(t, root)
	return System{Root: root, Loader: loader, Keys: known}.Resolve()
}

func describe(files []File) (lines []string) {
	for _, f := range files {
		line := f.Path + ": " + string(f.Status)
		if f.Target != "" {
			line = f.Path + " -> " + f.Target + ": " + string(f.Status)
		}
		if f.Reason != "" {
			line += ", " + f.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

func TestEveryFileHasItsFate(t *testing.T) {
	files := tree{
		"etc/sysctl.d/50-a.conf": fin + "=1", "usr/lib/sysctl.d/50-a.conf": fin + "=2", "run/sysctl.d/90-z.conf": "",
		"etc/sysctl.d/60-gone.conf": "-> ../nowhere", "etc/sysctl.d/70-folder.conf/": "", "etc/sysctl.d/.hidden.conf": "", "etc/sysctl.d/README": "",
		"etc/sysctl.d/80-masked.conf": "-> /dev/null", "etc/sysctl.conf": fin + "=3", "lib": "-> usr/lib",
	}
	common := []string{
		"/etc/sysctl.d/50-a.conf: read",
		"/etc/sysctl.d/60-gone.conf -> /etc/nowhere: unreadable, leads to /etc/nowhere, which does not exist",
		"/etc/sysctl.d/70-folder.conf: unreadable, is a directory",
		"/etc/sysctl.d/80-masked.conf -> /dev/null: masked, leads to /dev/null",
		"/run/sysctl.d/90-z.conf: read",
	}
	never := []string{"/etc/sysctl.d/README: never read, its name does not end in .conf", "/usr/lib/sysctl.d/50-a.conf: hidden, hidden by /etc/sysctl.d/50-a.conf"}
	for loader, want := range map[Loader][]string{
		Systemd: append(append(append([]string{}, common...), "/etc/sysctl.d/.hidden.conf: never read, systemd-sysctl passes over names that start with a dot"),
			append(never, "/etc/sysctl.conf: never read, systemd-sysctl does not read it, and no drop-in links to it")...),
		Procps: append(append(append([]string{"/etc/sysctl.d/.hidden.conf: read"}, common...), "/etc/sysctl.conf: read"), never...),
	} {
		r := resolve(t, loader, files)
		if diff := cmp.Diff(want, describe(r.Files)); diff != "" {
			t.Errorf("%s:\n%s", loader, diff)
		}
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v, but the loader gets no further", loader, err)
		}
	}

	files = tree{"etc/sysctl.conf": fin + "=3", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"}
	for loader, want := range map[Loader][]string{
		Systemd: {"/etc/sysctl.d/99-sysctl.conf -> /etc/sysctl.conf: read"},
		Procps:  {"/etc/sysctl.d/99-sysctl.conf -> /etc/sysctl.conf: read", "/etc/sysctl.conf: read"},
	} {
		if diff := cmp.Diff(want, describe(resolve(t, loader, files).Files)); diff != "" {
			t.Errorf("%s, with a link:\n%s", loader, diff)
		}
	}
	if got := describe(resolve(t, Procps, tree{"etc/sysctl.conf": "-> /dev/null"}).Files); len(got) != 1 || !strings.Contains(got[0], "not a regular file") {
		t.Error(got)
	}
}

// A loader would wait for these, or read them without end.
func TestFilesWithoutAnEndAreNotRead(t *testing.T) {
	root := t.TempDir()
	tree{
		"etc/sysctl.d/b.conf": fin + "=1", "etc/sysctl.d/huge.conf": "\n", "etc/sysctl.d/zero.conf": "-> /dev/zero", "etc/sysctl.d/kmsg.conf": "-> /proc/kmsg",
	}.plant(t, root)
	dir := filepath.Join(root, "etc/sysctl.d")
	if err := unix.Mkfifo(filepath.Join(dir, "pipe.conf"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "sock.conf"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := os.Truncate(filepath.Join(dir, "huge.conf"), 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, loader := range Loaders {
		r := System{Root: root, Loader: loader, Keys: known}.Resolve()
		reasons := map[string]string{}
		for _, f := range r.Files {
			reasons[filepath.Base(f.Path)] = string(f.Status) + ", " + f.Reason
		}
		want := map[string]string{
			"b.conf":    "read, ",
			"huge.conf": "unreadable, longer than 16 MiB, of which no more is read",
			"kmsg.conf": "unreadable, leads to /proc/kmsg, which does not exist",
			"pipe.conf": "unreadable, is a pipe, on which the loader would wait",
			"sock.conf": "unreadable, is a socket",
			"zero.conf": "unreadable, leads to /dev/zero, which does not exist",
		}
		if diff := cmp.Diff(want, reasons); diff != "" {
			t.Errorf("%s:\n%s", loader, diff)
		}
		if len(r.Settings) != 1 {
			t.Errorf("%s: %+v", loader, r.Settings)
		}
	}
	// Outside of a root the same names lead to the real ones.
	s := System{Root: "/", Loader: Systemd}
	if f := s.follow(File{Path: "/dev/zero"}); f.Status != Unreadable || f.Reason != "is a device" {
		t.Errorf("%+v", f)
	}
	if f := s.follow(File{Path: devNull}); f.Status != Masked {
		t.Errorf("%+v", f)
	}
	kmsg := File{Path: "/proc/kmsg", Status: Read}
	s.scan(&kmsg, func(Line, string) {}, func(Fault) {}) // must come back
}

func TestWhatOnlyRootMayReadIsSaid(t *testing.T) {
	root := t.TempDir()
	tree{"etc/sysctl.d/a.conf": fin + "=1", "etc/sysctl.d/b.conf": fin + "=2", "usr/lib/sysctl.d/c.conf": fin + "=3", "etc/sysctl.conf": fin + "=4"}.plant(t, root)
	if err := errors.Join(os.Chmod(filepath.Join(root, "etc/sysctl.conf"), 0), os.Chmod(filepath.Join(root, "etc/sysctl.d/a.conf"), 0), os.Chmod(filepath.Join(root, "usr/lib/sysctl.d"), 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "usr/lib/sysctl.d"), 0o755) })
	locked := t.TempDir()
	tree{"etc/sysctl.conf": fin + "=4"}.plant(t, locked)
	if err := os.Chmod(filepath.Join(locked, "etc"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(locked, "etc"), 0o755) })
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(filepath.Dir(root), 0o755), os.Chmod(root, 0o755), os.Chmod(locked, 0o755)); err != nil {
			t.Fatal(err)
		}
		runtime.LockOSThread() // whose rights to files are lent to nobody
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Setfsuid(0) }()
	}
	r := System{Root: root, Loader: Procps, Keys: known}.Resolve()
	want := []string{"/etc/sysctl.d/a.conf: unreadable, permission denied", "/etc/sysctl.d/b.conf: read", "/etc/sysctl.conf: unreadable, permission denied", "/usr/lib/sysctl.d: unreadable, permission denied"}
	if diff := cmp.Diff(want, describe(r.Files)); diff != "" {
		t.Error(diff)
	}
	if err := r.Err(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(fmt.Sprint(err), "/etc/sysctl.d/a.conf: ") || !strings.Contains(fmt.Sprint(err), "/usr/lib/sysctl.d: ") {
		t.Errorf("error %v", err)
	}

	want = []string{"/etc/sysctl.conf: unreadable, permission denied", "/etc/sysctl.d: unreadable, permission denied"}
	if diff := cmp.Diff(want, describe(System{Root: locked, Loader: Procps, Keys: known}.Resolve().Files)); diff != "" {
		t.Error(diff)
	}
}

func TestIsDropIn(t *testing.T) {
	for path, want := range map[string]bool{
		"/etc/sysctl.d/90-tcptune.conf": true, "/usr/lib/sysctl.d/a.conf": true,
		"/etc/sysctl.conf": false, "/etc/sysctl.d/README": false, "/etc/sysctl.d/.a.conf": false, "/etc/sysctl.d/sub/a.conf": false, "a.conf": false,
	} {
		if IsDropIn(path) != want {
			t.Errorf("%s is read by both loaders: %v", path, !want)
		}
	}
}

// A file that is yet to be written is judged as it will be once it is there.
func TestALaidFileIsReadAsIfItWereThere(t *testing.T) {
	const ours = fin + "=1\n" + intvl + "=2\n"
	for name, c := range map[string]struct {
		path  string
		files tree
	}{
		"among others":             {"/etc/sysctl.d/90-ours.conf", tree{"etc/sysctl.d/10-a.conf": fin + "=5", "usr/lib/sysctl.d/99-b.conf": intvl + "=6", "etc/sysctl.conf": fin + "=7"}},
		"in place of one":          {"/etc/sysctl.d/90-ours.conf", tree{"etc/sysctl.d/90-ours.conf": "nonsense"}},
		"in place of a masked one": {"/etc/sysctl.d/90-ours.conf", tree{"etc/sysctl.d/90-ours.conf": "-> /dev/null", "usr/lib/sysctl.d/90-ours.conf": fin + "=5"}},
		"in place of a link":       {"/etc/sysctl.d/90-ours.conf", tree{"etc/sysctl.d/90-ours.conf": "-> ../sysctl.conf", "etc/sysctl.conf": fin + "=7"}},
		"it hides another":         {"/etc/sysctl.d/90-ours.conf", tree{"usr/lib/sysctl.d/90-ours.conf": "net.ipv4.conf.all.rp_filter=1"}},
		"it is hidden":             {"/usr/lib/sysctl.d/90-ours.conf", tree{"usr/lib/sysctl.d/10-a.conf": "", "etc/sysctl.d/90-ours.conf": fin + "=5"}},
		"in a new folder":          {"/usr/local/lib/sysctl.d/90-ours.conf", tree{"etc/sysctl.d/10-a.conf": fin + "=5"}},
		"by the folder's other name": {"/lib/sysctl.d/90-ours.conf",
			tree{"lib": "-> usr/lib", "usr/lib/sysctl.d/90-ours.conf": "nonsense", "usr/lib/sysctl.d/91-a.conf": fin + "=5"}},
		"no loader reads it":    {"/etc/sysctl.d/90-ours.txt", tree{"etc/sysctl.d/10-a.conf": fin + "=5"}},
		"in a folder elsewhere": {"/etc/elsewhere/90-ours.conf", tree{"etc/elsewhere/a": "", "etc/sysctl.d/10-a.conf": fin + "=5"}},
	} {
		for _, loader := range Loaders {
			root := t.TempDir()
			c.files.plant(t, root)
			s := System{Root: root, Loader: loader, Keys: known, Laid: map[string][]byte{c.path: []byte(ours)}}
			laid := s.Resolve()

			real, err := s.resolve(filepath.Dir(c.path))
			if err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(real, filepath.Base(c.path))) // a link is replaced and not followed
			if err := os.MkdirAll(real, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(real, filepath.Base(c.path)), []byte(ours), 0o644); err != nil {
				t.Fatal(err)
			}
			s.Laid = nil
			written := s.Resolve()
			for i := range written.Files { // where a file stands behind a link is said of one that is there
				written.Files[i].Target = ""
			}
			for i := range laid.Files {
				laid.Files[i].Target = ""
			}
			if diff := cmp.Diff(written, laid); diff != "" {
				t.Errorf("%s, %s: written (-) and laid (+):\n%s", name, loader, diff)
			}
		}
	}
}
