package observe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/tcptune/tcptune/advisor/facts"
	"github.com/tcptune/tcptune/sysctl"
	"github.com/tcptune/tcptune/sysctl/netns"
)

// OperatorSaysNAT is the evidence of an operator who knows that clients come
// through address translation.
var OperatorSaysNAT = facts.NATEvidence{Kind: "operator", Where: "--behind-nat", What: "the operator says that clients come through address translation"}

// nat collects what speaks for address translation. None of it sees a NAT in
// front of the clients, which is the one that matters to tcp_tw_recycle; only
// connections rejected for their timestamps hint at that.
func nat(s *facts.Snapshot, operatorSaysSo bool) {
	s.NAT = []facts.NATEvidence{}
	seen := func(kind, where, format string, args ...any) {
		s.NAT = append(s.NAT, facts.NATEvidence{Kind: kind, Where: where, What: fmt.Sprintf(format, args...)})
	}
	if operatorSaysSo {
		s.NAT = append(s.NAT, OperatorSaysNAT)
	}
	if n := s.Counters["TcpExt"]["PAWSPassive"]; n > 0 {
		seen("paws", "TcpExt PAWSPassive", "%d new connections rejected for their timestamps, as happens to clients that share an address", n)
	}
	for _, forwarding := range []struct {
		key    sysctl.Key
		family string
	}{{"net.ipv4.ip_forward", "IPv4"}, {"net.ipv6.conf.all.forwarding", "IPv6"}} {
		if s.Sysctls[forwarding.key].Value == "1" {
			seen("forwarding", string(forwarding.key), "%s packets are forwarded", forwarding.family)
		}
	}
	if n := s.Sysctls["net.netfilter.nf_conntrack_count"].Value; n != "" && n != "0" {
		seen("conntrack", "net.netfilter.nf_conntrack_count", "%s connections are tracked", n)
	}
	errLegacy := legacyTables(seen)
	errNFT := nftChains(seen)
	if err := errors.Join(errLegacy, errNFT); err != nil {
		s.Gaps[facts.PartNAT] = gap(err)
	}
}

// legacyTables looks whether iptables-legacy registered a nat table; that says
// nothing of rules in it.
func legacyTables(seen func(kind, where, format string, args ...any)) error {
	for _, name := range []string{"ip_tables_names", "ip6_tables_names"} {
		path := filepath.Join(netns.ThreadDir(), "net", name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, table := range strings.Fields(string(text)) {
			if table == "nat" {
				seen("nat table", path, "a nat table is registered")
			}
		}
	}
	return nil
}

// nftChains looks for rules that translate addresses, those of iptables-nft
// included, in all chains of the tables that have one of type nat: the rule may
// stand in a chain to which that one jumps. One such chain of a table is enough.
func nftChains(seen func(kind, where, format string, args ...any)) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	chains, err := conn.ListChains()
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", err)
	}
	type table struct {
		family nftables.TableFamily
		name   string
	}
	translate := map[table]bool{} // and not yet seen to
	for _, chain := range chains {
		if chain.Type == nftables.ChainTypeNAT {
			translate[table{chain.Table.Family, chain.Table.Name}] = true
		}
	}
	for _, chain := range chains {
		of := table{chain.Table.Family, chain.Table.Name}
		if !translate[of] {
			continue
		}
		rules, err := conn.GetRules(chain.Table, chain)
		if err != nil {
			return fmt.Errorf("list nftables rules: %w", err)
		}
		translating := 0
		for _, rule := range rules {
			for _, e := range rule.Exprs {
				if translates(e) {
					translating++
					break
				}
			}
		}
		if translating > 0 {
			seen("masquerade", fmt.Sprintf("nftables chain %s %s", chain.Table.Name, chain.Name), "%d rules translate addresses", translating)
			delete(translate, of)
		}
	}
	return nil
}

func translates(e expr.Any) bool {
	switch e := e.(type) {
	case *expr.Masq, *expr.NAT, *expr.Redir:
		return true
	case *expr.Target:
		switch e.Name {
		case "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP":
			return true
		}
	}
	return false
}
