package iam

import (
	"maps"
	"slices"
	"strings"
)

// managedARN stands before the name of a managed policy in its ARN.
const managedARN = "arn:aws:iam::aws:policy/"

// managed are the policies that need not be written. IVSReadOnlyAccess and
// IVSFullAccess are named as in AWS and say of this service what they say there;
// who may read everything may read it at Callboard's own API as well.
var managed = map[string]struct{ about, document string }{
	"IVSReadOnlyAccess": {"see everything, change nothing", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Read",
      "Effect": "Allow",
      "Action": ["ivs:Get*", "ivs:List*", "callboard:Get*", "callboard:Watch*",
        "callboard:QueryParticipants", "callboard:CountParticipants", "callboard:ExportSession", "callboard:ExplainToken"],
      "Resource": "*"
    }
  ]
}
`},
	"IVSFullAccess": {"every operation of the IVS Real-Time API", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Everything",
      "Effect": "Allow",
      "Action": "ivs:*",
      "Resource": "*"
    }
  ]
}
`},
	"CallboardFullAccess": {"every operation of the IVS Real-Time API and of Callboard's own", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Everything",
      "Effect": "Allow",
      "Action": ["ivs:*", "callboard:*"],
      "Resource": "*"
    }
  ]
}
`},
}

// Managed gives the managed policy of a name, which may also be its AWS ARN.
func Managed(name string) (*Policy, bool) {
	name = strings.TrimPrefix(name, managedARN)
	found, ok := managed[name]
	if !ok {
		return nil, false
	}
	p, err := Parse(name, []byte(found.document))
	return p, err == nil
}

// ManagedNames are the names that [Managed] knows, sorted.
func ManagedNames() []string {
	return slices.Sorted(maps.Keys(managed))
}

// About says in a few words what a managed policy allows.
func About(name string) string { return managed[name].about }
