package facts

import (
	"errors"
	"fmt"

	"github.com/tcptune/tcptune/sysctl"
)

// SurveySchema is the version of the form of [Survey] in JSON
// (docs/facts-namespaces.schema.json). Its snapshots carry their own.
const SurveySchema = 1

// A Survey is the snapshots of all network namespaces of a host, as far as they
// were found and could be looked at.
type Survey struct {
	Schema  int    `json:"schema"`
	Version string `json:"tcptune"` // the version that wrote it
	// Namespaces are at least one: the host's, which holds the sums of all, comes
	// first.
	Namespaces []Surveyed         `json:"namespaces"`
	Skipped    []SkippedNamespace `json:"skipped"`
}

// Surveyed is a network namespace that could be looked at.
type Surveyed struct {
	// Processes is how many run in it, of those that could be seen; -1 if that is
	// not known.
	Processes int       `json:"processes"`
	Snapshot  *Snapshot `json:"snapshot"`
}

// SkippedNamespace is one that could not be looked at.
type SkippedNamespace struct {
	Name   string `json:"name"`
	ID     string `json:"id"` // as in /proc/self/ns/net
	Reason string `json:"reason"`
}

// Host is the host's snapshot.
func (v *Survey) Host() *Snapshot { return v.Namespaces[0].Snapshot }

// validate refuses what is no survey of one host.
func (v *Survey) validate() error {
	if len(v.Namespaces) == 0 {
		return errors.New("no network namespace in it")
	}
	seen := map[string]int{}
	for i, n := range v.Namespaces {
		s := n.Snapshot
		if s == nil {
			return fmt.Errorf("namespace %d has no snapshot", i+1)
		}
		if err := s.accept(); err != nil {
			return fmt.Errorf("namespace %d, %.80q: %w", i+1, s.Namespace.ID, err)
		}
		if first, twice := seen[s.Namespace.ID]; twice {
			return fmt.Errorf("namespaces %d and %d are both %.80q", first, i+1, s.Namespace.ID)
		}
		seen[s.Namespace.ID] = i + 1
		switch host := v.Host(); {
		case s.Kernel != host.Kernel:
			return fmt.Errorf("namespace %d is on Linux %v, and the first on %v", i+1, s.Kernel, host.Kernel)
		case i > 0 && s.Everywhere != nil:
			return fmt.Errorf("namespace %d holds the sums of all, which the first does", i+1)
		}
	}
	return nil
}

// accept fills what may be left out and refuses what no host can show.
func (s *Snapshot) accept() error {
	if s.Sysctls == nil {
		s.Sysctls = map[sysctl.Key]Reading{}
	}
	s.Asked = append([]Assignment{}, s.Asked...)
	s.NAT = append([]NATEvidence{}, s.NAT...)
	if err := checkSchema("snapshot", &s.Schema, s.Version, SchemaVersion); err != nil {
		return err
	}
	if err := s.validate(); err != nil {
		return fmt.Errorf("snapshot makes no sense: %w", err)
	}
	return nil
}
