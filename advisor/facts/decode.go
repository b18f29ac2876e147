package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/tcpstate"
	"github.com/tcptune/tcptune/sysctl"
)

// maxBytes is far above what any host yields: some 30 KB for each namespace and
// 80 bytes for each listener.
const maxBytes = 256 << 20

// Encode writes a snapshot as JSON, the same bytes for the same content.
func Encode(w io.Writer, s *Snapshot) error { return printable.JSON(w, s) }

// Decode reads a snapshot that Encode wrote, on this machine or another. A
// snapshot of a newer form, one that is cut short and one that holds what no
// host can show are errors that say so; a [Survey] is a [*SurveyError].
func Decode(r io.Reader) (*Snapshot, error) {
	s, survey, err := DecodeEither(r)
	if survey != nil {
		return nil, &SurveyError{len(survey.Namespaces)}
	}
	return s, err
}

// A SurveyError is that a survey stands where one snapshot is wanted.
type SurveyError struct{ Namespaces int }

func (e *SurveyError) Error() string {
	return fmt.Sprintf("holds snapshots of all network namespaces of a host (%d), and one is wanted here", e.Namespaces)
}

// DecodeEither reads a snapshot or a survey and gives one of the two. It fails as
// Decode does.
func DecodeEither(r io.Reader) (*Snapshot, *Survey, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxBytes {
		return nil, nil, fmt.Errorf("snapshot is larger than %d MiB", maxBytes>>20)
	}
	var form struct {
		Schema     *int            `json:"schema"`
		Version    string          `json:"tcptune"`
		Namespaces json.RawMessage `json:"namespaces"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, nil, explainJSON(text, err)
	}
	if form.Namespaces != nil {
		if err := checkSchema("survey of namespaces", form.Schema, form.Version, SurveySchema); err != nil {
			return nil, nil, err
		}
		survey := new(Survey)
		if err := strict(text, survey); err != nil {
			return nil, nil, err
		}
		survey.Skipped = append([]SkippedNamespace{}, survey.Skipped...)
		if err := survey.validate(); err != nil {
			return nil, nil, err
		}
		return nil, survey, nil
	}
	if err := checkSchema("snapshot", form.Schema, form.Version, SchemaVersion); err != nil {
		return nil, nil, err
	}
	s := new(Snapshot)
	if err := strict(text, s); err != nil {
		return nil, nil, err
	}
	if err := s.accept(); err != nil {
		return nil, nil, err
	}
	return s, nil, nil
}

// checkSchema refuses a form that this version does not read.
func checkSchema(what string, schema *int, version string, newest int) error {
	switch {
	case schema == nil:
		return errors.New("not a snapshot: no \"schema\" in it (tcptune facts writes one)")
	case *schema > newest:
		return fmt.Errorf("%s has schema %d, written by tcptune %.40q; this tcptune reads up to %d", what, *schema, version, newest)
	case *schema < 1:
		return fmt.Errorf("%s has schema %d, which never was", what, *schema)
	}
	return nil
}

// strict takes no field that is not known.
func strict(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return explainJSON(text, err)
	}
	return nil
}

func explainJSON(text []byte, err error) error {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		if int(syntax.Offset) >= len(bytes.TrimSpace(text)) {
			return fmt.Errorf("snapshot ends in the middle, after %d bytes", len(text))
		}
		line := 1 + bytes.Count(text[:syntax.Offset], []byte("\n"))
		return fmt.Errorf("snapshot is not JSON: line %d: %w", line, err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("snapshot ends in the middle, after %d bytes", len(text))
	}
	return fmt.Errorf("read snapshot: %w", err)
}

// validate refuses what no host can show, so that the arithmetic behind it need
// not fear it.
func (s *Snapshot) validate() error {
	if s.Kernel.IsZero() {
		return errors.New("no kernel release")
	}
	check := validator{}
	check.count("host.memory_kib", s.Host.MemoryKiB)
	if size := s.Host.PageSize; size != 0 && (size < 4<<10 || size > 1<<20) {
		check.fail("host.page_size is %d", size)
	}
	check.count("host.cpus", int64(s.Host.CPUs))
	for key := range s.Sysctls {
		check.key("sysctls", key)
	}
	for _, a := range s.Asked {
		if a.Malformed == "" {
			check.key("asked", a.Key)
		}
	}
	for _, m := range s.Managers {
		for _, hold := range m.Sets {
			check.key("managers", hold.Key)
		}
	}
	for group, counters := range s.Counters {
		for name, n := range counters {
			check.number("counters."+group+"."+name, n)
		}
	}
	if w := s.Window; w != nil {
		if !(w.Seconds > 0) || math.IsInf(w.Seconds, 0) {
			check.fail("window.seconds is %v", w.Seconds)
		}
		for group, counters := range w.Increase {
			for name, n := range counters {
				check.number("window."+group+"."+name, n)
			}
		}
	}
	if st := s.Sockstat; st != nil {
		for _, n := range []int64{st.InUse, st.InUse6, st.TimeWait, st.Orphan, st.Alloc, st.MemPages} {
			check.count("sockstat", n)
		}
	}
	if so := s.Sockets; so != nil {
		for _, counts := range []StateCounts{so.IPv4, so.IPv6, so.EitherFamily, so.Served} {
			for word, n := range counts {
				if state, ok := tcpstate.Parse(word); !ok || state.Info().Word != word {
					check.fail("%.40q is not a TCP state", word)
				}
				check.count("sockets."+word, n)
			}
		}
		for _, l := range so.Listeners {
			check.port("sockets.listeners", l.Port)
			check.count("sockets.listeners.queue", l.Queue)
			check.count("sockets.listeners.limit", l.Limit)
			if l.SynRecv != nil {
				check.count("sockets.listeners.syn_recv", *l.SynRecv)
			}
		}
		for _, spread := range []Spread{so.Outbound, so.SynSent} {
			check.count("sockets: distinct destinations", spread.Distinct)
			check.count("sockets: error of destinations", spread.Error)
			check.count("sockets: sockets towards destinations", spread.Sockets)
			if sample := spread.Sample; sample != nil {
				check.count("sockets: sample", sample.Looked)
				check.count("sockets: sample", sample.Of)
			}
			for _, target := range spread.Top {
				check.port("sockets: destination", target.Port)
				check.count("sockets: destination", target.Sockets)
				check.count("sockets: destination", target.TimeWait)
			}
		}
		for _, ownership := range so.Owners {
			check.count("sockets.owners", ownership.Sockets)
			check.count("sockets.owners", ownership.More)
			for _, owner := range ownership.Top {
				check.count("sockets.owners", owner.Sockets)
				check.count("sockets.owners", owner.Processes)
				check.count("sockets.owners", owner.PID)
			}
		}
		check.count("sockets.orphans", so.Orphans)
		check.count("sockets.fin_wait2_orphans", so.FinWait2Orphans)
		check.count("sockets.close_wait_unaccepted", so.CloseWaitUnaccepted)
	}
	return check.err
}

// A validator keeps the first thing found wrong.
type validator struct{ err error }

func (c *validator) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// count refuses negative numbers, and those so large that sums or percentages of
// them could overflow.
func (c *validator) count(what string, n int64) {
	if n < 0 || n > 1<<53 {
		c.fail("%.80q is %d", what, n)
	}
}

// number lets negative ones pass: Tcp.MaxConn is -1 where there is no limit.
// Bytes counted since boot may be more than a count of things.
func (c *validator) number(what string, n int64) {
	if n < -(1<<62) || n > 1<<62 {
		c.fail("%.80q is %d", what, n)
	}
}

func (c *validator) port(what string, n int) {
	if n < 0 || n > 65535 {
		c.fail("%s: %d is not a port", what, n)
	}
}

func (c *validator) key(what string, k sysctl.Key) {
	if parsed, err := sysctl.ParseKey(string(k)); err != nil || parsed != k {
		c.fail("%s: %.80q is not a parameter's name", what, string(k))
	}
}
