// Package advisor puts facts and rules together: findings with their evidence,
// what could not be judged and why, and the plan that a profile makes of a
// host. It does no input or output.
package advisor
