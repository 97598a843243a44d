package iam

import (
	"strings"
	"testing"
)

const stageARN = "arn:aws:ivs:us-east-1:123456789012:stage/AbCdEfGhIjKl"

// mustParse parses a whole document.
func mustParse(t testing.TB, document string) *Policy {
	t.Helper()
	p, err := Parse("test", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// policy makes a policy of the current version from the inside of its statements.
func policy(t testing.TB, statements ...string) *Policy {
	t.Helper()
	return mustParse(t, `{"Version": "2012-10-17", "Statement": [{`+strings.Join(statements, "}, {")+`}]}`)
}

// facts is a request context.
type facts map[string][]string

func (f facts) get(key string) ([]string, bool) {
	return Find(f, key)
}

func request(action string, f facts) Request {
	return Request{Action: action, Resource: stageARN, Context: f.get}
}

func TestAnExplicitDenyWinsWhereverItStands(t *testing.T) {
	t.Parallel()
	allow := policy(t, `"Sid": "Everything", "Effect": "Allow", "Action": "ivs:*", "Resource": "*"`)
	deny := policy(t,
		`"Effect": "Allow", "Action": "ivs:List*", "Resource": "*"`,
		`"Effect": "Deny", "Action": "ivs:DeleteStage", "Resource": "`+stageARN+`"`)
	for _, policies := range [][]*Policy{{allow, deny}, {deny, allow}} {
		if d := Decide(policies, request("ivs:DeleteStage", nil)); d != (Decision{Explicit: true, Policy: "test", Statement: "statement 2"}) {
			t.Errorf("the denied action is decided %+v", d)
		}
		if d := Decide(policies, request("ivs:GetStage", nil)); d != (Decision{Allowed: true, Policy: "test", Statement: "Everything"}) {
			t.Errorf("the allowed action is decided %+v", d)
		}
	}
}

func TestWhatNoStatementSpeaksOfIsDenied(t *testing.T) {
	t.Parallel()
	for name, policies := range map[string][]*Policy{
		"no policy":        nil,
		"another action":   {policy(t, `"Effect": "Allow", "Action": "ivs:ListStages", "Resource": "*"`)},
		"another resource": {policy(t, `"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ivs:us-east-1:123456789012:stage/Other"`)},
		"another service":  {policy(t, `"Effect": "Allow", "Action": "s3:*", "Resource": "*"`)},
		"a deny elsewhere": {policy(t, `"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"`)},
	} {
		if d := Decide(policies, request("ivs:GetStage", nil)); d != (Decision{}) {
			t.Errorf("with %s it is decided %+v", name, d)
		}
	}
}
