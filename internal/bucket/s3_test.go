package bucket

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"callboard/internal/sigv4"
)

// shop is an object store that verifies signatures, knows one bucket and
// answers as it is told.
type shop struct {
	*httptest.Server
	verifier sigv4.Verifier
	asked    []string
	objects  map[string]string
	answer   map[string]func(http.ResponseWriter) // by method, instead of the ordinary answer
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{
		verifier: sigv4.Verifier{Service: "s3", Lookup: func(id string) (sigv4.Key, bool) {
			return sigv4.Key{AccessKeyID: "AKIASHOP", Secret: "shop secret"}, id == "AKIASHOP"
		}},
		objects: map[string]string{},
		answer:  map[string]func(http.ResponseWriter){},
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	id, err := s.verifier.Verify(r, body)
	switch answer := s.answer[r.Method]; {
	case err != nil:
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
	case id.Region != "eu-west-1":
		refuse(w, http.StatusBadRequest, "AuthorizationHeaderMalformed")
	case r.Header.Get("X-Amz-Content-Sha256") == "":
		refuse(w, http.StatusBadRequest, "InvalidRequest")
	case answer != nil:
		answer(w)
	case r.URL.Path != "/my-bucket" && !strings.HasPrefix(r.URL.Path, "/my-bucket/"):
		refuse(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path] = string(body)
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

func refusing(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { refuse(w, status, code) }
}

func (s *shop) open(t *testing.T) Buckets {
	t.Helper()
	return mustOpen(t, Options{Location: s.URL, Region: "eu-west-1", AccessKeyID: "AKIASHOP", SecretAccessKey: "shop secret"})
}

const ordinary = "[HEAD /my-bucket PUT /my-bucket/.callboard-probe DELETE /my-bucket/.callboard-probe]"

func TestAProbeWritesToTheBucketAndRemovesWhatItWrote(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if err := s.open(t).Probe(t.Context(), "my-bucket"); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(s.asked); got != ordinary || len(s.objects) != 0 {
		t.Errorf("asked %s, left %v", got, s.objects)
	}
}

func TestTheURLMayNameTheRegion(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := mustOpen(t, Options{Location: s.URL + "/?region=eu-west-1", Region: "us-east-1", AccessKeyID: "AKIASHOP", SecretAccessKey: "shop secret"})
	if err := b.Probe(t.Context(), "my-bucket"); err != nil {
		t.Error(err)
	}
}

func TestAnObjectStoreIsNotAskedForWhatIsNoName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, bucket := range []string{"..", "a/b", "my-bucket/../other", "my-bucket?acl", "", "-a-"} {
		if err := s.open(t).Probe(t.Context(), bucket); !errors.Is(err, ErrMissing) {
			t.Errorf("%q: %v", bucket, err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("asked %v", s.asked)
	}
}

func TestAnswersOfAnObjectStoreAreToldApart(t *testing.T) {
	t.Parallel()
	elsewhere := func(w http.ResponseWriter) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-north-1")
		refuse(w, http.StatusMovedPermanently, "PermanentRedirect")
	}
	for name, c := range map[string]struct {
		bucket, method string
		answer         func(http.ResponseWriter)
		want           error // nil is trouble
		fine           bool
	}{
		"no such bucket":              {"other", "", nil, ErrMissing, false},
		"a bucket of another region":  {"my-bucket", "HEAD", elsewhere, ErrMissing, false},
		"gone in the meantime":        {"my-bucket", "PUT", refusing(404, "NoSuchBucket"), ErrMissing, false},
		"writing is denied":           {"my-bucket", "PUT", refusing(403, "AccessDenied"), ErrDenied, false},
		"looking alone is denied":     {"my-bucket", "HEAD", refusing(403, ""), nil, true},
		"removing alone is denied":    {"my-bucket", "DELETE", refusing(403, "AccessDenied"), nil, true},
		"our credentials are wrong":   {"my-bucket", "PUT", refusing(403, "InvalidAccessKeyId"), nil, false},
		"looking ends in trouble":     {"my-bucket", "HEAD", refusing(500, ""), nil, false},
		"writing ends in trouble":     {"my-bucket", "PUT", refusing(503, "SlowDown"), nil, false},
		"removing ends in trouble":    {"my-bucket", "DELETE", refusing(500, "InternalError"), nil, false},
		"an answer that is no answer": {"my-bucket", "PUT", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.answer[c.method] = c.answer
			err := s.open(t).Probe(t.Context(), c.bucket)
			switch {
			case c.fine != (err == nil), c.want != nil && !errors.Is(err, c.want):
				t.Errorf("got %v", err)
			case c.want == nil && (errors.Is(err, ErrMissing) || errors.Is(err, ErrDenied)):
				t.Errorf("trouble is told as %v", err)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other, s := newShop(t), newShop(t)
	s.answer[http.MethodPut] = func(w http.ResponseWriter) {
		w.Header().Set("Location", other.URL+"/my-bucket/.callboard-probe")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	if err := s.open(t).Probe(t.Context(), "my-bucket"); err == nil || errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
	if len(other.asked) > 0 {
		t.Errorf("the other one was asked %v", other.asked)
	}
}

func TestAWrongSecretIsTroubleAndNotTold(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := mustOpen(t, Options{Location: s.URL, Region: "eu-west-1", AccessKeyID: "AKIASHOP", SecretAccessKey: "guessed"})
	err := b.Probe(t.Context(), "my-bucket")
	if err == nil || errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "guessed") {
		t.Errorf("got %v", err)
	}
}

func TestAnObjectStoreThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	b := mustOpen(t, Options{Location: silent.URL, Region: "eu-west-1"}).(*s3)
	b.timeout = 50 * time.Millisecond
	err := b.Probe(t.Context(), "my-bucket")
	if e, ok := errors.AsType[*url.Error](err); !ok || !e.Timeout() {
		t.Errorf("got %v", err)
	}
}

// What a store says is its own; of it only a code is believed.
func FuzzErrorCodeIsAWord(f *testing.F) {
	for _, seed := range []string{"<Error><Code>AccessDenied</Code></Error>", "<Error><Code>a\nb</Code></Error>", "<html>", "", "<Error/>"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if code := errorCode(text); strings.ContainsAny(code, " \n\r\t<>&\x00") || len(code) > 64 {
			t.Errorf("%q", code)
		}
	})
}
