// Package printable makes foreign text fit to be shown: process and file names,
// what files and snapshots hold. Control characters, among them the escapes that
// begin a terminal's commands, and the marks that turn the direction of writing
// become visible.
package printable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Text is a text on one line.
func Text(text string) string {
	if strings.IndexFunc(text, command) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		write(&b, r)
	}
	return b.String()
}

// Lines is Text for several lines, such as an error with a caret under its
// cause. Tabs become blanks.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Text(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// JSON writes a value as indented JSON, the same bytes for the same value. JSON
// itself would let through control characters above 0x7e.
func JSON(w io.Writer, value any) error { return encode(w, value, "  ") }

// JSONLine is JSON on one line.
func JSONLine(w io.Writer, value any) error { return encode(w, value, "") }

func encode(w io.Writer, value any, indent string) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false) // ranges of kernels are to be read
	if err := encoder.Encode(value); err != nil {
		return err
	}
	text := plain.Bytes()
	if bytes.ContainsFunc(text, func(r rune) bool { return r != '\n' && command(r) }) {
		var b strings.Builder
		for _, r := range plain.String() { // outside of strings JSON is ASCII
			if r == '\n' {
				b.WriteRune(r)
			} else {
				write(&b, r)
			}
		}
		text = []byte(b.String())
	}
	_, err := w.Write(text)
	return err
}

func write(b *strings.Builder, r rune) {
	if command(r) {
		fmt.Fprintf(b, "\\u%04x", r)
	} else {
		b.WriteRune(r)
	}
}

// command reports whether a terminal or an editor may take a character for a
// command.
func command(r rune) bool {
	return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
