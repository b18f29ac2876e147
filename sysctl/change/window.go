package change

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A Window is the time in which a transaction waits to be confirmed.
type Window struct {
	Deadline time.Time `json:"deadline"` // by the wall clock, for people
	// UptimeMS is the deadline in milliseconds since boot, sleep included
	// (CLOCK_BOOTTIME). It decides: a wall clock that is set reverts nothing
	// early, and nothing never.
	UptimeMS  int64     `json:"uptime_ms"`
	Confirmed time.Time `json:"confirmed,omitzero"`
}

// window is one that begins now.
func (j *Journal) window(length time.Duration) (*Window, error) {
	up, err := j.uptime()
	if err != nil {
		return nil, fmt.Errorf("read the time since boot: %w", err)
	}
	return &Window{Deadline: j.now().Add(length).UTC().Truncate(time.Millisecond), UptimeMS: (up + length).Milliseconds()}, nil
}

// Remaining is how long an entry of this boot still waits to be confirmed. It is
// 0 or less if that time is over.
func (j *Journal) Remaining(e Entry) (time.Duration, error) {
	if e.Window == nil {
		return 0, fmt.Errorf("transaction %s: %w", e.ID, ErrNoWindow)
	}
	up, err := j.uptime()
	if err != nil {
		return 0, fmt.Errorf("read the time since boot: %w", err)
	}
	return time.Duration(e.Window.UptimeMS)*time.Millisecond - up, nil
}

func uptime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}
