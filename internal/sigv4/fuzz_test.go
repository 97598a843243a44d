package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// meaning is what a request asks for.
type meaning struct {
	method, path, host string
	query              url.Values
	body               string
}

func meaningOf(r *http.Request, body []byte) meaning {
	query := r.URL.Query()
	for name := range query { // where the order of names and the signature have no meaning
		if strings.HasPrefix(name, "X-Amz-") {
			delete(query, name)
		}
	}
	return meaning{r.Method, r.URL.EscapedPath(), r.Host, query, string(body)}
}

// FuzzVerify sends arbitrary bytes as a request. Whatever verifies must mean the
// same as one of the requests that were signed.
func FuzzVerify(f *testing.F) {
	var signed []meaning
	add := func(r *http.Request) {
		r, body := received(f, r)
		signed = append(signed, meaningOf(r, body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		var wire bytes.Buffer
		if err := r.Write(&wire); err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Bytes())
	}
	for _, c := range calls {
		r := c.request(f)
		Sign(r, []byte(c.body), exampleKey, "eu-central-1", "ivs", exampleTime)
		add(r)
		add(sdkPresign(f, c.request(f), exampleKey, hashOf(c.body), "60"))
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;, Signature=\r\n\r\n"))
	f.Add([]byte("GET /?X-Amz-Credential=////&X-Amz-Signature=%zz;& HTTP/1.1\r\nHost: x\r\n\r\n"))
	v := verifier(exampleKey, exampleTime)
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, err = v.Verify(r, body)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code == "" || e.Message == "" {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		got := meaningOf(r, body)
		for _, want := range signed {
			if sameMeaning(got, want) {
				return
			}
		}
		t.Fatalf("verified, but never signed: %+v", got)
	})
}

// sameMeaning compares up to the order of values of one name, which no
// signature of this kind covers.
func sameMeaning(a, b meaning) bool {
	one, _ := parseQuery(a.query.Encode())
	two, _ := parseQuery(b.query.Encode())
	a.query, b.query = nil, nil
	return reflect.DeepEqual(a, b) && reflect.DeepEqual(one, two)
}

// FuzzSign signs arbitrary requests; all that can be sent verify.
func FuzzSign(f *testing.F) {
	for _, c := range calls {
		f.Add(c.method, c.target, "value", c.body)
	}
	f.Add("PATCH", "/%00?%26=%3D&;", "a  b", "\x00")
	v := verifier(exampleKey, exampleTime)
	f.Fuzz(func(t *testing.T, method, target, value, body string) {
		if !strings.HasPrefix(target, "/") {
			return // it would become part of the host
		}
		r, err := http.NewRequest(method, "http://localhost:8080"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("X-Amz-Meta-A", value)
		Sign(r, []byte(body), exampleKey, "eu-central-1", "ivs", exampleTime)
		var wire bytes.Buffer
		if err := r.Write(&wire); err != nil {
			return
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			return
		}
		sent, err := io.ReadAll(got.Body)
		if err != nil {
			return
		}
		if _, err := parseQuery(r.URL.RawQuery); err != nil && r.URL.RawQuery != "" {
			return // cannot be signed
		}
		if _, err := v.Verify(got, sent); err != nil {
			t.Fatalf("%s %q: %v", method, target, err)
		}
	})
}
