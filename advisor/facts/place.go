package facts

import "fmt"

// A Place is where something stands in a file.
type Place struct {
	File string `json:"file"`
	// Line counts from 1; it is 0 where the file as a whole is meant.
	Line int `json:"line,omitempty"`
	// Column and EndColumn bound the text that is meant, in characters from 1,
	// the end excluded; 0 if they are not known.
	Column    int `json:"column,omitempty"`
	EndColumn int `json:"end_column,omitempty"`
	// Text is the line as it stands in the file, if it is known.
	Text string `json:"text,omitempty"`
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Same reports whether two places are on one line of one file.
func (p Place) Same(other Place) bool { return p.File == other.File && p.Line == other.Line }
