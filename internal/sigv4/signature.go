package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

const hashText = 2 * sha256.Size // of a hash in hexadecimal

// signed tells whether the request carries the signature of this key, with host
// as the value of the Host header.
func (k *signingKey) signed(r *http.Request, host string, body []byte, a *authorization) bool {
	want, ok := k.sign(r, host, body, a)
	return ok && subtle.ConstantTimeCompare(want[:], []byte(a.signature)) == 1
}

// sign computes the signature that belongs to the request.
func (k *signingKey) sign(r *http.Request, host string, body []byte, a *authorization) (signature [hashText]byte, ok bool) {
	sum := sha256.Sum256(body)
	payload, ok := payloadHash(r, a, hex.AppendEncode(make([]byte, 0, hashText), sum[:]))
	if !ok {
		return signature, false
	}
	s := k.signers.Get().(*signer)
	defer k.signers.Put(s)
	if s.buf, ok = appendCanonical(s.buf[:0], r, host, body, a, payload); !ok {
		return signature, false
	}
	sum = sha256.Sum256(s.buf)
	s.buf = appendStringToSign(s.buf[:0], a, sum[:])
	s.mac.Reset()
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	hex.Encode(signature[:], s.buf)
	return signature, true
}

func appendStringToSign(buf []byte, a *authorization, sum []byte) []byte {
	buf = append(buf, algorithm...)
	buf = append(buf, '\n')
	buf = append(buf, a.timestamp...)
	buf = append(buf, '\n')
	for _, part := range [...]string{a.day, a.region, a.service} {
		buf = append(buf, part...)
		buf = append(buf, '/')
	}
	buf = append(buf, terminator...)
	buf = append(buf, '\n')
	return hex.AppendEncode(buf, sum)
}

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of no body
)

// payloadHash is what stands for the body in the canonical request. A header
// that names the hash must, if signed, name the true one. A presigned request may
// say that its body is not signed, but then it must not have one.
func payloadHash(r *http.Request, a *authorization, actual []byte) ([]byte, bool) {
	values := r.Header["X-Amz-Content-Sha256"]
	if len(values) == 0 || !signs(a.signedHeaders, "x-amz-content-sha256") {
		return actual, true
	}
	if a.presigned && values[0] == unsignedPayload && string(actual) == emptyHash {
		actual = []byte(unsignedPayload)
	}
	return actual, len(values) == 1 && values[0] == string(actual)
}

func signs(names, name string) bool {
	for more := true; more; {
		var one string
		one, names, more = strings.Cut(names, ";")
		if one == name {
			return true
		}
	}
	return false
}
