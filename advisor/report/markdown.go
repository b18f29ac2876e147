package report

import (
	"fmt"
	"strings"

	"github.com/tcptune/tcptune/advisor/pattern"
	"github.com/tcptune/tcptune/advisor/printable"
)

var (
	// An underscore between letters, as in tcp_tw_reuse, marks nothing.
	marks     = pattern.Lazy("[\\\\`*<>\\[\\]~&]|\\b_+|_+\\b")
	lineMarks = pattern.Lazy(`^(\d*)([#+\-=.)])`) // of a heading or list
)

// markdown is text as one paragraph, in which nothing is a mark of GitHub
// Flavored Markdown or HTML.
func markdown(text string) string {
	text = marks().ReplaceAllStringFunc(printable.Text(paragraph(text)), func(run string) string {
		return strings.Repeat(`\`+run[:1], len(run))
	})
	return lineMarks().ReplaceAllString(text, `$1\$2`)
}

// code is text as it stands.
func code(text string) string {
	text = printable.Text(paragraph(text))
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}

func markdownList(items []string) string {
	lines := make([]string, len(items))
	for i, item := range items {
		lines[i] = "- " + markdown(item)
	}
	return strings.Join(lines, "\n")
}

func markdownCode[T fmt.Stringer](items []T) string {
	lines := make([]string, len(items))
	for i, item := range items {
		lines[i] = "- " + code(item.String())
	}
	return strings.Join(lines, "\n")
}

// markdownTable is a table of cells that are Markdown already, the first row its
// head.
func markdownTable(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		b.WriteString("|")
		if i == 0 {
			b.WriteString("\n" + strings.Repeat("|---", len(row)) + "|")
		}
		if i < len(rows)-1 {
			b.WriteString("\n")
		}
	}
	return b.String()
}
