package sigv4

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Sign signs r with key, as of at, in the header form: it sets X-Amz-Date,
// Authorization and, for a key with a session token, X-Amz-Security-Token. Method,
// URL, Host, Content-Type and X-Amz- headers must be final, they are signed; body
// must be what r will send. An X-Amz-Content-Sha256 that is there is corrected;
// for the service "s3", which requires it, it is set. A query that is not properly
// escaped cannot be signed, no server will verify it.
func Sign(r *http.Request, body []byte, key Key, region, service string, at time.Time) {
	at = at.UTC().Truncate(time.Second)
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set("X-Amz-Date", stamp(at))
	r.Header.Del("X-Amz-Security-Token")
	if key.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", key.SessionToken)
	}
	if service == "s3" || r.Header.Get("X-Amz-Content-Sha256") != "" {
		r.Header.Set("X-Amz-Content-Sha256", fmt.Sprintf("%x", sha256.Sum256(body)))
	}
	a := &authorization{
		accessKeyID:   key.AccessKeyID,
		day:           at.Format(dayLayout),
		region:        region,
		service:       service,
		terminator:    terminator,
		signedHeaders: headersToSign(r.Header),
		timestamp:     stamp(at),
	}
	if r.URL.RawQuery != "" {
		a.query, _ = parseQuery(r.URL.RawQuery)
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	signature, _ := newSigningKey(key.Secret, a.day, region, service).sign(r, host, body, a)
	r.Header.Set("Authorization", algorithm+" Credential="+
		strings.Join([]string{key.AccessKeyID, a.day, region, service, terminator}, "/")+
		", SignedHeaders="+a.signedHeaders+", Signature="+string(signature[:]))
}

// headersToSign names host, the content type and everything of Amazon's own.
func headersToSign(h http.Header) string {
	names := []string{"host"}
	for name := range h {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz-") {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}
