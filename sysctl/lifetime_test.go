package sysctl

import (
	"testing"
	"time"
)

// The times called measured were taken on Linux 6.18 over loopback; timers are
// late by a few percent, never early.

func sec(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

func TestConnectTimeout(t *testing.T) {
	for _, c := range []struct {
		retries, linear         int64
		rtoMax, model, measured float64
	}{
		{1, 0, 120, 3, 0}, {2, 0, 120, 7, 0}, {3, 0, 120, 15, 0}, {4, 0, 120, 31, 0}, {5, 0, 120, 63, 0},
		{6, 0, 120, 127, 131},
		{1, 4, 120, 3, 0}, {2, 4, 120, 7, 0}, {3, 4, 120, 19, 0}, {4, 4, 120, 35, 0}, {5, 4, 120, 67, 0},
		{6, 4, 120, 131, 135},
		{3, 2, 120, 17, 17.5},
		{6, 4, 5, 31, 31.8},
		{6, 4, 1, 7, 7.2},
	} {
		got := ConnectTimeout(c.retries, c.linear, sec(c.rtoMax))
		if got != sec(c.model) {
			t.Errorf("%d retries, %d linear, at most %v s: %v; want %v s", c.retries, c.linear, c.rtoMax, got, c.model)
		}
		checkMeasured(t, got, c.measured)
	}
}

// checkMeasured demands that the model is a lower bound and a close one.
func checkMeasured(t *testing.T, model time.Duration, measured float64) {
	t.Helper()
	if measured != 0 && (model > sec(measured) || sec(measured) > 2*model+time.Second) {
		t.Errorf("the model says %v, measured were %v s", model, measured)
	}
}

func TestSynAckTimeout(t *testing.T) {
	for _, c := range []struct {
		retries         int64
		model, measured float64
	}{
		{0, 1, 1.1}, {1, 3, 3.1}, {2, 7, 7.1}, {3, 15, 15.5}, {4, 31, 0}, {5, 63, 63.7}, {6, 127, 0},
	} {
		got := SynAckTimeout(c.retries, MaxRTO)
		if got != sec(c.model) {
			t.Errorf("%d retries: %v; want %v s", c.retries, got, c.model)
		}
		checkMeasured(t, got, c.measured)
	}
}

func TestRetryTimeout(t *testing.T) {
	for _, c := range []struct {
		retries                 int64
		rtoMax, model, measured float64
	}{
		{0, 120, 0.2, 0.8}, {1, 120, 0.6, 1.7}, {2, 120, 1.4, 0}, {3, 120, 3, 6.9}, {4, 120, 6.2, 0}, {5, 120, 12.6, 13.4},
		{6, 120, 25.4, 0}, {7, 120, 51, 0}, {8, 120, 102.2, 106.6}, {9, 120, 204.6, 0}, {10, 120, 324.6, 0}, {12, 120, 564.6, 0},
		{15, 120, 924.6, 939.7},
		{8, 1, 7.4, 8.0}, {15, 1, 14.4, 15.0},
		{8, 5, 26.2, 0}, {15, 5, 61.2, 0},
		{8, 30, 81, 0}, {15, 30, 291, 0},
	} {
		got := RetryTimeout(c.retries, sec(c.rtoMax))
		if got.Round(time.Millisecond) != sec(c.model) {
			t.Errorf("%d retries, at most %v s: %v; want %v s", c.retries, c.rtoMax, got, c.model)
		}
		checkMeasured(t, got, c.measured)
	}
	// A file may say anything; the arithmetic must hold.
	if got := RetryTimeout(1<<40, MaxRTO); got <= RetryTimeout(1000, MaxRTO) {
		t.Errorf("2^40 retries: %v", got)
	}
	if got := RetryTimeout(-1, MaxRTO); got != 0 {
		t.Errorf("-1 retries: %v", got)
	}
}

func TestOrphanTimeout(t *testing.T) {
	for _, c := range []struct {
		retries                 int64
		rtoMax, model, measured float64
	}{
		{0, 120, 102.2, 108.1}, // stands for 8
		{8, 120, 102.2, 0},
		{1, 120, 0.6, 1.5}, {2, 120, 1.4, 3.2}, {3, 120, 3, 6.5}, {7, 120, 51, 54.9}, {15, 120, 924.6, 939.6},
		{0, 1, 2.4, 2.5}, // ends with the first time-out that cannot grow
		{8, 1, 7.4, 0},
		{0, 5, 11.2, 0}, {0, 30, 81, 0},
	} {
		got := OrphanTimeout(c.retries, sec(c.rtoMax))
		if got != sec(c.model) {
			t.Errorf("%d retries, at most %v s: %v; want %v s", c.retries, c.rtoMax, got, c.model)
		}
		checkMeasured(t, got, c.measured)
	}
}

// More seconds are not always a longer wait.
func TestFinWait2Timeout(t *testing.T) {
	for _, c := range []struct{ parameter, model, measured float64 }{
		{-1, 0.7, 0.8}, {0, 0.7, 0.8}, {1, 1, 0}, {5, 5, 5.1}, {30, 30, 30.2}, {60, 60, 61},
		{61, 2, 2.1}, {65, 10, 10.2}, {90, 60, 61}, {120, 120, 122.6},
	} {
		got := FinWait2Timeout(sec(c.parameter))
		if got != sec(c.model) {
			t.Errorf("%v s: %v; want %v s", c.parameter, got, c.model)
		}
		checkMeasured(t, got, c.measured)
	}
}

func TestKeepaliveTimeout(t *testing.T) {
	if got := KeepaliveTimeout(7200*time.Second, 75*time.Second, 9); got != 7875*time.Second {
		t.Errorf("the default: %v; want 7875 s", got)
	}
	if got := KeepaliveTimeout((1<<31)*time.Second, (1<<31)*time.Second, 1<<31); got <= 0 {
		t.Errorf("the largest numbers: %v", got)
	}
}
