package sigv4

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The key of Amazon's published examples.
var exampleKey = Key{AccessKeyID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func TestTheDerivedKeysAreThoseOfAmazonsExamples(t *testing.T) {
	t.Parallel()
	for day, want := range map[string]string{
		"20120215": "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d",
		"20150830": "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
	} {
		if got := hex.EncodeToString(derive(exampleKey.Secret, day, "us-east-1", "iam")); got != want {
			t.Errorf("%s: got %s, want %s", day, got, want)
		}
	}
}

// The cases are those of Amazon's SigV4 test suite and of the example request in
// the IAM guide, as far as they are about requests that Go can send.
func TestTheSignaturesAreThoseOfAmazonsExamples(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	cases := []struct {
		name, service, method, url, body string
		header                           http.Header
		signed, want                     string
	}{
		{"ListUsers", "iam", "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "",
			header("Content-Type", form+"; charset=utf-8"), "content-type;host;x-amz-date",
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		{"get-vanilla", "service", "GET", "/", "", nil, "host;x-amz-date",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "service", "POST", "/", "", nil, "host;x-amz-date",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "service", "GET", "/?Param2=value2&Param1=value1", "", nil, "host;x-amz-date",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-empty-query-key", "service", "GET", "/?Param1=value1", "", nil, "host;x-amz-date",
			"a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"get-vanilla-utf8-query", "service", "GET", "/?%E1%88%B4=bar", "", nil, "host;x-amz-date",
			"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		{"get-unreserved", "service", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", nil, "host;x-amz-date",
			"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"get-vanilla-query-unreserved", "service", "GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", nil, "host;x-amz-date",
			"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		{"get-header-key-duplicate", "service", "GET", "/", "",
			header("My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"), "host;my-header1;x-amz-date",
			"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-order", "service", "GET", "/", "",
			header("My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"), "host;my-header1;x-amz-date",
			"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		{"get-header-value-trim", "service", "GET", "/", "",
			header("My-Header1", " value1", "My-Header2", ` "a   b   c"`), "host;my-header1;my-header2;x-amz-date",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		{"post-x-www-form-urlencoded", "service", "POST", "/", "Param1=value1",
			header("Content-Type", form), "content-type;host;x-amz-date",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := c.url
			if strings.HasPrefix(url, "/") {
				url = "https://example.amazonaws.com" + url
			}
			r, err := http.NewRequest(c.method, url, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.header != nil {
				r.Header = c.header
			}
			r.Header.Set("X-Amz-Date", stamp(exampleTime))
			r.Header.Set("Authorization", algorithm+" Credential=AKIDEXAMPLE/20150830/us-east-1/"+c.service+
				"/aws4_request, SignedHeaders="+c.signed+", Signature="+c.want)
			v := verifier(exampleKey, exampleTime)
			v.Service = c.service
			id, err := v.Verify(r, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if want := (Identity{"AKIDEXAMPLE", "us-east-1", exampleTime}); id != want {
				t.Errorf("got %+v, want %+v", id, want)
			}
		})
	}
}

// verifier knows one key and one time.
func verifier(key Key, at time.Time) *Verifier {
	return &Verifier{
		Service: "ivs",
		Now:     func() time.Time { return at },
		Lookup:  func(id string) (Key, bool) { return key, id == key.AccessKeyID },
	}
}
