package iam

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// documented are the policies in the guide, by the Sid of their first statement.
func documented(t *testing.T) map[string]*Policy {
	t.Helper()
	guide, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*Policy)
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		p := mustParse(t, block[1])
		if doubts := p.Doubts(); doubts != nil {
			t.Errorf("the guide's policy is doubted: %q\n%s", doubts, block[1])
		}
		found[p.statements[0].name] = p
	}
	return found
}

func TestThePoliciesOfTheGuideDoWhatItSays(t *testing.T) {
	t.Parallel()
	const stages = "arn:aws:ivs:eu-west-1:123456789012:stage/*"
	guide := documented(t)
	full, _ := Managed("IVSFullAccess")
	readOnly, _ := Managed("IVSReadOnlyAccess")
	tried := make(map[string]bool)
	for _, c := range []struct {
		policy, action, resource string
		facts                    facts
		want                     bool
	}{
		{"SeeEverything", "ivs:ListPublicKeys", "*", nil, true},
		{"SeeEverything", "ivs:DeleteStage", stageARN, nil, false},
		{"SeeStages", "ivs:ListParticipants", stageARN, nil, true},
		{"SeeStages", "ivs:ListPublicKeys", "*", nil, false},
		{"LetPeopleIn", "ivs:CreateParticipantToken", stageARN, team("radio"), true},
		{"LetPeopleIn", "ivs:CreateParticipantToken", stageARN, team("tv"), false},
		{"LetPeopleIn", "ivs:CreateParticipantToken", stageARN, nil, false},
		{"LetPeopleIn", "ivs:GetStage", stageARN, team("radio"), false},
		{"Make", "ivs:CreateStage", stages, facts{"aws:RequestTag/team": {"radio"}}, true},
		{"Make", "ivs:TagResource", stages, facts{"aws:RequestTag/team": {"radio"}}, true},
		{"Make", "ivs:CreateStage", stages, nil, false},
		{"Make", "ivs:CreateStage", stages, facts{"aws:RequestTag/team": {"tv"}}, false},
		{"Make", "ivs:TagResource", stageARN, facts{"aws:RequestTag/team": {"radio"}, "aws:ResourceTag/team": {"tv"}}, false},
		{"Make", "ivs:TagResource", stageARN, facts{"aws:RequestTag/team": {"tv"}, "aws:ResourceTag/team": {"radio"}}, false},
		{"Make", "ivs:UntagResource", stageARN, team("radio"), false},
		{"Make", "ivs:DeleteStage", stageARN, team("radio"), true},
		{"Make", "ivs:DeleteStage", stageARN, team("tv"), false},
		{"NoStreamKeys", "ivs:GetIngestConfiguration", "arn:aws:ivs:eu-west-1:123456789012:ingest-configuration/AbCdEfGhIjKl", nil, false},
		{"NoStreamKeys", "ivs:ListIngestConfigurations", "*", nil, true},
		{"OnlyFromTheOffice", "ivs:GetStage", stageARN, from("203.0.113.9"), true},
		{"OnlyFromTheOffice", "ivs:GetStage", stageARN, from("2001:db8:1234::9"), true},
		{"OnlyFromTheOffice", "ivs:GetStage", stageARN, from("198.51.100.1"), false},
		{"OnlyInIreland", "ivs:GetStage", stageARN, facts{"aws:RequestedRegion": {"eu-west-1"}}, true},
		{"OnlyInIreland", "ivs:GetStage", stageARN, facts{"aws:RequestedRegion": {"us-east-1"}}, false},
	} {
		policies := []*Policy{guide[c.policy]}
		if guide[c.policy] == nil {
			t.Fatalf("the guide has no policy %s", c.policy)
		}
		switch {
		case strings.HasPrefix(c.policy, "Only"):
			policies = append(policies, full)
		case c.policy == "NoStreamKeys":
			policies = append(policies, readOnly)
		}
		tried[c.policy] = true
		if got := Decide(policies, Request{Action: c.action, Resource: c.resource, Context: c.facts.get}).Allowed; got != c.want {
			t.Errorf("%s allows %s on %s with %v: %v, want %v", c.policy, c.action, c.resource, c.facts, got, c.want)
		}
	}
	if len(tried) != len(guide) {
		t.Errorf("the guide has %d policies, %d were tried", len(guide), len(tried))
	}
}

func TestTheGuideNamesAllConditionKeysAndOperators(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	words := append([]string{"aws:RequestTag/<key>", "aws:ResourceTag/<key>"}, contextKeys...)
	for name := range operatorNames() {
		words = append(words, name)
	}
	for _, word := range words {
		if !strings.Contains(string(guide), "`"+word+"`") {
			t.Errorf("the guide does not mention %s", word)
		}
	}
}
