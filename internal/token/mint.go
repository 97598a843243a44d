package token

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// segments is the encoding of the three parts of a token (RFC 7515, section 2).
// Strict, so that there is one spelling for each token.
var segments = base64.RawURLEncoding.Strict()

type wireHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

type wireClaims struct {
	Expires      int64             `json:"exp"`
	IssuedAt     int64             `json:"iat"`
	ID           string            `json:"jti"`
	UserID       string            `json:"user_id,omitempty"`
	Resource     string            `json:"resource"`
	Topic        string            `json:"topic"`
	EventsURL    string            `json:"events_url"`
	WHIPURL      string            `json:"whip_url"`
	Capabilities wireCapabilities  `json:"capabilities"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	Version      string            `json:"version"`
}

type wireCapabilities struct {
	Publish   bool `json:"allow_publish,omitempty"`
	Subscribe bool `json:"allow_subscribe,omitempty"`
}

// Mint signs a token. The key must be on P-384; keyID tells the verifier which
// key that is: the ARN of the imported public key for customers. Times are cut
// to whole seconds. Claims that [Parse] would refuse are an error here, so that
// every minted token can be read back.
func Mint(key *ecdsa.PrivateKey, keyID string, c Claims) (string, error) {
	if key == nil || !onCurve(&key.PublicKey) {
		return "", errors.New("a token needs a private key on P-384")
	}
	if keyID == "" {
		return "", errors.New("a token needs a key id")
	}
	if err := c.check(); err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	signed, err := signingInput(keyID, &c)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	signature, err := jwt.SigningMethodES384.Sign(signed, key)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	text := signed + "." + segments.EncodeToString(signature)
	if len(text) > MaxLength {
		return "", fmt.Errorf("mint token: longer than %d bytes", MaxLength)
	}
	return text, nil
}

// signingInput is header and claims as they are signed (RFC 7515, section 5.1).
func signingInput(keyID string, c *Claims) (string, error) {
	header, err := segment(wireHeader{Algorithm: algorithm, Type: tokenType, KeyID: keyID})
	if err != nil {
		return "", err
	}
	claims, err := segment(wireClaims{
		Expires:      c.Expires.Unix(),
		IssuedAt:     c.IssuedAt.Unix(),
		ID:           c.ParticipantID,
		UserID:       c.UserID,
		Resource:     c.Stage,
		Topic:        c.Topic,
		EventsURL:    c.EventsURL,
		WHIPURL:      c.WHIPURL,
		Capabilities: wireCapabilities{Publish: c.Publish, Subscribe: c.Subscribe},
		Attributes:   c.Attributes,
		Version:      version,
	})
	return header + "." + claims, err
}

func segment(v any) (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // a token is not HTML, and escapes would make it longer
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return segments.EncodeToString(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), nil
}
