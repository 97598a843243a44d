package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Amazon's own signer is the oracle of these tests.

const tagsPath = "/tags/arn%3Aaws%3Aivs%3Aeu-central-1%3A123456789012%3Astage%2FoRmLNwuCeMlQ"

type call struct {
	name, method, target, body string
	header                     map[string]string
}

var calls = []call{
	{"a post with a body", "POST", "/ListParticipants", `{"stageArn":"arn:aws:ivs:eu-central-1:123456789012:stage/oRmLNwuCeMlQ"}`, map[string]string{"Content-Type": "application/json"}},
	{"a post without input", "POST", "/ListStages", "{}", map[string]string{"Content-Type": "application/json"}},
	{"a base path", "POST", "/base/GetStage", "{}", nil},
	{"tags read", "GET", tagsPath, "", nil},
	{"tags removed", "DELETE", tagsPath + "?tagKeys=b&tagKeys=%C3%A9&tagKeys=a%20b&tagKeys=b", "", nil},
	{"a hand-made ARN", "GET", "/tags/arn:aws:ivs:eu-central-1:123456789012:stage/abc", "", nil},
	{"no path", "GET", "", "", nil},
	{"a path that cleaning would change", "GET", "/a//b/./c/../d/", "", nil},
	{"a path with odd characters", "GET", "/%20%25%2F%2f+~*(')!$&,;=@:%E2%82%AC", "", nil},
	{"a query with odd characters", "GET", "/x?a=%2B&a=+&b=~*('),!/?:@$&%3B=%3D&c&d=&=e&a-b=1&a.b=2&a=b=c", "", nil},
	{"a query whose order depends on escapes", "GET", "/x?k=a-b&k=a/b&k/=1&k-=2", "", nil},
	{"header values with spaces", "POST", "/x", "{}", map[string]string{"X-Amz-Meta-A": "a   b  c", "X-Amz-User-Agent": "  lead and trail  "}},
	{"a body hash header", "POST", "/x", "{}", map[string]string{"X-Amz-Content-Sha256": hashOf("{}")}},
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func (c call) request(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest(c.method, "http://localhost:8080"+c.target, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	return r
}

// received sends a request through the wire format, as a server would get it.
func received(t testing.TB, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, body
}

func credentials(key Key) aws.Credentials {
	return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.Secret, SessionToken: key.SessionToken}
}

func sdkSign(t testing.TB, r *http.Request, key Key, hash string) {
	t.Helper()
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials(key), r, hash, "ivs", "eu-central-1", exampleTime); err != nil {
		t.Fatal(err)
	}
}

func sdkPresign(t testing.TB, r *http.Request, key Key, hash string, life string) *http.Request {
	t.Helper()
	query := r.URL.Query()
	query.Set("X-Amz-Expires", life)
	r.URL.RawQuery = query.Encode()
	target, header, err := v4.NewSigner().PresignHTTP(context.Background(), credentials(key), r, hash, "ivs", "eu-central-1", exampleTime)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := http.NewRequest(r.Method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	header.Del("Host")
	header.Del("Content-Length")
	signed.Header = header
	return signed
}

var temporaryKey = Key{AccessKeyID: "ASIDEXAMPLE", Secret: "another/secret+", SessionToken: "IQoJb3JpZ2luX2VjE//8=+/=="}

func TestRequestsSignedByTheSDKAreVerified(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []Key{exampleKey, temporaryKey} {
				want := Identity{key.AccessKeyID, "eu-central-1", exampleTime}
				v := verifier(key, exampleTime.Add(time.Minute))

				r := c.request(t)
				sdkSign(t, r, key, hashOf(c.body))
				got, body := received(t, r)
				if id, err := v.Verify(got, body); err != nil || id != want {
					t.Errorf("header form: %+v, %v", id, err)
				}

				got, body = received(t, sdkPresign(t, c.request(t), key, hashOf(c.body), "3600"))
				if id, err := v.Verify(got, body); err != nil || id != want {
					t.Errorf("presigned %s: %+v, %v", got.URL, id, err)
				}
			}
		})
	}
}

func TestRequestsSignedByUsAreVerified(t *testing.T) {
	t.Parallel()
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, key := range []Key{exampleKey, temporaryKey} {
				r := c.request(t)
				r.Header.Set("X-Amz-Security-Token", "left over")
				Sign(r, []byte(c.body), key, "eu-central-1", "ivs", exampleTime)
				got, body := received(t, r)
				if _, err := verifier(key, exampleTime).Verify(got, body); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Random requests, where the tables ran out of ideas.
func TestSDKAndWeAgreeOnAnyRequest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	text := func(most int) string {
		b := make([]byte, random.IntN(most))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	for range 500 {
		query := url.Values{}
		for range random.IntN(6) {
			query.Add(text(4), text(12))
		}
		body := text(50)
		target := "/" + url.PathEscape(text(20)) + "/" + url.PathEscape(text(20))
		if len(query) > 0 {
			target += "?" + query.Encode()
		}
		c := call{"", "POST", target, body, map[string]string{"X-Amz-Meta-A": strings.Repeat(" a", random.IntN(5)) + url.QueryEscape(text(9))}}
		v := verifier(exampleKey, exampleTime)

		r := c.request(t)
		sdkSign(t, r, exampleKey, hashOf(body))
		got, sent := received(t, r)
		if _, err := v.Verify(got, sent); err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		got, sent = received(t, sdkPresign(t, c.request(t), exampleKey, hashOf(body), "60"))
		if _, err := v.Verify(got, sent); err != nil {
			t.Fatalf("presigned %q: %v", target, err)
		}
		r = c.request(t)
		Sign(r, []byte(body), exampleKey, "eu-central-1", "ivs", exampleTime)
		got, sent = received(t, r)
		if _, err := v.Verify(got, sent); err != nil {
			t.Fatalf("ours %q: %v", target, err)
		}
	}
}

func TestNoSignatureLeavesABodyOpen(t *testing.T) {
	t.Parallel()
	c := call{method: "POST", target: "/x", body: "{}", header: map[string]string{"X-Amz-Content-Sha256": unsignedPayload}}
	v := verifier(exampleKey, exampleTime)

	presigned, _ := received(t, sdkPresign(t, c.request(t), exampleKey, unsignedPayload, "60"))
	if _, err := v.Verify(presigned, nil); err != nil {
		t.Errorf("presigned, without a body: %v", err)
	}
	if _, err := v.Verify(presigned, []byte("{}")); err == nil {
		t.Error("the presigned form left its body open")
	}
	r := c.request(t)
	sdkSign(t, r, exampleKey, unsignedPayload)
	r, body := received(t, r)
	if _, err := v.Verify(r, body); err == nil {
		t.Error("the header form left its body open")
	}
}

func TestSignaturesHoldThroughRealServers(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		v := &Verifier{Service: "ivs", Lookup: func(string) (Key, bool) { return exampleKey, true }}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if _, err := v.Verify(r, body); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
			}
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		for _, c := range calls {
			for who, sign := range map[string]func(*http.Request){
				"us": func(r *http.Request) { Sign(r, []byte(c.body), exampleKey, "eu-central-1", "ivs", time.Now()) },
				"the SDK": func(r *http.Request) {
					err := v4.NewSigner().SignHTTP(t.Context(), credentials(exampleKey), r, hashOf(c.body), "ivs", "eu-central-1", time.Now())
					if err != nil {
						t.Error(err)
					}
				},
			} {
				r, err := http.NewRequest(c.method, server.URL+c.target, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range c.header {
					r.Header.Set(name, value)
				}
				sign(r)
				answer, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					t.Errorf("HTTP/2 %t, %s, signed by %s: %s", http2, c.name, who, text)
				}
			}
		}
	}
}
