package sigv4

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultWindow is how far a request's time may be from ours unless the
// [Verifier] says otherwise.
const DefaultWindow = 5 * time.Minute

// Identity is who signed a request, for which region and when.
type Identity struct {
	AccessKeyID string
	Region      string
	Date        time.Time // of the signature, UTC, whole seconds
}

// Verifier verifies signatures for one service. It is safe for concurrent use;
// its fields must not change after the first call.
type Verifier struct {
	// Service is the signing name that the scope must carry, like "ivs".
	Service string

	// Regions are those that a scope may name; none means any.
	Regions []string

	// Window is how far the time of a request may lie in the past or the
	// future; 0 means DefaultWindow. Presigned requests live as long as they
	// say, at most seven days.
	Window time.Duration

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// Lookup finds the key for an access key id. It is called for every request
	// of the right form and time, and must be safe for concurrent use.
	Lookup func(accessKeyID string) (Key, bool)

	// Host is the public host, with the port unless it is the default one, when
	// a proxy in front replaces the Host header. A signature for it is as good as
	// one for the host of the request. "" means there is no other.
	Host string

	// AnyCredentials is for development: form, time and scope are checked, key
	// and signature are not.
	AnyCredentials bool

	keys keyCache
}

// Verify tells who signed r. body is the whole body of the request; r.Body is
// not touched. The error is always an [*Error]. Checks come in the order in which
// they give the least away: presence, form, time, scope, key, session token,
// signature.
func (v *Verifier) Verify(r *http.Request, body []byte) (Identity, error) {
	var a authorization
	if err := v.checkHead(r, &a); err != nil {
		return Identity{}, err
	}
	if !v.AnyCredentials {
		if err := v.checkSignature(r, body, &a); err != nil {
			return Identity{}, err
		}
	}
	return Identity{AccessKeyID: a.accessKeyID, Region: a.region, Date: a.at}, nil
}

// Glance checks what can be checked before the body is read: all that Verify
// does but for the session token and the signature. Who passes is not known yet;
// who does not would be refused by Verify in the same words.
func (v *Verifier) Glance(r *http.Request) error {
	var a authorization
	if err := v.checkHead(r, &a); err != nil {
		return err
	}
	if v.AnyCredentials {
		return nil
	}
	_, err := v.key(&a)
	return err
}

func (v *Verifier) checkHead(r *http.Request, a *authorization) error {
	if err := a.read(r); err != nil {
		return err
	}
	if err := v.checkTime(a); err != nil {
		return err
	}
	return v.checkScope(a)
}

func (v *Verifier) checkTime(a *authorization) error {
	window := v.Window
	if window == 0 {
		window = DefaultWindow
	}
	life := window
	if a.presigned {
		life = a.life
	}
	// Whole seconds, as the texts show them.
	at := v.now().UTC().Truncate(time.Second)
	if earliest := at.Add(-life); a.at.Before(earliest) {
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)",
			stamp(a.at), stamp(earliest), stamp(at), span(life))
	}
	if latest := at.Add(window); a.at.After(latest) {
		return invalid("Signature not yet current: %s is still later than %s (%s + %s)",
			stamp(a.at), stamp(latest), stamp(at), span(window))
	}
	return nil
}

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return fmt.Sprintf("%d s.", d/time.Second)
}

// checkScope judges region, service, terminator and day, and tells all that is
// wrong with them at once.
func (v *Verifier) checkScope(a *authorization) error {
	var problems []string
	if !isRegion(a.region) || len(v.Regions) > 0 && !slices.Contains(v.Regions, a.region) {
		problems = append(problems, fmt.Sprintf("Credential should be scoped to a valid region, not '%s'.", shown(a.region)))
	}
	if a.service != v.Service {
		problems = append(problems, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", v.Service))
	}
	if a.terminator != terminator {
		problems = append(problems, fmt.Sprintf("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, shown(a.terminator)))
	}
	if day := a.timestamp[:len(dayLayout)]; a.day != day {
		problems = append(problems, fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			shown(a.day), day, a.timestamp))
	}
	if problems != nil {
		return &Error{CodeInvalid, strings.Join(problems, " ")}
	}
	return nil
}

// LongestRegion is how many characters the name of a region may have. It leaves
// room in an ARN of 128 characters for every type and id.
const LongestRegion = 32

func isRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= LongestRegion
}

func (v *Verifier) checkSignature(r *http.Request, body []byte, a *authorization) error {
	key, err := v.key(a)
	if err != nil {
		return err
	}
	if key.SessionToken != "" && !same(key.SessionToken, a.sessionToken(r)) {
		return errUnrecognized
	}
	signing, cached := v.keys.find(a, key.Secret)
	if !cached {
		signing = newSigningKey(key.Secret, a.day, a.region, a.service)
	}
	if !signing.signed(r, r.Host, body, a) && (v.Host == "" || !signing.signed(r, v.Host, body, a)) {
		return errMismatch
	}
	if !cached {
		v.keys.keep(a, signing)
	}
	return nil
}

// Standing tells whether the key of somebody whose request was good is good still.
// The error is an [*Error].
func (v *Verifier) Standing(who Identity) error {
	if v.AnyCredentials {
		return nil
	}
	_, err := v.key(&authorization{accessKeyID: who.AccessKeyID})
	return err
}

// key finds the key that a request names. One without a session token expires as
// temporary credentials do: AWS has no such keys, and the text tells whoever
// holds it what is wrong.
func (v *Verifier) key(a *authorization) (Key, error) {
	if v.Lookup == nil {
		return Key{}, errUnrecognized
	}
	key, ok := v.Lookup(a.accessKeyID)
	switch {
	case !ok:
		return Key{}, errUnrecognized
	case !key.Expires.IsZero() && !v.now().Before(key.Expires):
		return Key{}, errExpired
	}
	return key, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
