package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/report"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/change"
)

// The exit codes. README.md and docs/tcptune.8 hold the same table.
const (
	exitOK         = 0 // nothing at or above the threshold
	exitFindings   = 1 // findings; with plan --exit-code, changes pending; with rollback, values left to whoever changed them
	exitUsage      = 2 // wrong usage
	exitUnreadable = 3 // could not read, or print, what was needed
	exitUndone     = 4 // apply failed, or was not confirmed, and was undone
	exitUndoFailed = 5 // undo failed, the host needs a look
	exitRefused    = 6 // refused: rules, state moved, another run holds the lock
)

// A failure is an error with an exit code and, perhaps, what to try.
type failure struct {
	code int
	err  error // nil: everything was said already
	hint string
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit code %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usage marks an error as one of how the command was called.
func usage(hint, format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...), hint}
}

// unreadable marks an error as one of reading.
func unreadable(err error) error { return classify(err, exitUnreadable) }

// classify gives an error of the packages below its exit code and hint;
// otherwise it is the code that the caller expects.
func classify(err error, otherwise int) error {
	if err == nil || errors.As(err, new(*failure)) {
		return err
	}
	var (
		moved      *change.MovedError
		unfinished *change.UnfinishedError
		undone     *change.UndoneError
		failed     *change.UndoFailedError
		open       *change.UnconfirmedError
		notOurs    *change.NotOursError
		edited     *change.EditedError
		namespace  *change.NamespaceError
		damaged    *change.DamagedError
	)
	switch {
	case errors.As(err, &failed):
		return &failure{exitUndoFailed, err, "look at the parameters named; 'tcptune history' shows the transaction"}
	case errors.As(err, &undone):
		return &failure{exitUndone, err, hintOnPermission(err)}
	case errors.Is(err, change.ErrLocked):
		return &failure{exitRefused, err, "wait for the other tcptune to end"}
	case errors.As(err, &moved):
		return &failure{exitRefused, err, "somebody changed parameters meanwhile; plan again"}
	case errors.As(err, &unfinished):
		return &failure{exitRefused, err, hintUnfinished}
	case errors.Is(err, change.ErrNothingToUndo), errors.Is(err, change.ErrNoEntry), errors.Is(err, change.ErrNoWindow):
		return &failure{exitRefused, err, "'tcptune history' lists what was applied"}
	case errors.As(err, new(*change.TakenBackError)):
		return &failure{exitRefused, err, hintTakenBack}
	case errors.As(err, &open) && open.Remaining <= 0:
		return &failure{exitRefused, err, hintOverdue}
	case errors.As(err, &open):
		return &failure{exitRefused, err, hintUnconfirmed}
	case errors.As(err, &edited):
		return &failure{exitRefused, err, "--force replaces it; 'tcptune rollback' then brings it back"}
	case errors.As(err, &notOurs), errors.As(err, &namespace), errors.As(err, &damaged):
		return &failure{exitRefused, err, ""}
	case errors.Is(err, context.Canceled):
		return &failure{otherwise, errors.New("interrupted"), ""}
	}
	return &failure{otherwise, err, hintOnPermission(err)}
}

func hintOnPermission(err error) string {
	if errors.Is(err, fs.ErrPermission) && sysctl.CauseOf(err) != sysctl.ReadOnlyTree && os.Geteuid() != 0 {
		return "root is needed for this"
	}
	return ""
}

// say prints an error and its hint, and returns the exit code. Errors that reach
// it without a code come from the command line's parser or, those of a file,
// from writing to standard output.
func say(w io.Writer, err error, command string) int {
	if err == nil {
		return exitOK
	}
	f := &failure{code: exitUsage, err: err, hint: fmt.Sprintf("'%s --help' shows the usage", command)}
	if errors.As(err, new(*fs.PathError)) {
		f.code, f.hint = exitUnreadable, ""
	}
	errors.As(err, &f)
	if f.err != nil {
		fmt.Fprintf(w, "tcptune: error: %s\n", printable.Lines(f.err.Error()))
	}
	if f.hint != "" {
		fmt.Fprintf(w, "tcptune: hint: %s\n", printable.Lines(f.hint))
	}
	return f.code
}

// plainly says in fewer words than the command line's parser which flags exclude
// each other.
func plainly(err error) error {
	if err == nil {
		return nil
	}
	_, set, excluding := strings.Cut(err.Error(), "] are set none of the others can be; [")
	if flags, whole := strings.CutSuffix(set, "] were all set"); excluding && whole {
		return errors.New("--" + strings.ReplaceAll(flags, " ", " and --") + " do not go together")
	}
	return err
}

// sayToNagios prints an error as a monitoring plugin does, to standard output,
// and returns the exit code of one that could not look. A failure without an
// error has printed its status already.
func sayToNagios(w io.Writer, err error) int {
	said := (*failure)(nil)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &said) && said.err == nil:
		return said.code
	}
	_ = report.NagiosFailure(w, err) // whether it can be printed or not
	return int(report.NagiosUnknown)
}
