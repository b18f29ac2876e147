package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/rules"
)

const (
	plainWidth  = 100 // where there is no terminal
	widestLines = 140 // longer lines are hard to read
)

// text is the renderer for standard output as it is: a terminal's width and
// colours there, neither in a pipe.
func (a *app) text(minimum rules.Severity) report.Text {
	width, piped := a.width()
	return report.Text{Width: width, Piped: piped, Color: a.colored(), MinSeverity: minimum}
}

// width is what lines are wrapped to, and whether nothing but taste demands it.
func (a *app) width() (columns int, piped bool) {
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return min(columns, widestLines), false
	}
	if fd, ok := terminal(a.out); ok {
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			return min(width, widestLines), false
		}
	}
	return plainWidth, true
}

func (a *app) colored() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	_, isTerminal := terminal(a.out)
	return isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// terminal is the file descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	return int(file.Fd()), term.IsTerminal(int(file.Fd()))
}

// confirm asks on the terminal; anything but a clear yes is no.
func (a *app) confirm(question string) (bool, error) {
	if _, ok := terminal(a.in); !ok {
		return false, usage("--yes applies without asking", "standard input is not a terminal, so nobody can be asked")
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// progress tells on standard error what is being waited for, once it has taken
// two seconds. The caller ends it.
//
// It sleeps in the kernel. While a timer of the runtime's is pending one of its
// threads waits for events, and each file that is opened meanwhile wakes it, which
// takes longer than to read the file.
func (a *app) progress(what string) (end func()) {
	_, isTerminal := terminal(a.err)
	var mutex sync.Mutex
	over, said, began := false, false, time.Now()
	go func() {
		for pause := 2 * time.Second; ; pause = time.Second {
			left := unix.NsecToTimespec(pause.Nanoseconds())
			for errors.Is(unix.Nanosleep(&left, &left), unix.EINTR) { // as by the runtime's own signals
			}
			mutex.Lock()
			switch {
			case over:
			case isTerminal:
				fmt.Fprintf(a.err, "\rtcptune: %s, %.0f s ", what, time.Since(began).Seconds())
			default:
				fmt.Fprintf(a.err, "tcptune: %s\n", what)
			}
			said = true
			last := over || !isTerminal
			mutex.Unlock()
			if last {
				return
			}
		}
	}()
	return func() {
		mutex.Lock()
		defer mutex.Unlock()
		if over = true; said && isTerminal {
			fmt.Fprint(a.err, "\r\x1b[K")
		}
	}
}
