// Package profiles holds what tcptune would set for a kind of host: as data, one
// TOML file a profile. Each want is a floor (at_least), a ceiling (at_most) or
// an exact value, since a floor written as an equality would lower a better
// value; and each says why.
package profiles
