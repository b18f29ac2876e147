package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParse(f *testing.F) {
	f.Add("net.ipv4.tcp_fin_timeout = 30\n-a/b.c=d=e\n;x")
	f.Add("-net.ipv4.conf.[ a]*.rp_filter\n\tx.y=\r\n- a.b = 1\x00c.d=2")
	f.Fuzz(func(t *testing.T, text string) {
		for _, loader := range append(Loaders, "") {
			lines, faults, err := Parse(strings.NewReader(text), "f", loader)
			for _, l := range lines {
				again, faults, errAgain := Parse(strings.NewReader(l.String()), "f", loader)
				if len(faults) > 0 || len(again) != 1 || errAgain != nil {
					t.Fatalf("%s: %+v, printed and read again, is %+v, %v, %v", loader, l, again, faults, errAgain)
				}
				again[0].Number, again[0].Column, again[0].Text = l.Number, l.Column, l.Text
				if diff := cmp.Diff(l, again[0]); diff != "" {
					t.Errorf("%s: printed and read again (+):\n%s", loader, diff)
				}
			}
			if loader == "" && err == nil && len(faults) == 0 {
				for _, loader := range Loaders {
					if each, _, _ := Parse(strings.NewReader(text), "f", loader); !cmp.Equal(each, lines) {
						t.Errorf("%s reads what both are said to read alike as %+v, not %+v", loader, each, lines)
					}
				}
			}
		}
	})
}

// FuzzResolve makes a tree of the input, and compares with the real loaders.
func FuzzResolve(f *testing.F) {
	w := newWorld(f)
	for i := range 40 {
		seed := make([]byte, 60)
		for j := range seed {
			seed[j] = byte(i*i*31 + j*(i+7)*17 + i*j*j)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		planted := treeOf(data)
		planted.plant(t, w.root)
		for _, loader := range Loaders {
			a, _ := w.run(t, loader)
			if diff := cmp.Diff(a.Loader, a.Writes); diff != "" {
				t.Errorf("%s: what it did (-) and what we say that it does (+):\n%s\n%q\n%.2000s", loader, diff, planted, a.Output)
			}
		}
	})
}

// The pieces of which trees are made.
var (
	pieceDirs   = []string{"etc/sysctl.d/", "run/sysctl.d/", "usr/local/lib/sysctl.d/", "usr/lib/sysctl.d/", "lib/sysctl.d/", "etc/"}
	pieceNames  = []string{"a.conf", "10-a.conf", "99-sysctl.conf", "sysctl.conf", ".x.conf", "B.conf", "README", "z\xff.conf", "[a].conf", "sysctl.conf"}
	pieceLinks  = []string{"/dev/null", "../sysctl.conf", "/etc/sysctl.conf", "a.conf", "10-a.conf", "/usr/lib/sysctl.d/a.conf", "../../etc/sysctl.d/10-a.conf", "nowhere", "../../../../etc/sysctl.d/B.conf"}
	pieceStarts = []string{"", "", "", "", "", "-", "-", " ", "\t- ", "--", " -", "#", ";", "\ufeff", "\v"}
	pieceKeys   = []string{
		fin, fin, intvl, ktime, probes, backlog, ports, reserved, filterLo, "net.ipv4.conf.all.rp_filter",
		"net/ipv4/tcp_fin_timeout", "net/ipv4/conf/lo.1/rp_filter", "net//ipv4/tcp_fin_timeout", "/net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_fin_timeout.", "net.ipv4..tcp_fin_timeout", "net/./ipv4/tcp_fin_timeout",
		filters, filters, "net.ipv4.conf.l*.rp_filter", "net/ipv4/conf/*/rp_filter", "net//ipv4/conf/*/rp_filter", "net.ipv4.tcp_fin*", "net.ipv4.tcp_*_timeout", "net.*.tcp_fin_timeout", "net.ipv4.tcp_fin_timeou[!a]",
		"net.ipv4.{tcp_fin,x}*", "net.ipv4.tcp_keepalive_*", "net.ipv4.conf.lo[/.]1.rp_filter", "net.ipv4.conf.lo.1.rp_filter", "nonsense", "",
	}
	pieceEquals = []string{"=", " = ", "\t=\t", "=", "", " ", "=="}
	pieceValues = []string{"1", "2", "1", "3", "30 60", "nonsense", "", "010", "5 # x", "1024-2048", "\"1\"", "1 \\", "20000 30000", "1\f", "0x5"}
	pieceEnds   = []string{"\n", "\n", "\n", "\r\n", "\r", "\n\r", "\x00", " \n", "\n\n", ""}
)

func treeOf(data []byte) tree {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	pick := func(pieces []string) string { return pieces[next()%len(pieces)] }
	planted := tree{}
	for range 1 + next()%6 {
		name := pick(pieceDirs) + pick(pieceNames)
		switch next() % 9 {
		case 0:
			planted[name] = "-> " + pick(pieceLinks)
		case 1:
			planted[name+"/"] = ""
		default:
			var text strings.Builder
			for range next() % 5 {
				if next()%8 == 0 {
					n := min(next()%48, len(data))
					text.Write(data[:n])
					data = data[n:]
					continue
				}
				for _, pieces := range [][]string{pieceStarts, pieceKeys, pieceEquals, pieceValues, pieceEnds} {
					text.WriteString(pick(pieces))
				}
			}
			planted[name] = text.String()
			if strings.HasPrefix(planted[name], "-> ") {
				planted[name] = "\n" + planted[name]
			}
		}
	}
	for name := range planted { // a directory and a file cannot share a name
		delete(planted, name+"/")
	}
	return planted
}
