package iam

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatCanHaveNoEffectIsDoubted(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		`"Action": "ivs:GetStag", "Resource": "*"`:                                                        "in statement 1 the action ivs:GetStag is none of this server; did you mean ivs:GetStage?",
		`"Action": ["ivs:GetStage", "IVS:Show*"], "Resource": "*"`:                                        "the action IVS:Show* is none of this server",
		`"NotAction": "ivs:DeleteStagee", "Resource": "*"`:                                                "the action ivs:DeleteStagee is none of this server; did you mean ivs:DeleteStage?",
		`"Action": "ivs:CreateChannel", "Resource": "*"`:                                                  "the action ivs:CreateChannel is none of this server",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stages/*"`:                                       "arn:aws:ivs:*:*:stages/* is no resource of this server; did you mean stage?",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage"`:                                          "arn:aws:ivs:*:*:stage is no resource of this server",
		`"Action": "*", "Resource": "arn:aws:ivs:*:*:stream-key/*"`:                                       "arn:aws:ivs:*:*:stream-key/* is no resource of this server",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage/${aws:usrname}"`:                           "has a variable that no request fills, so it matches nothing; did you mean aws:username?",
		oneCondition("StringEquals", `"${aws:PrincipalTag/team}"`):                                        "has a variable that no request fills",
		`"Action": "ivs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}`:   "StringEquals asks for aws:SourceVpc, which no request has",
		`"Action": "ivs:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIpp": "10.0.0.0/8"}}`: "which no request has; did you mean aws:SourceIp?",
	} {
		got := policy(t, `"Effect": "Allow", `+statement).Doubts()
		if len(got) != 1 || !strings.HasPrefix(got[0], "policy test, line 1: ") || !strings.Contains(got[0], want) {
			t.Errorf("%s is doubted %q, want %q", statement, got, want)
		}
	}
}

func TestWhatIsSoundIsNotDoubted(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		`"Action": ["ivs:getstage", "ivs:*Stage", "ivs:???Stage"], "Resource": "*"`,
		`"Action": ["callboard:*", "s3:GetObject", "ivs:*"], "Resource": ["arn:aws:s3:::x", "*"]`,
		`"Action": "s3:Nonsense", "Resource": "arn:aws:ivs:*:*:nonsense/*", "Condition": {"StringEquals": {"s3:prefix": "${s3:x}"}}`,
		`"Action": "ivs:*", "Resource": ["arn:aws:ivs:*:*:*", "arn:aws:ivs:*", "arn:aws:ivs:*:*:*/x", "arn:aws:ivs:*:*:s*/x", "arn:aws:ivs:*:*:stage/x*"]`,
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage/${aws:PrincipalTag/team, 'x'}"`,
		`"Action": "ivs:*", "Resource": "*", "Condition": {"StringEquals": {"AWS:requesttag/x": "${aws:username}"}, "Null": {"aws:tokenissuetime": "true"}}`,
	} {
		if got := policy(t, `"Effect": "Allow", `+statement).Doubts(); got != nil {
			t.Errorf("%s is doubted %q", statement, got)
		}
	}
}

func TestManagedPoliciesAllowWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"IVSReadOnlyAccess":   {"ivs:GetStage", "ivs:ListTagsForResource"},
		"IVSFullAccess":       {"ivs:GetStage", "ivs:ListTagsForResource", "ivs:DeleteStage", "ivs:TagResource"},
		"CallboardFullAccess": {"ivs:GetStage", "ivs:ListTagsForResource", "ivs:DeleteStage", "ivs:TagResource", "callboard:GetStatus"},
	}
	if names := ManagedNames(); len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("the managed policies are %v", names)
	}
	for name, allowed := range want {
		p, ok := Managed("arn:aws:iam::aws:policy/" + name)
		if !ok || p.Name != name || p.Doubts() != nil {
			t.Fatalf("%s is %+v", name, p)
		}
		for _, action := range append(want["CallboardFullAccess"], "s3:GetObject") {
			if got := Decide([]*Policy{p}, request(action, nil)).Allowed; got != slices.Contains(allowed, action) {
				t.Errorf("%s allows %s: %v", name, action, got)
			}
		}
	}
	if _, ok := Managed("AdministratorAccess"); ok {
		t.Error("a policy is managed that is not there")
	}
}
