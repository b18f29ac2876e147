// Package change applies a set of parameter changes as one: all of them take
// effect, or none does and every value is what it was. Each transaction is
// journalled with the old values and can be rolled back later.
//
// # The order of steps
//
// [Apply] goes through these steps, and [Journal.Lock] keeps two runs apart.
//
//  1. Look. Every value is read again. What holds the wanted value already is
//     not written; if anything else is not what the plan was made from, the plan
//     is stale and nothing is done ([MovedError]). The kernel is asked whether
//     each parameter, and the drop-in's directory, may be written.
//  2. Journal. The entry, with the values just read, is written to a temporary
//     file, flushed, renamed and its directory flushed: it is on disk before
//     the first write. State: begun.
//  3. Write. One parameter after the other, each looked at just before and read
//     back just after.
//  4. Drop-in, if the change is to outlast a reboot: one file of sysctl.d is
//     replaced the same way as the entry.
//  5. Journal. State: applied.
//
// A failure in steps 3 to 5, or a cancelled context, makes Apply go back the
// way it came, in reverse order, and end with the state undone ([UndoneError])
// or, where the kernel would not take an old value back, undo failed
// ([UndoFailedError]). A program should cancel the context on SIGINT, SIGTERM
// and SIGHUP: the change may be what cuts off the login it came from.
//
// # A window to confirm in
//
// With a [Request.Window] the state after step 3 is unconfirmed, and step 4 waits
// for [Confirm]: a reboot in between leaves the host as it was before. Between 2
// and 3 [Request.Arm] arranges for whoever calls [Rollback] at the deadline. That
// one holds the lock, reads the entry again, and acts if it still
// [Entry.AwaitsConfirmation] and its time is over ([Journal.Remaining]), since
// [Extend] only writes another deadline. Whoever it is says by [Journal.Guard] that
// it lives. Nothing else is applied in the meantime ([UnconfirmedError]).
//
// # What a crash leaves
//
//	killed           on disk                  parameters        next step
//	in 2             nothing, or a hidden     old               none
//	                 temporary file
//	after 2, in 3    entry: begun             old, or some new  Recover
//	in 4             entry: begun             all new           Recover
//	after 4          entry: begun; drop-in    all new           Recover
//	after 5          entry: applied           all new           none needed
//	in the window    entry: unconfirmed       all new           Confirm or Rollback
//	in Confirm       entry: confirming, or    all new           Recover
//	                 still unconfirmed;
//	                 drop-in or not yet
//	while undoing    entry: begun             some new          Recover
//	in Rollback      entry: rolling back,     some new          Recover
//	                 or still as before
//	in Recover       entry as before          some new          Recover
//
// Where the table says Recover, Apply refuses with an [UnfinishedError] until
// [Recover], or [Rollback], was called; either can be called again if it is
// itself killed. Temporary files that were left are removed by the next run that
// locks.
//
// If the host went down altogether, the parameters start from their defaults and
// what the boot's sysctl.d gives them; then only a drop-in that was left behind,
// or taken away, is unfinished business. The same holds for a power loss at any
// moment, whatever it took of what had not been flushed.
//
// # Whose value is it
//
// Rollback puts an old value back only where the parameter still holds what the
// transaction wrote. A parameter that holds something else belongs to somebody
// else now: it is left alone and reported, unless [Undo.Force] says otherwise,
// then or later.
// The kernel has no compare-and-write: whoever writes in the microseconds between
// the look and the write is not noticed.
//
// The old value is put back to the letter, also if it never made sense.
//
// # Layers
//
// Transactions lie upon each other, and come off in any order. To each belong the
// parameters that it wrote and those that it found as wanted. A parameter that
// belongs to a newer transaction, too, stays as it is when the older one is rolled
// back, and the entry records by whom it is covered. When that one comes off it
// brings back what would be there had neither been: not the value of the
// transaction that is gone, but the one from before it. Where somebody else wrote
// between the two, theirs.
//
// The drop-in is computed from the layers of all transactions in force, whatever
// their boot and namespace; the newest wins parameter by parameter. Rolling back a
// transaction writes the file without it, and the last one removes it. Its second
// line is a sum of the rest, and its third names the journal: a file of which
// either is wrong was edited, or is another journal's, and is neither replaced nor
// removed without force ([EditedError]). What Force replaced comes back with a
// rollback. A file without our first line is never touched ([NotOursError]).
//
// # Where is it
//
// Values written with sysctl live in one network namespace of one boot. The
// entry names both, and Rollback refuses to write one namespace's values into
// another ([NamespaceError]). Values of an earlier boot are gone; of such an
// entry only the drop-in is left to undo. The identity is that of the calling
// thread, like /proc/sys itself: a program that enters namespaces calls this
// package from the thread that did. The package starts no goroutine.
//
// # Entries are not thrown away
//
// An entry that cannot be read (truncated, edited, written by a newer tcptune)
// may be the one that says how to undo what is half done. It is never skipped
// and never deleted: Apply refuses, and names the file ([DamagedError]). So is
// one that names parameters outside of the catalogue, since what it says is
// written to the kernel as root. Of those that are over and that none in force
// builds on, the newest 200 are kept.
//
// Undo itself does not depend on the journal being writable. On a full disk
// Rollback restores the values, and then reports that it could not record it. Of a
// window that is found out by the values ([Journal.TakenBack]), and a Rollback that
// can write records it.
package change
