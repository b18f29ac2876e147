// Package lint judges files that set parameters, for kernels that are not here.
// The rules are those by which a host is judged: a file is applied, in thought,
// to a host that has the kernel's defaults and of which nothing else is known,
// and what rests on no line of the file is not said. Rules that need to see a
// host stay out of themselves, since their evidence is missing.
package lint
