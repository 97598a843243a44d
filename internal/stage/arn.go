package stage

import (
	"fmt"
	"strings"
)

// Resource types as they stand in an ARN.
const (
	TypeStage                = "stage"
	TypePublicKey            = "public-key"
	TypeComposition          = "composition"
	TypeEncoderConfiguration = "encoder-configuration"
	TypeStorageConfiguration = "storage-configuration"
	TypeIngestConfiguration  = "ingest-configuration"
)

// ARN names one resource: arn:aws:ivs:<region>:<account>:<type>/<id>. The zero
// ARN names nothing. ARNs are comparable.
type ARN struct {
	Region  string
	Account string
	Type    string
	ID      string
}

// ParseARN reads an ARN of the ivs service. The error says what it expects.
func ParseARN(s string) (ARN, error) {
	rest, ok := strings.CutPrefix(s, "arn:aws:ivs:")
	region, rest, ok1 := strings.Cut(rest, ":")
	account, rest, ok2 := strings.Cut(rest, ":")
	typ, id, ok3 := strings.Cut(rest, "/")
	ok = ok && ok1 && ok2 && ok3 && len(s) <= 128 &&
		made(region, lower+digits+"-") && made(account, digits) && made(typ, lower+"-") && made(id, lower+upper+digits+"-")
	if !ok {
		return ARN{}, fmt.Errorf("%q is not an ARN of the form arn:aws:ivs:region:account:type/id", s)
	}
	return ARN{Region: region, Account: account, Type: typ, ID: id}, nil
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// made says whether s has at least one character and all of them are of the alphabet.
func made(s, alphabet string) bool {
	return s != "" && strings.Trim(s, alphabet) == ""
}

// String gives the ARN as text, "" for the zero ARN.
func (a ARN) String() string {
	if a == (ARN{}) {
		return ""
	}
	return strings.Join([]string{"arn:aws:ivs", a.Region, a.Account, a.Type + "/" + a.ID}, ":")
}
