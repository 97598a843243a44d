//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signature is how a request is signed. The signer is that of the AWS SDK, so
// it knows nothing of ours.
type signature struct {
	id, secret, session string
	service             string
	region              string
	at                  time.Time
}

// signature is the right one, for now.
func (b *board) signature() signature {
	return signature{id: b.id, secret: b.secret, service: "ivs", region: region, at: time.Now()}
}

func (s signature) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: s.id, SecretAccessKey: s.secret, SessionToken: s.session}
}

// on signs a request.
func (s signature) on(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	must(t, v4.NewSigner().SignHTTP(t.Context(), s.credentials(), r, digest(t, r), s.service, s.region, s.at))
	return r
}

// presigned is the request whose signature stands in its URL.
func (s signature) presigned(t *testing.T, r *http.Request, lasts string) *http.Request {
	t.Helper()
	q := r.URL.Query()
	q.Set("X-Amz-Expires", lasts)
	r.URL.RawQuery = q.Encode()
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), s.credentials(), r, digest(t, r), s.service, s.region, s.at)
	must(t, err)
	out, err := http.NewRequestWithContext(t.Context(), r.Method, signed, http.NoBody)
	must(t, err)
	return out
}

// digest is the hash of the body that a request will send.
func digest(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := r.GetBody()
	must(t, err)
	data, err := io.ReadAll(body)
	must(t, err)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// call is one signed operation with a hand-made body.
func (b *board) call(t *testing.T, operation, body string) answer {
	t.Helper()
	r := b.request(t, http.MethodPost, "/"+operation, body)
	r.Header.Set("Content-Type", "application/json")
	return reply(t, b.signature().on(t, r))
}
