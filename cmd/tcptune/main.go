// Command tcptune advises on, and safely applies, the Linux parameters that
// govern how TCP connections are set up, torn down and left over.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(tcptune()) }

// tcptune runs the command line of the process and returns its exit code. The
// first signal cancels the context, which leaves nothing half done; a second one
// ends the process.
func tcptune() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], &app{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
