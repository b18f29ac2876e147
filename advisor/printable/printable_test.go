package printable

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestTextShowsWhatWouldCommandATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":         "plain",
		"Grüße, 中文":     "Grüße, 中文",
		"\x1b[31mred":   `\u001b[31mred`,
		"a\nb\rc\td":    `a\u000ab\u000dc\u0009d`,
		"\u202egnirts":  `\u202egnirts`,
		"\u009b31m":     `\u009b31m`,
		"bad \xff byte": `bad \ufffd byte`,
		"\u2028line":    `\u2028line`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJSONHoldsNoCommandsAndReadsBackTheSame(t *testing.T) {
	in := map[string]string{"a\u009b31m": "x\u202ey\u007f\x1b[0m", "plain": "Grüße\nzwei"}
	var b bytes.Buffer
	if err := JSON(&b, in); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && command(r) {
			t.Errorf("%U is printed raw", r)
		}
	}
	var out map[string]string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	for key, value := range in {
		if out[key] != value {
			t.Errorf("%q came back as %q", value, out[key])
		}
	}
}
