package advisor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/conf"
)

func TestWhatWillBeatADropInAtBootIsNamed(t *testing.T) {
	const (
		fin    = "net.ipv4.tcp_fin_timeout"
		ours   = "/etc/sysctl.d/90-tcptune.conf"
		text   = "# why\n" + fin + " = 30\nnet.ipv4.tcp_rmem = 4096 131072 6291456\n"
		noRoot = "it is not in a folder of sysctl.d"
	)
	for name, c := range map[string]struct {
		path   string
		files  map[string]string
		want   map[conf.Loader][]string // what beats it
		unread string
	}{
		"nothing else":             {ours, nil, nil, ""},
		"earlier":                  {ours, map[string]string{"etc/sysctl.d/10-a.conf": fin + " = 5"}, nil, ""},
		"the same in other blanks": {ours, map[string]string{"etc/sysctl.d/99-a.conf": "net.ipv4.tcp_rmem = 4096\t131072\t6291456"}, nil, ""},
		"later": {ours, map[string]string{"usr/lib/sysctl.d/99-a.conf": "\n\n" + fin + " = 5"}, map[conf.Loader][]string{
			conf.Systemd: {fin + " = 30 will not hold at boot: /usr/lib/sysctl.d/99-a.conf:3 sets it to 5 (systemd-sysctl)"},
			conf.Procps:  {fin + " = 30 will not hold at boot: /usr/lib/sysctl.d/99-a.conf:3 sets it to 5 (procps)"}}, ""},
		"in sysctl.conf": {ours, map[string]string{"etc/sysctl.conf": fin + " = 5"}, map[conf.Loader][]string{
			conf.Procps: {fin + " = 30 will not hold at boot: /etc/sysctl.conf:1 sets it to 5 (procps)"}}, ""},
		"in sysctl.conf by a link": {ours, map[string]string{"etc/sysctl.conf": fin + " = 5", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"}, map[conf.Loader][]string{
			conf.Systemd: {fin + " = 30 will not hold at boot: /etc/sysctl.d/99-sysctl.conf:1 sets it to 5 (systemd-sysctl)"},
			conf.Procps:  {fin + " = 30 will not hold at boot: /etc/sysctl.conf:1 sets it to 5 (procps)"}}, ""},
		"taken back": {ours, map[string]string{"etc/sysctl.d/99-a.conf": "-" + fin}, map[conf.Loader][]string{
			conf.Systemd: {fin + " = 30 will not hold at boot: /etc/sysctl.d/99-a.conf:1 takes it back (systemd-sysctl)"}}, ""},
		"hidden":      {"/usr/lib/sysctl.d/90-tcptune.conf", map[string]string{"etc/sysctl.d/90-tcptune.conf": ""}, nil, "hidden by /etc/sysctl.d/90-tcptune.conf"},
		"misnamed":    {"/etc/sysctl.d/90-tcptune", nil, nil, "its name does not end in .conf"},
		"not for all": {"/srv/90-tcptune.conf", nil, nil, noRoot},
	} {
		root := t.TempDir()
		for file, content := range c.files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			err := os.WriteFile(path, []byte(content), 0o644)
			if target, isLink := strings.CutPrefix(content, "-> "); isLink {
				_ = os.Remove(path)
				err = os.Symlink(target, path)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		system := conf.System{Root: root, Keys: conf.KeysOf([]sysctl.Key{fin})}
		for _, inUse := range []conf.Loader{conf.Systemd, conf.Procps, ""} {
			b, err := advisor.ResolveAtBoot(system, conf.InUse{Loader: inUse}, c.path, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, beaten := range b.Beaten {
				got = append(got, beaten.String())
			}
			want = c.want[inUse]
			if inUse == "" { // it may be either
				want = append(append([]string(nil), c.want[conf.Systemd]...), c.want[conf.Procps]...)
			}
			if diff := cmp.Diff(want, got); diff != "" || b.Unread != c.unread {
				t.Errorf("%s, loader %q: %q\n%s", name, inUse, b.Unread, diff)
			}
		}
	}
}
