package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptune/tcptune/advisor/report"
)

// Where rendering fails half-way, neither the file nor standard output has a part
// of it.
func TestEmitWritesAllOrNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.txt")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	a := &app{out: &out, color: "always"}
	broken := func(_ report.Text, w io.Writer) error {
		fmt.Fprint(w, "half")
		return errors.New("broken")
	}
	for _, o := range []outputFlags{{"text", "-"}, {"text", file}, {"json", file}} {
		if err := a.emit(o, func() {}, broken, nil); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if out.Len() > 0 || readText(t, file) != "before" {
		t.Errorf("standard output %q, file %q", out.String(), readText(t, file))
	}

	whole := func(text report.Text, w io.Writer) error {
		_, err := fmt.Fprintf(w, "colour: %v", text.Color)
		return err
	}
	for _, o := range []outputFlags{{"text", "-"}, {"text", file}} {
		if err := a.emit(o, nil, whole, nil); err != nil {
			t.Error(err)
		}
	}
	if out.String() != "colour: true" || readText(t, file) != "colour: false" {
		t.Errorf("standard output %q, file %q", out.String(), readText(t, file))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode changed: %v, %v", info.Mode(), err)
	}
}

func TestWantsNagios(t *testing.T) {
	for line, want := range map[string]bool{
		"check --format nagios": true, "check --format=nagios --x": true, "check --x --format nagios": true,
		"check --format json": false, "apply --reason nagios": false, "nagios": false, "": false,
	} {
		if got := wantsNagios(strings.Fields(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
