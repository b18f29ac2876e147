// Package sockdiag asks the kernel for the TCP sockets of the calling thread's
// network namespace, over NETLINK_SOCK_DIAG (sock_diag(7)). It needs no
// privilege. The answer is streamed: memory does not grow with the number of
// sockets.
//
// A dump is a moving picture. Sockets that come or go meanwhile may be missed,
// though none was seen twice.
package sockdiag

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// A Socket is one TCP socket as the kernel describes it.
type Socket struct {
	Family uint8 // AF_INET or AF_INET6
	State  tcpstate.State
	Timer  Timer
	Local  netip.AddrPort
	Remote netip.AddrPort
	// ReceiveQueue and SendQueue are bytes; of a listener, the length of its
	// accept queue and its limit.
	ReceiveQueue, SendQueue uint32
	Inode                   uint32 // 0 if no program holds it
}

// Timer tells which of a socket's timers runs.
type Timer uint8

// TimerTimeWait marks a mini-socket: TIME-WAIT, or FIN-WAIT-2 that no program
// holds (net/ipv4/inet_diag.c, inet_twsk_diag_fill).
const TimerTimeWait Timer = 3

const (
	getSock = 18 // TCPDIAG_GETSOCK (include/uapi/linux/inet_diag.h): one walk for both families
	// allStates leaves out bound sockets that are neither connected nor listening.
	allStates     = 1<<(tcpstate.NewSynRecv+1) - 2
	requestLength = 60 // struct inet_diag_req
	messageLength = 72 // struct inet_diag_msg
	// receiveBuffer holds whatever the kernel sends at once (32 KiB at most).
	receiveBuffer = 64 << 10
	// silence is how long the kernel may take for one batch.
	silence = 10 * time.Second
)

// Dump visits every TCP socket, listeners first. The Socket is reused for the
// next call. The error of a kernel without the tcp_diag module satisfies
// errors.Is(err, unix.ENOENT).
func Dump(ctx context.Context, visit func(*Socket)) error {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, &netlink.Config{MessageBufferSize: receiveBuffer})
	if err != nil {
		return fmt.Errorf("open sock_diag: %w", err)
	}
	defer conn.Close()
	request := make([]byte, requestLength)
	binary.NativeEndian.PutUint32(request[52:], allStates)
	_, err = conn.Send(netlink.Message{
		Header: netlink.Header{Type: getSock, Flags: netlink.Request | netlink.Dump},
		Data:   request,
	})
	if err != nil {
		return fmt.Errorf("ask sock_diag: %w", err)
	}
	// A reply that never comes would block for ever.
	if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	var socket Socket
	seen := 0
	for message, err := range conn.ReceiveIter() {
		if err != nil {
			return fmt.Errorf("read from sock_diag: %w", err)
		}
		if err := socket.decode(message.Data); err != nil {
			return err
		}
		visit(&socket)
		if seen++; seen%4096 == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode reads a struct inet_diag_msg. Attributes that follow it are not asked
// for and not read.
func (s *Socket) decode(b []byte) error {
	if len(b) < messageLength {
		return errors.New("read from sock_diag: message is too short")
	}
	s.Family, s.State, s.Timer = b[0], tcpstate.State(b[1]), Timer(b[2])
	if s.State == tcpstate.NewSynRecv {
		s.State = tcpstate.SynRecv
	}
	s.Local = endpoint(s.Family, b[8:24], binary.BigEndian.Uint16(b[4:]))
	s.Remote = endpoint(s.Family, b[24:40], binary.BigEndian.Uint16(b[6:]))
	s.ReceiveQueue = binary.NativeEndian.Uint32(b[56:])
	s.SendQueue = binary.NativeEndian.Uint32(b[60:])
	s.Inode = binary.NativeEndian.Uint32(b[68:])
	return nil
}

func endpoint(family uint8, address []byte, port uint16) netip.AddrPort {
	if family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(address)), port)
}
