package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor"
	"github.com/tcptune/tcptune/advisor/observe/crowd"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl/netns"
	"github.com/tcptune/tcptune/sysctl/sysctltest"
)

// Trouble is made for real, each in a network namespace of its own, and 'tcptune
// check' names who is at fault, and nothing else.

// A culprit is a finding that is wanted.
type culprit struct {
	rule string
	says string // a pattern that its message matches
	set  string // one that all of its suggestions match
}

// accused runs 'tcptune check' as text and as JSON. The findings must be those of
// the culprits and no others, in both.
func accused(t *testing.T, culprits []culprit, args ...string) (text string) {
	t.Helper()
	// What is the machine's below is not made here: its files, and packets that
	// other tests lose meanwhile.
	args = append([]string{"check", "--disable", "files/*", "--disable", "drift/*", "--disable", "memory/backlog-drops"}, args...)
	codes := []int{exitOK, exitFindings}
	var r advisor.Report
	if err := json.Unmarshal([]byte(printed(t, codes, append(args, "--format", "json")...)), &r); err != nil {
		t.Fatal(err)
	}
	text = printed(t, codes, args...)
	var want, inJSON, inText []string
	for _, c := range culprits {
		want = append(want, c.rule)
	}
	for _, f := range r.Findings {
		inJSON = append(inJSON, f.Rule)
	}
	for _, header := range regexp.MustCompile(`(?m)^(?:error|warning|info)  (\S+)`).FindAllStringSubmatch(text, -1) {
		inText = append(inText, header[1])
	}
	if diff := cmp.Diff(want, inJSON); diff != "" {
		t.Errorf("findings wanted (-) and given (+):\n%s\n%s", diff, text)
		return text
	}
	if diff := cmp.Diff(inJSON, inText); diff != "" {
		t.Errorf("findings in JSON (-) and in text (+):\n%s", diff)
	}
	for i, c := range culprits {
		f, set := r.Findings[i], []string{}
		if !regexp.MustCompile(c.says).MatchString(f.Message) {
			t.Errorf("%s: %q is wanted, and this is said: %s", c.rule, c.says, f.Message)
		}
		for _, s := range f.Suggest {
			set = append(set, fmt.Sprintf("%s = %s", s.Key, s.To))
		}
		if got := strings.Join(set, ", "); !regexp.MustCompile("^" + c.set + "$").MatchString(got) {
			t.Errorf("%s suggests %q, want %q", c.rule, got, c.set)
		}
	}
	if strings.Contains(text, "--netns all") {
		t.Errorf("what was not asked is spoken of:\n%s", text)
	}
	t.Log(text)
	return text
}

// parameter sets one of the namespace's below net/.
func parameter(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		sysctltest.RequireKernel(t, err.Error()) // root of a user namespace may not write all
	}
}

// listen listens with a backlog of its own, which the net package does not offer.
func listen(address string, backlog int) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return nil, err
	}
	var again error
	err = raw.Control(func(fd uintptr) { again = unix.Listen(int(fd), backlog) })
	return l, errors.Join(err, again)
}

// serve accepts connections, reads to their end and closes them.
func serve(t *testing.T, address string, backlog int) {
	t.Helper()
	l, err := listen(address, backlog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
}

// dial connects n times and keeps the connections.
func dial(t *testing.T, address string, n int) []net.Conn {
	t.Helper()
	connections := make([]net.Conn, n)
	for i := range connections {
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { c.Close() })
		connections[i] = c
	}
	return connections
}

// untilNonePass waits until no connection is on its way from one state to
// another.
func untilNonePass(t *testing.T, but ...tcpstate.State) {
	t.Helper()
	passing := []tcpstate.State{tcpstate.SynSent, tcpstate.SynRecv, tcpstate.FinWait1, tcpstate.FinWait2, tcpstate.CloseWait, tcpstate.LastAck, tcpstate.Closing}
	for range 200 {
		var of advisor.States
		if err := json.Unmarshal([]byte(printed(t, []int{exitOK}, "states", "--format", "json")), &of); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(of.States, func(s advisor.State) bool {
			state, _ := tcpstate.Parse(s.State)
			return s.IPv4+s.IPv6 > 0 && slices.Contains(passing, state) && !slices.Contains(but, state)
		}) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("connections are on their way for 10 s")
}

// helpers are programs with names of their own. Each listens on the address that
// it is given, with that backlog, and prints a line.
var helpers = map[string]func(){
	"leaky-pool":  func() { help(true) },
	"idle-server": func() { help(false) },
}

// help accepts connections and closes none, or accepts none, until its standard
// input ends.
func help(accepts bool) {
	backlog, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	l, err := listen(os.Args[1], backlog)
	if err != nil {
		panic(err)
	}
	fmt.Println("listening")
	if accepts {
		go func() {
			leak := map[net.Conn]bool{} // of what is out of reach the runtime closes the descriptor
			for {
				c, err := l.Accept()
				if err != nil {
					panic(err)
				}
				c.Write([]byte{1})
				leak[c] = true
			}
		}()
	}
	io.Copy(io.Discard, os.Stdin)
}

// start runs a helper.
func start(t *testing.T, name, address string, backlog int) {
	t.Helper()
	cmd := exec.Command(underName(t, name), address, strconv.Itoa(backlog))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%s does not listen: %v", name, err)
	}
}

// underName is the test binary under the name of a command.
func underName(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// inTrouble runs each case in a namespace of its own.
func inTrouble(t *testing.T, cases map[string]func(*testing.T)) {
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			if sysctltest.Namespace(t) {
				cases[name](t)
			}
		})
	}
}

func TestExhaustedPortsAreNamedWithWhatHoldsThem(t *testing.T) {
	const upstream = "127.0.0.1:8080"
	prepare := func(t *testing.T, reuse string) {
		t.Helper()
		serve(t, upstream, 4096)
		serve(t, "127.0.0.1:8081", 4096)
		serve(t, "127.0.0.2:8080", 4096)
		parameter(t, "ipv4/ip_local_port_range", "40000 42047")
		parameter(t, "ipv4/tcp_tw_reuse", reuse)
		dial(t, "127.0.0.1:8081", 300)
		dial(t, "127.0.0.2:8080", 300)
	}
	// exhaust connects until connect() fails for want of a port, and returns how
	// often it did not.
	exhaust := func(t *testing.T, over func(net.Conn)) int {
		t.Helper()
		for n := range 4096 {
			c, err := net.Dial("tcp", upstream)
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			over(c)
		}
		t.Fatal("ports do not run out")
		return 0
	}
	keep := func(t *testing.T) func(net.Conn) {
		return func(c net.Conn) { t.Cleanup(func() { c.Close() }) }
	}
	closeFirst := func(c net.Conn) { c.Close() }
	const wider = "net.ipv4.ip_local_port_range = 40000 65535"
	open := culprit{"ports/exhausted",
		`^2048 of the 2048 ports of net.ipv4.ip_local_port_range are in use towards 127.0.0.1:8080 from 127.0.0.1, 2048 of them by connections that are open: connect\(\) fails with EADDRNOTAVAIL, .* 34.1 new ones a second`, wider}
	// That the parameter is set is worth an information whatever goes on.
	reuseIsSet := culprit{"timewait/reuse-everywhere", "^net.ipv4.tcp_tw_reuse = 1 ", ""}
	held := func(reuse string, culprits ...culprit) func(*testing.T) {
		return func(t *testing.T) {
			prepare(t, reuse)
			if n := exhaust(t, keep(t)); n != 2048 {
				t.Errorf("the range of 2048 ports carried %d connections", n)
			}
			accused(t, culprits)
			accused(t, culprits, "--interval", "300ms")
		}
	}
	inTrouble(t, map[string]func(*testing.T){
		"held by open connections":                    held("0", open),
		"held by open connections, tcp_tw_reuse is 1": held("1", open, reuseIsSet),
		"nearly, by open connections": func(t *testing.T) {
			prepare(t, "0")
			dial(t, upstream, 1800)
			accused(t, []culprit{{"ports/nearly-exhausted", `^1800 of the 2048 ports .* towards 127.0.0.1:8080 from 127.0.0.1 \(87 %\), most of them by open connections$`, wider}})
		},
		"held by TIME-WAIT": func(t *testing.T) {
			prepare(t, "0")
			exhaust(t, closeFirst)
			untilNonePass(t)
			accused(t, []culprit{{"ports/exhausted-by-time-wait",
				`^2048 of the 2048 ports of net.ipv4.ip_local_port_range are in use towards 127.0.0.1:8080 from 127.0.0.1, 2048 of them in TIME-WAIT: connect\(\) fails with EADDRNOTAVAIL, .* 34.1 new connections a second`,
				wider + ", net.ipv4.tcp_tw_reuse = 1"}})
		},
		// More connections than there are ports: one in TIME-WAIT serves again after a
		// second.
		"TIME-WAIT and tcp_tw_reuse is 1": func(t *testing.T) {
			prepare(t, "1")
			for n, waited := 0, 0; n < 3000; {
				c, err := net.Dial("tcp", upstream)
				if errors.Is(err, syscall.EADDRNOTAVAIL) && waited < 200 {
					time.Sleep(50 * time.Millisecond)
					waited++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				n++
			}
			untilNonePass(t)
			text := accused(t, []culprit{reuseIsSet})
			// What is busiest are the 300 connections to others that are open.
			if !regexp.MustCompile(`ports towards the busiest destination +300 +2048 +14 %`).MatchString(text) {
				t.Errorf("ports that connect() may take over are said to be in use:\n%s", text)
			}
		},
	})
}

func TestFullAcceptQueueIsNamedWithProgramAndLimit(t *testing.T) {
	const at = "127.0.0.1:8080"
	// fill leaves one connection more than the limit to a program that accepts none,
	// and lets others meet the full queue.
	fill := func(t *testing.T, backlog, limit int) {
		t.Helper()
		serve(t, "127.0.0.1:9090", 4096)
		dial(t, "127.0.0.1:9090", 10)
		start(t, "idle-server", at, backlog)
		dial(t, at, limit+1)
		for range 3 {
			if c, err := net.DialTimeout("tcp", at, 50*time.Millisecond); err == nil {
				c.Close()
				t.Error("the queue takes more than its limit")
			} else if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("a full queue answers: %v", err)
			}
		}
	}
	full := func(numbers, limitedBy string) culprit {
		return culprit{"listen/queue-full", `^the accept queue is full at 1 of 2 listeners: 127.0.0.1:8080 \(` + numbers + `, idle-server\b.*, limited by ` + limitedBy + `\)$`, ""}
	}
	const own = "the program, or a lower net.core.somaxconn when it began to listen"
	inTrouble(t, map[string]func(*testing.T){
		"the program's own backlog": func(t *testing.T) {
			fill(t, 16, 16)
			accused(t, []culprit{full("17 of 16", own)})
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
						net.DialTimeout("tcp", at, 20*time.Millisecond)
					}
				}
			}()
			accused(t, []culprit{full("17 of 16", own)}, "--interval", "500ms")
			close(stop)
			<-stopped
		},
		// Clients are not refused either way, which is what the second finding says: the
		// parameter is set for something that it does not do.
		"tcp_abort_on_overflow is 1": func(t *testing.T) {
			parameter(t, "ipv4/tcp_abort_on_overflow", "1")
			fill(t, 16, 16)
			accused(t, []culprit{full("17 of 16", own), {"listen/abort-on-overflow-seldom-acts", "does not make a full accept queue refuse clients", "net.ipv4.tcp_abort_on_overflow = 0"}})
		},
		// The program is at fault, and so is the parameter: a queue of 33 overflows in a
		// burst even if the program accepts.
		"capped by somaxconn": func(t *testing.T) {
			parameter(t, "core/somaxconn", "32")
			fill(t, 1024, 32)
			accused(t, []culprit{full("33 of 32", "net.core.somaxconn"), {"listen/limited-by-somaxconn", `net.core.somaxconn = 32 fill up \(queue and limit: 127.0.0.1:8080 \(33 of 32, idle-server\b`, "net.core.somaxconn = 4096"}})
		},
		"capped by somaxconn as it was": func(t *testing.T) {
			parameter(t, "core/somaxconn", "32")
			start(t, "idle-server", "127.0.0.1:8081", 1024)
			parameter(t, "core/somaxconn", "4096")
			dial(t, "127.0.0.1:8081", 33)
			accused(t, []culprit{{"listen/queue-full", `127.0.0.1:8081 \(33 of 32, idle-server\b.*, limited by ` + own + `\)$`, ""}})
			parameter(t, "core/somaxconn", "16")
			accused(t, []culprit{{"listen/queue-full", `127.0.0.1:8081 \(33 of 32, idle-server\b.*, limited by net.core.somaxconn as it was when the program began to listen\)$`, ""}})
		},
	})
}

// leaked has 400 clients of a program that does not close come and go.
func leaked(t *testing.T) culprit {
	t.Helper()
	start(t, "leaky-pool", "127.0.0.1:8080", 1024)
	for _, c := range dial(t, "127.0.0.1:8080", 400) {
		if _, err := io.ReadAll(io.LimitReader(c, 1)); err != nil { // which says that it is accepted
			t.Fatal(err)
		}
		c.Close()
	}
	return culprit{"closewait/not-closed-by-program", `^400 sockets are in CLOSE-WAIT .* no parameter ends them; most of them: leaky-pool\[\d+\]`, ""}
}

func TestProgramThatLeaksIsNamed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	serve(t, "127.0.0.1:9090", 4096)
	dial(t, "127.0.0.1:9090", 100)
	leak := leaked(t)
	untilNonePass(t, tcpstate.CloseWait, tcpstate.FinWait2)
	accused(t, []culprit{leak})
}

// The program is named from outside of its namespace, too.
func TestProgramThatLeaksIsNamedFromOutside(t *testing.T) {
	name := attached(t, inhabited(t, "4096"))
	n, err := netns.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var leak culprit
	err = n.Do(func() error {
		err := sysctltest.LoopbackUp()
		leak = leaked(t)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	accused(t, []culprit{leak}, "--netns", name)
}

// floods begins a flood of SYNs from forged addresses.
func floods(t *testing.T, from, to string) *crowd.Flood {
	t.Helper()
	f, err := crowd.NewFlood(netip.MustParseAddrPort(from), netip.MustParseAddrPort(to))
	if err != nil {
		sysctltest.RequireKernel(t, "no raw socket: "+err.Error())
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Send(4000); err != nil {
		t.Fatal(err)
	}
	return f
}

// during goes on with a flood, at some thousands a second, while do runs.
func during(t *testing.T, f *crowd.Flood, do func()) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-tick.C:
				if err := f.Send(50); err != nil {
					stopped <- err
					return
				}
			}
		}
	}()
	do()
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// ip runs ip(8).
func ip(t *testing.T, arguments string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
		sysctltest.RequireKernel(t, fmt.Sprintf("ip %s: %v %s", arguments, err, out))
	}
}

func TestFloodedListenerIsNamed(t *testing.T) {
	const at = "127.0.0.1:8080"
	// begin floods a listener of its own backlog beside another one. What goes to
	// 198.18.0.0/15 (RFC 2544) comes back over lo and is nobody's.
	begin := func(t *testing.T, cookies string, backlog int) *crowd.Flood {
		t.Helper()
		ip(t, "route add 198.18.0.0/15 dev lo")
		parameter(t, "ipv4/tcp_syncookies", cookies)
		serve(t, "127.0.0.1:9090", 4096)
		serve(t, at, backlog)
		dial(t, "127.0.0.1:9090", 20)
		dial(t, at, 20)
		return floods(t, "198.18.0.0:1234", at)
	}
	name, err := os.ReadFile("/proc/self/comm") // the program that is flooded
	if err != nil {
		t.Fatal(err)
	}
	us := regexp.QuoteMeta(strings.TrimSpace(string(name)))
	absorbed := func(listener string, answered int) culprit {
		return culprit{"synrecv/flood", fmt.Sprintf(`^\d{4,} SYN cookies were sent and %d came back valid: a SYN flood, which cookies absorb, .*; most half-open connections now: %s \(%s\b.*\), 12\d of 12\d$`, answered, regexp.QuoteMeta(listener), us), ""}
	}
	dropped := culprit{"synrecv/queue-full-drops", `^\d{4,} SYNs were dropped at a full SYN queue, because net.ipv4.tcp_syncookies = 0; the listener with most half-open connections now is 127.0.0.1:8080 \(` + us + `\b.*\) with 12\d$`, "net.ipv4.tcp_syncookies = 1"}
	inTrouble(t, map[string]func(*testing.T){
		"cookies on": func(t *testing.T) {
			f := begin(t, "1", 128)
			accused(t, []culprit{absorbed(at, 0)})
			dial(t, at, 30)
			accused(t, []culprit{absorbed(at, 30)})
			during(t, f, func() { accused(t, []culprit{absorbed(at, 0)}, "--interval", "700ms") })
		},
		"cookies off": func(t *testing.T) {
			f := begin(t, "0", 128)
			accused(t, []culprit{dropped})
			if c, err := net.DialTimeout("tcp", at, 100*time.Millisecond); err == nil {
				c.Close()
				t.Error("the port is open in a flood without cookies")
			}
			during(t, f, func() { accused(t, []culprit{dropped}, "--interval", "700ms") })
		},
		// The queue has room left for hosts that are known from before.
		"cookies off, and tcp_max_syn_backlog below the backlog": func(t *testing.T) {
			parameter(t, "ipv4/tcp_max_syn_backlog", "256")
			begin(t, "0", 1024)
			accused(t, []culprit{{"listen/syn-backlog-small-without-cookies", "^127.0.0.1:8080 \\(" + us + "\\b.*\\) has 19\\d half-open connections, .* net.ipv4.tcp_max_syn_backlog = 256 on$", "net.ipv4.tcp_syncookies = 1"}})
		},
		"cookies on, IPv6": func(t *testing.T) {
			// A route over lo would refuse; the other end of this cable takes no frame for
			// that address.
			ip(t, "link add near type veth peer name far")
			ip(t, "link set near up")
			ip(t, "link set far up")
			ip(t, "address add 2001:db8::1/64 dev near nodad")
			ip(t, "neighbour add 2001:db8::2 lladdr 02:00:00:00:00:99 dev near nud permanent")
			ip(t, "route add 2001:db8:1::/48 via 2001:db8::2 dev near")
			serve(t, "[2001:db8::1]:8080", 128)
			floods(t, "[2001:db8:1::]:1234", "[2001:db8::1]:8080")
			dial(t, "[2001:db8::1]:8080", 5)
			accused(t, []culprit{absorbed("[2001:db8::1]:8080", 5)})
		},
	})
}

func TestTimeWaitThatOverflowsIsNamed(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	serve(t, "127.0.0.1:8080", 4096)
	parameter(t, "ipv4/tcp_max_tw_buckets", "100")
	for range 300 {
		dial(t, "127.0.0.1:8080", 1)[0].Close()
	}
	untilNonePass(t)
	// One counts what was done so far, the other sees that it goes on and what to set.
	// On a busy machine a late segment may end an entry, which makes room for one.
	accused(t, []culprit{
		{"timewait/near-limit", "^100 of 100 TIME-WAIT entries are in use", `net.ipv4.tcp_max_tw_buckets = \d{4,}`},
		{"timewait/overflow", "^(19\\d|200) closing sockets skipped TIME-WAIT at the limit of 100 entries .*; 100 entries exist now$", ""},
	})
}

func TestModerateTrafficIsNobodysFault(t *testing.T) {
	if !sysctltest.Namespace(t) {
		return
	}
	serve(t, "127.0.0.1:8080", 4096)
	serve(t, "[::1]:8080", 511)
	dial(t, "127.0.0.1:8080", 200)
	dial(t, "[::1]:8080", 100)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				if c, err := net.Dial("tcp", "127.0.0.1:8080"); err == nil {
					c.Close()
				}
			}
		}
	}()
	for _, args := range [][]string{nil, {"--interval", "500ms"}} {
		if text := accused(t, nil, args...); !strings.Contains(text, "\nNothing is wrong") {
			t.Errorf("not said that nothing is wrong:\n%s", text)
		}
	}
	close(stop)
	<-stopped
}
