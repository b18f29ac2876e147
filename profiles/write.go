package profiles

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Encode writes a profile as a file that Load takes. The same profile gives the
// same bytes.
func Encode(p Profile, heading string) ([]byte, error) {
	doc := document{Summary: p.Summary, Extends: p.Extends, Suits: p.Suits, Cautions: p.Cautions}
	for _, w := range p.Wants {
		out := want{Key: string(w.Key), Kernels: w.Kernels.String(), Why: w.Why}
		content := w.content()
		switch w.Bound {
		case AtLeast:
			out.AtLeast = content
		case AtMost:
			out.AtMost = content
		default:
			out.Exactly = content
		}
		doc.Wants = append(doc.Wants, out)
	}
	var b bytes.Buffer
	for line := range strings.Lines(heading) {
		b.WriteString("# " + strings.TrimSpace(line) + "\n")
	}
	b.WriteString("\n")
	encoder := toml.NewEncoder(&b)
	encoder.Indent = ""
	err := encoder.Encode(doc)
	return b.Bytes(), err
}

// content is the wanted value as TOML: a number or an expression, or a list.
func (w Want) content() any {
	var items []any
	for _, field := range w.Fields {
		if n, err := strconv.ParseInt(field.String(), 10, 64); err == nil {
			items = append(items, n)
		} else {
			items = append(items, field.String())
		}
	}
	if len(items) == 1 {
		return items[0]
	}
	return items
}
