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
	// A column that was counted, from which others on the line are found: a file
	// can be one line.
	counted struct{ start, offset, column int }
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
	end := start + len(text)
	from = min(from, end)
	to = max(from, min(to, end))
	return Place{Line: number, Column: s.column(start, from), EndColumn: s.column(start, to), Text: text}
}

// column is that of an offset in the line that begins at start.
func (s *source) column(start, offset int) int {
	c := &s.counted
	if c.column == 0 || c.start != start {
		c.start, c.offset, c.column = start, start, 1
	}
	if offset >= c.offset {
		c.column += utf8.RuneCountInString(s.text[c.offset:offset])
	} else {
		c.column -= utf8.RuneCountInString(s.text[offset:c.offset])
	}
	c.offset = offset
	return c.column
}

// offset is where the column of a line is; the line's end if it has fewer
// characters.
func (s *source) offset(line, column int) int {
	if line < 1 || line > len(s.lineStarts()) {
		return len(s.text)
	}
	text, start := s.line(line)
	c := &s.counted
	if c.column == 0 || c.start != start {
		c.start, c.offset, c.column = start, start, 1
	}
	for ; c.column < column && c.offset < start+len(text); c.column++ {
		_, size := utf8.DecodeRuneInString(s.text[c.offset : start+len(text)])
		c.offset += size
	}
	for ; c.column > max(column, 1); c.column-- {
		_, size := utf8.DecodeLastRuneInString(s.text[start:c.offset])
		c.offset -= size
	}
	return c.offset
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
