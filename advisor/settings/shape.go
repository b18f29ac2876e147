package settings

import (
	"strings"

	"github.com/tcptune/tcptune/sysctl"
)

// A shape is what the lines of a text look like, as far as needed to tell the
// forms apart. Blank lines and comments count for nothing.
type shape struct {
	assignments int // to parameters
	others      int
	named       int      // others that begin with the name of a parameter
	headings    []string // such as "[sysctl]"
	from        bool     // the first line that counts begins with FROM or ARG
	recipes     bool     // a line "target:" is followed by one that begins with a tab
	yaml        bool     // the first line that counts could begin YAML

	printed  int  // assignments spelled as sysctl(8) prints them
	noise    int  // what sysctl(8) complains
	readOnly int  // assignments to parameters that cannot be set
	tabs     bool // a value with tabs between numbers, as the kernel prints them
	sorted   bool // the printed ones are in order
	repeated bool // a key comes again, other than in the next line
	late     bool // comments or blank lines come after the first assignment
}

// roots are the folders in /proc/sys.
var roots = map[string]bool{
	"abi": true, "crypto": true, "debug": true, "dev": true, "fs": true, "kernel": true,
	"net": true, "sunrpc": true, "user": true, "vm": true, "xen": true,
}

// parameterName reads what can only be the name of a parameter: of at least two
// elements, of which the first is one of the roots.
func parameterName(s string) (sysctl.Key, bool) {
	i := strings.IndexAny(s, "./")
	if i <= 0 || !roots[s[:i]] || strings.ContainsAny(s, " \t\"'$(){}:,;|&<>") {
		return "", false
	}
	key, err := sysctl.ParseKey(s)
	return key, err == nil
}

func shapeOf(text string) shape {
	sh := shape{sorted: true}
	var seen map[sysctl.Key]bool
	var last sysctl.Key
	var lastPath string
	target := false
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			sh.late = sh.late || sh.assignments > 0
			continue
		}
		first := sh.assignments+sh.others+len(sh.headings) == 0
		if target && line[0] == '\t' {
			sh.recipes = true
		}
		target = line[0] != '\t' && line[0] != ' ' && strings.Contains(line, ":") && !strings.Contains(line, ": ") || target && line[0] == '\t'
		name, value, assigns := strings.Cut(trimmed, "=")
		bare := strings.TrimPrefix(strings.TrimSpace(name), "-")
		key, known := parameterName(bare)
		switch {
		case known && (assigns || trimmed[0] == '-'):
			sh.assignments++
			if !strings.HasPrefix(line, bare+" =") {
				break
			}
			sh.printed++
			sh.tabs = sh.tabs || tabbed(value)
			if stateKeys[key] {
				sh.readOnly++
			}
			if key != last {
				if seen == nil {
					seen = map[sysctl.Key]bool{}
				}
				sh.repeated = sh.repeated || seen[key]
				seen[key] = true
				// Slashes sort ahead of what names are made of, so that folders come
				// together, as in a walk.
				walk := strings.ReplaceAll(key.Path(), "/", "\x01")
				sh.sorted = sh.sorted && lastPath < walk
				last, lastPath = key, walk
			}
		case strings.HasPrefix(trimmed, "sysctl: "):
			sh.noise++
		case trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']' && !strings.ContainsAny(trimmed, ",\""):
			sh.headings = append(sh.headings, trimmed)
		default:
			sh.others++
			if _, named := parameterName(strings.Fields(trimmed)[0]); named {
				sh.named++
			}
			if first {
				word, _, _ := strings.Cut(strings.ToUpper(trimmed), " ")
				sh.from = word == "FROM" || word == "ARG"
				sh.yaml = startsYAML(trimmed)
			}
		}
	}
	return sh
}

// startsYAML reports whether a line could begin a document with a list or a
// mapping.
func startsYAML(line string) bool {
	if line[0] == '{' || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "%YAML") || strings.HasPrefix(line, "- ") {
		return true
	}
	key, rest, found := strings.Cut(line, ":")
	return found && (rest == "" || rest[0] == ' ' || rest[0] == '\t') && !strings.ContainsAny(strings.Trim(key, `"'`), " \t\"'")
}

// tabbed reports whether a value is numbers with tabs between them.
func tabbed(value string) bool {
	value = strings.TrimSpace(value)
	return strings.Contains(value, "\t") && strings.Trim(value, "-0123456789\t") == ""
}

// stateKeys are parameters that only tell, so that a file in which they have
// values was printed and not written (mode 0444 in kernel/, fs/ and net/ of
// Linux).
var stateKeys = map[sysctl.Key]bool{
	"fs.dentry-state": true, "fs.file-nr": true, "fs.inode-nr": true, "fs.inode-state": true,
	"kernel.cap_last_cap": true, "kernel.ngroups_max": true, "kernel.osrelease": true, "kernel.ostype": true,
	"kernel.pty.nr": true, "kernel.random.boot_id": true, "kernel.random.entropy_avail": true,
	"kernel.random.uuid": true, "kernel.version": true,
	"net.ipv4.tcp_available_congestion_control": true, "net.ipv4.tcp_available_ulp": true,
	"net.netfilter.nf_conntrack_count": true,
}

// wholeDump is the number of assignments that nobody writes by hand without a
// comment or a blank line. Kernels print a thousand and more.
const wholeDump = 200

// dump reports whether sysctl(8) printed the text: it holds nothing else, and
// it is long, or tells what nobody sets, or has the kernel's order and tabs.
func (sh shape) dump() bool {
	if sh.printed == 0 || sh.printed != sh.assignments || sh.others > 0 || sh.headings != nil || sh.late || sh.repeated {
		return false
	}
	return sh.printed >= wholeDump || sh.printed >= 10 && (sh.readOnly > 0 || sh.noise > 0) || sh.printed >= 20 && sh.tabs && sh.sorted
}
