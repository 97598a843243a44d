package iam

import (
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"**", "", true}, {"?", "", false}, {"?", "a", true}, {"?", "ab", false},
		{"?", "é", true}, {"??", "é", false}, {"a*", "a", true}, {"*a", "a", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "abbc", true},
		{"a*b*c", "acb", false}, {"*ab", "aab", true}, {"*?", "", false}, {"*?", "é", true}, {"?*?", "é", false}, {"?*?", "éa", true},
		{"*a?c*", "aaabc", true}, {"*a?c", "abcaéc", true}, {"*a?c", "abcac", false}, {"a*?b", "ab", false}, {"a*?b", "axb", true},
		{"*éa*", "\xe4\xc3\xa9a", true}, {"?", "\xff", true}, {"*?", "a\xe4\xb8", true},
	} {
		p, err := compile(c.pattern, true, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := glob(p.pattern, c.value); got != c.want {
			t.Errorf("%q fits %q: %v, want %v", c.value, c.pattern, got, c.want)
		}
	}
}

func TestNoPatternTakesLongOverAnyValue(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 4<<10)
	for name, pattern := range map[string]string{
		"many runs":        strings.Repeat("a*", 3000) + "b",
		"runs of one":      strings.Repeat("*", 6000) + "b",
		"a long piece":     "*" + strings.Repeat("a", 6000) + "b*",
		"single wildcards": "*" + strings.Repeat("?", 1000) + "a?b*",
		"both":             strings.Repeat("?*a", 2000) + "b",
	} {
		p, err := compile(pattern, true, false)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if glob(p.pattern, long) {
			t.Errorf("%s fit", name)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}
