//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Walks over the kernel's tables of TCP sockets and of a process's descriptors.
// User space runs the programs (BPF_PROG_TEST_RUN) piece by piece, so that none
// keeps a processor for more than some milliseconds.
//
// Nothing is locked and no reference to a socket is taken. Everything is read
// under RCU and as memory that may be wrong: a load from a bad address gives 0.
// Structures are declared as far as they are used; where the fields are is filled
// in from the running kernel's BTF when the programs are loaded (CO-RE).

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum { BPF_MAP_TYPE_HASH = 1, BPF_F_NO_PREALLOC = 1, BPF_ANY = 0 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL"; // no other may call kernel functions

#define kernel __attribute__((preserve_access_index))

struct list_head {
	struct list_head *next, *prev;
} kernel;

struct rb_node {
	unsigned long __rb_parent_color;
} kernel;

struct hlist_nulls_node {
	struct hlist_nulls_node *next;
} kernel;

struct hlist_nulls_head {
	struct hlist_nulls_node *first;
} kernel;

struct inet_ehash_bucket {
	struct hlist_nulls_head chain;
} kernel;

struct inet_listen_hashbucket {
	struct hlist_nulls_head nulls_head;
} kernel;

struct inet_hashinfo {
	struct inet_ehash_bucket *ehash;
	unsigned int ehash_mask;
	unsigned int lhash2_mask;
	struct inet_listen_hashbucket *lhash2;
} kernel;

struct inet_timewait_death_row {
	struct inet_hashinfo *hashinfo;
} kernel;

struct netns_ipv4 {
	struct inet_timewait_death_row tcp_death_row;
} kernel;

struct ns_common {
	unsigned int inum;
} kernel;

struct net {
	struct list_head list;
	struct ns_common ns;
	struct netns_ipv4 ipv4;
} kernel;

typedef struct {
	struct net *net;
} kernel possible_net_t;

struct sock_common {
	unsigned short skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct hlist_nulls_node skc_nulls_node;
} kernel;

struct inet_timewait_sock {
	unsigned char tw_substate;
} kernel;

struct kernfs_node {
	__u64 id;
} kernel;

struct cgroup {
	struct kernfs_node *kn;
} kernel;

struct sock_cgroup_data {
	struct cgroup *cgroup;
} kernel;

typedef struct {
	__u32 val;
} kernel kuid_t;

struct file {
	const void *f_op;
	void *private_data;
} kernel;

struct socket {
	struct file *file;
} kernel;

struct inode {
	unsigned long i_ino;
} kernel;

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
} kernel;

struct sock {
	struct socket *sk_socket;
	kuid_t sk_uid;
	struct sock_cgroup_data sk_cgrp_data;
} kernel;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} kernel;

struct files_struct {
	struct fdtable *fdt;
} kernel;

struct nsproxy {
	struct net *net_ns;
} kernel;

struct task_struct {
	int pid;
	struct task_struct *real_parent;
	struct nsproxy *nsproxy;
	struct files_struct *files;
} kernel;

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

// as is a structure of the kernel's at an address. What is cast is not trusted,
// which spares the verifier a search through all types for each pointer.
#define as(type, at) ((struct type *)bpf_rdonly_cast((void *)(at), bpf_core_type_id_kernel(struct type)))

// word is the number at an address. A pointer that is loaded as one may not be
// reckoned with, so it is read as the first field of a structure that begins with
// a number.
#define word(at) (as(rb_node, at)->__rb_parent_color)

// pointer is a field that is one, as a number.
#define pointer(type, at, field) word((void *)(at) + bpf_core_field_offset(struct type, field))

enum {
	AF_INET6 = 10,
	ESTABLISHED = 1, // the states of include/net/tcp_states.h
	SYN_RECV = 3,
	FIN_WAIT1 = 4,
	FIN_WAIT2 = 5,
	TIME_WAIT = 6,
	CLOSE_WAIT = 8,
	LAST_ACK = 9,
	LISTEN = 10,
	CLOSING = 11,
	NEW_SYN_RECV = 12,
	ENDING = 1 << FIN_WAIT1 | 1 << FIN_WAIT2 | 1 << CLOSE_WAIT | 1 << LAST_ACK | 1 << CLOSING,
	STATES = 16,
	STEPS = 1 << 14,   // of a piece, unless a chain is not at its end
	MOST = 1 << 23,    // BPF_MAX_LOOPS
	RECORDS = 4096,    // of a piece
	MARKS = 512 << 10, // bytes
};

// What user space wants. If nothing is listed, everything is counted.
const volatile __u32 listed = 0; // states, of which each socket is recorded
const volatile __u32 only = 0;   // the namespace of which they are; 0 for all

// What is counted of a namespace, by state.
struct counts {
	__u32 sockets[2][STATES]; // by family, IPv4 first
	__u32 served[STATES];     // whose port is a listener's, but ESTABLISHED and TIME-WAIT
	__u32 loose[STATES];      // whole, ending, and no program's
	__u32 mini;               // in FIN-WAIT-2
};

// A namespace's number leads to its counts.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 14);
	__type(key, __u32);
	__type(value, struct counts);
} namespaces SEC(".maps");

// The ports that have listeners, with the numbers of their namespaces.
struct port {
	__u32 netns, port;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 15);
	__type(key, struct port);
	__type(value, __u8);
} listening SEC(".maps");

// What a piece found, beside what it counted: a table, a socket, or the inode of
// a descriptor.
struct record {
	__u64 cgroup;
	__u32 netns, inode, uid;
	__u8 family, state, full, mini;
} records[RECORDS];

struct {
	__u32 length;  // of the records
	__u32 missing; // namespaces, tables, ports and sockets for which there was no space
} out;

// A bit for the address of each file that is a recorded socket, so that most
// others need not be looked at; and the operations of all files that are sockets.
__u8 marks[MARKS];
__u64 socket_operations;

// mark_of is the bit. Files begin where lines of the cache do.
static __u32 mark_of(__u64 file) { return (file >> 6) * 0x9e3779b97f4a7c15ull >> 32; }

// The namespace that is always there.
__u64 initial;

// climb looks for it at the task without a number, from which all descend.
static long climb(__u32 i, __u64 *task)
{
	if (!as(task_struct, *task)->pid) {
		initial = pointer(nsproxy, pointer(task_struct, *task, nsproxy), net_ns);
		return 1;
	}
	*task = pointer(task_struct, *task, real_parent);
	return 0;
}

// The list of namespaces, whose head stands before the initial one.
struct nets {
	__u64 at, end, table; // of the initial namespace
	__u64 found;          // a namespace's table
	__u32 wanted;
};

static void first_net(struct nets *n)
{
	n->at = initial + bpf_core_field_offset(struct net, list);
	n->end = pointer(list_head, n->at, prev);
	n->table = pointer(net, initial, ipv4.tcp_death_row.hashinfo);
}

static long find_net(__u32 i, struct nets *n)
{
	if (n->at == n->end)
		return 1;
	__u64 net = n->at - bpf_core_field_offset(struct net, list);

	if (as(net, net)->ns.inum == n->wanted) {
		n->found = pointer(net, net, ipv4.tcp_death_row.hashinfo);
		return 1;
	}
	n->at = word(n->at);
	return 0;
}

static long add_net(__u32 i, struct nets *n)
{
	if (n->at == n->end)
		return 1;
	__u64 net = n->at - bpf_core_field_offset(struct net, list);
	__u32 number = as(net, net)->ns.inum, tables = out.length;
	struct counts none = {};

	if (bpf_map_update_elem(&namespaces, &number, &none, BPF_ANY))
		out.missing++;
	if (!i || pointer(net, net, ipv4.tcp_death_row.hashinfo) != n->table) {
		if (tables < RECORDS) {
			records[tables].netns = number;
			out.length = tables + 1;
		} else {
			out.missing++;
		}
	}
	n->at = word(n->at);
	return 0;
}

// survey is the first to run. It notes the namespaces, and records those that have a table: the initial
// one, whose table most others share, comes first.
SEC("raw_tp")
int survey(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = bpf_get_current_task();
	struct nets n = {};

	out.length = 0;
	bpf_loop(MOST, climb, &task, 0);
	if (initial) {
		first_net(&n);
		bpf_loop(MOST, add_net, &n, 0);
	}
	return 0;
}

// A position in a table: what is next in a chain, and the buckets behind it.
struct position {
	__u64 node;
	__u64 table;
	__u32 stride;
	__u32 bucket, end;
	__u32 complete; // records of chains that were seen to their ends
	__u32 full;     // out of space for records
};

static void record(struct sock *sk, __u32 number, __u8 family, __u8 state, __u8 full, struct position *p)
{
	__u32 i = out.length;

	if (i >= RECORDS) {
		p->full = 1;
		return;
	}
	struct record *r = &records[i];

	r->netns = number;
	r->family = family;
	r->state = state;
	r->full = full;
	r->mini = !full && state != SYN_RECV;
	r->cgroup = r->inode = r->uid = 0;
	if (full) {
		__u64 socket = pointer(sock, sk, sk_socket);

		r->cgroup = sk->sk_cgrp_data.cgroup->kn->id;
		r->uid = sk->sk_uid.val;
		if (socket) {
			__u64 file = pointer(socket, socket, file);

			r->inode = as(socket_alloc, socket)->vfs_inode.i_ino;
			if (file) {
				__u32 mark = mark_of(file);

				marks[mark / 8 % MARKS] |= 1 << mark % 8;
				socket_operations = pointer(file, file, f_op);
			}
		}
	}
	out.length = i + 1;
}

static void count(struct sock *sk, __u32 number, __u32 family, __u32 state, __u32 full)
{
	struct counts *counts = bpf_map_lookup_elem(&namespaces, &number);
	struct port port = {number, as(sock_common, sk)->skc_num};
	__u8 yes = 1;

	if (!counts)
		return;
	counts->sockets[family][state]++;
	switch (state) {
	case ESTABLISHED:
	case TIME_WAIT:
		return;
	case LISTEN:
		if (bpf_map_update_elem(&listening, &port, &yes, BPF_ANY))
			out.missing++;
		return;
	}
	if (bpf_map_lookup_elem(&listening, &port))
		counts->served[state]++;
	if (!(ENDING & 1 << state))
		return;
	if (!full)
		counts->mini++;
	else if (!pointer(sock, sk, sk_socket))
		counts->loose[state]++;
}

static long step(__u32 i, struct position *p)
{
	if (!p->node || p->node & 1) { // the end of a chain holds a number, not an address
		p->complete = out.length;
		if (p->bucket == p->end || i >= STEPS)
			return 1;
		p->node = word(p->table + (__u64)p->bucket * p->stride);
		p->bucket++;
		return 0;
	}
	__u64 at = p->node - bpf_core_field_offset(struct sock_common, skc_nulls_node);
	struct sock_common *sk = as(sock_common, at);
	__u32 state = sk->skc_state, family = sk->skc_family == AF_INET6, full = 1;

	p->node = word(p->node);
	if (state == TIME_WAIT) {
		state = as(inet_timewait_sock, at)->tw_substate;
		full = 0;
	} else if (state == NEW_SYN_RECV) {
		state = SYN_RECV;
		full = 0;
	}
	state %= STATES; // for the verifier
	if (listed && !(listed & 1 << state))
		return 0;
	__u32 number = sk->skc_net.net->ns.inum;

	if (listed) {
		if (!only || only == number)
			record(as(sock, at), number, family, state, full, p);
		return p->full;
	}
	count(as(sock, at), number, family, state, full);
	return 0;
}

// walk takes a namespace's number, whether its listeners are meant, and the
// bucket to begin with, and returns the one to go on with; 0 if all were seen, or
// the namespace is gone.
SEC("raw_tp")
int walk(struct bpf_raw_tracepoint_args *ctx)
{
	struct nets n = {.wanted = ctx->args[0]};
	struct position p = {.bucket = ctx->args[2]};

	out.length = 0;
	first_net(&n);
	bpf_loop(MOST, find_net, &n, 0);
	if (!n.found)
		return 0;
	if (ctx->args[1]) {
		p.table = pointer(inet_hashinfo, n.found, lhash2) + bpf_core_field_offset(struct inet_listen_hashbucket, nulls_head);
		p.stride = bpf_core_type_size(struct inet_listen_hashbucket);
		p.end = as(inet_hashinfo, n.found)->lhash2_mask + 1;
	} else {
		p.table = pointer(inet_hashinfo, n.found, ehash);
		p.stride = bpf_core_type_size(struct inet_ehash_bucket);
		p.end = as(inet_hashinfo, n.found)->ehash_mask + 1;
	}
	bpf_loop(MOST, step, &p, 0);
	if (p.full) {
		if (p.complete) { // the chain is seen once more
			out.length = p.complete;
			return p.bucket - 1;
		}
		out.missing++;
	}
	return p.bucket < p.end ? p.bucket : 0;
}

struct descriptors {
	__u64 table;
	__u32 at;
};

static long look(__u32 i, struct descriptors *d)
{
	__u64 file = word(d->table + 8 * (__u64)d->at);
	__u32 mark = mark_of(file);

	if (file && marks[mark / 8 % MARKS] & 1 << mark % 8 && pointer(file, file, f_op) == socket_operations) {
		__u32 n = out.length;

		if (n >= RECORDS)
			return 1;
		records[n].inode = as(socket_alloc, as(file, file)->private_data)->vfs_inode.i_ino;
		out.length = n + 1;
	}
	d->at++;
	return 0;
}

struct request {
	__u32 process, descriptor;
};

// descriptors takes a process's number and the descriptor to begin with, and
// returns the one to go on with; 0 if all were seen. It is of another kind than
// walk since programs of that kind may not look for a task by its number.
SEC("syscall")
int descriptors(struct request *q)
{
	struct task_struct *task = bpf_task_from_pid(q->process);
	struct descriptors d = {.at = q->descriptor};
	__u32 n = 0;

	out.length = 0;
	if (!task)
		return 0;
	bpf_rcu_read_lock();
	__u64 files = pointer(task_struct, task, files);

	if (files) {
		__u64 table = pointer(files_struct, files, fdt);

		d.table = pointer(fdtable, table, fd);
		n = as(fdtable, table)->max_fds;
		if (d.at < n)
			bpf_loop(n - d.at < STEPS ? n - d.at : STEPS, look, &d, 0);
	}
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return d.at < n ? d.at : 0;
}
