package settings

import "strings"

const ownMark = "tcptune:"

// comments finds those for tcptune. Marks are the characters that begin a
// comment; behind something else on the line a comment needs a blank before it,
// and ownLine means that there it is none.
func (s *source) comments(marks string, ownLine bool) []Comment {
	var found []Comment
	for from := 0; ; {
		i := strings.Index(s.text[from:], ownMark)
		if i < 0 {
			return found
		}
		at := from + i
		from = at + len(ownMark)
		text, start := s.line(s.lineAt(at))
		before := strings.TrimRight(text[:at-start], " \t")
		if before == "" || !strings.Contains(marks, before[len(before)-1:]) {
			continue
		}
		for before != "" && strings.Contains(marks, before[len(before)-1:]) {
			before = before[:len(before)-1]
		}
		if strings.TrimSpace(before) != "" && (ownLine || !strings.HasSuffix(before, " ") && !strings.HasSuffix(before, "\t")) {
			continue
		}
		instruction := strings.TrimSpace(text[at-start:])
		found = append(found, Comment{s.span(start+len(before), at+len(instruction)), instruction})
		from = start + len(text)
	}
}
