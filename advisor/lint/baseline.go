package lint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/printable"
)

// BaselineSchema is the version of the baseline's form.
const BaselineSchema = 1

// A Baseline is findings that were there when a fleet began to be linted, and
// that are let pass. A finding is recognised by its rule, its file and the text
// of its line, wherever in the file that stands; of three equal lines one more
// is new.
type Baseline struct {
	Schema   int     `json:"schema"`
	Findings []Known `json:"findings"`
}

// Known is one finding of a baseline.
type Known struct {
	Rule string `json:"rule"`
	File string `json:"file"`
	Text string `json:"text"` // of the line, without blanks around it
}

func knownFrom(f advisor.Finding) Known {
	return Known{f.Rule, f.Places[0].File, strings.TrimSpace(f.Places[0].Text)}
}

// NewBaseline is the baseline that lets these findings pass.
func NewBaseline(findings []advisor.Finding) Baseline {
	b := Baseline{Schema: BaselineSchema, Findings: []Known{}}
	for _, f := range findings {
		b.Findings = append(b.Findings, knownFrom(f))
	}
	slices.SortFunc(b.Findings, func(a, b Known) int {
		return strings.Compare(a.File+"\x00"+a.Rule+"\x00"+a.Text, b.File+"\x00"+b.Rule+"\x00"+b.Text)
	})
	return b
}

// maxBaseline is far above what a baseline holds, some 100 bytes a finding.
const maxBaseline = 64 << 20

// DecodeBaseline reads what [Baseline.Encode] wrote.
func DecodeBaseline(r io.Reader) (Baseline, error) {
	var b Baseline
	dec := json.NewDecoder(io.LimitReader(r, maxBaseline))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(&b); {
	case err != nil:
		return Baseline{}, fmt.Errorf("not a baseline: %w", err)
	case b.Schema > BaselineSchema:
		return Baseline{}, fmt.Errorf("the baseline has schema %d; this tcptune reads up to %d", b.Schema, BaselineSchema)
	case b.Schema < 1:
		return Baseline{}, errors.New("not a baseline: no \"schema\" in it (--write-baseline writes one)")
	}
	return b, nil
}

// Encode writes the baseline as JSON, the same bytes for the same content.
func (b Baseline) Encode(w io.Writer) error { return printable.JSON(w, b) }

// index counts the findings of a baseline, by file, for many goroutines to read.
func (b Baseline) index() map[Known]int {
	index := make(map[Known]int, len(b.Findings))
	for _, known := range b.Findings {
		index[known]++
	}
	return index
}

// A counter takes known findings off; each file is one counter's alone.
type counter struct {
	known map[Known]int
	taken map[Known]int
}

func (c counter) take(f advisor.Finding) bool {
	if len(c.known) == 0 {
		return false
	}
	known := knownFrom(f)
	if c.taken[known] >= c.known[known] {
		return false
	}
	c.taken[known]++
	return true
}
