package iam

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzParse looks for documents that break the parser, or whose policy breaks a
// decision, its explanation or the doubts about it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Deny", "NotAction": ["ivs:*"], "NotResource": "arn:aws:ivs:*:*:stage/${aws:username, 'x'}"}]}`,
		when(`{"ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a*", "${*}"]}, "Null": {"aws:username": true}}`),
		when(`{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1"]}, "DateLessThan": {"aws:CurrentTime": 12}, "NumericEquals": {"aws:EpochTime": 1e3}}`),
		when(`{"ArnNotLike": {"aws:PrincipalArn": "arn:*:*:*:*:${aws:userid}"}, "BoolIfExists": {"aws:SecureTransport": "true"}}`),
		"\ufeff{}", `{"Statement": {}}`, `[[[[[[[[[[]]]]]]]]]]`, "{\"a\":\r\n1}",
	} {
		f.Add([]byte(seed))
	}
	for _, name := range ManagedNames() {
		f.Add([]byte(managed[name].document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := Parse("fuzz", document)
		if err != nil {
			if !regexp.MustCompile(`^policy fuzz, line [1-9][0-9]*: .`).MatchString(err.Error()) {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		if string(p.Document()) != string(document) {
			t.Fatal("the document has changed")
		}
		if _, err := Parse("again", p.Document()); err != nil {
			t.Fatal(err)
		}
		p.Doubts()
		for _, r := range []Request{{}, request("ivs:GetStage", team("red", "\xff")), request("ivs:", facts{"aws:username": {"*"}, "aws:SourceIp": {"::ffff:10.0.0.1"}})} {
			agree(t, []*Policy{p}, r)
		}
	})
}

// FuzzGlob compares the matcher with a regular expression.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{{"a*b?c", "axxbyc"}, {"*?*", ""}, {"?é*", "éé"}, {"*ab*ab", "abab"}, {"*a?c", "\xffac\xe4"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		pattern = strings.ToValidUTF8(pattern, "")
		if len(pattern) > 60 || len(value) > 200 {
			t.Skip("the oracle is slow")
		}
		p, err := compile(pattern, true, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := glob(p.pattern, value), oracle(pattern).MatchString(value); got != want {
			t.Fatalf("%q fits %q: %v, want %v", value, pattern, got, want)
		}
	})
}

func oracle(pattern string) *regexp.Regexp {
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(`(?s)^` + expression + `$`)
}
