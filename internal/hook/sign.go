package hook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Signatures are those of Standard Webhooks
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
// HMAC-SHA256 over id, time and body, one for each secret that is good now.

const (
	secretPrefix = "whsec_"
	// Bytes of a secret: what the specification allows, and what we make.
	minSecret, maxSecret, newSecretLen = 24, 64, 32
	// maxSecrets are good at a time: one in use and one to come or to go.
	maxSecrets = 2
)

// NewSecret makes a secret.
func NewSecret() string {
	b := make([]byte, newSecretLen)
	rand.Read(b) // never fails
	return secretText(b)
}

func secretText(b []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(b) }

// CheckSecret says what is wrong with a secret. It does not repeat it.
func CheckSecret(secret string) error {
	key, err := secretKey(secret)
	if err != nil || len(key) < minSecret || len(key) > maxSecret {
		return fmt.Errorf("a secret is %s and then %d to %d bytes in base64", secretPrefix, minSecret, maxSecret)
	}
	return nil
}

func secretKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok || len(secret) > 128 {
		return nil, fmt.Errorf("no secret")
	}
	return base64.StdEncoding.DecodeString(text)
}

// sign puts the headers of Standard Webhooks on a request.
func sign(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	seconds := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		key, err := secretKey(secret)
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + seconds + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", seconds)
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return nil
}
