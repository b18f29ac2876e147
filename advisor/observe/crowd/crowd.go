// Package crowd fills a network namespace with TCP sockets, for benchmarks and
// tests: hundreds of thousands, in the states in which a busy server has them.
//
// Both ends of every connection are in the namespace, so each state brings that
// of the peer. The sockets are held by child processes, no more by each than a
// process may usually have open:
//
//   - ESTABLISHED: connected and accepted. A tenth is IPv6.
//   - SYN-RECV: a listener that waits for data before it accepts
//     (TCP_DEFER_ACCEPT); the peer is ESTABLISHED.
//   - FIN-WAIT-1 and LAST-ACK: closed while data does not fit into the peer's
//     small receive buffer, so that the FIN waits behind it; orphans.
//   - CLOSING: the same, and the peer has sent its FIN.
//   - CLOSE-WAIT: the peer has shut down and waits in FIN-WAIT-2.
//   - TIME-WAIT: connections that were closed, made anew every 59 s.
package crowd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A Mix is how many connections end up in a state, for one end of them.
type Mix struct {
	Established, SynRecv, FinWait1, LastAck, Closing, CloseWait, TimeWait int
}

// BusyServer is a mix of about so many sockets, peers included, in the shares
// that an operator saw on a busy server.
func BusyServer(sockets int) Mix {
	const seen = 104_323
	share := func(n int) int { return (sockets*n + seen/2) / seen }
	m := Mix{SynRecv: share(7314), FinWait1: share(2074), LastAck: share(2372), Closing: share(9), CloseWait: share(1122), TimeWait: share(1443)}
	m.Established = (sockets-m.TimeWait)/2 - m.SynRecv - m.FinWait1 - m.LastAck - m.Closing - m.CloseWait
	return m
}

// childVariable marks a child process and holds its share.
const childVariable = "TCPTUNE_TEST_CROWD"

// perChild is how many connections one child makes: two descriptors each, below
// the usual limit of 20,000.
const perChild = 8000

// A share is what one child makes.
type share struct {
	Mix
	Child int
	// Churn is how many more connections a second it makes and closes.
	Churn int
}

// A Crowd is the children that hold the sockets.
type Crowd struct{ children []child }

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// parameters let the sockets stay as they are.
var parameters = map[string]string{
	"core/somaxconn": "65535", "ipv4/tcp_max_syn_backlog": "1000000", "ipv4/tcp_syncookies": "0", "ipv4/tcp_tw_reuse": "0",
	"ipv4/tcp_max_tw_buckets": "1000000", "ipv4/tcp_orphan_retries": "100", "ipv4/tcp_retries2": "100", "ipv4/ip_local_port_range": "20000 60999",
}

// Fill makes a crowd in the network namespace of the calling thread, which must
// be one of the test's own, and waits until it stands. The program must call
// [Main] first thing.
func Fill(m Mix) (*Crowd, error) {
	for name, value := range parameters {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			return nil, err
		}
	}
	all := m.Established + m.SynRecv + m.FinWait1 + m.LastAck + m.Closing + m.CloseWait
	children := max(1, (all+perChild-1)/perChild)
	c := &Crowd{}
	for i := range children {
		part := func(n int) int { return n*(i+1)/children - n*i/children }
		err := c.start(share{Child: i, Mix: Mix{part(m.Established), part(m.SynRecv), part(m.FinWait1), part(m.LastAck), part(m.Closing), part(m.CloseWait), part(m.TimeWait)}})
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Churn makes so many connections a second beside, and closes them.
func (c *Crowd) Churn(perSecond int) error { return c.start(share{Child: 250, Churn: perSecond}) }

func (c *Crowd) start(s share) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.children = append(c.children, child{cmd, stdin})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != ready {
		return fmt.Errorf("child %d of the crowd failed: %q, %v", s.Child, line, err)
	}
	return nil
}

// Close ends the children and with them the sockets, but for those that wait.
func (c *Crowd) Close() (err error) {
	for _, child := range c.children {
		child.stdin.Close()
		err = errors.Join(err, child.cmd.Wait())
	}
	c.children = nil
	return err
}
