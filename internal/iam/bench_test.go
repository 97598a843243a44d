package iam

import "testing"

// BenchmarkDecide authorises a request with policies as an access key of a backend
// has them: what it may do, on what, and what nobody may.
func BenchmarkDecide(b *testing.B) {
	policies := []*Policy{
		policy(b,
			`"Effect": "Allow", "Action": ["ivs:Get*", "ivs:List*"], "Resource": "*"`,
			`"Effect": "Allow", "Action": ["ivs:CreateParticipantToken", "ivs:DisconnectParticipant"], "Resource": "arn:aws:ivs:us-east-1:123456789012:stage/*", "Condition": {"StringEquals": {"aws:ResourceTag/team": ["radio", "tv"]}}`),
		policy(b, `"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}}`),
	}
	teams, addresses := []string{"tv"}, []string{"10.1.2.3"}
	context := func(key string) ([]string, bool) {
		switch key {
		case "aws:ResourceTag/team":
			return teams, true
		case "aws:SourceIp":
			return addresses, true
		}
		return nil, false
	}
	b.ReportAllocs()
	for b.Loop() {
		if !Decide(policies, Request{Action: "ivs:CreateParticipantToken", Resource: stageARN, Context: context}).Allowed {
			b.Fatal("it is denied")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	document := []byte(when(`{"StringEquals": {"aws:ResourceTag/team": ["radio", "tv"]}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("bench", document); err != nil {
			b.Fatal(err)
		}
	}
}
