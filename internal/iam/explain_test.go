package iam

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// agree compares a decision with what the findings say together.
func agree(t *testing.T, policies []*Policy, r Request) {
	t.Helper()
	d := Decide(policies, r)
	var want Decision
	for _, f := range Explain(policies, r) {
		if f.Applies == (f.Why != "") {
			t.Fatalf("%+v neither applies nor says why not", f)
		}
		if !f.Applies || want.Explicit || want.Allowed && f.Effect == "Allow" {
			continue
		}
		want = Decision{Allowed: f.Effect == "Allow", Explicit: f.Effect == "Deny", Policy: f.Policy, Statement: f.Statement}
	}
	if d != want {
		t.Fatalf("it is decided %+v, but the findings say %+v", d, want)
	}
}

func TestTheExplanationComesToTheSameEndAsTheDecision(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	outcomes := map[Decision]int{}
	for range 3000 {
		var policies []*Policy
		for range random.IntN(4) {
			var statements []string
			for range 1 + random.IntN(3) {
				statements = append(statements, fmt.Sprintf(`"Effect": %q, %q: %q, %q: %q, "Condition": %s`,
					pick("Allow", "Allow", "Deny"),
					pick("Action", "Action", "NotAction"), pick("*", "ivs:*", "ivs:Get*", "ivs:GetStage", "s3:*", "ivs:List*"),
					pick("Resource", "Resource", "NotResource"), pick("*", stageARN, "arn:aws:ivs:*:*:composition/*", "arn:aws:ivs:*:*:stage/${aws:username}"),
					pick(`{}`, `{}`, comparing("StringEquals", `"red"`), comparing("StringNotEquals", `"red"`), comparing("Null", `"true"`))))
			}
			policies = append(policies, policy(t, statements...))
		}
		r := request(pick("ivs:GetStage", "ivs:ListStages", "s3:GetObject"), facts{"aws:ResourceTag/team": {pick("red", "blue")}, "aws:username": {pick("AbCdEfGhIjKl", "bob")}})
		agree(t, policies, r)
		d := Decide(policies, r)
		outcomes[Decision{Allowed: d.Allowed, Explicit: d.Explicit}]++
	}
	if len(outcomes) != 3 {
		t.Errorf("the outcomes are %v, want allowed, denied and denied explicitly", outcomes)
	}
}

func TestAReasonIsGivenInPlainWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		statement string
		facts     facts
		want      string
	}{
		{`"Action": "ivs:List*", "Resource": "*"`, nil, "action ivs:GetStage is not among ivs:List*"},
		{`"Action": ["ivs:List*", "s3:*"], "Resource": "*"`, nil, "action ivs:GetStage is not among ivs:List* and s3:*"},
		{`"NotAction": ["ivs:Get*"], "Resource": "*"`, nil, "action ivs:GetStage is among the excepted ivs:Get*"},
		{`"Action": "*", "Resource": "arn:aws:ivs:*:*:stage/x"`, nil, "resource " + stageARN + " is not among arn:aws:ivs:*:*:stage/x"},
		{`"Action": "*", "NotResource": "*"`, nil, "resource " + stageARN + " is among the excepted *"},
		{oneCondition("StringEquals", `"red"`), team("blue"), "condition StringEquals aws:ResourceTag/team: the request has blue, the policy wants red"},
		{oneCondition("StringEquals", `["red", "green"]`), nil, "condition StringEquals aws:ResourceTag/team: the request has none, the policy wants red or green"},
		{oneCondition("StringEquals", `["1", "2", "3", "4", "5", "6"]`), team(""), `condition StringEquals aws:ResourceTag/team: the request has "", the policy wants 1, 2, 3, 4 or 2 more`},
		{oneCondition("StringNotEquals", `"red"`), team("red"), "condition StringNotEquals aws:ResourceTag/team: the request has red, the policy wants anything but red"},
		{oneCondition("ForAllValues:StringEquals", `["a", "b"]`), team("a", "c"), "condition ForAllValues:StringEquals aws:ResourceTag/team: the request has a and c, the policy wants only a or b"},
		{oneCondition("Null", `"true"`), team("red"), "condition Null aws:ResourceTag/team: the request has red, the policy wants none"},
		{oneCondition("Null", `"false"`), nil, "condition Null aws:ResourceTag/team: the request has none, the policy wants one"},
	} {
		findings := Explain([]*Policy{policy(t, `"Effect": "Deny", `+c.statement)}, request("ivs:GetStage", c.facts))
		if len(findings) != 1 || findings[0].Why != c.want {
			t.Errorf("%s gives %+v, want %q", c.statement, findings, c.want)
		}
	}
}

func oneCondition(op, value string) string {
	return `"Action": "*", "Resource": "*", "Condition": ` + comparing(op, value)
}

func TestFindingsNameTheirStatement(t *testing.T) {
	t.Parallel()
	p := mustParse(t, strings.Join([]string{
		`{`,
		`  "Statement": [`,
		`    {"Sid": "Look", "Effect": "Allow", "Action": "ivs:Get*", "Resource": "*"},`,
		`    {`,
		`      "Effect": "Deny", "Action": "ivs:GetStage", "Resource": "*"`,
		`    }`,
		`  ]`,
		`}`,
	}, "\n"))
	got := Explain([]*Policy{p}, request("ivs:GetStage", nil))
	want := []Finding{
		{Policy: "test", Statement: "Look", Line: 3, Effect: "Allow", Applies: true},
		{Policy: "test", Statement: "statement 2", Line: 4, Effect: "Deny", Applies: true},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the findings are %+v, want %+v", got, want)
	}
}
