// Package rules holds what tcptune thinks is wrong, and when: as data, one TOML
// file a rule. A rule's name is its path without the ending, as in
// "timewait/near-limit"; the same name serves for the file, for switching the
// rule off, and for its findings.
//
// A rule compares facts and computes nothing that needs a loop or a unit: that
// is the work of package facts. Its examples are its tests. A rule that lacks
// evidence is inconclusive and says what is missing; it is never skipped.
package rules
