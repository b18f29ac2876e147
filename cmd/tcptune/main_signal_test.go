package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// Without the guard the first signal ends the test's process.
func TestSignalsCancelAndDoNotKillWhileWriting(t *testing.T) {
	late := make(chan os.Signal, 16)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		ctx, release := uninterrupted(context.Background())
		for range 3 {
			if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
				t.Fatal(err)
			}
		}
		signal.Notify(late, sig) // one that is still on its way must not meet release
		<-ctx.Done()
		release()
	}
}
