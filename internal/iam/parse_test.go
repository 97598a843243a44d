package iam

import (
	"fmt"
	"strings"
	"testing"
)

func TestAPolicyMayBeWrittenInAllTheWaysOfAWS(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"one statement without a list": `{"Statement": {"Effect": "Allow", "Action": "ivs:GetStage", "Resource": "*"}}`,
		"everything":                   `{"Version": "2012-10-17", "Id": "any text", "Statement": [{"Sid": "A1", "Effect": "Deny", "NotAction": ["ivs:*"], "NotResource": ["*"], "Condition": {}}, {"Sid": "", "Effect": "Allow", "Action": "*", "Resource": "*"}]}`,
		"elements in any order":        `{"Statement": [{"Resource": "arn:aws:ivs:*:*:stage/${aws:username}", "Action": "*", "Effect": "Allow"}], "Version": "2012-10-17"}`,
		"other services":               `{"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "execute-api:Invoke"], "Resource": ["arn:aws:s3:::bucket/*"]}]}`,
		"a byte order mark":            "\ufeff" + `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`,
		"a default with a brace":       `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ivs:*:*:stage/${aws:username, '}'}"}}`,
		"an ARN of any partition":      `{"Statement": {"Effect": "Allow", "Action": "*", "Resource": ["arn:aws-cn:ivs:*:*:stage/*", "arn:*:ivs:*:*:*", "*:*", "**"]}}`,
	} {
		if _, err := Parse("p", []byte(document)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// whole is a document whose third line is the inside of a statement.
func whole(statement string) string {
	return "{\n\"Version\": \"2012-10-17\", \"Statement\": [{\n" + statement + "\n}]}"
}

// when is a document whose third line has a condition.
func when(condition string) string {
	return whole(`"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": ` + condition)
}

func TestABadPolicyIsRefusedWithItsLineAndTheReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		document string
		line     int
		reason   string
	}{
		{``, 1, "not JSON"},
		{"{\n\"Version\": \"2012-10-17\",\n}", 3, "not JSON"},
		{"{}\n{}", 2, "not JSON"},
		{"[]", 1, "a policy is an object, not a list"},
		{"null", 1, "a policy is an object, not null"},
		{"{\"Statement\":\n\"\xff\"}", 2, "not UTF-8"},
		{`{}`, 1, "no Statement"},
		{"{\n\"Statement\":\n[]}", 3, "empty list"},
		{"{\"Statement\": [\n1]}", 2, "a statement is an object, not a number"},
		{"{\"Statement\":\n\"x\"}", 2, "a statement is an object, not a string"},
		{"{\n\"Statements\": []}", 2, `no element "Statements" here; did you mean "Statement"?`},
		{"{\n\"Version\": \"2012-10-18\"}", 2, `it must be "2012-10-17"`},
		{"{\n\"Version\": 2012}", 2, "Version must be a string, not a number"},
		{"{\n\"Id\": []}", 2, "Id must be a string, not a list"},
		{"{\"Statement\": 1,\n\"Statement\": 2}", 2, `"Statement" is here twice, first in line 1`},
		{whole(`"Effect": "Allow", "Action": "*"`), 2, "statement 1 has neither Resource nor NotResource"},
		{whole(`"Effect": "Allow", "Resource": "*"`), 2, "statement 1 has neither Action nor NotAction"},
		{whole(`"Sid": "X", "Action": "*", "Resource": "*"`), 2, "X has no Effect"},
		{whole(`"Effect": "allow"`), 3, "must be Allow or Deny"},
		{whole(`"effect": "Allow"`), 3, `no element "effect" here; did you mean "Effect"?`},
		{whole(`"Rsrc": "*"`), 3, `no element "Rsrc" here`},
		{whole(`"Effect": true`), 3, "Effect must be a string, not true or false"},
		{whole(`"Sid": "a b"`), 3, "only the letters"},
		{whole(`"Sid": 1`), 3, "Sid must be a string, not a number"},
		{whole(`"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},` + "\n{" + `"Sid": "A"`), 4, `the Sid "A" is taken by the statement in line 2`},
		{whole(`"Principal": "*"`), 3, "an identity policy has no Principal: it speaks of whoever holds the access key"},
		{whole(`"NotPrincipal": {"AWS": "*"}`), 3, "an identity policy has no NotPrincipal"},
		{whole(`"Action": "*", "NotAction": "*"`), 3, "not both"},
		{whole(`"Resource": "*", "NotResource": "*"`), 3, "not both"},
		{whole(`"Action": [` + "\n\"ivs:*\",\n\"GetStage\"]"), 5, `Action "GetStage" must be a service and an operation such as "ivs:GetStage"`},
		{whole(`"Action": "iv?:GetStage"`), 3, "must be a service and an operation"},
		{whole(`"Action": "ivs:"`), 3, "must be a service and an operation"},
		{whole(`"Action": ":GetStage"`), 3, "must be a service and an operation"},
		{whole(`"Action": "ivs:Get Stage"`), 3, "must be a service and an operation"},
		{whole(`"Action": []`), 3, "Action is an empty list"},
		{whole(`"NotAction": {}`), 3, "NotAction must be a string or a list of strings, not an object"},
		{whole(`"Action": ["*", null]`), 3, "Action must be a string or a list of strings, not null"},
		{whole(`"Resource": "stage/x"`), 3, `"stage/x" is neither an ARN`},
		{whole(`"Resource": ""`), 3, `"" is neither an ARN`},
		{whole(`"Resource": "arn:aws:ivs:us-east-1:123456789012"`), 3, "is neither an ARN"},
		{whole(`"Resource": ["*",` + "\n" + `"arn:aws:ivs:*:${aws:PrincipalAccount}:stage/*"]`), 4, "has a variable before the fifth colon"},
		{whole(`"Resource": "arn:aws:ivs:*:*:stage/${aws:username"`), 3, "has a ${ without its }"},
		{whole(`"Resource": "arn:aws:ivs:*:*:stage/${username}"`), 3, "the variable ${username} names no condition key"},
		{whole(`"Resource": "arn:aws:ivs:*:*:stage/${}"`), 3, "the variable ${} names no condition key"},
		{whole(`"Resource": "arn:aws:ivs:*:*:stage/${aws:username, all}"`), 3, "has a default that is not between single quotes"},
		{whole(`"Condition": []`), 3, "Condition must be an object, not a list"},
		{when(`{"StringEqual": {}}`), 3, `no condition operator "StringEqual"; did you mean StringEquals?`},
		{when(`{"ForEachValue:StringEquals": {}}`), 3, `no condition operator "ForEachValue:StringEquals"`},
		{when(`{"ForAllValues:ForAnyValue:StringEquals": {}}`), 3, `no condition operator "ForAllValues:ForAnyValue:StringEquals"`},
		{when(`{"ForAnyValue:ForAllValues:StringEquals": {}}`), 3, `no condition operator "ForAnyValue:ForAllValues:StringEquals"`},
		{when(`{"ForAllValues:ForAllValues:StringEquals": {}}`), 3, "no condition operator"},
		{when(`{"StringEqualsifexists": {}}`), 3, "no condition operator"},
		{when(`{"BinaryEquals": {}}`), 3, "no condition operator"},
		{when(`{"NullIfExists": {}}`), 3, "makes no sense"},
		{when(`{"ForAllValues:Null": {}}`), 3, "makes no sense"},
		{when(`{"StringEquals": "x"}`), 3, "StringEquals must be an object, not a string"},
		{when(`{"StringEquals": {"team": "x"}}`), 3, `"team" is no condition key`},
		{when(`{"StringEquals": {"aws:username": []}}`), 3, "with an empty list"},
		{when(`{"StringEquals": {"aws:username": null}}`), 3, "not with null"},
		{when(`{"StringEquals": {"aws:username": [` + "\n" + `{"x": 1}]}}`), 4, "not with an object"},
		{when(`{"StringEquals": {"aws:username": "${aws:}"}}`), 3, "names no condition key"},
		{when(`{"NumericEquals": {"aws:EpochTime": "ten"}}`), 3, `"ten" is no number`},
		{when(`{"NumericEquals": {"aws:EpochTime": "0x10"}}`), 3, "is no number"},
		{when(`{"NumericEquals": {"aws:EpochTime": "Inf"}}`), 3, "is no number"},
		{when(`{"NumericEquals": {"aws:EpochTime": "${aws:EpochTime}"}}`), 3, "is no number"},
		{when(`{"DateLessThan": {"aws:CurrentTime": [` + "\n\"2026-01-01\",\n\"2026-13-01\"]}}"), 5, `DateLessThan aws:CurrentTime: "2026-13-01" is no date`},
		{when(`{"DateLessThan": {"aws:CurrentTime": "2026-01-01T10:00:00"}}`), 3, "is no date"},
		{when(`{"Bool": {"aws:SecureTransport": "yes"}}`), 3, `"yes" is neither true nor false`},
		{when(`{"Null": {"aws:TokenIssueTime": 1}}`), 3, `"1" is neither true nor false`},
		{when(`{"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}`), 3, `"203.0.113.0/33" is no IP address`},
		{when(`{"NotIpAddress": {"aws:SourceIp": "203.0.113.*"}}`), 3, "is no IP address"},
		{when(`{"IpAddress": {"aws:SourceIp": "fe80::1%eth0"}}`), 3, "is no IP address"},
		{when(`{"ArnLike": {"aws:PrincipalArn": "user/alice"}}`), 3, `"user/alice" is no ARN`},
		{when(`{"ArnLike": {"aws:PrincipalArn": "ARN:aws:iam::*:user/*"}}`), 3, "is no ARN"},
		{"{\"Statement\":\n" + strings.Repeat("[", 9) + strings.Repeat("]", 9) + "}", 2, "nested more deeply"},
		{strings.Repeat("[", 3000) + strings.Repeat("]", 3000), 1, "nested more deeply"},
		{strings.Repeat("\n", 40) + strings.Repeat("x", 6145), 41, "more than 6144 characters"},
		{strings.Repeat("\n", 70000), 65537, "70000 bytes; at most 65536"},
	} {
		_, err := Parse("radio", []byte(c.document))
		if err == nil {
			t.Errorf("%.200s is taken for a policy", c.document)
			continue
		}
		if begin := fmt.Sprintf("policy radio, line %d: ", c.line); !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), c.reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.200s\nis refused with %q,\nwant %q and %q", c.document, err, begin, c.reason)
		}
	}
}

func TestLinesAreThoseOfTheFileThatADocumentStandsIn(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"{\n\"Statements\": []}":                             `policy p, line 11: there is no element "Statements"`,
		"{\n\"Statement\": ]":                                "policy p, line 11: this is not JSON",
		"{\"Statement\": {\"Sid\": \"a\",\n\"Sid\": \"b\"}}": `policy p, line 11: "Sid" is here twice, first in line 10`,
		"{\n" + strings.Repeat("x", 7000):                    "policy p, line 11: the document has more than",
	} {
		if _, err := ParseAt("p", []byte(document), 10); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40s\n got %v\nwant %s", document, err, want)
		}
	}
}

func TestWhiteSpaceDoesNotCountAgainstTheSize(t *testing.T) {
	t.Parallel()
	spread := strings.ReplaceAll(whole(`"Effect": "Allow", "Action": "*", "Resource": "*"`), " ", strings.Repeat(" \t\r\n", 1000))
	if len(spread) <= maxCharacters {
		t.Fatalf("%d bytes try nothing", len(spread))
	}
	p, err := Parse("p", []byte(spread))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(p.Document()); got != spread {
		t.Error("the document is not the one that was parsed")
	}
}
