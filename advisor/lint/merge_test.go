package lint

import "testing"

func TestSpanNamesNeighboursAsARange(t *testing.T) {
	judged := []string{"3.10", "4.4", "4.11", "5.4", "6.1"}
	for _, test := range []struct {
		some []string
		want string
	}{
		{[]string{"4.4"}, "4.4"},
		{[]string{"4.4", "4.11"}, "4.4 and 4.11"},
		{[]string{"4.4", "4.11", "5.4"}, "4.4 to 5.4"},
		{[]string{"4.4", "4.11", "6.1"}, "4.4, 4.11 and 6.1"},
		{[]string{"4.11", "5.4", "6.1"}, "4.11 to 6.1"},
		{judged, "3.10 to 6.1"},
	} {
		if got := span(test.some, judged); got != test.want {
			t.Errorf("%q is named %q; want %q", test.some, got, test.want)
		}
	}
}
