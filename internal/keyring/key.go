package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"callboard/internal/iam"
)

// DefaultName is the user name of a key that was given none.
const DefaultName = "callboard"

// Bounds of what a file may hold.
const (
	maxFile     = 4 << 20
	maxKeys     = 1000
	maxPolicies = 10       // of one key, as AWS attaches to one user
	maxDocument = 64 << 10 // bytes; the policy language has a bound of its own
	maxToken    = 4096     // characters of a session token
)

// Key is an access key. Make one with [New], or fill in the members and give it
// to [Book.Add].
type Key struct {
	ID           string // 16 to 128 upper-case letters and digits, not digits alone
	Secret       string // 8 to 128 printable characters; "" once the key is revoked
	SessionToken string // of temporary credentials, which every request must carry; else ""
	Account      string // 12 digits
	Name         string // user name in the ARN of the principal
	Policies     []Policy
	Created      time.Time
	Expires      time.Time // zero: never
	Revoked      time.Time // zero: not revoked
	Successor    string    // id of the key that was made to take its place, "" for none

	rights []*iam.Policy
}

// Policy is a policy as the file keeps it: a document of its own, or none for
// the managed policy of that name.
type Policy struct {
	Name     string
	Document json.RawMessage
}

// New makes a key from what the given one says: owner, policies and expiry. The
// id, the secret and, for temporary credentials, the session token are new.
func New(like Key, now time.Time, temporary bool) (Key, error) {
	const upper, all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	k := like
	k.ID, k.Secret, k.SessionToken = "AKIA"+draw(16, upper), draw(40, all), ""
	if temporary {
		token := make([]byte, 192)
		rand.Read(token)
		k.ID, k.SessionToken = "ASIA"+draw(16, upper), base64.StdEncoding.EncodeToString(token)
	}
	if k.Name == "" {
		k.Name = DefaultName
	}
	k.Created, k.Revoked = now.UTC().Truncate(time.Second), time.Time{}
	return k, k.compile()
}

// draw draws n characters; the alphabet's length divides 256, so that every
// character is equally likely.
func draw(n int, alphabet string) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// Rights are the policies of the key, ready for a decision.
func (k *Key) Rights() []*iam.Policy { return k.rights }

// Temporary tells whether these are temporary credentials.
func (k *Key) Temporary() bool { return k.SessionToken != "" || strings.HasPrefix(k.ID, "ASIA") }

// ARN names the principal: an IAM user or, for temporary credentials, a
// federated user, which is what AWS makes of a name and policies without a role.
func (k *Key) ARN() string {
	if k.Temporary() {
		return "arn:aws:sts::" + k.Account + ":federated-user/" + k.Name
	}
	return "arn:aws:iam::" + k.Account + ":user/" + k.Name
}

// Ended is when the key stopped working, or will; zero for never.
func (k *Key) Ended() time.Time {
	if !k.Revoked.IsZero() && (k.Expires.IsZero() || k.Revoked.Before(k.Expires)) {
		return k.Revoked
	}
	return k.Expires
}

// State is "active", "expired" or "revoked".
func (k *Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "expired"
	}
	return "active"
}

// Revoke ends the key and forgets its secrets.
func (k *Key) Revoke(now time.Time) {
	k.Revoked, k.Secret, k.SessionToken = now.UTC().Truncate(time.Second), "", ""
}

// Rotate makes the key that takes the place of k: another pair of the same owner,
// with the same policies and as long a life, or until the same end if nobody knows
// when k was made. k itself ends after the grace, or earlier if it had to anyway.
// A key that has ended has no successor.
func (k *Key) Rotate(now time.Time, grace time.Duration) (Key, error) {
	if state := k.State(now); state != "active" {
		return Key{}, fmt.Errorf("%s is %s: make a new one", k, state)
	}
	next := *k
	if !k.Expires.IsZero() && !k.Created.IsZero() {
		next.Expires = now.Add(k.Expires.Sub(k.Created)).UTC().Truncate(time.Second)
	}
	if end := now.Add(grace).UTC().Truncate(time.Second); k.Expires.IsZero() || end.Before(k.Expires) {
		k.Expires = end
	}
	return New(next, now, k.Temporary())
}

// String names the key without its secrets.
func (k Key) String() string { return "access key " + k.ID }

// GoString is String: no verb of fmt shows a secret.
func (k Key) GoString() string { return k.String() }

// LogValue is what a log may show of a key.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

var (
	idForm      = regexp.MustCompile(`\A[A-Z0-9]{16,128}\z`)
	digitsForm  = regexp.MustCompile(`\A[0-9]+\z`)
	secretForm  = regexp.MustCompile(`\A[!-~]{8,128}\z`)
	accountForm = regexp.MustCompile(`\A[0-9]{12}\z`)
	nameForm    = regexp.MustCompile(`\A[A-Za-z0-9_+=,.@-]{1,64}\z`)
	policyForm  = regexp.MustCompile(`\A[A-Za-z0-9_+=,.@-]{1,128}\z`)
	tokenForm   = regexp.MustCompile(`\A[!-~]*\z`)
)

// compile checks the key and makes its policies ready. The error does not name
// the key and contains none of its secrets.
func (k *Key) compile() error {
	revoked := !k.Revoked.IsZero()
	switch {
	case !idForm.MatchString(k.ID) || digitsForm.MatchString(k.ID):
		return fmt.Errorf("accessKeyId must be 16 to 128 upper-case letters and digits")
	case !revoked && !secretForm.MatchString(k.Secret):
		return fmt.Errorf("secretAccessKey must be 8 to 128 characters without spaces")
	case !tokenForm.MatchString(k.SessionToken) || len(k.SessionToken) > maxToken:
		return fmt.Errorf("sessionToken must be at most %d characters without spaces", maxToken)
	case k.SessionToken != "" && k.Expires.IsZero():
		return fmt.Errorf("a key with a sessionToken must have expires")
	case !accountForm.MatchString(k.Account):
		return fmt.Errorf("account must be 12 digits")
	case !nameForm.MatchString(k.Name):
		return fmt.Errorf("name must be 1 to 64 letters, digits and characters of _+=,.@-")
	case len(k.Policies) > maxPolicies:
		return fmt.Errorf("a key has at most %d policies", maxPolicies)
	}
	k.rights = nil
	for _, p := range k.Policies {
		compiled, err := p.compile()
		if err != nil {
			return err
		}
		k.rights = append(k.rights, compiled)
	}
	return nil
}

func (p Policy) compile() (*iam.Policy, error) {
	if !policyForm.MatchString(p.Name) {
		return nil, &policyError{p, fmt.Errorf("the name of a policy must be 1 to 128 letters, digits and characters of _+=,.@-")}
	}
	if p.Document == nil {
		managed, ok := iam.Managed(p.Name)
		if !ok || managed.Name != p.Name {
			return nil, &policyError{p, fmt.Errorf("there is no managed policy %s", p.Name)}
		}
		return managed, nil
	}
	if len(p.Document) > maxDocument {
		return nil, &policyError{p, fmt.Errorf("policy %s is longer than %d bytes", p.Name, maxDocument)}
	}
	compiled, err := iam.Parse(p.Name, p.Document)
	if err != nil {
		return nil, &policyError{p, err}
	}
	return compiled, nil
}

// policyError remembers which policy is wrong, so that a file can name its line.
type policyError struct {
	policy Policy
	reason error
}

func (e *policyError) Error() string { return e.reason.Error() }
func (e *policyError) Unwrap() error { return e.reason }
