package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"log/slog"
	"sync"
	"time"
)

// Key is an access key. SessionToken is "" for a long-term key; for a temporary
// one every request must carry it. From Expires on the key is no longer good;
// zero means never.
type Key struct {
	AccessKeyID  string
	Secret       string
	SessionToken string
	Expires      time.Time
}

// String names the key without its secrets.
func (k Key) String() string { return "access key " + k.AccessKeyID }

// LogValue is what a log may show of a key.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// derive makes the key for one day, region and service:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#derive-signing-key
func derive(secret, day, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, text := range []string{day, region, service, terminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		key = mac.Sum(nil)
	}
	return key
}

// signingKey is a derived key at work. It is safe for concurrent use.
type signingKey struct {
	secret  string // it was derived from
	signers sync.Pool
}

// signer is one computation's scratch space.
type signer struct {
	mac hash.Hash
	buf []byte
}

func newSigningKey(secret, day, region, service string) *signingKey {
	key := derive(secret, day, region, service)
	k := &signingKey{secret: secret}
	k.signers.New = func() any {
		return &signer{mac: hmac.New(sha256.New, key), buf: make([]byte, 0, 1024)}
	}
	return k
}
