package iam

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatCanHaveNoEffectIsDoubted(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		`"Action": "ivs:GetStag", "Resource": "*"`:                                                        "(statement 1): no action of this server matches ivs:GetStag; did you mean ivs:GetStage?",
		`"Action": ["ivs:GetStage", "IVS:Show*"], "Resource": "*"`:                                        "no action of this server matches IVS:Show*",
		`"NotAction": "ivs:DeleteStagee", "Resource": "*"`:                                                "no action of this server matches ivs:DeleteStagee; did you mean ivs:DeleteStage?",
		`"Action": "ivs:CreateChannel", "Resource": "*"`:                                                  "no action of this server matches ivs:CreateChannel",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stages/*"`:                                       "no resource of this server matches arn:aws:ivs:*:*:stages/*; did you mean stage?",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage"`:                                          "no resource of this server matches arn:aws:ivs:*:*:stage",
		`"Action": "*", "Resource": "arn:aws:ivs:*:*:stream-key/*"`:                                       "no resource of this server matches arn:aws:ivs:*:*:stream-key/*",
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage/${aws:usrname}"`:                           "has a variable that no request fills, so it matches nothing; did you mean aws:username?",
		oneCondition("StringEquals", `"${aws:PrincipalTag/team}"`):                                        "has a variable that no request fills",
		`"Action": "ivs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}`:   "StringEquals asks for aws:SourceVpc, which no request has",
		`"Action": "ivs:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIpp": "10.0.0.0/8"}}`: "which no request has; did you mean aws:SourceIp?",
		`"Action": "ivs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RsourceTag/team": "x"}}`: "did you mean aws:ResourceTag/team?",
		`"Action": ["ivs:ListStages", "ivs:ListPublicKeys"], "Resource": "arn:aws:ivs:*:*:stage/*"`:       `ivs:ListPublicKeys is about none of the resources here; it needs "*"`,
		`"Action": "ivs:GetSt*", "Resource": ["arn:aws:ivs:*:*:public-key/*", "arn:aws:s3:::x"]`:          "ivs:GetSt* is about none of the resources here; it needs a Resource such as arn:aws:ivs:*:*:stage/*",
	} {
		got := policy(t, `"Effect": "Allow", `+statement).Doubts()
		if len(got) != 1 || !strings.HasPrefix(got[0], "policy test, line 1 (statement 1): ") || !strings.Contains(got[0], want) {
			t.Errorf("%s is doubted %q, want %q", statement, got, want)
		}
	}
}

func TestADoubtNamesItsLine(t *testing.T) {
	t.Parallel()
	p := mustParse(t, `{"Version": "2012-10-17", "Statement": [
		{"Sid": "Look", "Effect": "Allow",
			"Action": ["ivs:GetStage",
				"ivs:Show"],
			"Resource": [
				"arn:aws:ivs:*:*:room/*"],
			"Condition": {"StringEquals": {
				"aws:Mood": "good", "aws:username": ["a",
				"${aws:Mood}"]}}}]}`)
	var lines []string
	for _, d := range p.Doubts() {
		_, rest, _ := strings.Cut(d, "line ")
		line, _, _ := strings.Cut(rest, " (Look): ")
		lines = append(lines, line)
	}
	if got := strings.Join(lines, " "); got != "4 6 8 9" {
		t.Errorf("the doubts are in lines %s: %q", got, p.Doubts())
	}
}

func TestWhatIsSoundIsNotDoubted(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		`"Action": ["ivs:getstage", "ivs:*Stage", "ivs:???Stage"], "Resource": "*"`,
		`"Action": ["callboard:*", "s3:GetObject", "ivs:*"], "Resource": ["arn:aws:s3:::x", "*"]`,
		`"Action": "s3:Nonsense", "Resource": "arn:aws:ivs:*:*:nonsense/*", "Condition": {"StringEquals": {"s3:prefix": "${s3:x}"}}`,
		`"Action": "ivs:*", "Resource": ["arn:aws:ivs:*:*:*", "arn:aws:ivs:*", "arn:aws:ivs:*:*:*/x", "arn:aws:ivs:*:*:s*/x", "arn:aws:ivs:*:*:stage/x*"]`,
		`"Action": ["ivs:List*", "ivs:ListCompositions", "ivs:TagResource"], "Resource": "arn:aws:ivs:*:*:stage/*"`,
		`"Action": "ivs:DeleteStage", "NotResource": "arn:aws:ivs:*:*:public-key/*"`,
		`"Action": ["ivs:DeleteStage", "ivs:ListPublicKeys"], "Resource": ["arn:aws:ivs:*", "*"]`,
		`"Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:stage/${aws:PrincipalTag/team, 'x'}"`,
		`"Action": "ivs:*", "Resource": "*", "Condition": {"StringEquals": {"AWS:requesttag/x": "${aws:username}"}, "Null": {"aws:tokenissuetime": "true"}}`,
	} {
		if got := policy(t, `"Effect": "Allow", `+statement).Doubts(); got != nil {
			t.Errorf("%s is doubted %q", statement, got)
		}
	}
}

func TestARequestThatCannotComeIsDoubted(t *testing.T) {
	t.Parallel()
	for r, want := range map[[2]string]string{
		{"ivs:GetStag", "*"}: "no action of this server matches ivs:GetStag; did you mean ivs:GetStage?",
		{"ivs:GetStage", "arn:aws:ivs:us-east-1:1:stge/x"}: "no resource of this server matches arn:aws:ivs:us-east-1:1:stge/x; did you mean stage?",
		{"ivs:GetStage", stageARN}:                         "",
		{"IVS:getstage", "*"}:                              "",
		{"s3:GetObject", "arn:aws:s3:::x"}:                 "",
	} {
		if got := strings.Join(Request{Action: r[0], Resource: r[1]}.Doubts(), " "); got != want {
			t.Errorf("%v is doubted %q, want %q", r, got, want)
		}
	}
}

func TestAnActionIsAboutAllResourcesOfItsType(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"ivs:CreateStage":    "arn:aws:ivs:eu-west-1:123456789012:stage/*",
		"IVS:getcomposition": "arn:aws:ivs:eu-west-1:123456789012:composition/*",
		"ivs:ListPublicKeys": "*", "ivs:TagResource": "*", "ivs:ListCompositions": "*", "s3:GetObject": "*",
	} {
		if got := ResourceOf(action, "eu-west-1", "123456789012"); got != want {
			t.Errorf("%s is about %s, want %s", action, got, want)
		}
	}
}

func TestManagedPoliciesAllowWhatTheirNamesSay(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"IVSReadOnlyAccess":   {"ivs:GetStage", "ivs:ListTagsForResource", "callboard:GetStatus"},
		"IVSFullAccess":       {"ivs:GetStage", "ivs:ListTagsForResource", "ivs:DeleteStage", "ivs:TagResource"},
		"CallboardFullAccess": {"ivs:GetStage", "ivs:ListTagsForResource", "ivs:DeleteStage", "ivs:TagResource", "callboard:GetStatus"},
	}
	if names := ManagedNames(); len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("the managed policies are %v", names)
	}
	for name, allowed := range want {
		p, ok := Managed("arn:aws:iam::aws:policy/" + name)
		if !ok || p.Name != name || About(name) == "" || p.Doubts() != nil {
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
