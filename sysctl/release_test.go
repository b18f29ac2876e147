package sysctl

import "testing"

func TestParseReleaseReadsWhatDistributorsWrite(t *testing.T) {
	for in, want := range map[string]Release{
		"3.10.0-1160.el7.x86_64":             {3, 10, 0, "-1160.el7.x86_64"},
		"4.18.0-305.19.1.el8_4.x86_64":       {4, 18, 0, "-305.19.1.el8_4.x86_64"},
		"5.15.0-1034-aws":                    {5, 15, 0, "-1034-aws"},
		"6.18.44-fc":                         {6, 18, 44, "-fc"},
		"6.6.0+":                             {6, 6, 0, "+"},
		"5.10.102.1-microsoft-standard-WSL2": {5, 10, 102, ".1-microsoft-standard-WSL2"},
		"4.14.336-257.562.amzn2.x86_64":      {4, 14, 336, "-257.562.amzn2.x86_64"},
		"6.12.95+deb12-cloud-amd64":          {6, 12, 95, "+deb12-cloud-amd64"},
		"7.3~rc7-amd64":                      {7, 3, 0, "~rc7-amd64"},
		"6.1":                                {6, 1, 0, ""},
	} {
		got, err := ParseRelease(in)
		if err != nil || got != want {
			t.Errorf("ParseRelease(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "5", "linux", "-5.1", "5.", "5.x", "999999.1", "5 .1"} {
		if got, err := ParseRelease(in); err == nil {
			t.Errorf("ParseRelease(%q) = %+v; want an error", in, got)
		}
	}
}

func TestReleasesAreOrderedByNumberNotBySuffix(t *testing.T) {
	a, _ := ParseRelease("5.15.0-1034-aws")
	b, _ := ParseRelease("5.15")
	if a.Compare(b) != 0 {
		t.Errorf("%v and %v compare as %d; a vendor's build is not older or newer", a, b, a.Compare(b))
	}
}

func TestParseReleasesHoldsItsBounds(t *testing.T) {
	rs, err := ParseReleases(">= 4.10, < 4.12")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]bool{"4.9.229": false, "4.10.0": true, "4.11.12-custom": true, "4.12.0": false, "6.1": false} {
		r, _ := ParseRelease(in)
		if rs.Contains(r) != want {
			t.Errorf("%v contains %s = %v; want %v", rs, in, !want, want)
		}
	}
	if rs.String() != ">= 4.10, < 4.12" {
		t.Errorf("printed as %q", rs.String())
	}
	for _, bad := range []string{"4.12", "<= 4.11", "> 4", ">= 4.10, >= 4.11", "< x", ">= 5.15.0-aws", ",", ">= 4.12, < 4.12"} {
		if _, err := ParseReleases(bad); err == nil {
			t.Errorf("ParseReleases(%q) took a range it should refuse", bad)
		}
	}
}

func TestReleasesOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"", "< 4.4", true}, {"", ">= 4.4", true},
		{"< 4.4", ">= 4.4", false}, {"< 4.4", "< 3.0", true}, {">= 4.4", ">= 6.0", true},
		{">= 4.4, < 5.0", ">= 5.0", false}, {">= 4.4, < 5.0", "< 4.4", false}, {">= 4.4, < 5.0", ">= 4.9, < 6.0", true},
	} {
		a, errA := ParseReleases(c.a)
		b, errB := ParseReleases(c.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%q and %q overlap: %v and %v, want %v", c.a, c.b, a.Overlaps(b), b.Overlaps(a), c.want)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	for _, s := range []string{"3.10.0-1160.el7.x86_64", "6.6.0+", "5.10.102.1-microsoft-standard-WSL2", "1.2.", "1.2.-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRelease(s)
		if err != nil {
			return
		}
		again, err := ParseRelease(r.String())
		if err != nil || again != r {
			t.Errorf("%q parsed as %+v, which prints as %q and parses as %+v, %v", s, r, r.String(), again, err)
		}
	})
}
