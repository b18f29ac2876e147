package settings

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// A source is a file's text, with the places in it.
type source struct {
	text   string
	starts []int // of the lines, in bytes; made when first needed
}

func newSource(text string) *source { return &source{text: text} }

func (s *source) lineStarts() []int {
	if s.starts == nil {
		s.starts = make([]int, 1, 1+strings.Count(s.text, "\n"))
		for i := 0; ; {
			n := strings.IndexByte(s.text[i:], '\n')
			if n < 0 {
				break
			}
			i += n + 1
			s.starts = append(s.starts, i)
		}
	}
	return s.starts
}

// lineAt is the number, from 1, of the line in which an offset is.
func (s *source) lineAt(offset int) int {
	starts := s.lineStarts()
	return sort.SearchInts(starts, offset+1)
}

// line is the text of a line, without its end, and the offset of its start.
func (s *source) line(number int) (text string, start int) {
	starts := s.lineStarts()
	start = starts[number-1]
	end := len(s.text)
	if number < len(starts) {
		end = starts[number] - 1
	}
	return strings.TrimSuffix(s.text[start:end], "\r"), start
}

// span is the place from one offset to another. What goes beyond the line of
// its start is cut off.
func (s *source) span(from, to int) Place {
	number := s.lineAt(from)
	text, start := s.line(number)
	from = min(from-start, len(text))
	to = max(from, min(to-start, len(text)))
	column := 1 + utf8.RuneCountInString(text[:from])
	return Place{Line: number, Column: column, EndColumn: column + utf8.RuneCountInString(text[from:to]), Text: text}
}

// offset is where the column of a line is; the line's end if it has fewer
// characters.
func (s *source) offset(line, column int) int {
	if line < 1 || line > len(s.lineStarts()) {
		return len(s.text)
	}
	text, start := s.line(line)
	i := 0
	for ; column > 1 && i < len(text); column-- {
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return start + i
}

// whole is the place of a line without the blanks around it.
func (s *source) whole(number int) Place {
	text, start := s.line(number)
	body := strings.TrimSpace(text)
	from := start + strings.Index(text, body)
	return s.span(from, from+len(body))
}

// joined reaches from a key to its value, if they stand so on one line; it is
// the key's place otherwise.
func joined(key, value Place) Place {
	if key.Line == value.Line && key.Column <= value.Column {
		key.EndColumn = value.EndColumn
	}
	return key
}
