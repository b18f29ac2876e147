//go:build race

package change

// Of crashes the race detector sees nothing, and a process with it takes long to
// start.
func init() { crashEvery = 8 }
