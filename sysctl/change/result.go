package change

import "github.com/tcptune/tcptune/sysctl"

// ResultSchema is the version of the result's form in JSON
// (docs/result.schema.json).
const ResultSchema = 2

// Unchanged is the state of a Result of nothing: all was as wanted, and no
// transaction was made.
const Unchanged = "unchanged"

// A Result tells what was done, parameter by parameter.
type Result struct {
	Schema int `json:"schema"`
	// ID is the transaction's. It is empty if there was nothing to change, and
	// then nothing was journalled.
	ID    string `json:"id,omitempty"`
	State State  `json:"state"` // of the transaction, or Unchanged
	// DryRun: nothing was written, and all else is what would be.
	DryRun bool `json:"dry_run,omitempty"`
	// Written was changed by Apply, in this order.
	Written Set `json:"written,omitempty"`
	// Restored was put back to its From, in this order; To is what it held.
	Restored Set `json:"restored,omitempty"`
	// Same held the wanted value already: To for Apply, From for Rollback.
	Same Set `json:"same,omitempty"`
	// Left was not put back because it is not the transaction's any more.
	Left []Left `json:"left,omitempty"`
	// Covered was not put back because a newer transaction holds it, which is
	// named: it comes back with that one.
	Covered map[sysctl.Key]string `json:"covered,omitempty"`
	// DropIn is nil if the transaction has none, or has not touched it yet.
	DropIn *FileResult `json:"drop_in,omitempty"`
	// Window is set if the transaction waits to be confirmed.
	Window *Window `json:"window,omitempty"`
	// Rebooted: the transaction is of an earlier boot, so its values are gone
	// and only the drop-in was dealt with.
	Rebooted bool `json:"rebooted,omitempty"`
}

// touched reports whether undo had anything to put back or to leave.
func (r Result) touched() bool {
	return len(r.Restored)+len(r.Left)+len(r.Covered) > 0 || r.DropIn != nil && r.DropIn.Outcome != FileSame
}

// Left is a parameter that undo did not touch.
type Left struct {
	Key    sysctl.Key   `json:"key"`
	Wanted sysctl.Value `json:"wanted"` // what undo would have put back
	Found  sysctl.Value `json:"found"`
	Why    string       `json:"why"`
}

// A FileResult tells what happened to the drop-in.
type FileResult struct {
	Path    string      `json:"path"`
	Outcome FileOutcome `json:"outcome"`
	Why     string      `json:"why,omitempty"` // why it was left
}

// A FileOutcome is what happened to a file.
type FileOutcome string

const (
	FileWritten  FileOutcome = "written"
	FileSame     FileOutcome = "unchanged" // it held the wanted content, or was absent as wanted
	FileRestored FileOutcome = "restored"
	FileRemoved  FileOutcome = "removed"
	FileLeft     FileOutcome = "left"
)
