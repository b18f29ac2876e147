package conf

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	fin      = "net.ipv4.tcp_fin_timeout"
	intvl    = "net.ipv4.tcp_keepalive_intvl"
	ktime    = "net.ipv4.tcp_keepalive_time"
	probes   = "net.ipv4.tcp_keepalive_probes"
	ports    = "net.ipv4.ip_local_port_range"
	reserved = "net.ipv4.ip_local_reserved_ports"
	backlog  = "net.core.somaxconn"
	filters  = "net.ipv4.conf.*.rp_filter"
	filterLo = "net.ipv4.conf.lo/1.rp_filter"
)

// trees are files as they are met, by what is peculiar about them. Those from
// "compliance:" on follow the cases that public compliance projects test.
var trees = []struct {
	name string
	tree tree
}{
	{"nothing at all", tree{}},
	{"empty directories", tree{"etc/sysctl.d/": "", "usr/lib/sysctl.d/": ""}},
	{"one drop-in", tree{"etc/sysctl.d/50-a.conf": fin + " = 5\n"}},

	// Directories and names.
	{"a drop-in in each directory", tree{"etc/sysctl.d/a.conf": fin + "=5", "run/sysctl.d/b.conf": intvl + "=5", "usr/local/lib/sysctl.d/c.conf": ktime + "=5",
		"usr/lib/sysctl.d/d.conf": probes + "=5", "lib/sysctl.d/e.conf": backlog + "=5"}},
	{"one name in all directories", tree{"etc/sysctl.d/a.conf": fin + "=1", "run/sysctl.d/a.conf": fin + "=2", "usr/local/lib/sysctl.d/a.conf": fin + "=3",
		"usr/lib/sysctl.d/a.conf": fin + "=4", "lib/sysctl.d/a.conf": fin + "=5"}},
	{"run hides usr/local", tree{"run/sysctl.d/a.conf": fin + "=2", "usr/local/lib/sysctl.d/a.conf": fin + "=3\n" + intvl + "=3"}},
	{"usr/local hides usr", tree{"usr/local/lib/sysctl.d/a.conf": fin + "=3", "usr/lib/sysctl.d/a.conf": fin + "=4\n" + intvl + "=4"}},
	{"usr hides lib", tree{"usr/lib/sysctl.d/a.conf": fin + "=4", "lib/sysctl.d/a.conf": fin + "=5\n" + intvl + "=5"}},
	{"lib is a link to usr/lib", tree{"lib": "-> usr/lib", "usr/lib/sysctl.d/a.conf": fin + "=4"}},
	{"a directory is a link", tree{"etc/sysctl.d": "-> ../usr/share/sysctl", "usr/share/sysctl/a.conf": fin + "=4"}},
	{"a directory is an absolute link", tree{"etc/sysctl.d": "-> /usr/share/sysctl", "usr/share/sysctl/a.conf": fin + "=4"}},
	{"a directory is a file", tree{"etc/sysctl.d": fin + "=4", "usr/lib/sysctl.d/a.conf": intvl + "=4"}},
	{"the later name wins wherever it lies", tree{"etc/sysctl.d/10-a.conf": fin + "=1", "usr/lib/sysctl.d/20-a.conf": fin + "=2"}},
	{"the later name wins against a vendor's earlier one", tree{"etc/sysctl.d/20-a.conf": fin + "=1", "usr/lib/sysctl.d/10-a.conf": fin + "=2"}},
	{"numbers sort as text", tree{"etc/sysctl.d/9-a.conf": fin + "=9", "etc/sysctl.d/10-a.conf": fin + "=10", "etc/sysctl.d/100-a.conf": fin + "=100"}},
	{"capitals sort before small letters", tree{"etc/sysctl.d/a.conf": fin + "=1", "etc/sysctl.d/B.conf": fin + "=2"}},
	{"an underscore sorts between", tree{"etc/sysctl.d/_.conf": fin + "=1", "etc/sysctl.d/Z.conf": fin + "=2", "etc/sysctl.d/a.conf": intvl + "=3", "etc/sysctl.d/_b.conf": intvl + "=4"}},
	{"other alphabets sort last", tree{"etc/sysctl.d/\xc3\xa4.conf": fin + "=1", "etc/sysctl.d/zzz.conf": fin + "=2", "etc/sysctl.d/\xff.conf": intvl + "=3", "etc/sysctl.d/\xc3\xa5.conf": intvl + "=4"}},
	{"a shorter name sorts by its dot", tree{"etc/sysctl.d/a.conf": fin + "=1", "etc/sysctl.d/a-b.conf": fin + "=2", "etc/sysctl.d/ab.conf": intvl + "=3", "etc/sysctl.d/a.b.conf": intvl + "=4"}},
	{"a space in the name", tree{"etc/sysctl.d/ 1.conf": fin + "=1", "etc/sysctl.d/0.conf": fin + "=2"}},
	{"names without .conf", tree{"etc/sysctl.d/README": fin + "=1", "etc/sysctl.d/a.conf~": fin + "=2", "etc/sysctl.d/a.conf.dpkg-old": fin + "=3", "etc/sysctl.d/a.CONF": fin + "=4", "etc/sysctl.d/aconf": fin + "=5"}},
	{"a name that starts with a dot", tree{"etc/sysctl.d/.a.conf": fin + "=1"}},
	{"a name that is the suffix", tree{"etc/sysctl.d/.conf": fin + "=1"}},
	{"names that others pass over", tree{"etc/sysctl.d/lost+found.conf": fin + "=1", "etc/sysctl.d/a~.conf": intvl + "=1"}},
	{"a name with glob characters", tree{"etc/sysctl.d/[a].conf": fin + "=1", "etc/sysctl.d/b*.conf": intvl + "=1", "etc/sysctl.d/c?.conf": ktime + "=1"}},
	{"a name that is a glob of others", tree{"etc/sysctl.d/0*.conf": fin + "=1", "etc/sysctl.d/05.conf": fin + "=2", "etc/sysctl.d/07.conf": intvl + "=2", "etc/sysctl.d/06.conf": fin + "=3\n" + intvl + "=3"}},
	{"a name with braces", tree{"etc/sysctl.d/{a,b}.conf": fin + "=1"}},
	{"a name with braces of others", tree{"etc/sysctl.d/{b,a}.conf": fin + "=1", "etc/sysctl.d/a.conf": fin + "=2", "etc/sysctl.d/b.conf": fin + "=3"}},
	{"a name with a backslash", tree{`etc/sysctl.d/a\b.conf`: fin + "=1"}},
	{"a name with a tilde", tree{"etc/sysctl.d/~root.conf": fin + "=1"}},
	{"a folder of drop-ins inside", tree{"etc/sysctl.d/sub/a.conf": fin + "=1", "etc/sysctl.d/sub.d/b.conf": fin + "=1"}},

	// Kinds of file.
	{"a directory hides a file", tree{"etc/sysctl.d/a.conf/": "", "usr/lib/sysctl.d/a.conf": fin + "=4", "usr/lib/sysctl.d/b.conf": intvl + "=4"}},
	{"an empty file hides a file", tree{"etc/sysctl.d/a.conf": "", "usr/lib/sysctl.d/a.conf": fin + "=4"}},
	{"a link to /dev/null masks a file", tree{"etc/sysctl.d/a.conf": "-> /dev/null", "usr/lib/sysctl.d/a.conf": fin + "=4"}},
	{"a link to a link to /dev/null", tree{"etc/sysctl.d/a.conf": "-> ../mask", "etc/mask": "-> ../dev/null", "usr/lib/sysctl.d/a.conf": fin + "=4"}},
	{"a mask in the wrong directory", tree{"etc/sysctl.d/a.conf": fin + "=1", "usr/lib/sysctl.d/a.conf": "-> /dev/null"}},
	{"a mask in run", tree{"run/sysctl.d/a.conf": "-> /dev/null", "usr/lib/sysctl.d/a.conf": fin + "=4", "etc/sysctl.d/b.conf": intvl + "=1"}},
	{"a link that leads nowhere hides a file", tree{"etc/sysctl.d/a.conf": "-> nowhere", "usr/lib/sysctl.d/a.conf": fin + "=4", "usr/lib/sysctl.d/b.conf": intvl + "=4"}},
	{"a link to itself", tree{"etc/sysctl.d/a.conf": "-> a.conf", "usr/lib/sysctl.d/a.conf": fin + "=4", "usr/lib/sysctl.d/b.conf": intvl + "=4"}},
	{"a link through a file", tree{"etc/sysctl.d/a.conf": "-> b.conf/c", "etc/sysctl.d/b.conf": intvl + "=4"}},
	{"a link out of the directory", tree{"etc/sysctl.d/a.conf": "-> ../../usr/share/tuning", "usr/share/tuning": fin + "=4"}},
	{"a link above the root", tree{"etc/sysctl.d/a.conf": "-> ../../../../usr/share/tuning", "usr/share/tuning": fin + "=4"}},
	{"a link to another drop-in sorts by its own name", tree{"etc/sysctl.d/90-b.conf": "-> 10-a.conf", "etc/sysctl.d/10-a.conf": fin + "=1", "etc/sysctl.d/50-c.conf": fin + "=5"}},
	{"a hard-looking name twice by link", tree{"etc/sysctl.d/a.conf": "-> /usr/lib/sysctl.d/a.conf", "usr/lib/sysctl.d/a.conf": fin + "=1"}},

	// /etc/sysctl.conf.
	{"sysctl.conf alone", tree{"etc/sysctl.conf": fin + "=6"}},
	{"sysctl.conf against a drop-in", tree{"etc/sysctl.conf": fin + "=6", "etc/sysctl.d/zz.conf": fin + "=7"}},
	{"sysctl.conf through Debian's link", tree{"etc/sysctl.conf": fin + "=6", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"}},
	{"sysctl.conf through an early link", tree{"etc/sysctl.conf": fin + "=6", "etc/sysctl.d/10-x.conf": "-> /etc/sysctl.conf", "etc/sysctl.d/50-y.conf": fin + "=7"}},
	{"a drop-in behind the link", tree{"etc/sysctl.conf": fin + "=6", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", "etc/sysctl.d/99-z.conf": fin + "=7"}},
	{"sysctl.conf is a link to /dev/null", tree{"etc/sysctl.conf": "-> /dev/null", "etc/sysctl.d/a.conf": fin + "=7"}},
	{"sysctl.conf is a link to a drop-in", tree{"etc/sysctl.conf": "-> sysctl.d/a.conf", "etc/sysctl.d/a.conf": fin + "=7", "etc/sysctl.d/b.conf": fin + "=8"}},
	{"sysctl.conf leads nowhere", tree{"etc/sysctl.conf": "-> nowhere", "etc/sysctl.d/a.conf": fin + "=7"}},
	{"sysctl.conf is a directory", tree{"etc/sysctl.conf/": "", "etc/sysctl.d/a.conf": fin + "=7"}},
	{"usr/lib has a sysctl.conf", tree{"usr/lib/sysctl.conf": fin + "=6", "usr/lib/sysctl.d/sysctl.conf": intvl + "=6"}},

	// One key several times.
	{"twice in one file", tree{"etc/sysctl.d/a.conf": fin + "=1\n" + fin + "=2\n"}},
	{"twice in one file, back again", tree{"etc/sysctl.d/a.conf": fin + "=1\n" + fin + "=2\n" + fin + "=1\n"}},
	{"the last value is refused", tree{"etc/sysctl.d/a.conf": fin + "=1\n", "etc/sysctl.d/b.conf": fin + "=nonsense\n"}},
	{"the first value is refused", tree{"etc/sysctl.d/a.conf": fin + "=nonsense\n", "etc/sysctl.d/b.conf": fin + "=1\n"}},
	{"dots and slashes are one key", tree{"etc/sysctl.d/a.conf": fin + "=1\nnet/ipv4/tcp_fin_timeout=2\n"}},
	{"slashes and dots are one key", tree{"etc/sysctl.d/a.conf": "net/ipv4/tcp_fin_timeout=2\n" + fin + "=1\n"}},
	{"an interface with a dot, both ways", tree{"etc/sysctl.d/a.conf": filterLo + "=1\nnet/ipv4/conf/lo.1/rp_filter=2\n"}},
	{"an interface with a dot, written wrong", tree{"etc/sysctl.d/a.conf": "net.ipv4.conf.lo.1.rp_filter=1\n"}},
	{"separators repeated", tree{"etc/sysctl.d/a.conf": "net//ipv4/tcp_fin_timeout=1\nnet..ipv4..tcp_keepalive_intvl=2\n"}},
	{"separators in front", tree{"etc/sysctl.d/a.conf": "/net/ipv4/tcp_fin_timeout=1\n.net.ipv4.tcp_keepalive_intvl=2\n"}},
	{"separators behind", tree{"etc/sysctl.d/a.conf": "net/ipv4/tcp_fin_timeout/=1\nnet.ipv4.tcp_keepalive_intvl.=2\n"}},
	{"repeated separators against plain ones", tree{"etc/sysctl.d/a.conf": "net//ipv4/tcp_fin_timeout=1\n" + fin + "=2\n" + "net/./ipv4/tcp_fin_timeout=3\n"}},
	{"up and down again", tree{"etc/sysctl.d/a.conf": "net/core/../ipv4/tcp_fin_timeout=1\n"}},
	{"/proc/sys in front", tree{"etc/sysctl.d/a.conf": "/proc/sys/net/ipv4/tcp_fin_timeout=1\nproc.sys.net.ipv4.tcp_keepalive_intvl=1"}},

	// Globs and exclusions.
	{"a glob", tree{"etc/sysctl.d/a.conf": filters + "=1\n"}},
	{"a glob as the manual has it", tree{"usr/lib/sysctl.d/a.conf": "net.ipv4.conf.default.rp_filter=2\nnet.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n"}},
	{"an exact line before a glob", tree{"etc/sysctl.d/a.conf": filterLo + "=0\n" + filters + "=1\n"}},
	{"an exact line behind a glob", tree{"etc/sysctl.d/a.conf": filters + "=1\n" + filterLo + "=0\n"}},
	{"an exact line in an earlier file", tree{"usr/lib/sysctl.d/10-a.conf": filterLo + "=0\n", "etc/sysctl.d/90-a.conf": filters + "=1\n"}},
	{"an exclusion", tree{"etc/sysctl.d/a.conf": filters + "=1\n-" + filterLo + "\n"}},
	{"an exclusion before the glob", tree{"etc/sysctl.d/a.conf": "-" + filterLo + "\n" + filters + "=1\n"}},
	{"an exclusion in slashes", tree{"etc/sysctl.d/a.conf": filters + "=1\n-net/ipv4/conf/lo.1/rp_filter\n"}},
	{"an exclusion in a hidden file", tree{"etc/sysctl.d/a.conf": filters + "=1\n", "usr/lib/sysctl.d/a.conf": "-" + filterLo + "\n"}},
	{"an exclusion of what is set by name", tree{"etc/sysctl.d/a.conf": fin + "=1\n-" + fin + "\n"}},
	{"an exclusion, then an assignment", tree{"etc/sysctl.d/a.conf": "-" + fin + "\n" + fin + "=1\n"}},
	{"set by name and glob, then excluded", tree{"etc/sysctl.d/a.conf": filterLo + "=0\n" + filters + "=1\n-" + filterLo + "\n"}},
	{"excluded, set by name, excluded by name", tree{"etc/sysctl.d/a.conf": "-" + filterLo + "\n" + filterLo + "=0\n" + filters + "=1\n"}},
	{"an exclusion by another glob", tree{"etc/sysctl.d/a.conf": filters + "=1\n-net.ipv4.conf.l*.rp_filter\n"}},
	{"an exclusion by the same glob", tree{"etc/sysctl.d/a.conf": filters + "=1\n-" + filters + "\n"}},
	{"an exclusion by the same glob, before", tree{"etc/sysctl.d/a.conf": "-" + filters + "\n" + filters + "=1\n"}},
	{"an exclusion with repeated separators", tree{"etc/sysctl.d/a.conf": filters + "=1\n-net//ipv4/conf/lo.1/rp_filter\n"}},
	{"a glob with repeated separators", tree{"etc/sysctl.d/a.conf": "net//ipv4/conf/*/rp_filter=1\n" + filterLo + "=0\n"}},
	{"an exact line before a glob with repeated separators", tree{"etc/sysctl.d/a.conf": filterLo + "=0\nnet//ipv4/conf/*/rp_filter=1\n"}},
	{"an exact line before a glob with repeated separators behind", tree{"etc/sysctl.d/a.conf": filterLo + "=0\nnet/ipv4/conf/*//rp_filter=1\n"}},
	{"an exact line before a glob with a dot between separators", tree{"etc/sysctl.d/a.conf": filterLo + "=0\nnet/ipv4/./conf/*/./rp_filter=1\n"}},
	{"an exact line before a glob with a separator in front", tree{"etc/sysctl.d/a.conf": filterLo + "=0\n/net/ipv4/conf/*/rp_filter=1\n"}},
	{"all with repeated separators", tree{"etc/sysctl.d/a.conf": "net//ipv4/conf/lo.1/rp_filter=0\nnet//ipv4/conf/*/rp_filter=1\n"}},
	{"a glob with repeated separators behind", tree{"etc/sysctl.d/a.conf": "net/ipv4/conf/*//rp_filter=1\n" + filterLo + "=0\n"}},
	{"a glob with a dot between separators", tree{"etc/sysctl.d/a.conf": "net/ipv4/./conf/*/./rp_filter=1\n" + filterLo + "=0\n"}},
	{"two globs", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_*=1\nnet.ipv4.tcp_*_timeout=2\n"}},
	{"two globs, the first again", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_*=1\nnet.ipv4.tcp_*_timeout=2\nnet.ipv4.tcp_fin_*=1\n"}},
	{"two globs, the first anew", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_*=1\nnet.ipv4.tcp_*_timeout=2\nnet.ipv4.tcp_fin_*=3\n"}},
	{"two globs, the first anew and back", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_*=1\nnet.ipv4.tcp_*_timeout=2\nnet.ipv4.tcp_fin_*=3\nnet.ipv4.tcp_fin_*=1\n"}},
	{"two globs, the second refused", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_*=1\nnet.ipv4.tcp_*_timeout=nonsense\n"}},
	{"a star crosses no separator", tree{"etc/sysctl.d/a.conf": "net.*_timeout=1\nnet.ipv4*keepalive_intvl=1\n"}},
	{"a star for a directory", tree{"etc/sysctl.d/a.conf": "net.*.tcp_fin_timeout=1\n*.ipv4.tcp_keepalive_intvl=2\n"}},
	{"question marks", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_timeou?=1\nnet.ipv4.tcp_keepalive_intvl?=2\nnet.ipv?.tcp_keepalive_time=3\n"}},
	{"a question mark for a dot", tree{"etc/sysctl.d/a.conf": "net.ipv4.conf.lo?1.rp_filter=1\nnet?ipv4.tcp_fin_timeout=1\n"}},
	{"brackets", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_timeou[s-u]=1\nnet.ipv4.tcp_keepalive_intv[!a-k]=2\nnet.ipv4.tcp_keepalive_tim[^a]=3\nnet.ipv[[:digit:]].tcp_keepalive_probes=4\n"}},
	{"odd brackets", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_timeou[]t]=1\nnet.ipv4.tcp_keepalive_intv[!]k]=2\nnet.ipv4.tcp_keepalive_tim[e-]=3\nnet.ipv4.tcp_keepalive_prob[z-a]s=4\nnet.core.somaxcon[n\n"}},
	{"brackets with a blank", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin_timeou[ t]=1\n"}},
	{"brackets with a separator", tree{"etc/sysctl.d/a.conf": "net.ipv4.conf.lo[/.]1.rp_filter=1\nnet/ipv4/conf/lo[.]1/rp_filter=2\n"}},
	{"brackets with a backslash", tree{"etc/sysctl.d/a.conf": `net.ipv4.tcp_fin_timeou[\t]=1` + "\n"}},
	{"a backslash in a glob", tree{"etc/sysctl.d/a.conf": `net.ipv4.tcp_fin_timeou\t*=1` + "\n" + `net.ipv4.tcp_keepalive_int\*=1` + "\n"}},
	{"a backslash in a name", tree{"etc/sysctl.d/a.conf": `net.ipv4.tcp_fin_timeou\t=1` + "\n"}},
	{"braces without a glob", tree{"etc/sysctl.d/a.conf": "net.ipv4.{tcp_fin_timeout,tcp_keepalive_intvl}=1\n"}},
	{"braces with a glob", tree{"etc/sysctl.d/a.conf": "net.ipv4.{tcp_fin,tcp_keepalive_in}*=1\n"}},
	{"braces, one with a glob", tree{"etc/sysctl.d/a.conf": "net.ipv4.{tcp_fin_timeout,tcp_keepalive_int*}=1\n"}},
	{"braces inside braces", tree{"etc/sysctl.d/a.conf": "net.{ipv4.tcp_{fin,keepalive_in}*,core.somaxcon?}=1\n"}},
	{"braces around one", tree{"etc/sysctl.d/a.conf": "net.ipv4.{tcp_fin}*=1\nnet.ipv4.tcp_keepalive_{}*=2\n"}},
	{"braces that do not close", tree{"etc/sysctl.d/a.conf": "net.ipv4.{tcp_fin*=1\nnet.ipv4.tcp_keepalive_in*}=2\n"}},
	{"braces with nothing inside", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_fin{,_timeout}*=1\n"}},
	{"a glob that matches nothing", tree{"etc/sysctl.d/a.conf": "net.ipv9.*=1\n" + fin + "=1\n"}},
	{"a glob that fails leniently", tree{"etc/sysctl.d/a.conf": "-net.ipv4.tcp_fin*=1\n"}},

	// Lines.
	{"white space", tree{"etc/sysctl.d/a.conf": "\t " + fin + " \t=  5 \t\n\n  \n" + ports + " =\t10240   65535\n"}},
	{"comments", tree{"etc/sysctl.d/a.conf": "# " + fin + "=1\n;" + intvl + "=1\n  #" + ktime + "=1\n\t; " + probes + "=1\n"}},
	{"comments behind values", tree{"etc/sysctl.d/a.conf": fin + "=5 # five\n" + intvl + "=5;five\n" + ktime + "=5#\n"}},
	{"no line end", tree{"etc/sysctl.d/a.conf": fin + "=5"}},
	{"carriage returns and newlines", tree{"etc/sysctl.d/a.conf": fin + "=5\r\n\r\n#x\r\n" + intvl + "=6\r\n"}},
	{"carriage returns alone", tree{"etc/sysctl.d/a.conf": fin + "=5\r" + intvl + "=6\r#x\r" + ktime + "=7"}},
	{"newlines and carriage returns", tree{"etc/sysctl.d/a.conf": fin + "=5\n\r" + intvl + "=6\n\r\n"}},
	{"a carriage return in a comment", tree{"etc/sysctl.d/a.conf": "# x\r" + fin + "=5\n"}},
	{"NUL in a line", tree{"etc/sysctl.d/a.conf": fin + "=5\x00" + intvl + "=6\n\x00" + ktime + "=7\n"}},
	{"NUL in a comment", tree{"etc/sysctl.d/a.conf": "#\x00" + fin + "=5\n"}},
	{"a byte order mark", tree{"etc/sysctl.d/a.conf": "\ufeff" + fin + "=5\n" + intvl + "=5\n"}},
	{"UTF-16", tree{"etc/sysctl.d/a.conf": "\xff\xfen\x00e\x00t\x00.\x00i\x00p\x00v\x004\x00=\x005\x00\n\x00"}},
	{"form feeds and vertical tabs", tree{"etc/sysctl.d/a.conf": "\f" + fin + "=5\n" + intvl + "\v=6\n" + ktime + "=7\f\n" + probes + "=\v8\n"}},
	{"blanks of other alphabets", tree{"etc/sysctl.d/a.conf": "\u00a0" + fin + "=5\n" + intvl + "\u00a0=6\n" + ktime + "=\u00a07\n\u2003" + probes + "=8\n"}},
	{"no equals sign", tree{"etc/sysctl.d/a.conf": fin + " 5\n" + intvl + "\nx\n" + ktime + "=5\n"}},
	{"two equals signs", tree{"etc/sysctl.d/a.conf": fin + "=5=6\n" + intvl + "==5\n"}},
	{"a colon for equals", tree{"etc/sysctl.d/a.conf": fin + ": 5\n"}},
	{"quotes", tree{"etc/sysctl.d/a.conf": fin + "=\"5\"\n" + ports + "='1024 2048'\n\"" + intvl + "\"=5\n"}},
	{"no name", tree{"etc/sysctl.d/a.conf": "=5\n = 5\n-=5\n-\n--\n.=5\n/=5\n" + fin + "=5\n"}},
	{"an empty value", tree{"etc/sysctl.d/a.conf": fin + "=\n" + reserved + "=\n" + ports + "= \n"}},
	{"a set of ports", tree{"etc/sysctl.d/a.conf": reserved + "=8080,9000-9010\n"}},
	{"a pair with one number", tree{"etc/sysctl.d/a.conf": ports + "=20000\n"}},
	{"a number too many", tree{"etc/sysctl.d/a.conf": fin + "=5 6\n"}},
	{"numbers in other bases", tree{"etc/sysctl.d/a.conf": fin + "=010\n" + intvl + "=0x10\n" + ktime + "=+5\n" + backlog + "=-1\n"}},
	{"a continued line", tree{"etc/sysctl.d/a.conf": ports + "=10240 \\\n 65535\n" + fin + " \\\n=5\n"}},
	{"a dash", tree{"etc/sysctl.d/a.conf": "-" + fin + "=5\n - " + intvl + "=5\n"}},
	{"a dash and a blank", tree{"etc/sysctl.d/a.conf": "- " + fin + "=5\n-\t" + intvl + "=5\n"}},
	{"two dashes", tree{"etc/sysctl.d/a.conf": "--" + fin + "=5\n- -" + intvl + "=5\n---" + ktime + "=5\n"}},
	{"two dashes to exclude", tree{"etc/sysctl.d/a.conf": filters + "=1\n--" + filterLo + "\n"}},
	{"a dash and a blank to exclude", tree{"etc/sysctl.d/a.conf": filters + "=1\n- " + filterLo + "\n"}},
	{"a key that does not exist", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp_nonsense=1\n" + fin + "=5\n"}},
	{"a blank in the name", tree{"etc/sysctl.d/a.conf": "net.ipv4.tcp fin_timeout=1\nnet. ipv4.tcp_fin_timeout=1\n"}},
	{"one word", tree{"etc/sysctl.d/a.conf": "net=1\nx\n" + fin + "=5\n"}},
	{"a directory for a key", tree{"etc/sysctl.d/a.conf": "net.ipv4=1\n" + fin + "=5\n"}},
	{"the longest line", tree{"etc/sysctl.d/a.conf": fin + "=5\n#" + strings.Repeat("x", 1<<20-2) + "\n" + intvl + "=5\n"}},
	{"a line too long", tree{"etc/sysctl.d/a.conf": fin + "=5\n#" + strings.Repeat("x", 1<<20-1) + "\n" + intvl + "=5\n", "etc/sysctl.d/b.conf": ktime + "=5"}},
	{"a last line too long", tree{"etc/sysctl.d/a.conf": fin + "=5" + strings.Repeat(" ", 1<<20)}},
	{"a long value", tree{"etc/sysctl.d/a.conf": fin + "=5" + strings.Repeat(" ", 5000) + "6\n"}},

	// What public compliance projects test: ComplianceAsCode's template for
	// sysctl rules, with 5 for the value wanted and 9 for another.
	{"compliance: the line is a comment", tree{"etc/sysctl.conf": "# " + fin + " = 5\n"}},
	{"compliance: right in sysctl.conf", tree{"etc/sysctl.conf": fin + " = 5\n"}},
	{"compliance: right in etc", tree{"etc/sysctl.d/test.conf": fin + " = 5\n"}},
	{"compliance: right in usr/lib", tree{"usr/lib/sysctl.d/test.conf": fin + " = 5\n"}},
	{"compliance: right in usr/local/lib", tree{"usr/local/lib/sysctl.d/test.conf": fin + " = 5\n"}},
	{"compliance: wrong in usr/lib, right in etc under the same name", tree{"usr/lib/sysctl.d/sysctl.conf": fin + " = 9\n", "etc/sysctl.d/sysctl.conf": fin + " = 5\n"}},
	{"compliance: wrong in usr/lib, right in sysctl.conf", tree{"usr/lib/sysctl.d/50-test.conf": fin + " = 9\n", "etc/sysctl.conf": fin + " = 5\n"}},
	{"compliance: wrong in usr/local/lib behind etc", tree{"usr/local/lib/sysctl.d/99-test.conf": fin + " = 9\n", "etc/sysctl.d/50-test.conf": fin + " = 5\n"}},
	{"compliance: sysctl.conf and a drop-in agree", tree{"etc/sysctl.conf": fin + " = 5\n", "etc/sysctl.d/98-sysctl.conf": fin + " = 5\n"}},
	{"compliance: sysctl.conf and a drop-in disagree", tree{"etc/sysctl.conf": fin + " = 5\n", "etc/sysctl.d/98-sysctl.conf": fin + " = 9\n"}},
	{"compliance: two drop-ins agree", tree{"etc/sysctl.d/98-a.conf": fin + " = 5\n", "etc/sysctl.d/99-b.conf": fin + " = 5\n"}},
	{"compliance: two drop-ins disagree", tree{"etc/sysctl.d/98-a.conf": fin + " = 5\n", "etc/sysctl.d/99-b.conf": fin + " = 9\n"}},
	{"compliance: twice in one file", tree{"etc/sysctl.d/90-test.conf": fin + " = 5\n" + fin + " = 5\n"}},
	{"compliance: one name in etc and usr/lib, disagreeing", tree{"etc/sysctl.d/90-test.conf": fin + " = 9\n", "usr/lib/sysctl.d/90-test.conf": fin + " = 5\n"}},
	{"compliance: one name in etc and run", tree{"etc/sysctl.d/90-test.conf": fin + " = 5\n", "run/sysctl.d/90-test.conf": fin + " = 9\n"}},
	{"compliance: a link to another option's file", tree{"etc/sysctl.conf": intvl + " = 5\n", "etc/sysctl.d/90-test.conf": fin + " = 5\n", "etc/sysctl.d/99-sysctl.conf": "-> /etc/sysctl.conf"}},
	{"compliance: a link repeats sysctl.conf", tree{"etc/sysctl.conf": fin + " = 5\n", "etc/sysctl.d/90-sysctl.conf": "-> /etc/sysctl.conf", "etc/sysctl.d/99-sysctl.conf": "-> /etc/sysctl.conf"}},
	{"compliance: a link from root's home", tree{"root/root_sysctl.conf": fin + " = 5\n", "etc/sysctl.d/90-sysctl.conf": "-> /root/root_sysctl.conf"}},
	{"compliance: a link from root's home, disagreeing", tree{"root/root_sysctl.conf": fin + " = 9\n", "etc/sysctl.d/90-sysctl.conf": "-> /root/root_sysctl.conf", "etc/sysctl.conf": fin + " = 5\n"}},
	{"compliance: two links to one file", tree{"root/root_sysctl.conf": fin + " = 5\n", "etc/sysctl.d/90-a.conf": "-> /root/root_sysctl.conf", "etc/sysctl.d/91-b.conf": "-> /root/root_sysctl.conf"}},
	{"compliance: ufw's file is nobody's", tree{"etc/ufw/sysctl.conf": "net/ipv4/tcp_fin_timeout = 9\n", "etc/sysctl.d/90-test.conf": fin + " = 5\n"}},
}

func TestResolutionIsWhatTheLoadersDo(t *testing.T) {
	w := newWorld(t)
	set := 0
	for _, c := range trees {
		t.Run(c.name, func(t *testing.T) {
			c.tree.plant(t, w.root)
			for _, loader := range Loaders {
				a, _ := w.run(t, loader)
				if diff := cmp.Diff(a.Loader, a.Writes); diff != "" {
					t.Errorf("%s: what it did (-) and what we say that it does (+):\n%s\n%.2000s", loader, diff, a.Output)
				}
				if !maps.Equal(a.Loader, initial) {
					set++
				}
			}
		})
	}
	if set < len(trees) {
		t.Errorf("of %d runs only %d set anything: are the loaders at work?", 2*len(trees), set)
	}
}
