// Package facts is the vocabulary that the rest of the advisor speaks.
//
// A [Snapshot] is what was seen on a host: raw, and the same in memory, in JSON
// and on another machine. [Derive] turns it into [Facts]: named, typed values
// such as sockets.time_wait or ports.busiest.percent. Whatever needs a
// loop, a unit or two samples is computed there, so that a rule only compares.
// An [Expr] is a question that one can put to Facts.
//
// # Missing is not false
//
// A fact that is not known carries the reason. If the thing does not exist (the
// kernel has no such parameter, no file asks for it) then no condition on it can
// hold. If it exists and could not be seen, a condition on it is neither true
// nor false, and an Expr is never evaluated with a value made up.
//
// # Counters
//
// Three names for one counter: totals.TcpExt.ListenOverflows is the number
// since the namespace was made; rates.… is per second and known only if a
// window was observed; counters.… is the increase over that window if there was
// one and the total if not. Rules use counters.…, and what they conclude from a
// total alone is marked as less certain.
package facts
