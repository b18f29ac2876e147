// Package sysctl knows what a kernel parameter is: how it is named, what it
// means and may hold on which kernel, and how to read and write one without
// being fooled.
//
// # The file decides
//
// Distributors port parameters and defaults back and forth, so a kernel's
// release number is a hint and no more. Whether a parameter exists is decided
// by its file below /proc/sys; the catalogue is asked only why it is absent.
//
// # Absent, not allowed, not on this kernel
//
// These are three answers, never one. Every error of this package is an
// [*Error] whose Cause tells them apart.
//
// # Writes are read back
//
// The kernel takes "30 60" for a parameter of one number, keeps 30 and reports
// success; it reads "010" as eight. [Tree.Set] therefore normalises what it
// writes, reads it back and compares field by field.
//
// # Namespaces
//
// /proc/sys/net shows the network namespace of the calling thread. Parameters
// that belong to the whole host are not visible at all in a child namespace.
package sysctl
