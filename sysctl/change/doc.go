// Package change applies a set of parameter changes as one: all of them take
// effect, or none does and every value is what it was. Each transaction is
// journalled with the old values and can be rolled back later.
//
// # The order of steps
//
// [Apply] goes through these steps, and [Journal.Lock] keeps two runs apart.
//
//  1. Look. Every value is read again. What holds the wanted value already is
//     dropped; if anything else is not what the plan was made from, the plan is
//     stale and nothing is done ([MovedError]).
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
// # What a crash leaves
//
//	killed           on disk                  parameters        next step
//	in 2             nothing, or a hidden     old               none
//	                 temporary file
//	after 2, in 3    entry: begun             old, or some new  Rollback
//	in 4             entry: begun             all new           Rollback
//	after 4          entry: begun; drop-in    all new           Rollback
//	after 5          entry: applied           all new           none needed
//	while undoing    entry: begun             some new          Rollback
//	in Rollback      entry: rolling back,     some new          Rollback
//	                 or still begun
//
// Where the table says Rollback, Apply refuses with an [UnfinishedError] until
// [Rollback] was called; a Rollback that is itself killed can be called again.
// If the host went down altogether, the parameters start from their defaults
// and what the boot's sysctl.d gives them; then only a drop-in that was left
// behind is unfinished business.
//
// # Whose value is it
//
// Rollback puts an old value back only where the parameter still holds what the
// transaction wrote. A parameter that holds something else belongs to somebody
// else now: it is left alone and reported. The same goes for a parameter that a
// newer transaction wrote too, and for a drop-in that was edited. Hence newest
// first is the order in which everything comes back.
//
// The old value is put back to the letter, also if it never made sense.
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
// and never deleted: Apply refuses, and names the file ([DamagedError]).
//
// Undo itself does not depend on the journal being writable. On a full disk
// Rollback restores the values, and then reports that it could not record it.
package change
