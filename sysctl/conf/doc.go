// Package conf says what the files from which parameters are set at boot come
// to: which are read, in which order, and which line holds.
//
// Two programs read them, and they differ. The package models systemd-sysctl of
// systemd 252 and "sysctl --system" of procps 4.0.2, and tests hold it against
// both. Where these prove their manual pages wrong, they win.
//
//	                          systemd-sysctl                  procps
//	/etc/sysctl.conf          only through a link             last, even if a link led to it before
//	names that start with .   passed over                     read
//	a key twice               only the last line is written   both are, one after the other
//	"-key" after "key = 1"    takes the line back             spares the key from globs only
//	{a,b} in a glob           either                          as it stands
//	- key = 1                 as -key = 1                     a name that begins with a blank
//	a//b                      the same name as a/b            another name of the same file
//	carriage return           ends a line                     white space
//	NUL                       ends a line                     ends what is read of the line
//	a line of 1 MiB           ends what is read of the file   is read
//
// To both an exact line outranks a glob wherever it stands; an exclusion is
// compared as it stands, so that "-net.ipv4.conf.*.rp_filter" spares nothing;
// of two globs the later one wins, but to repeat one with the same value moves
// it only in procps; a comment behind a value is part of the value.
//
// Other releases differ. procps before 4.0 takes globs and exclusions for names,
// and before 3.3.17 it reads /run/sysctl.d ahead of /etc/sysctl.d. systemd reads
// /lib/sysctl.d only where it was built for a separate /usr.
package conf
