package crowd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ready is what a child prints when its sockets stand.
const ready = "ready\n"

// Main does the work of a child of a crowd and does not return, if the process is
// one. Otherwise it does nothing.
func Main() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var s share
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = s.hold()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hold makes the sockets and holds them until its standard input ends.
func (s share) hold() error {
	end := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(end)
	}()
	address := [4]byte{127, 1, byte(s.Child), 1}
	here := func(port int) unix.Sockaddr { return &unix.SockaddrInet4{Addr: address, Port: port} }
	wide, err := newServer(here(8080), nil)
	if err != nil {
		return err
	}
	tight, err := newServer(here(8081), func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
	if err != nil {
		return err
	}
	deferring, err := newServer(here(8082), func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 3600) })
	if err != nil {
		return err
	}
	six, err := newServer(&unix.SockaddrInet6{Addr: [16]byte{15: 1}, Port: 9000 + s.Child}, nil)
	if err != nil {
		return err
	}
	times := func(n int, do func(i int) error) {
		for i := 0; i < n && err == nil; i++ {
			err = do(i)
		}
	}
	times(s.Established, func(i int) error {
		to := wide
		if i%10 == 0 {
			to = six
		}
		_, _, err := to.pair(nil)
		return err
	})
	times(s.SynRecv, func(int) error {
		_, err := deferring.connect(nil)
		return err
	})
	times(s.FinWait1, func(int) error {
		client, _, err := tight.pair(nil)
		return errors.Join(err, stuff(client), unix.Close(client))
	})
	times(s.Closing, func(int) error {
		client, server, err := tight.pair(nil)
		return errors.Join(err, stuff(client), unix.Close(client), unix.Shutdown(server, unix.SHUT_WR))
	})
	times(s.LastAck, func(int) error {
		client, server, err := wide.pair(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
		return errors.Join(err, unix.Shutdown(client, unix.SHUT_WR), stuff(server), unix.Close(server))
	})
	times(s.CloseWait, func(int) error {
		client, _, err := wide.pair(nil)
		return errors.Join(err, unix.Shutdown(client, unix.SHUT_WR))
	})
	over := func(int) error {
		client, server, err := wide.pair(nil)
		return errors.Join(err, unix.Close(client), unix.Close(server))
	}
	times(s.TimeWait, over)
	if err == nil {
		_, err = os.Stdout.WriteString(ready)
	}
	if s.Churn > 0 {
		return errors.Join(err, s.churn(over, end))
	}
	refresh := time.NewTicker(59 * time.Second)
	defer refresh.Stop()
	for err == nil {
		select {
		case <-end:
			return nil
		case <-refresh.C:
			times(s.TimeWait, over)
		}
	}
	return err
}

// churn makes and ends connections, evenly.
func (s share) churn(over func(int) error, end <-chan struct{}) error {
	const steps = 200 // a second
	tick := time.NewTicker(time.Second / steps)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return nil
		case <-tick.C:
			for range s.Churn / steps {
				if err := over(0); err != nil {
					return err
				}
			}
		}
	}
}

// A server listens.
type server struct {
	fd int
	at unix.Sockaddr
}

func socket(at unix.Sockaddr) (int, error) {
	family := unix.AF_INET
	if _, six := at.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}

func newServer(at unix.Sockaddr, prepare func(fd int) error) (server, error) {
	fd, err := socket(at)
	if err == nil && prepare != nil {
		err = prepare(fd)
	}
	if err != nil {
		return server{}, err
	}
	return server{fd, at}, errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, at), unix.Listen(fd, 65535))
}

// connect leaves the connection in the accept queue.
func (s server) connect(prepare func(fd int) error) (client int, err error) {
	client, err = socket(s.at)
	if err == nil && prepare != nil {
		err = prepare(client)
	}
	if err != nil {
		return client, err
	}
	return client, unix.Connect(client, s.at)
}

func (s server) pair(prepare func(fd int) error) (client, accepted int, err error) {
	if client, err = s.connect(prepare); err != nil {
		return client, -1, err
	}
	accepted, _, err = unix.Accept4(s.fd, unix.SOCK_CLOEXEC)
	return client, accepted, err
}

// stuff writes until nothing more fits, so that a FIN stays behind it.
func stuff(fd int) error {
	if err := errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1), unix.SetNonblock(fd, true)); err != nil {
		return err
	}
	block := make([]byte, 16<<10)
	for {
		if _, err := unix.Write(fd, block); errors.Is(err, unix.EAGAIN) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
