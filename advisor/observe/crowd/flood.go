package crowd

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A Flood sends SYNs from forged addresses to a listener of this namespace. The
// namespace needs a route to those addresses by which nobody answers.
type Flood struct {
	fd       int
	from, to netip.AddrPort
	sent     uint16
}

// NewFlood prepares a flood from as many addresses as 16 bits count, that one the
// first. It needs CAP_NET_RAW.
func NewFlood(from, to netip.AddrPort) (*Flood, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	// IPPROTO_RAW: with headers of its own (raw(7)).
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	return &Flood{fd: fd, from: from, to: to}, err
}

// Close ends the flood. What is half open stays until the kernel gives it up.
func (f *Flood) Close() error { return unix.Close(f.fd) }

// Send forges n SYNs more.
func (f *Flood) Send(n int) error {
	for range n {
		f.sent++
		address := f.from.Addr().AsSlice()
		binary.BigEndian.PutUint16(address[len(address)-2:], f.sent)
		source, _ := netip.AddrFromSlice(address)
		segment := syn(netip.AddrPortFrom(source, f.from.Port()), f.to)
		var err error
		if f.to.Addr().Is4() {
			err = unix.Sendto(f.fd, ipv4(source, f.to.Addr(), segment), 0, &unix.SockaddrInet4{Addr: f.to.Addr().As4()})
		} else {
			err = unix.Sendto(f.fd, ipv6(source, f.to.Addr(), segment), 0, &unix.SockaddrInet6{Addr: f.to.Addr().As16()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// syn is a segment without options (RFC 9293, 3.1).
func syn(from, to netip.AddrPort) []byte {
	segment := make([]byte, 20)
	binary.BigEndian.PutUint16(segment, from.Port())
	binary.BigEndian.PutUint16(segment[2:], to.Port())
	segment[12], segment[13] = 5<<4, 1<<1 // five words of header; SYN
	binary.BigEndian.PutUint16(segment[14:], 64240)
	sum := uint32(unix.IPPROTO_TCP + len(segment))
	for _, part := range [][]byte{from.Addr().AsSlice(), to.Addr().AsSlice(), segment} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(segment[16:], ^uint16(sum))
	return segment
}

// ipv4 puts a header before the segment; the kernel fills in its checksum.
func ipv4(from, to netip.Addr, segment []byte) []byte {
	header := make([]byte, 20, 20+len(segment))
	header[0], header[8], header[9] = 4<<4|5, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(header[2:], uint16(cap(header)))
	copy(header[12:], from.AsSlice())
	copy(header[16:], to.AsSlice())
	return append(header, segment...)
}

func ipv6(from, to netip.Addr, segment []byte) []byte {
	header := make([]byte, 40, 40+len(segment))
	header[0], header[6], header[7] = 6<<4, unix.IPPROTO_TCP, 64
	binary.BigEndian.PutUint16(header[4:], uint16(len(segment)))
	copy(header[8:], from.AsSlice())
	copy(header[24:], to.AsSlice())
	return append(header, segment...)
}
