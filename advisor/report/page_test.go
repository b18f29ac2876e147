package report

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rulePages is where the pages of the built-in rules stand.
const rulePages = "../../docs/rules"

// The pages are those that the rules give, and there are no others.
func TestPagesOfBuiltInRules(t *testing.T) {
	all := builtin(t).All()
	want := map[string]string{}
	var b bytes.Buffer
	if err := PageIndex(&b, all); err != nil {
		t.Fatal(err)
	}
	want["README.md"] = b.String()
	for _, r := range all {
		b.Reset()
		if err := Page(&b, r); err != nil {
			t.Fatal(err)
		}
		want[r.Name+".md"] = b.String()
	}
	if *update {
		if err := os.RemoveAll(rulePages); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			path := filepath.Join(rulePages, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]string{}
	if err := fs.WalkDir(os.DirFS(rulePages), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(rulePages, name))
		got[name] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("docs/rules/%s: no rule is called so (go test ./advisor/report -run Pages -update)", name)
		}
	}
	for name, text := range want {
		if diff := cmp.Diff(got[name], text); diff != "" {
			t.Errorf("docs/rules/%s is not as the rule gives it (go test ./advisor/report -run Pages -update):\n%s", name, diff)
		}
	}
}

func TestMarkdownHoldsNoMarks(t *testing.T) {
	for text, want := range map[string]string{
		"net.ipv4.tcp_tw_reuse":     "net.ipv4.tcp_tw_reuse",
		"net.ipv6.tcp_* is\n *not*": `net.ipv6.tcp\_\* is \*not\*`,
		"<script>":                  `\<script\>`,
		"[x](http://evil)":          `\[x\](http://evil)`,
		"a _b_ __c__":               `a \_b\_ \_\_c\_\_`,
		"1. first":                  `1\. first`,
		"# head":                    `\# head`,
		"a | b `c` &amp; \\":        "a | b \\`c\\` \\&amp; \\\\",
	} {
		if got := markdown(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := code("a `b`` c"); got != "``` a `b`` c ```" {
		t.Errorf("code: %s", got)
	}
	if got := markdownTable([][]string{{"a", "b"}, {"`x | y`", "z"}}); got != "| a | b |\n|---|---|\n| `x \\| y` | z |" || strings.Contains(got, "\n\n") {
		t.Errorf("table: %s", got)
	}
}
