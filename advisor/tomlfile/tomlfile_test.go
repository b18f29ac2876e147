package tomlfile

import (
	"strings"
	"testing"
)

func TestDecodeRefusesKeysThatTheFormDoesNotHave(t *testing.T) {
	type form struct {
		Title string         `toml:"title"`
		Given map[string]any `toml:"given"`
	}
	var f form
	if err := Decode("title = \"t\"\n[given]\nfree.to.say = 1\n", &f, "given"); err != nil || f.Title != "t" {
		t.Errorf("decoded %+v, %v", f, err)
	}
	for text, want := range map[string]string{
		"title = \"t\"\ntitel = 1\n":   `line 2: unknown key "titel"`,
		"[other]\ntitle = 1\n":         `unknown key "other`,
		"title = 1\n":                  "line 1",
		"title = \"t\"\ntitle = \"u\"": "line 2",
	} {
		if err := Decode(text, &form{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", text, err, want)
		}
	}
}

func TestLineFindsTheNth(t *testing.T) {
	text := "a\nb\n[[want]]\n\n[[want]]\n"
	for n, want := range []int{3, 5, 1} {
		if got := Line(text, "[[want]]", n); got != want {
			t.Errorf("occurrence %d is on line %d, want %d", n, got, want)
		}
	}
}
