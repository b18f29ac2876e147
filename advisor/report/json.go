package report

import (
	"encoding/json"
	"io"
)

// JSON writes a report, a plan or another of the advisor's values. The forms are
// described in docs/*.schema.json.
func JSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
