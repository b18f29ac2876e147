package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcptune/tcptune/advisor/printable"
	"github.com/tcptune/tcptune/advisor/regular"
	"github.com/tcptune/tcptune/sysctl"
)

const (
	// DefaultDropIn is the one file of sysctl.d that tcptune writes.
	DefaultDropIn = "/etc/sysctl.d/90-tcptune.conf"
	// Header is the first line of every drop-in. A file without it is somebody
	// else's and is not touched.
	Header = "# Written by tcptune; changes made here will be lost."

	// sumLine and journalLine follow the header, in this order. The sum is that
	// of all behind its line.
	sumLine     = "# sha256: "
	journalLine = "# Journal: "

	maxDropIn = 1 << 20
)

// A Layer is what one transaction adds to a drop-in, a file of sysctl.d that
// makes settings outlast a reboot. The file is computed from the layers of all
// transactions in force, the newest of which wins parameter by parameter, and
// does not exist if they set nothing.
type Layer struct {
	Path     string    `json:"path"` // absolute
	Settings []Setting `json:"settings,omitempty"`
	// Alone: the older layers do not count any more. Alone without settings it
	// takes the file away.
	Alone bool `json:"alone,omitempty"`
	// Replaced is what somebody had made of the file, if Force replaced it.
	Replaced []byte `json:"replaced,omitempty"`
}

// A Setting is one parameter of a drop-in.
type Setting struct {
	Key     sysctl.Key   `json:"key"`
	Value   sysctl.Value `json:"value"`
	Because string       `json:"because,omitempty"`
}

func (l *Layer) check() error {
	seen := make(map[sysctl.Key]bool)
	for _, s := range l.Settings {
		if seen[s.Key] {
			return fmt.Errorf("write drop-in %s: %s is set twice", l.Path, s.Key)
		}
		seen[s.Key] = true
		if err := writable(s.Key, s.Value); err != nil {
			return fmt.Errorf("write drop-in %s: %w", l.Path, err)
		}
	}
	return checkDropInPath(l.Path)
}

// trustedDropIn refuses a folder that others could exchange for another one.
func trustedDropIn(path string) error {
	if err := regular.OthersAbove(path); err != nil {
		return fmt.Errorf("write drop-in %s: %w", path, err)
	}
	return nil
}

func checkDropInPath(path string) error {
	name := filepath.Base(path)
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !strings.HasSuffix(name, ".conf") || name[0] == '.' {
		return fmt.Errorf("write drop-in %q: want an absolute path without dots that ends in .conf", path)
	}
	return nil
}

// atBoot is what the loader finds, as far as inOrder asks for it: the defaults
// since Linux 4.11 (net/ipv4/af_inet.c, inet_init_net). Before, any order will do.
var atBoot = map[sysctl.Key]sysctl.Value{
	"net.ipv4.ip_local_port_range":        "32768 60999",
	"net.ipv4.ip_unprivileged_port_start": "1024",
}

// render computes the file from the transactions whose layers are in force,
// oldest first. It is nil if there is to be none.
func render(journal string, entries []Entry) []byte {
	var settings Set // Because with the profile before it
	for _, e := range entries {
		if e.Layer.Alone {
			settings = nil
		}
		for _, s := range e.Layer.Settings {
			c := Change{Key: s.Key, From: atBoot[s.Key], To: s.Value, Because: strings.Trim(e.Profile+": "+s.Because, ": ")}
			if i := settings.index(s.Key); i >= 0 {
				settings[i] = c
			} else {
				settings = append(settings, c)
			}
		}
	}
	if len(settings) == 0 {
		return nil
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "%s%s\n", journalLine, printable.Text(journal))
	for _, s := range settings.inOrder() {
		body.WriteByte('\n')
		if because := strings.Join(strings.Fields(s.Because), " "); because != "" { // one line, wherever it came from
			fmt.Fprintf(&body, "# %s\n", printable.Text(because))
		}
		fmt.Fprintf(&body, "%s = %s\n", s.Key, strings.Join(s.To.Fields(), " "))
	}
	return slices.Concat([]byte(Header+"\n"+sumLine+hash(body.Bytes())+"\n"), body.Bytes())
}

// edited is why a file of ours is not as tcptune wrote it, or "".
func edited(content []byte, journal string) string {
	_, rest, _ := bytes.Cut(content, []byte("\n"))
	sum, body, _ := bytes.Cut(rest, []byte("\n"))
	where, _, _ := bytes.Cut(body, []byte("\n"))
	switch {
	case !bytes.HasPrefix(sum, []byte(sumLine)):
		return "it does not hold the sum that tells whether somebody edited it"
	case string(sum) != sumLine+hash(body):
		return "somebody edited it since tcptune wrote it"
	case string(where) != journalLine+printable.Text(journal):
		return "a tcptune with another journal wrote it (" + strings.TrimPrefix(string(where), "# ") + ")"
	}
	return ""
}

// A dropIn is a file as it is and as it is to be; nil is no file.
type dropIn struct {
	path      string
	now, want []byte
}

func (f *dropIn) same() bool { return bytes.Equal(f.now, f.want) }

// dropIn looks at the drop-in of a transaction. With force it notes in the layer
// what it replaces.
func (v view) dropIn(e *Entry, force bool) (*dropIn, error) {
	f := &dropIn{path: e.Layer.Path}
	var err error
	if f.now, err = readDropIn(v.j.disk, f.path); err != nil {
		return nil, err
	}
	if err := v.damaged(); err != nil { // which may hold a layer
		return nil, err
	}
	settled := v.layers(f.path, e.ID)
	before := render(v.j.dir, settled)
	f.want = render(v.j.dir, oldestFirst(append(settled, *e)))
	why := ""
	switch {
	case f.same(), e.Layer.Replaced != nil && bytes.Equal(f.now, e.Layer.Replaced):
	case f.now == nil && before != nil:
		why = "somebody removed it since tcptune wrote it"
	case f.now != nil:
		why = edited(f.now, v.j.dir)
	}
	if why != "" && !force {
		return nil, &EditedError{Path: f.path, Why: why}
	}
	if why != "" {
		e.Layer.Replaced = f.now
	}
	return f, nil
}

// placeable refuses where a file cannot be replaced, or not safely.
func placeable(path string) error {
	if err := trustedDropIn(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	// Asked of the kernel, since the mode does not tell of a read-only mount.
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("write drop-in %s: directory %s: %w", path, dir, err)
	}
	return nil
}

// Preview computes what a request would make of its drop-in, and what that is
// now; nil stands for no file. It reads the journal and writes nothing. A file
// that Apply would not replace it refuses, too.
func (j *Journal) Preview(r Request) (now, then []byte, err error) {
	if err := r.check(); err != nil || r.Persist == nil {
		return nil, nil, err
	}
	if err := trustedDropIn(r.Persist.Path); err != nil {
		return nil, nil, err
	}
	v, err := j.see()
	if err != nil {
		return nil, nil, err
	}
	layer := *r.Persist
	f, err := v.dropIn(&Entry{ID: v.newID(), Profile: r.Profile, Layer: &layer}, r.Force)
	if err != nil {
		return nil, nil, err
	}
	return f.now, f.want, nil
}

// put gives a drop-in the content that it is to have, if it still has the one
// that was seen.
func (j *Journal) put(f *dropIn, id string) error {
	now, err := readDropIn(j.disk, f.path)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(now, f.now):
		return fmt.Errorf("write drop-in %s: it was changed by somebody else just now", f.path)
	case f.same():
		// It may be as a run made it that was cut off before it was durable.
		if err = j.disk.sync(filepath.Dir(f.path)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	case f.want == nil:
		err = j.remove(f.path)
	default:
		err = j.replace(f.path, id, f.want, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write drop-in: %w", err)
	}
	return nil
}

// outcome says what put does, or did.
func (f *dropIn) outcome(written FileOutcome) *FileResult {
	switch {
	case f.same():
		written = FileSame
	case f.want == nil:
		written = FileRemoved
	}
	return &FileResult{Path: f.path, Outcome: written}
}

// readDropIn reads a drop-in of ours. It is nil if there is no file.
func readDropIn(d disk, path string) ([]byte, error) {
	content, err := d.read(path, maxDropIn)
	switch why := notAFile(""); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.As(err, &why):
		return nil, &NotOursError{Path: path, Why: string(why)}
	case err != nil:
		return nil, fmt.Errorf("read drop-in: %w", err)
	}
	if first, _, _ := bytes.Cut(content, []byte("\n")); string(first) != Header {
		return nil, &NotOursError{Path: path, Why: "its first line does not say that tcptune wrote it"}
	}
	return content, nil
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
