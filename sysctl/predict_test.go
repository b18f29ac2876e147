package sysctl

import (
	"strconv"
	"strings"
	"testing"
)

// Every write that was tried on a real kernel turns out as predicted.
func TestPredictionsAgainstRealWrites(t *testing.T) {
	defaults := map[Key]captureRow{}
	for _, row := range readCapture(t, "defaults.tsv").rows {
		defaults[Key(row.name)] = row
	}
	checked := 0
	for _, w := range readWrites(t) {
		p := lookup(t, w.key)
		if p.Type == Word && w.text != "" {
			continue // a kernel need not have a congestion control
		}
		if _, known := p.Accepted(release(t, w.kernel)); !known && p.Type == Number {
			continue
		}
		if w.kernel == "5.10.0-46-cloud-amd64" && w.text == "256" {
			continue // 5.10.262 has the one-byte numbers of 5.13
		}
		got := p.Predict(release(t, w.kernel), w.text, func(k Key) Value { return Value(defaults[k].cells[w.kernel]) })
		back, taken := strings.CutPrefix(w.result, "ok ")
		if taken != (got.Refused == "") {
			t.Errorf("%s <- %q on %s: %s; predicted %+v", w.key, w.text, w.kernel, w.result, got)
			continue
		}
		checked++
		if !taken {
			continue
		}
		value, err := strconv.Unquote(back)
		if err != nil {
			t.Fatal(err)
		}
		// Linux 3.10 fills the numbers that were not written with garbage.
		garbage := w.key == "net.ipv4.tcp_mem" && w.kernel == "3.10.108-lab"
		if got.Kept != "" && !garbage && !p.Type.Equal(Value(value), got.Kept) {
			t.Errorf("%s <- %q on %s reads %q; predicted %+v", w.key, w.text, w.kernel, value, got)
		}
		if surprised := !p.Type.Equal(Value(value), w.text); surprised != (got.Swallowed != "") {
			t.Errorf("%s <- %q on %s reads %q; predicted %+v", w.key, w.text, w.kernel, value, got)
		}
	}
	if checked < 900 {
		t.Errorf("only %d writes were compared", checked)
	}
}
