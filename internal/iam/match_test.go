package iam

import (
	"strings"
	"testing"
)

func TestActionsMatchByWildcardInAnyCase(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		`"ivs:GetStage"`: true, `"IVS:getstage"`: true, `"ivs:Get*"`: true, `"*"`: true, `"*:*"`: true, `"ivs:*"`: true, `"ivs:G?tSt*"`: true,
		`["s3:GetObject", "ivs:GetStage"]`: true,
		`"ivs:GetStages"`:                  false, `"ivs:Get"`: false, `"ivs:GetStage?"`: false, `"s3:*"`: false, `["ivs:List*", "ivs:Create*"]`: false,
	} {
		for element, want := range map[string]bool{"Action": want, "NotAction": !want} {
			p := policy(t, `"Effect": "Allow", "`+element+`": `+pattern+`, "Resource": "*"`)
			for _, action := range []string{"ivs:GetStage", "IVS:GETSTAGE"} {
				if got := Decide([]*Policy{p}, request(action, nil)).Allowed; got != want {
					t.Errorf("%s %s allows %s: %v, want %v", element, pattern, action, got, want)
				}
			}
		}
	}
}

func TestResourcesMatchByWildcardInTheirCase(t *testing.T) {
	t.Parallel()
	const collection = "arn:aws:ivs:us-east-1:123456789012:stage/*"
	for _, c := range []struct {
		pattern, resource string
		want              bool
	}{
		{`"*"`, stageARN, true},
		{`"*"`, "*", true},
		{`"` + stageARN + `"`, stageARN, true},
		{`"` + strings.ToLower(stageARN) + `"`, stageARN, false},
		{`"arn:aws:ivs:*:*:stage/*"`, stageARN, true},
		{`"arn:aws:ivs:*:*:stage/*"`, collection, true},
		{`"arn:aws:ivs:*:*:stage/Ab*"`, collection, false},
		{`"arn:aws:ivs:eu-*:*:stage/*"`, stageARN, false},
		{`"arn:aws:ivs:us-?ast-1:*:*"`, stageARN, true},
		{`"arn:aws:ivs:*:*:composition/*"`, stageARN, false},
		{`"arn:aws:ivs:*"`, stageARN, true},
		{`"arn:aws:ivs:*:stage/AbCdEfGhIjKl"`, stageARN, true},
		{`"arn:aws:s3:::*"`, stageARN, false},
		{`"arn:aws:ivs:*:*:*"`, "*", false},
		{`["arn:aws:s3:::x", "arn:aws:ivs:*:123456789012:stage/AbCdEfGhIjKl"]`, stageARN, true},
	} {
		for element, want := range map[string]bool{"Resource": c.want, "NotResource": !c.want} {
			p := policy(t, `"Effect": "Allow", "Action": "*", "`+element+`": `+c.pattern)
			if got := Decide([]*Policy{p}, Request{Action: "ivs:GetStage", Resource: c.resource}).Allowed; got != want {
				t.Errorf("%s %s covers %s: %v, want %v", element, c.pattern, c.resource, got, want)
			}
		}
	}
}

func TestAWildcardDoesNotReachOverTheColonsOfAWholeARN(t *testing.T) {
	t.Parallel()
	p := policy(t, `"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ivs:us*1:1?3456789012:stage/*"`)
	for _, resource := range []string{"arn:aws:ivs:us-west-2:123456789012:stage/x", "arn:aws:ivs:us-1:1:stage/x"} {
		if Decide([]*Policy{p}, Request{Action: "ivs:GetStage", Resource: resource}).Allowed {
			t.Errorf("%s is covered", resource)
		}
	}
}

func TestVariablesTakeTheirValuesFromTheRequest(t *testing.T) {
	t.Parallel()
	const prefix = "arn:aws:ivs:us-east-1:123456789012:stage/"
	alice := facts{"aws:username": {"alice"}, "aws:TagKeys": {"a", "b"}, "aws:userid": {"*"}, "aws:UserAgent": {"bad \xff bytes"}}
	for _, c := range []struct {
		pattern, resource string
		want              bool
	}{
		{"${aws:username}", "alice", true},
		{"${aws:username}", "bob", false},
		{"${aws:UserName}-*", "alice-1", true},
		{"${ aws:username }", "alice", true},
		{"${aws:username}${aws:username}", "alicealice", true},
		{"${aws:userid}", "anything", false}, // a star in a value is a star
		{"${aws:userid}", "*", true},
		{"${aws:UserAgent}", "bad \ufffd bytes", true},
		{"${aws:UserAgent}", "bad and other bytes", false},
		{"${aws:PrincipalTag/team}", "", false},
		{"${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}", false},
		{"${aws:PrincipalTag/team, 'all'}", "all", true},
		{"${aws:PrincipalTag/team,'all'}", "all", true},
		{"${aws:PrincipalTag/team, ''}", "", true},
		{"${aws:PrincipalTag/team, 'a}b, c'}", "a}b, c", true},
		{"${aws:username, 'all'}", "alice", true},
		{"${aws:username, 'all'}", "all", false},
		{"${aws:TagKeys}", "a", false}, // several values are none
		{"${aws:TagKeys, 'x'}", "x", true},
		{"a${*}b", "a*b", true},
		{"a${*}b", "axb", false},
		{"a${?}b", "a?b", true},
		{"a${?}b", "axb", false},
		{"a${$}{aws:username}", "a${aws:username}", true},
		{"$5", "$5", true},
	} {
		p := policy(t, `"Effect": "Allow", "Action": "*", "Resource": "`+prefix+c.pattern+`"`)
		r := Request{Action: "ivs:GetStage", Resource: prefix + c.resource, Context: alice.get}
		if got := Decide([]*Policy{p}, r).Allowed; got != c.want {
			t.Errorf("%s covers %s: %v, want %v", c.pattern, c.resource, got, c.want)
		}
	}
}

func TestConditionsHaveVariablesToo(t *testing.T) {
	t.Parallel()
	f := facts{"aws:ResourceTag/owner": {"alice"}, "aws:username": {"alice"}, "aws:PrincipalArn": {"arn:aws:iam::123456789012:user/alice"}}
	judge(t, []judgement{
		{`{"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}`, f, true},
		{`{"StringLike": {"aws:PrincipalArn": "*/${aws:username}"}}`, f, true},
		{`{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/${aws:username}"}}`, f, true},
		{`{"ArnEquals": {"aws:PrincipalArn": "${aws:PrincipalArn}"}}`, f, true},
		{`{"StringEquals": {"aws:ResourceTag/owner": "${aws:userid}"}}`, f, false},
		{`{"StringNotEquals": {"aws:ResourceTag/owner": "${aws:userid}"}}`, f, true},
		{`{"StringEquals": {"aws:ResourceTag/owner": "${aws:userid, 'alice'}"}}`, f, true},
	})
}

func TestTheOlderVersionHasNoVariables(t *testing.T) {
	t.Parallel()
	for _, version := range []string{``, `"Version": "2008-10-17", `} {
		p := mustParse(t, `{`+version+`"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
			"Condition": {"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}}}`)
		for owner, want := range map[string]bool{"alice": false, "${aws:username}": true} {
			f := facts{"aws:ResourceTag/owner": {owner}, "aws:username": {"alice"}}
			if got := Decide([]*Policy{p}, request("ivs:GetStage", f)).Allowed; got != want {
				t.Errorf("in %q an owner %s is allowed: %v, want %v", version, owner, got, want)
			}
		}
	}
}

func TestTheContextIsAskedOnlyForWhatMatters(t *testing.T) {
	t.Parallel()
	p := policy(t,
		`"Effect": "Allow", "Action": "ivs:CreateStage", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/a": "1"}}`,
		`"Effect": "Allow", "Action": "ivs:*", "Resource": "arn:aws:ivs:*:*:composition/*", "Condition": {"StringEquals": {"aws:RequestTag/b": "1"}}`,
		`"Effect": "Allow", "Action": "ivs:GetStage", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/c": "1"}}`,
		`"Effect": "Allow", "Action": "ivs:GetStage", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/d": "1"}}`)
	var asked []string
	r := Request{Action: "ivs:GetStage", Resource: stageARN, Context: func(key string) ([]string, bool) {
		asked = append(asked, key)
		return []string{"1"}, true
	}}
	if !Decide([]*Policy{p}, r).Allowed || strings.Join(asked, " ") != "aws:RequestTag/c" {
		t.Errorf("it was asked for %v", asked)
	}
}
