package settings

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the expected readings anew")

// show prints what was read as a person would see it, with the place of
// everything marked below its line.
func show(f File, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s", f.Form)
	if f.Kernel != "" {
		fmt.Fprintf(&b, ", Linux %s", f.Kernel)
	}
	b.WriteString("\n")
	mark := func(p Place) {
		number := fmt.Sprintf("%4d  ", p.Line)
		fmt.Fprintf(&b, "%s%s\n%s", number, p.Text, strings.Repeat(" ", len(number)))
		for i, r := range []rune(p.Text) {
			if column := i + 1; column >= p.Column {
				break
			} else if r == '\t' {
				b.WriteRune('\t')
			} else {
				b.WriteRune(' ')
			}
		}
		b.WriteString(strings.Repeat("^", max(1, p.EndColumn-p.Column)) + "\n")
	}
	for _, s := range append(f.Settings, f.Exclusions...) {
		fmt.Fprintf(&b, "%s = %s", s.Key, s.Value)
		for _, detail := range []struct {
			there bool
			text  string
		}{
			{s.Raw != "", fmt.Sprintf("written %s", s.Raw)}, {s.Bound != "", s.Bound}, {s.Lenient, "lenient"}, {s.Container, "container"},
			{s.Kernels.String() != "", "kernels " + s.Kernels.String()}, {s.At != "", s.At},
		} {
			if detail.there {
				fmt.Fprintf(&b, " | %s", detail.text)
			}
		}
		b.WriteString("\n")
		mark(s.Place)
		if s.ValuePlace.Line != s.Line {
			mark(s.ValuePlace)
		}
	}
	for _, x := range f.Faults {
		fmt.Fprintln(&b, strings.TrimSpace("fault: "+string(x.Key)), "|", x.Reason)
		mark(x.Place)
	}
	for _, x := range f.Skipped {
		fmt.Fprintln(&b, strings.TrimSpace("skipped: "+string(x.Key)), "|", x.Reason)
		mark(x.Place)
	}
	for _, c := range f.Comments {
		fmt.Fprintf(&b, "comment: %s\n", c.Instruction)
		mark(c.Place)
	}
	return b.String()
}

// Each archive in testdata is of one form: files, and below each of them, under
// its name with ".want", what is read from it.
func TestReadFindsParametersAndTheirPlaces(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 8 {
		t.Fatalf("found %v, %v", archives, err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		var files []txtar.File
		for _, file := range archive.Files {
			if name, isWant := strings.CutSuffix(file.Name, ".want"); isWant {
				want[name] = string(file.Data)
			} else {
				files = append(files, file)
			}
		}
		var out []txtar.File
		for _, file := range files {
			got := show(Read(file.Name, file.Data))
			out = append(out, file, txtar.File{Name: file.Name + ".want", Data: []byte(got)})
			if diff := cmp.Diff(want[file.Name], got); diff != "" && !*update {
				t.Errorf("%s: %s:\n%s", path, file.Name, diff)
			}
		}
		if *update {
			archive.Files = out
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
