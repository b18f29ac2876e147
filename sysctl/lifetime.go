package sysctl

import (
	"math"
	"time"
)

// The kernel counts retries; people wait seconds. The functions of this file
// turn one into the other. All are lower bounds: a path with a large round trip
// starts from a larger time-out.

const (
	// InitialRTO is the time-out of the first SYN and SYN-ACK (RFC 6298, 2.1;
	// include/net/tcp.h, TCP_TIMEOUT_INIT).
	InitialRTO = time.Second
	// MinRTO is the smallest time-out of an open connection (include/net/tcp.h,
	// TCP_RTO_MIN); the kernel's models of "how long is N retries" start from it.
	MinRTO = 200 * time.Millisecond
	// MaxRTO is where doubling ends (include/net/tcp.h, TCP_RTO_MAX), unless
	// net.ipv4.tcp_rto_max_ms says less.
	MaxRTO = 120 * time.Second
	// TimeWait is how long TIME-WAIT lasts. It is a constant of the source
	// (include/net/tcp.h, TCP_TIMEWAIT_LEN); no parameter changes it.
	TimeWait = 60 * time.Second
	// orphanRetriesForZero is what tcp_orphan_retries = 0 stands for
	// (net/ipv4/tcp_timer.c, tcp_orphan_retries).
	orphanRetriesForZero = 8
)

// ConnectTimeout is how long connect() tries: the first time-out at which
// either all SYNs were sent or the time of the doubling schedule is over
// (net/ipv4/tcp_timer.c, tcp_write_timeout). linear is
// net.ipv4.tcp_syn_linear_timeouts, 0 on kernels before 6.5.
func ConnectTimeout(retries, linear int64, rtoMax time.Duration) time.Duration {
	limit := doubling(InitialRTO, retries, rtoMax)
	elapsed, rto := time.Duration(0), InitialRTO
	for sent := int64(0); ; sent++ {
		elapsed += rto
		if sent >= retries+linear || elapsed >= limit {
			return elapsed
		}
		if sent >= linear {
			rto = min(2*rto, rtoMax)
		}
	}
}

// SynAckTimeout is how long a half-open connection is kept while its queue is
// not more than half full (net/ipv4/inet_connection_sock.c, reqsk_timer_handler).
func SynAckTimeout(retries int64, rtoMax time.Duration) time.Duration {
	return doubling(InitialRTO, retries, rtoMax)
}

// RetryTimeout is how long an open connection waits for an acknowledgement
// (net/ipv4/tcp_timer.c, tcp_model_timeout), for net.ipv4.tcp_retries2.
func RetryTimeout(retries int64, rtoMax time.Duration) time.Duration {
	return doubling(MinRTO, retries, rtoMax)
}

// OrphanTimeout is how long a closed connection without a program waits in
// FIN-WAIT-1, CLOSING or LAST-ACK (net/ipv4/tcp_timer.c, tcp_orphan_retries).
// Zero retries stand for eight, but only until the time-out has grown to rtoMax:
// there zero means zero.
func OrphanTimeout(retries int64, rtoMax time.Duration) time.Duration {
	if retries == 0 {
		for rto := MinRTO; rto < rtoMax && retries < orphanRetriesForZero; retries++ {
			rto *= 2
		}
	}
	return doubling(MinRTO, retries, rtoMax)
}

// FinWait2Timeout is how long an orphan waits in FIN-WAIT-2. Up to 60 s it is
// the parameter's value. Above, the full socket is kept for the excess over
// 60 s and then, once more for that excess, a mini-socket (net/ipv4/tcp.c,
// __tcp_close; net/ipv4/tcp_timer.c, tcp_keepalive_timer): 61 lasts 2 s.
// The floor is 3.5 times the connection's time-out (include/net/tcp.h,
// tcp_fin_time).
func FinWait2Timeout(finTimeout time.Duration) time.Duration {
	if finTimeout > TimeWait {
		finTimeout = 2 * (finTimeout - TimeWait)
	}
	return max(finTimeout, 7*MinRTO/2)
}

// KeepaliveTimeout is how long it takes to notice a peer that is gone, on a
// connection whose program asked for keepalive. Numbers below 0 count as 0.
func KeepaliveTimeout(idle, interval time.Duration, probes int64) time.Duration {
	idle, interval, probes = max(idle, 0), max(interval, 0), max(probes, 0)
	if interval > 0 && probes > int64((math.MaxInt64-idle)/interval) {
		return math.MaxInt64
	}
	return idle + time.Duration(probes)*interval
}

// doubling is the sum of retries+1 time-outs that double from first up to most.
func doubling(first time.Duration, retries int64, most time.Duration) time.Duration {
	var sum time.Duration
	for rto := min(first, most); retries >= 0; retries-- {
		sum += rto
		if rto == most { // the rest is a product; a file may say 2^31 retries
			return sum + time.Duration(min(retries, 1<<20))*most
		}
		rto = min(2*rto, most)
	}
	return sum
}
