package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestFilesOfOtherThingsAreToldFromThoseThatCannotBeRead(t *testing.T) {
	deep := func(open string, n int) string { return strings.Repeat(open, n) + "sysctl" }
	for _, c := range []struct {
		name, content string
		want          error
		says          string
	}{
		{"a.yaml", "image: web\n", ErrNothing, "does not mention sysctl"},
		{"a.yaml", "{{ x }\n- [", ErrNothing, "does not mention sysctl"},
		{"a.yaml", "a:\n  - sysctl\n b: 1\n", ErrNotUnderstood, "line 2"},
		{"a.yaml", "{{- if .x }}\nsysctls: {}\n", ErrNotUnderstood, "template"},
		{"a.yaml", "sysctls: \xff\n", ErrNotUnderstood, "broken YAML"},
		{"a.yaml", deep("[", 20000), ErrNotUnderstood, "depth"},
		{"a.yaml", deep("- ", 20000), ErrNotUnderstood, "depth"},
		{"host.json", `{"schema": 1, "tcptune": "v1", "sysctls": {"net.core.somaxconn": {"value": ""}}}`, ErrNothing, "without a place"}, // tcptune's own
		{"a.toml", "name = 'x'\n", ErrNothing, "[[want]]"},
		{"a.toml", "[[want]]\nkey = \n", ErrNotUnderstood, "line 2"},
		{"a.toml", "[[want]]\n" + strings.Repeat("#\n", 20000), ErrNotUnderstood, "32 KiB"},
		{"a.sh", deep("a[", 5000), ErrNotUnderstood, "nested too deeply"},
		{"a.sh", strings.Repeat("sysctl\n", 20000), ErrNotUnderstood, "128 KiB"},
		{"a.sh", "true\n", ErrNothing, "does not mention sysctl"},
		{"a.sh", "sysctl -n net.ipv4.tcp_sack\n", ErrNothing, "without a command"},
		{"notes", "Set sysctl as you like.\nOr not.\n", ErrNotUnderstood, "0 of 2 lines"},
		{"notes", "nothing here\n", ErrNothing, "no line assigns"},
		{"notes", "net.core.somaxconn 4096\n", ErrNotUnderstood, "0 of 1 lines assign"},
		{"empty", "", ErrNothing, "empty"},
		{"x.conf", "# net.core.somaxconn = 1\n", ErrNothing, "comments"},
		{"x.conf", "net.core.somaxconn = 1\na\nb\n", ErrNotUnderstood, "1 of 3 lines"},
		{"sysctl.conf", "net.core.somaxconn = 1\x00", ErrNotUnderstood, "binary"},
		{"sysctl.conf", "\x1f\x8b\x08rest", ErrNotUnderstood, "binary"},
		{"sysctl.conf", strings.Repeat("#", MaxSize+1), ErrNotUnderstood, "8 MiB"},
	} {
		_, err := Read(c.name, []byte(c.content))
		if !errors.Is(err, c.want) || errors.Is(err, ErrNothing) && errors.Is(err, ErrNotUnderstood) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s of %.40q: %v; want %q, saying %q", c.name, c.content, err, c.want, c.says)
		}
	}
}

// Aliases of aliases, which come to a billion when they are all followed.
func TestAliasesAreNotMultiplied(t *testing.T) {
	var y strings.Builder
	y.WriteString("services:\n  a: {sysctls: &a0 {net.core.somaxconn: 1}}\n")
	for i := range 30 {
		fmt.Fprintf(&y, "  m%d: {sysctls: &a%d {<<: [*a%d, *a%d], net.core.rmem_max: %d}}\n", i, i+1, i, i, i)
	}
	file, err := Read("compose.yaml", []byte(y.String()))
	if err != nil || len(file.Settings) != 31 {
		t.Errorf("read %d settings, %v", len(file.Settings), err)
	}
}

func TestAliasesThatStandForTooMuchAreRefused(t *testing.T) {
	var y strings.Builder
	y.WriteString("x: &big\n")
	for i := range 20000 {
		fmt.Fprintf(&y, "  k%d: 1\n", i)
	}
	y.WriteString("sysctl_list:\n")
	for range 20000 {
		y.WriteString("- <<: *big\n")
	}
	if _, err := Read("vars.yml", []byte(y.String())); !errors.Is(err, ErrNotUnderstood) || !strings.Contains(err.Error(), "aliases") {
		t.Error(err)
	}
}

// One line of a megabyte must not take a time that grows with its square: this
// test would not end.
func TestEverythingOnOneLine(t *testing.T) {
	const n = 50000
	for name, content := range map[string]string{
		"vars.json":     `{"sysctl":{` + strings.TrimSuffix(strings.Repeat(`"net.ipv4.conf.größe.x":[],"net.core.somaxconn":"1",`, n), ",") + `}}`,
		"vars.yml":      `sysctl: {` + strings.Repeat(`net.core.somaxconn: 1, `, n) + `}`,
		"web.container": "[Container]\nSysctl=" + strings.Repeat("net.core.somaxconn=1 ", n),
	} {
		file, err := Read(name, []byte(content))
		if err != nil || len(file.Settings) != n {
			t.Errorf("%s: %d settings, %v", name, len(file.Settings), err)
		}
	}
}

func TestLineEndsTabsMarksAndWideCharactersKeepThePlace(t *testing.T) {
	for name, content := range map[string]string{
		"crlf.yml":       "a: 1\r\nsysctls:\r\n  net.core.somaxconn: 1\r\n",
		"bom.yml":        "\ufeffsysctl: {ä: ö, net.core.somaxconn: 1}\n",
		"bom-first.yml":  "\ufeffnet.core.somaxconn: &sysctl 5\nsysctl: {\"\\u00e4\": 1,\tnet.core.somaxconn:\t1}\n",
		"separators.yml": "a: \"x\u2028y\"\nb: \"x\u0085y\"\nc: 'x\ry'\nsysctl: {net.core.somaxconn: 1}",
		"block.yml":      "sysctls:\n  net.core.somaxconn: |\n\n    1\n",
		"folded.yml":     "sysctls:\n  net.core.somaxconn: \"1\\\n    \"\n",
		"sysctl.conf":    "# ü\r\n\tnet.core.somaxconn =\t1\r\n",
		"x.sh":           "echo ü; sysctl -w net.core.somaxconn=1\r\n",
		"latin1.sh":      "echo \xfc; sysctl -w net.core.somaxconn=1\n",
		"Dockerfile":     "FROM x\r\nRUN a \\\r\n  # ü\r\n  && sysctl -w net.core.somaxconn=1\r\n",
	} {
		file, err := Read(name, []byte(content))
		if err != nil || len(file.Settings) != 1 {
			t.Errorf("%s: %+v, %v", name, file, err)
			continue
		}
		s := file.Settings[0]
		lines := strings.Split(strings.TrimPrefix(content, "\ufeff"), "\n")
		line := strings.TrimSuffix(lines[s.Line-1], "\r")
		marked := cut(line, s.Column, s.EndColumn)
		if s.Text != line || !strings.HasPrefix(marked, "net.core.somaxconn") || s.Value != "1" {
			t.Errorf("%s: value %q, marked %q of %q", name, s.Value, marked, s.Text)
		}
		value := cut(s.ValuePlace.Text, s.ValuePlace.Column, s.ValuePlace.EndColumn)
		if !strings.Contains(value, "1") {
			t.Errorf("%s: the value is marked as %q", name, value)
		}
	}
}

// cut is a line from one column to another.
func cut(line string, from, to int) string {
	var b strings.Builder
	for column := 1; line != ""; column++ {
		_, size := utf8.DecodeRuneInString(line)
		if from <= column && column < to {
			b.WriteString(line[:size])
		}
		line = line[size:]
	}
	return b.String()
}

func TestCandidates(t *testing.T) {
	for path, want := range map[string]bool{
		"etc/sysctl.conf": true, "etc/sysctl.d/50-x.conf": true, "etc/tuned/x/tuned.conf": true, "a/values.yaml": true, "a.yml": true,
		"Dockerfile": true, "Dockerfile.web": true, "web.service": true, "tune.sh": true, "Makefile": true, "ours.toml": true,
		"host1-sysctl.txt": true, "sysctl.conf.j2": true, "sysctl-a": true,
		"main.go": false, "README.md": false, "sysctl.c": false, "notes.txt": false, "a.tar.gz": false, "LICENSE": false, "etc/sysctl.d/README.sysctl": false, "host1.sysctl": true,
	} {
		if Candidate(path) != want {
			t.Errorf("%s is a candidate: %v", path, !want)
		}
	}
}

// names are one for each way in which a name decides, and one that tells nothing.
var names = []string{"-", "etc/sysctl.d/a.conf", "tuned.conf", "a.toml", "a.yaml", "Dockerfile", "Makefile", "a.service", "a.container", "a.sh"}

func FuzzRead(f *testing.F) {
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range archives {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(text).Files {
			if strings.HasSuffix(file.Name, ".want") {
				continue
			}
			for i, name := range names {
				if i == 0 || filepath.Ext(name) == filepath.Ext(file.Name) && filepath.Ext(name) != "" || name == file.Name {
					f.Add(uint8(i), file.Data)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, content []byte) {
		name := names[int(i)%len(names)]
		file, err := Read(name, content)
		if err != nil {
			if errors.Is(err, ErrNothing) == errors.Is(err, ErrNotUnderstood) {
				t.Errorf("%v is neither or both", err)
			}
			return
		}
		lines := strings.Split(string(content), "\n")
		check := func(what any, p Place) {
			if p.Line < 1 || p.Line > len(lines) {
				t.Fatalf("%s: line %d of %d: %+v", name, p.Line, len(lines), what)
			}
			line := strings.TrimSuffix(lines[p.Line-1], "\r")
			if p.Line == 1 {
				line = strings.TrimPrefix(line, "\ufeff")
				p.Text = strings.TrimPrefix(p.Text, "\ufeff")
			}
			if width := utf8.RuneCountInString(line) + 2; p.Text != line || p.Column < 1 || p.EndColumn < p.Column || p.EndColumn > width {
				t.Fatalf("%s: %+v is not within %q", name, what, line)
			}
		}
		for _, s := range append(file.Settings, file.Exclusions...) {
			check(s, s.Place)
			check(s, s.ValuePlace)
			if s.Key == "" {
				t.Errorf("%+v has no key", s)
			}
		}
		for _, x := range file.Faults {
			check(x, x.Place)
		}
		for _, x := range file.Skipped {
			check(x, x.Place)
		}
		for _, c := range file.Comments {
			check(c, c.Place)
			if !strings.HasPrefix(c.Instruction, ownMark) || !strings.Contains(c.Text, c.Instruction) {
				t.Errorf("comment %+v is not in %q", c, c.Text)
			}
		}
	})
}

func BenchmarkReadFiveLines(b *testing.B) {
	content := []byte("# web\nnet.ipv4.tcp_fin_timeout = 30\nnet.core.somaxconn = 4096\nnet.ipv4.tcp_tw_reuse = 1\nvm.swappiness = 10\n")
	for _, name := range []string{"etc/sysctl.d/50-web.conf", "-"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(name, content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
