// Package report renders what the advisor says. Each form is a function of a
// writer and the report: no exit codes, no clock, no terminal of its own.
package report
