package observe

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// readProcNetTCP visits the sockets that /proc/net/tcp and tcp6 list. While
// connections come and go the kernel lists some of them twice: when the bucket
// at which it stopped has changed it starts the table over
// (net/ipv4/tcp_ipv4.c, tcp_seek_last_pos). A listener's limit is not shown.
func readProcNetTCP(ctx context.Context, visit func(*sockdiag.Socket)) error {
	for _, table := range []struct {
		path   string
		family uint8
	}{{netns.ThreadDir() + "/net/tcp", unix.AF_INET}, {netns.ThreadDir() + "/net/tcp6", unix.AF_INET6}} {
		file, err := os.Open(table.path)
		if table.family == unix.AF_INET6 && errors.Is(err, fs.ErrNotExist) {
			continue // IPv6 is switched off
		}
		if err != nil {
			return err
		}
		err = scanProcNetTCP(ctx, file, table.family, visit)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", table.path, err)
		}
	}
	return nil
}

func scanProcNetTCP(ctx context.Context, file *os.File, family uint8, visit func(*sockdiag.Socket)) error {
	lines := bufio.NewScanner(file)
	lines.Scan() // the heading
	var s sockdiag.Socket
	for n := 0; lines.Scan(); n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := parseProcNetTCP(&s, lines.Text(), family); err != nil {
			return err
		}
		visit(&s)
	}
	return lines.Err()
}

// parseProcNetTCP reads a line: slot, local and remote address, state, queues,
// timer, retransmissions, uid, time-out, inode (proc_pid_net(5)).
func parseProcNetTCP(s *sockdiag.Socket, line string, family uint8) error {
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return fmt.Errorf("line %q is too short", line)
	}
	var err error
	number := func(text string, base, bits int) uint64 {
		n, e := strconv.ParseUint(text, base, bits)
		err = errors.Join(err, e)
		return n
	}
	send, receive, _ := strings.Cut(fields[4], ":")
	timer, _, _ := strings.Cut(fields[5], ":")
	*s = sockdiag.Socket{
		Family: family, State: tcpstate.State(number(fields[3], 16, 8)), Timer: sockdiag.Timer(number(timer, 16, 8)),
		SendQueue: uint32(number(send, 16, 32)), ReceiveQueue: uint32(number(receive, 16, 32)),
		UID: uint32(number(fields[7], 10, 32)), Inode: uint32(number(fields[9], 10, 32)),
	}
	if s.State == tcpstate.NewSynRecv {
		s.State = tcpstate.SynRecv
	}
	var errLocal, errRemote error
	s.Local, errLocal = hexEndpoint(fields[1])
	s.Remote, errRemote = hexEndpoint(fields[2])
	if err = errors.Join(err, errLocal, errRemote); err != nil {
		return fmt.Errorf("line %q: %w", line, err)
	}
	return nil
}

// hexEndpoint reads "0100007F:0050": the address as words in the machine's own
// byte order.
func hexEndpoint(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", host)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", host)
	}
	return netip.AddrPortFrom(address, uint16(number)), nil
}
