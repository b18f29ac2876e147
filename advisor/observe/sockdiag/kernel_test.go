package sockdiag_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcptune/tcptune/advisor/observe/sockdiag"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

func TestKernelSendsOnlyWhatIsAskedFor(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, port := range []int{19999, 20000, 20001, 20002} {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}}).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	established := sockdiag.Of(tcpstate.Established)
	for _, c := range []struct {
		query sockdiag.Query
		want  string // local ports
	}{
		{sockdiag.Query{States: sockdiag.AllStates}, "[8080 8080 8080 8080 8080 19999 20000 20001 20002]"},
		{sockdiag.Query{States: sockdiag.Of(tcpstate.Listen)}, "[8080]"},
		{sockdiag.Query{States: sockdiag.Of(tcpstate.TimeWait, tcpstate.CloseWait)}, "[]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{20000, 20001}}}, "[20000 20001]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{1, 8079}}}, "[]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{20002, 65535}}}, "[20002]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{1, 9}, {19999, 19999}, {20001, 20001}, {20003, 20004}}}, "[19999 20001]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{8080, 8080}, {20002, 20002}}}, "[8080 8080 8080 8080 20002]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{8080, 8080}}, Limit: 3}, "[8080 8080 8080]"},
		{sockdiag.Query{States: established, LocalPorts: []sockdiag.Ports{{8080, 8080}}, Limit: 5}, "[8080 8080 8080 8080]"},
	} {
		ports := []uint16{}
		err := sockdiag.Dump(context.Background(), c.query, func(s *sockdiag.Socket) {
			ports = append(ports, s.Local.Port())
			if !s.Full || s.Inode == 0 || s.State == tcpstate.Listen && s.SendQueue == 0 {
				t.Errorf("a socket that this program holds is shown as %+v", *s)
			}
		})
		slices.Sort(ports)
		if diff := cmp.Diff(c.want, fmt.Sprint(ports)); diff != "" || err != nil {
			t.Errorf("%+v: %v, local ports:\n%s", c.query, err, diff)
		}
	}
}
