package iam

import "testing"

// judgement is one condition and what becomes of it under a request. An absent
// key is not in the facts.
type judgement struct {
	condition string
	facts     facts
	want      bool
}

// judge tries each condition in an Allow statement.
func judge(t *testing.T, cases []judgement) {
	t.Helper()
	for _, c := range cases {
		p := policy(t, `"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": `+c.condition)
		if got := Decide([]*Policy{p}, request("ivs:GetStage", c.facts)).Allowed; got != c.want {
			t.Errorf("%s with %v holds: %v, want %v", c.condition, c.facts, got, c.want)
		}
	}
}

// team and the others are requests that have one key.
func team(values ...string) facts   { return facts{"aws:ResourceTag/team": values} }
func keys(values ...string) facts   { return facts{"aws:TagKeys": values} }
func epoch(value string) facts      { return facts{"aws:EpochTime": {value}} }
func now(value string) facts        { return facts{"aws:CurrentTime": {value}} }
func from(address string) facts     { return facts{"aws:SourceIp": {address}} }
func principal(arn string) facts    { return facts{"aws:PrincipalArn": {arn}} }
func transport(secure string) facts { return facts{"aws:SecureTransport": {secure}} }
func absent() facts                 { return facts{} }
func knownWithoutValue() facts      { return facts{"aws:ResourceTag/team": {}} }
func comparing(op, value string) string {
	return `{"` + op + `": {"aws:ResourceTag/team": ` + value + `}}`
}

func TestStringsAreComparedAsTheOperatorSays(t *testing.T) {
	t.Parallel()
	judge(t, []judgement{
		{comparing("StringEquals", `"red"`), team("red"), true},
		{comparing("StringEquals", `"red"`), team("Red"), false},
		{comparing("StringEquals", `"red"`), team("red "), false},
		{comparing("StringEquals", `"red"`), team(""), false},
		{comparing("StringEquals", `""`), team(""), true},
		{comparing("StringEquals", `["red", "blue"]`), team("blue"), true},
		{comparing("StringEquals", `["red", "blue"]`), team("green"), false},
		{comparing("StringEquals", `"r*"`), team("red"), false},
		{comparing("StringEquals", `"r*"`), team("r*"), true},
		{comparing("StringEquals", `12`), team("12"), true},
		{comparing("StringEquals", `true`), team("true"), true},
		{comparing("StringNotEquals", `"red"`), team("blue"), true},
		{comparing("StringNotEquals", `"red"`), team("red"), false},
		{comparing("StringNotEquals", `["red", "blue"]`), team("blue"), false},
		{comparing("StringNotEquals", `["red", "blue"]`), team("green"), true},
		{comparing("StringEqualsIgnoreCase", `"Red"`), team("rED"), true},
		{comparing("StringEqualsIgnoreCase", `"Red"`), team("blue"), false},
		{comparing("StringNotEqualsIgnoreCase", `"Red"`), team("rED"), false},
		{comparing("StringNotEqualsIgnoreCase", `"Red"`), team("blue"), true},
		{comparing("StringLike", `"r*d"`), team("round"), true},
		{comparing("StringLike", `"r*d"`), team("rounds"), false},
		{comparing("StringLike", `"r*d"`), team("Round"), false},
		{comparing("StringLike", `"r?d"`), team("red"), true},
		{comparing("StringLike", `"r?d"`), team("rd"), false},
		{comparing("StringLike", `"r?d"`), team("röd"), true},
		{comparing("StringLike", `"*"`), team(""), true},
		{comparing("StringNotLike", `"r*"`), team("red"), false},
		{comparing("StringNotLike", `"r*"`), team("blue"), true},
		{comparing("StringNotLike", `["r*", "b*"]`), team("blue"), false},
	})
}

func TestNumbersAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for op, want := range map[string][3]bool{ // of 9, 10 and 11 compared with 10
		"NumericEquals":            {false, true, false},
		"NumericNotEquals":         {true, false, true},
		"NumericLessThan":          {true, false, false},
		"NumericLessThanEquals":    {true, true, false},
		"NumericGreaterThan":       {false, false, true},
		"NumericGreaterThanEquals": {false, true, true},
	} {
		for i, value := range []string{"9", "10.0", "11"} {
			judge(t, []judgement{
				{comparing(op, `"10"`), team(value), want[i]},
				{comparing(op, `10`), team(value), want[i]},
			})
		}
	}
	judge(t, []judgement{
		{comparing("NumericEquals", `"-0.5"`), team("-.5"), true},
		{comparing("NumericEquals", `["1", "2"]`), team("2"), true},
		{comparing("NumericNotEquals", `["1", "2"]`), team("2"), false},
		{comparing("NumericEquals", `"10"`), team("ten"), false},
		{comparing("NumericLessThan", `"10"`), team("ten"), false},
		{comparing("NumericNotEquals", `"10"`), team("ten"), true},
		{comparing("NumericEquals", `"10"`), team("0xa"), false},
	})
}

func TestDatesAreComparedToTheSecondHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for op, want := range map[string][3]bool{ // of the second before, the second, the second after
		"DateEquals":            {false, true, false},
		"DateNotEquals":         {true, false, true},
		"DateLessThan":          {true, false, false},
		"DateLessThanEquals":    {true, true, false},
		"DateGreaterThan":       {false, false, true},
		"DateGreaterThanEquals": {false, true, true},
	} {
		for i, second := range []string{"59", "00", "01"} {
			minute := []string{"29", "30", "30"}[i]
			for _, policy := range []string{`"2026-03-01T12:30:00Z"`, `"2026-03-01T14:30:00+02:00"`, `"2026-03-01T12:30Z"`, `"20260301T123000Z"`, `"1772368200"`, `1772368200`} {
				judge(t, []judgement{{
					`{"` + op + `": {"aws:CurrentTime": ` + policy + `}}`,
					now("2026-03-01T12:" + minute + ":" + second + ".75Z"), want[i],
				}})
			}
		}
	}
	judge(t, []judgement{
		{`{"DateGreaterThanEquals": {"aws:CurrentTime": "2026-03-01"}}`, now("2026-03-01T00:00:00Z"), true},
		{`{"DateLessThan": {"aws:CurrentTime": "2026-03"}}`, now("2026-02-28T23:59:59Z"), true},
		{`{"DateLessThan": {"aws:CurrentTime": "2026"}}`, now("2025-12-31T23:59:59Z"), true},
		{`{"DateGreaterThan": {"aws:EpochTime": "2026-03-01T12:30:00Z"}}`, epoch("1772368201"), true},
		{`{"NumericLessThan": {"aws:EpochTime": "1772368200"}}`, epoch("1772368199"), true},
		{`{"DateLessThan": {"aws:TokenIssueTime": "2030-01-01"}}`, absent(), false},
		{`{"DateLessThan": {"aws:CurrentTime": "2026-03-01"}}`, now("yesterday"), false},
	})
}

func TestBoolComparesTruth(t *testing.T) {
	t.Parallel()
	const secure, plain = `{"Bool": {"aws:SecureTransport": "true"}}`, `{"Bool": {"aws:SecureTransport": false}}`
	judge(t, []judgement{
		{secure, transport("true"), true},
		{secure, transport("True"), true},
		{secure, transport("false"), false},
		{secure, absent(), false},
		{plain, transport("false"), true},
		{plain, transport("true"), false},
		{plain, absent(), false},
		{`{"BoolIfExists": {"aws:SecureTransport": "true"}}`, absent(), true},
		{`{"BoolIfExists": {"aws:SecureTransport": "true"}}`, transport("false"), false},
	})
}

func TestAddressesAreComparedWithNetworks(t *testing.T) {
	t.Parallel()
	const office = `["203.0.113.0/24", "198.51.100.7", "2001:db8:1234::/48"]`
	for address, inside := range map[string]bool{
		"203.0.113.0": true, "203.0.113.255": true, "203.0.114.0": false,
		"198.51.100.7": true, "198.51.100.8": false,
		"2001:db8:1234:5678::1": true, "2001:DB8:1234::": true, "2001:db8:1235::1": false,
		"::ffff:203.0.113.9": true, "not an address": false,
	} {
		judge(t, []judgement{
			{`{"IpAddress": {"aws:SourceIp": ` + office + `}}`, from(address), inside},
			{`{"NotIpAddress": {"aws:SourceIp": ` + office + `}}`, from(address), !inside},
		})
	}
	judge(t, []judgement{
		{`{"IpAddress": {"aws:SourceIp": "203.0.113.77/24"}}`, from("203.0.113.1"), true},
		{`{"IpAddress": {"aws:SourceIp": "::ffff:203.0.113.0/120"}}`, from("203.0.113.1"), true},
		{`{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`, from("2001:db8::1"), false},
		{`{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`, absent(), false},
		{`{"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}`, absent(), true},
	})
}

func TestARNsAreComparedPartByPart(t *testing.T) {
	t.Parallel()
	const user = "arn:aws:iam::123456789012:user/ops/alice"
	for pattern, want := range map[string]bool{
		user: true, "arn:aws:iam::123456789012:user/*": true, "arn:aws:iam::*:user/ops/?lice": true, "arn:*:iam::1234*:*": true, "*": true,
		"arn:aws:iam::123456789012:user/bob": false, "arn:aws:iam::*:*:user/ops/alice": false,
	} {
		for op, negated := range map[string]bool{"ArnEquals": false, "ArnLike": false, "ArnNotEquals": true, "ArnNotLike": true} {
			judge(t, []judgement{{`{"` + op + `": {"aws:PrincipalArn": "` + pattern + `"}}`, principal(user), want != negated}})
		}
	}
	// The example of the AWS documentation: a wildcard does not reach over a colon.
	const far = "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"
	const pattern = "arn:aws:someservice:*:111122223333:finance/*"
	judge(t, []judgement{
		{`{"StringLike": {"aws:PrincipalArn": "` + pattern + `"}}`, principal(far), true},
		{`{"ArnLike": {"aws:PrincipalArn": "` + pattern + `"}}`, principal(far), false},
		{`{"ArnLike": {"aws:PrincipalArn": "` + pattern + `"}}`, principal("arn:aws"), false},
		{`{"ArnLike": {"aws:PrincipalArn": "` + pattern + `"}}`, absent(), false},
		{`{"ArnNotLike": {"aws:PrincipalArn": "` + pattern + `"}}`, absent(), true},
	})
}

func TestAMissingKeyFailsWhatIsAskedAndMeetsWhatIsExcluded(t *testing.T) {
	t.Parallel()
	operands := map[string]string{
		"String": `"red"`, "Numeric": `"1"`, "Date": `"2026-01-01"`, "Bool": `"true"`, "IpAddress": `"203.0.113.1"`, "NotIpAddress": `"203.0.113.1"`, "Arn": `"*"`,
	}
	tried := 0
	for name, op := range operators {
		if op.presence {
			continue
		}
		for family, value := range operands {
			if len(name) < len(family) || name[:len(family)] != family {
				continue
			}
			tried++
			for _, f := range []facts{absent(), knownWithoutValue()} {
				judge(t, []judgement{
					{comparing(name, value), f, op.negated},
					{comparing(name+"IfExists", value), f, true},
					{comparing("ForAllValues:"+name, value), f, true},
					{comparing("ForAnyValue:"+name, value), f, false},
					{comparing("ForAnyValue:"+name+"IfExists", value), f, true},
				})
			}
		}
	}
	if tried != len(operators)-1 {
		t.Errorf("%d operators were tried, there are %d and Null", tried, len(operators)-1)
	}
}

func TestIfExistsComparesWhatIsThere(t *testing.T) {
	t.Parallel()
	judge(t, []judgement{
		{comparing("StringEqualsIfExists", `"red"`), team("red"), true},
		{comparing("StringEqualsIfExists", `"red"`), team("blue"), false},
		{comparing("StringNotEqualsIfExists", `"red"`), team("red"), false},
		{comparing("StringNotEqualsIfExists", `"red"`), team("blue"), true},
	})
}

func TestNullAsksWhetherAKeyIsThere(t *testing.T) {
	t.Parallel()
	judge(t, []judgement{
		{comparing("Null", `"true"`), absent(), true},
		{comparing("Null", `true`), knownWithoutValue(), true},
		{comparing("Null", `"true"`), team("red"), false},
		{comparing("Null", `"false"`), absent(), false},
		{comparing("Null", `false`), team("red"), true},
		{comparing("Null", `["true", "false"]`), team("red"), true},
	})
}

func TestSetsOfValues(t *testing.T) {
	t.Parallel()
	all, anyOf := func(op string) string { return `{"ForAllValues:` + op + `": {"aws:TagKeys": ["team", "stage"]}}` },
		func(op string) string { return `{"ForAnyValue:` + op + `": {"aws:TagKeys": ["team", "stage"]}}` }
	judge(t, []judgement{
		{all("StringEquals"), keys("team"), true},
		{all("StringEquals"), keys("team", "stage"), true},
		{all("StringEquals"), keys("team", "cost"), false},
		{all("StringEquals"), absent(), true},
		{all("StringNotEquals"), keys("cost", "owner"), true},
		{all("StringNotEquals"), keys("cost", "team"), false},
		{all("StringNotEquals"), absent(), true},
		{anyOf("StringEquals"), keys("cost", "team"), true},
		{anyOf("StringEquals"), keys("cost"), false},
		{anyOf("StringEquals"), absent(), false},
		{anyOf("StringNotEquals"), keys("team", "cost"), true},
		{anyOf("StringNotEquals"), keys("team", "stage"), false},
		{anyOf("StringNotEquals"), absent(), false},
		// Without a set operator several values are taken as one.
		{`{"StringEquals": {"aws:TagKeys": "team"}}`, keys("cost", "team"), true},
		{`{"StringNotEquals": {"aws:TagKeys": "team"}}`, keys("cost", "team"), false},
		{`{"StringNotEquals": {"aws:TagKeys": "team"}}`, keys("cost", "owner"), true},
	})
}

func TestAllOperatorsAndAllKeysHaveToHold(t *testing.T) {
	t.Parallel()
	const both = `{"StringEquals": {"aws:ResourceTag/team": "red", "aws:username": "alice"}, "Bool": {"aws:SecureTransport": "true"}}`
	whole := facts{"aws:ResourceTag/team": {"red"}, "aws:username": {"alice"}, "aws:SecureTransport": {"true"}}
	judge(t, []judgement{{both, whole, true}, {`{}`, absent(), true}})
	for key := range whole {
		less := facts{}
		for k, v := range whole {
			if k != key {
				less[k] = v
			}
		}
		judge(t, []judgement{{both, less, false}})
	}
}

func TestKeysAreTheSameInAnyCaseThoseOfTagsToo(t *testing.T) {
	t.Parallel()
	judge(t, []judgement{
		{`{"StringEquals": {"AWS:resourcetag/team": "red"}}`, team("red"), true},
		{`{"StringEquals": {"aws:ResourceTag/Team": "red"}}`, team("red"), true},
		{`{"StringEquals": {"aws:ResourceTag/Team": "Red"}}`, team("red"), false}, // the value keeps its case
		{`{"StringEquals": {"aws:ResourceTag/Tea": "red"}}`, team("red"), false},
		{`{"ForAllValues:StringEquals": {"aws:TagKeys": "Team"}}`, facts{"aws:TagKeys": {"team"}}, false}, // a value, too
		{`{"StringEquals": {"aws:UserName": "alice"}}`, facts{"aws:username": {"alice"}}, true},
		{`{"StringLike": {"aws:principalarn": "${AWS:PRINCIPALARN}"}}`, principal("arn:aws:iam::1:user/x"), true},
	})
}

func TestATagWhoseKeyIsSpeltAsThePolicyHasItComesFirst(t *testing.T) {
	t.Parallel()
	tags := map[string]string{"team": "a", "Team": "b", "TEAM": "c"}
	for key, want := range map[string]string{"team": "a", "Team": "b", "tEAM": "c", "teams": ""} { // capitals sort first
		if got, known := Find(tags, key); got != want || known != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", key, got, known, want)
		}
	}
}
