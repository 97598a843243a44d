package sigv4

import (
	"context"
	"net/http"
	"testing"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

func TestS3TakesThePathAsItTravels(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/my-bucket", "/my-bucket/.probe", "/b/a%20b/c%2Fd/%E2%82%AC+x", "/b//x/../y", ""} {
		c := call{method: http.MethodPut, target: target, body: "hello"}
		ours := c.request(t)
		Sign(ours, []byte(c.body), temporaryKey, "eu-central-1", "s3", exampleTime)
		if got := ours.Header.Get("X-Amz-Content-Sha256"); got != hashOf(c.body) {
			t.Errorf("%s: the hash of the body is told as %q", target, got)
		}

		theirs := c.request(t)
		theirs.Header.Set("X-Amz-Content-Sha256", hashOf(c.body))
		theirs.ContentLength = -1 // which they would sign, and we do not
		err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
			SignHTTP(context.Background(), credentials(temporaryKey), theirs, hashOf(c.body), "s3", "eu-central-1", exampleTime)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", target, got, want)
		}

		v := verifier(temporaryKey, exampleTime)
		v.Service = "s3"
		received, body := received(t, ours)
		if _, err := v.Verify(received, body); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}
