package token

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	algorithm = "ES384"
	tokenType = "JWT"

	// MaxLength is the longest token that is looked at, in bytes. The largest
	// legal claims, escaped in the worst way, fit.
	MaxLength = 16 << 10

	// maxSkew is how far the issuer's clock may run ahead of ours.
	maxSkew = time.Minute

	// signatureBytes is r and s, 48 bytes each (RFC 7518, section 3.4).
	signatureBytes = 96
)

// The ways in which a token fails, for errors.Is. What is wrong with a malformed
// one follows in the error's text, safe to be shown to whoever made the token.
var (
	ErrMalformed = errors.New("token malformed")
	ErrSignature = errors.New("token signature does not match its key")
)

// Token is a well-formed participant token. It is believed only after
// [Token.Verify].
type Token struct {
	keyID     string
	claims    Claims
	text      string // as received
	signed    string // of it, header and claims
	signature []byte
}

// Parse reads a token and checks everything that needs no key: its form, its
// header and its claims, as of now. A failure is [ErrMalformed] with the reason.
// An expired token is not malformed.
func Parse(text string, now time.Time) (*Token, error) {
	t, err := parse(text)
	if err == nil && t.claims.IssuedAt.After(now.Add(maxSkew)) {
		err = wrong("iat", "lies in the future; check the clock of the machine that signs")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return t, nil
}

func parse(text string) (*Token, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxLength)
	}
	dot := strings.LastIndexByte(text, '.')
	if dot < 0 || strings.Count(text, ".") != 2 {
		return nil, errors.New("it must have three parts separated by dots")
	}
	t := &Token{text: text, signed: text[:dot]}
	header, claims, _ := strings.Cut(t.signed, ".")
	var err error
	if t.keyID, err = parseHeader(header); err != nil {
		return nil, err
	}
	if t.claims, err = parseClaims(claims); err != nil {
		return nil, err
	}
	if t.signature, err = decode(text[dot+1:]); err != nil {
		return nil, fmt.Errorf("the signature %w", err)
	}
	if len(t.signature) != signatureBytes {
		return nil, fmt.Errorf("the signature must be %d bytes, r and s one after the other, not DER", signatureBytes)
	}
	return t, nil
}

func parseHeader(text string) (keyID string, err error) {
	header, err := decodeMembers("header", text)
	if err != nil {
		return "", err
	}
	r := reader{members: header, what: "header"}
	alg, typ := r.text("alg", required), r.text("typ", required)
	keyID = r.text("kid", required)
	switch {
	case r.err != nil:
		return "", r.err
	case alg != algorithm:
		return "", errors.New(`header "alg" must be "ES384"`)
	case typ != tokenType:
		return "", errors.New(`header "typ" must be "JWT"`)
	case keyID == "":
		return "", errors.New(`header "kid" must be the ARN of the imported public key`)
	case header["crit"] != nil: // RFC 7515, section 4.1.11: we understand no extension
		return "", errors.New(`header "crit" is not supported`)
	}
	return keyID, nil
}

func parseClaims(text string) (Claims, error) {
	members, err := decodeMembers("payload", text)
	if err != nil {
		return Claims{}, err
	}
	if members["resource"] == nil {
		return Claims{}, errNoResource
	}
	r := reader{members: members, what: "claim"}
	c := Claims{
		Expires:       r.seconds("exp"),
		IssuedAt:      r.seconds("iat"),
		ParticipantID: r.text("jti", required),
		UserID:        r.text("user_id", optional),
		Stage:         r.text("resource", required),
		Topic:         r.text("topic", required),
		EventsURL:     r.text("events_url", required),
		WHIPURL:       r.text("whip_url", required),
		Attributes:    r.texts("attributes"),
	}
	c.Publish, c.Subscribe = r.capabilities("capabilities")
	if r.text("version", required) != version && r.err == nil {
		r.err = wrong("version", `must be the text "1.0"`)
	}
	if r.err != nil {
		return Claims{}, r.err
	}
	return c, c.check()
}

// KeyID names the key that is said to have signed the token: the header's kid.
func (t *Token) KeyID() string { return t.keyID }

// Claims gives what the token says; a rumour until [Token.Verify]. The caller
// owns the result.
func (t *Token) Claims() Claims {
	c := t.claims
	c.Attributes = maps.Clone(c.Attributes)
	return c
}

// Verify tells whether pub signed this token; [ErrSignature] if not, also for a
// key that is not on P-384.
func (t *Token) Verify(pub *ecdsa.PublicKey) error {
	if pub == nil || !onCurve(pub) {
		return ErrSignature
	}
	if err := jwt.SigningMethodES384.Verify(t.signed, t.signature, pub); err != nil {
		return ErrSignature
	}
	return nil
}

// Expired tells whether the token's time was over at now: exp itself is over.
func (t *Token) Expired(now time.Time) bool { return !now.Before(t.claims.Expires) }

// String names the token by its participant; it never shows the token.
func (t *Token) String() string { return "token of participant " + t.claims.ParticipantID }

// LogValue is what a log may show of a token.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
