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
		said := w.text
		if n, err := strconv.ParseInt(string(said), 0, 64); err == nil && strings.Contains(string(said), "0x") {
			said = Value(decimal(n)) // which is what hexadecimal says
		}
		if surprised := !p.Type.Equal(Value(value), said); surprised != (got.Swallowed != "") {
			t.Errorf("%s <- %q on %s reads %q; predicted %+v", w.key, w.text, w.kernel, value, got)
		}
	}
	if checked < 900 {
		t.Errorf("only %d writes were compared", checked)
	}
}

// Each was written to tcp_retries2 on Linux 6.18.
func TestNumbersAreReadInTheBaseOfTheirPrefix(t *testing.T) {
	retries := lookup(t, "net.ipv4.tcp_retries2")
	none := func(Key) Value { return "" }
	for text, want := range map[Value]Prediction{
		"0x1b": {Kept: "27"}, "0X1f": {Kept: "31"}, "00": {Kept: "0"},
		"010": {Kept: "8", Swallowed: "the kernel reads 010 as 8, since a leading 0 makes a number octal"},
	} {
		if got := retries.Predict(release(t, "6.18"), text, none); got != want {
			t.Errorf("%q: %+v; want %+v", text, got, want)
		}
	}
	for _, text := range []Value{"0b1", "0o7", "08", "1_0", "0x", "0xg", "+5", "1.5"} {
		if got := retries.Predict(release(t, "6.18"), text, none); got.Refused == "" {
			t.Errorf("%q: %+v; want a refusal", text, got)
		}
	}
}
