// Nothing here runs in parallel for long enough to ask, at each start, how much of
// the processors a container may have.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command tcptune advises on, and safely applies, the Linux parameters that
// govern how TCP connections are set up, torn down and left over.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	// A look takes milliseconds and a few megabytes: collecting garbage in between
	// would cost a tenth of it.
	debug.SetGCPercent(400)
	os.Exit(tcptune())
}

// tcptune runs the command line of the process and returns its exit code.
func tcptune() int {
	return run(context.Background(), os.Args[1:], &app{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

// uninterrupted is a context for the moments in which parameters are written. A
// signal that would end the process cancels it, so that what was begun is
// undone, and however often it comes the process lives until release is called.
// At all other times signals have their usual effect: there is nothing to undo.
func uninterrupted(ctx context.Context) (_ context.Context, release func()) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
}
