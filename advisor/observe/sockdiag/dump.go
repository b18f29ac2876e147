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
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/tcpstate"
)

// A Socket is one TCP socket as the kernel describes it.
type Socket struct {
	Family uint8 // AF_INET or AF_INET6
	State  tcpstate.State
	Timer  Timer
	// Full: it is a whole socket, not a mini-socket (TIME-WAIT, and some in
	// FIN-WAIT-2) nor a request for one (most in SYN-RECV).
	Full   bool
	Local  netip.AddrPort
	Remote netip.AddrPort
	// ReceiveQueue and SendQueue are bytes; of a listener, the length of its
	// accept queue and its limit.
	ReceiveQueue, SendQueue uint32
	UID                     uint32 // of the user that made it; 0 if no program holds it
	Inode                   uint32 // 0 if no program holds it
	// Cgroup is the number of the control group (version 2) in which a full socket
	// was made; 0 before Linux 5.9, which does not tell.
	Cgroup uint64
}

// Timer tells which of a socket's timers runs.
type Timer uint8

// TimerTimeWait marks a mini-socket: TIME-WAIT, or FIN-WAIT-2 that no program
// holds (net/ipv4/inet_diag.c, inet_twsk_diag_fill).
const TimerTimeWait Timer = 3

// States is a set of states.
type States uint32

// AllStates leaves out bound sockets that are neither connected nor listening.
const AllStates States = 1<<(tcpstate.NewSynRecv+1) - 2

// Of is the set of some states.
func Of(states ...tcpstate.State) States {
	set := States(0)
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// A Query says which sockets are wanted. The kernel leaves out the others before
// it describes them, which is what takes its time.
type Query struct {
	States States
	// LocalPorts are ranges of which the local port must be in one, in their order
	// and apart; nil for any port.
	LocalPorts []Ports
	// Limit is the number of sockets after which the dump ends; 0 for all.
	Limit int
}

// Ports is a range of ports, both ends included.
type Ports struct{ First, Last uint16 }

const (
	getSock       = 18 // TCPDIAG_GETSOCK (include/uapi/linux/inet_diag.h): one walk for both families
	requestLength = 60 // struct inet_diag_req
	messageLength = 72 // struct inet_diag_msg
	// receiveBuffer holds whatever the kernel sends at once (32 KiB at most).
	receiveBuffer = 64 << 10
	// silence is how long the kernel may take for one batch.
	silence = 10 * time.Second

	attributeByteCode = 1  // INET_DIAG_REQ_BYTECODE, of a request
	attributeShutdown = 8  // INET_DIAG_SHUTDOWN, which every full socket has
	attributeCgroup   = 21 // INET_DIAG_CGROUP_ID
)

// Dump visits the sockets asked for, listeners first. The Socket is reused for
// the next call. The error of a kernel without the module inet_diag is EOPNOTSUPP,
// and without tcp_diag ENOENT.
//
// It speaks to the kernel itself: a library that collects the answers, or that
// reads them to the end when the visit is over, costs more than the kernel.
func Dump(ctx context.Context, q Query, visit func(*Socket)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("open sock_diag: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	// A reply that never comes would block for ever.
	timeout := unix.NsecToTimeval(silence.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("open sock_diag: %w", os.NewSyscallError("setsockopt", err))
	}
	if err := unix.Sendto(fd, q.message(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag: %w", os.NewSyscallError("sendto", err))
	}
	reader := reader{visit: visit, left: q.Limit}
	buffer := make([]byte, receiveBuffer)
	for ctx.Err() == nil {
		n, err := unix.Read(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("read from sock_diag: %w", os.NewSyscallError("read", err))
		}
		if done, err := reader.read(buffer[:n]); done || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A reader takes apart what the kernel sends.
type reader struct {
	visit  func(*Socket)
	left   int // sockets until the limit; below it from the start if there is none
	socket Socket
}

// read visits the sockets of one batch and tells whether that was all.
func (r *reader) read(batch []byte) (done bool, err error) {
	for len(batch) > 0 {
		// struct nlmsghdr: length, type, flags, sequence, port
		if len(batch) < unix.SizeofNlMsghdr {
			return false, errors.New("read from sock_diag: message is cut off")
		}
		length := int(binary.NativeEndian.Uint32(batch))
		if length < unix.SizeofNlMsghdr || length > len(batch) {
			return false, errors.New("read from sock_diag: message is cut off")
		}
		data := batch[unix.SizeofNlMsghdr:length]
		switch binary.NativeEndian.Uint16(batch[4:]) {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			if len(data) < 4 {
				return true, nil
			}
			if code := int32(binary.NativeEndian.Uint32(data)); code < 0 {
				return true, fmt.Errorf("ask sock_diag: %w", unix.Errno(-code))
			}
			return true, nil
		case getSock:
			if err := r.socket.decode(data); err != nil {
				return false, err
			}
			r.visit(&r.socket)
			if r.left--; r.left == 0 {
				return true, nil
			}
		}
		batch = batch[min(len(batch), align(length)):]
	}
	return false, nil
}

// align is where what follows so many bytes begins.
func align(length int) int { return (length + 3) &^ 3 }

// message is the request with its header.
func (q Query) message() []byte {
	request := q.request()
	message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(request)))
	message = binary.NativeEndian.AppendUint16(message, getSock)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	message = append(message, make([]byte, 8)...)
	return append(message, request...)
}

// request is a struct inet_diag_req and, where ports are bounded, a program that
// the kernel runs on every socket.
func (q Query) request() []byte {
	request := make([]byte, requestLength)
	binary.NativeEndian.PutUint32(request[52:], uint32(q.States))
	if q.LocalPorts == nil {
		return request
	}
	program := portProgram(q.LocalPorts)
	request = binary.NativeEndian.AppendUint16(request, uint16(4+len(program))) // struct nlattr
	request = binary.NativeEndian.AppendUint16(request, attributeByteCode)
	return append(request, program...)
}

// portProgram asks whether the local port is in one of some ranges, which come in
// their order. It is made of struct inet_diag_bc_op: a code, how many bytes to go
// on if it holds and how many if not, never back; a comparison's operand is the
// last field of a second one. Whoever comes to the end is wanted, whoever jumps
// beyond it is not (net/ipv4/inet_diag.c, inet_diag_bc_run). As it runs on every
// socket of the states asked for, it halves the ranges with each step.
func portProgram(ranges []Ports) []byte {
	length := programLength(len(ranges))
	return appendPortProgram(make([]byte, 0, length), ranges, length)
}

const (
	jump, atLeast, atMost = 1, 2, 3 // INET_DIAG_BC_JMP, INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE
	comparison, leap      = 8, 4    // bytes
)

// programLength: each range has two comparisons and, but for the last one, a leap
// to the end; between two halves stands one comparison.
func programLength(ranges int) int { return ranges*(3*comparison+leap) - comparison - leap }

func appendPortProgram(program []byte, ranges []Ports, end int) []byte {
	compare := func(code byte, port uint16, otherwise int) {
		program = append(program, code, comparison)
		program = binary.NativeEndian.AppendUint16(program, uint16(otherwise-(len(program)-2)))
		program = append(program, 0, 0)
		program = binary.NativeEndian.AppendUint16(program, port)
	}
	if half := len(ranges) / 2; half > 0 {
		upper := len(program) + comparison
		lower := upper + programLength(len(ranges)-half) + leap
		compare(atLeast, ranges[half].First, lower)
		program = appendPortProgram(program, ranges[half:], end)
		return appendPortProgram(program, ranges[:half], end)
	}
	beyond := end + leap
	compare(atLeast, ranges[0].First, beyond)
	compare(atMost, ranges[0].Last, beyond)
	if len(program) < end {
		program = append(program, jump, leap)
		program = binary.NativeEndian.AppendUint16(program, uint16(end-(len(program)-2)))
	}
	return program
}

// decode reads a struct inet_diag_msg and the attributes behind it that come
// without being asked for.
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
	s.UID = binary.NativeEndian.Uint32(b[64:])
	s.Inode = binary.NativeEndian.Uint32(b[68:])
	s.Full, s.Cgroup = false, 0
	for rest := b[messageLength:]; len(rest) >= 4; {
		length, kind := int(binary.NativeEndian.Uint16(rest)), binary.NativeEndian.Uint16(rest[2:])
		if length < 4 || length > len(rest) {
			return errors.New("read from sock_diag: attribute is cut off")
		}
		switch {
		case kind == attributeShutdown:
			s.Full = true
		case kind == attributeCgroup && length == 12:
			s.Cgroup = binary.NativeEndian.Uint64(rest[4:])
		}
		rest = rest[min(len(rest), align(length)):]
	}
	return nil
}

func endpoint(family uint8, address []byte, port uint16) netip.AddrPort {
	if family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address[:4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(address)), port)
}
