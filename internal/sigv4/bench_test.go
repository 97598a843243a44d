package sigv4

import (
	"net/http"
	"testing"
)

func TestVerifyingAllocatesLittle(t *testing.T) {
	r, body := signedPost(t, exampleTime)
	v := verifier(exampleKey, exampleTime)
	got := testing.AllocsPerRun(200, func() {
		if _, err := v.Verify(r, body); err != nil {
			t.Fatal(err)
		}
	})
	if got > 3 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(exampleKey, exampleTime)
	post, body := signedPost(b, exampleTime)
	tags := calls[4].request(b)
	Sign(tags, nil, exampleKey, "eu-central-1", "ivs", exampleTime)
	tags, _ = received(b, tags)
	for name, c := range map[string]struct {
		r    *http.Request
		body []byte
	}{"post": {post, body}, "tags": {tags, nil}, "presigned": {presignedGet(b, "3600"), nil}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(c.r, c.body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	r := calls[0].request(b)
	body := []byte(calls[0].body)
	b.ReportAllocs()
	for b.Loop() {
		Sign(r, body, exampleKey, "eu-central-1", "ivs", exampleTime)
	}
}
