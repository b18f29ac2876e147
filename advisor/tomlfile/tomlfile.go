// Package tomlfile reads the files that rules and profiles are: small, strict,
// and with the line in every error.
package tomlfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// MaxSize is far more than a rule or a profile holds, in bytes, and little
// enough for the decoder, to which a few bytes can mean a deep tree.
const MaxSize = 32 << 10

// Decode reads TOML strictly: a key that the form does not have is an error,
// but for those below the free ones.
func Decode(text string, into any, free ...string) error {
	meta, err := toml.Decode(text, into)
	if err != nil {
		return err
	}
	for _, key := range meta.Undecoded() {
		isFree := slices.ContainsFunc(key[:len(key)-1], func(part string) bool { return slices.Contains(free, part) })
		if !isFree {
			return fmt.Errorf("line %d: unknown key %.80q", Line(text, key[len(key)-1], 0), key.String())
		}
	}
	return nil
}

// Line is the line, from 1, on which a text stands for the n-th time, from 0; 1
// if it does not. The decoder does not tell where a key was.
func Line(text, needle string, n int) int {
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, needle) {
			if n == 0 {
				return i + 1
			}
			n--
		}
	}
	return 1
}
