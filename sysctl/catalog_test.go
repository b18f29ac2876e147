package sysctl

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCatalogueIsCompleteAndSorted(t *testing.T) {
	params := Catalogue()
	for i, p := range params {
		if i > 0 && params[i-1].Key >= p.Key {
			t.Errorf("%s does not follow %s", p.Key, params[i-1].Key)
		}
		if k, err := ParseKey(string(p.Key)); err != nil || k != p.Key {
			t.Errorf("%s is no canonical key: %q, %v", p.Key, k, err)
		}
		if found, ok := Lookup(p.Key); !ok || found.Key != p.Key {
			t.Errorf("Lookup(%s) = %s, %v", p.Key, found.Key, ok)
		}
		for what, text := range map[string]string{"meaning": p.Meaning, "unit": string(p.Unit), "acts": string(p.Acts)} {
			if text == "" || strings.ContainsAny(text, "\n\t") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is %q", p.Key, what, text)
			}
		}
		if len(p.Sources) == 0 {
			t.Errorf("%s: no sources", p.Key)
		}
		if (p.Type == Vector) != (p.Fields > 1) {
			t.Errorf("%s: a %s of %d fields", p.Key, p.Type, p.Fields)
		}
		if !p.Until.IsZero() && p.Instead == "" {
			t.Errorf("%s is gone and nothing says what to use", p.Key)
		}
		if p.ReadOnly != (p.Acts == ActsNotAsked) {
			t.Errorf("%s: read-only and acts %s", p.Key, p.Acts)
		}
		if (p.Type == Number || p.Type == Vector) && p.Sane == (Range{}) && p.Key != "net.ipv4.tcp_tw_recycle" {
			t.Errorf("%s: no range that makes sense", p.Key)
		}
		if !slices.IsSortedFunc(p.Accepts, func(a, b Accept) int { return a.From.Compare(b.From) }) ||
			!slices.IsSortedFunc(p.Defaults, func(a, b Default) int { return a.From.Compare(b.From) }) {
			t.Errorf("%s: not oldest first", p.Key)
		}
	}
	if _, found := Lookup("sunrpc.tcp_fin_timeout"); found {
		t.Error("sunrpc.tcp_fin_timeout, which is unrelated, passes for a parameter of TCP")
	}
}

// Commit ids that were opened and read; another one in a row is a mistake.
var commits = []string{
	"4396e46187ca", "79e9fed46038", "1946e672c173", "56ab6b93007e", "ef547f2ac16b", "5ea8ea2cb7f1", "becb74f0acca",
	"19f92a030ca6", "4ecc1baf362c", "1280c26228bd", "25429d7b7dca", "07f4c90062f8", "a26552afe894", "743e481580b4",
}

func TestSourcesNameOnlyCommitsThatWereRead(t *testing.T) {
	id := regexp.MustCompile(`\b[0-9a-f]{7,40}\b`)
	for _, p := range Catalogue() {
		for _, source := range p.Sources {
			for _, found := range id.FindAllString(source, -1) {
				if !slices.Contains(commits, found) {
					t.Errorf("%s: source %q", p.Key, source)
				}
			}
		}
	}
}

func TestWhatMakesSenseIsAcceptedByEveryKernelThatHasIt(t *testing.T) {
	for _, p := range Catalogue() {
		for _, a := range p.Accepts {
			if !p.Until.IsZero() && !a.From.Before(p.Until) {
				continue
			}
			if !a.Contains(p.Sane.Min) || !a.Contains(p.Sane.Max) {
				t.Errorf("%s: %v makes sense, Linux %v takes %v", p.Key, p.Sane, a.From, a.Range)
			}
		}
	}
}

func TestDefaultsMakeSense(t *testing.T) {
	// The smallest and the largest machine of interest.
	memory := []int64{32 << 10, 1 << 20, 1 << 40}
	for _, p := range Catalogue() {
		for _, d := range p.Defaults {
			for _, kib := range memory {
				h := Host{Release: d.From, MemoryKiB: kib, PageSize: 4096}
				if h.Release.Before(p.Since) {
					h.Release = p.Since
				}
				if v, known := p.Default(h); known && p.CheckSane(v) != nil {
					t.Errorf("%s: default %q of Linux %v with %d KiB: %v", p.Key, v, h.Release, kib, p.CheckSane(v))
				}
			}
		}
	}
}

func TestSpansLieWithinAParametersLife(t *testing.T) {
	for _, p := range Catalogue() {
		for _, span := range p.Namespaced {
			if !p.Until.IsZero() && !span.from.Before(p.Until) {
				t.Errorf("%s: per namespace from Linux %v on, and gone in %v", p.Key, span.from, p.Until)
			}
		}
		for _, d := range p.Defaults {
			if !d.From.IsZero() && !p.Since.Before(d.From) {
				t.Errorf("%s: a default of Linux %v, and there since %v", p.Key, d.From, p.Since)
			}
		}
	}
}
