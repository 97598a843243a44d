package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// maxKeyMaterial bounds what is decoded; a P-384 key takes about 215 bytes.
const maxKeyMaterial = 4096

// NewKey makes a key for [Mint].
func NewKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
}

// MarshalKey writes a private key as PKCS #8 DER, to be kept secret.
func MarshalKey(key *ecdsa.PrivateKey) ([]byte, error) {
	if key == nil || !onCurve(&key.PublicKey) {
		return nil, errors.New("the key is not on P-384")
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// UnmarshalKey reads what [MarshalKey] wrote.
func UnmarshalKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !onCurve(&ec.PublicKey) {
		return nil, errors.New("read private key: not on P-384")
	}
	return ec, nil
}

// ParsePublicKey reads the key with which a customer's tokens are verified: one
// PEM block BEGIN PUBLIC KEY (SubjectPublicKeyInfo, RFC 5280) with an EC key on
// P-384. The fingerprint is the MD5 of the DER form, colon-separated lower-case
// hex: a name for people to compare, not a proof. The error is for the customer.
func ParsePublicKey(text string) (key *ecdsa.PublicKey, fingerprint string, err error) {
	der, err := publicKeyDER(text)
	if err != nil {
		return nil, "", err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, "", errors.New("the PEM block does not hold a public key that can be read")
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, "", errors.New("the key must be an elliptic curve key on P-384 (secp384r1)")
	}
	if !onCurve(key) {
		return nil, "", fmt.Errorf("the key is on the curve %s, it must be on P-384 (secp384r1)", key.Params().Name)
	}
	// Written anew, so that one key has one fingerprint.
	der, err = x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("the public key cannot be encoded: %w", err)
	}
	return key, fingerprintOf(der), nil
}

func publicKeyDER(text string) ([]byte, error) {
	if len(text) > maxKeyMaterial {
		return nil, fmt.Errorf("the key material is longer than %d bytes", maxKeyMaterial)
	}
	data := bytes.TrimSpace([]byte(text))
	block, rest := pem.Decode(data)
	switch {
	case block == nil || !bytes.HasPrefix(data, []byte("-----BEGIN ")):
		return nil, errors.New("the key material must be PEM text that begins with -----BEGIN PUBLIC KEY-----")
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("the key material is a private key: keep it secret and send the public key (BEGIN PUBLIC KEY)")
	case block.Type != "PUBLIC KEY":
		return nil, errors.New("the PEM block must be of the type PUBLIC KEY")
	case len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0:
		return nil, errors.New("the key material must be one PEM block and nothing else")
	}
	return block.Bytes, nil
}

func fingerprintOf(der []byte) string {
	sum := md5.Sum(der)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(pairs, ":")
}

func onCurve(key *ecdsa.PublicKey) bool { return key.Curve == elliptic.P384() }
