package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"callboard/internal/sigv4"
)

func TestEveryResponseCarriesTheCommonHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := httptest.NewServer(w.API)
	defer srv.Close()
	ids := map[string]bool{}
	for name, send := range map[string]func(*http.Request){
		"success":       func(r *http.Request) { r.URL.Path = "/ListStages" },
		"empty success": func(r *http.Request) { r.Method, r.URL.Path = "GET", "/tags/"+w.newStage().String() },
		"not found":     func(r *http.Request) { r.URL.Path = "/GetStage" },
		"unknown route": func(r *http.Request) { r.URL.Path = "/Nothing" },
		"preflight":     func(r *http.Request) { r.Method, r.URL.Path = "OPTIONS", "/GetStage" },
	} {
		r, err := http.NewRequest("POST", srv.URL, nil)
		w.check(err)
		send(r)
		sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
		got, err := http.DefaultClient.Do(r)
		w.check(err)
		got.Body.Close()
		for _, header := range []string{
			"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Content-Security-Policy",
			"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Date",
		} {
			if got.Header.Get(header) == "" {
				t.Errorf("%s: no %s", name, header)
			}
		}
		id := got.Header.Get("x-amzn-RequestId")
		if _, err := uuid.Parse(id); err != nil || ids[id] {
			t.Errorf("%s: request id %q is no fresh UUID", name, id)
		}
		ids[id] = true
	}
}

func TestOutputWithoutMembersIsAnEmptyBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	srv := httptest.NewServer(w.API)
	defer srv.Close()
	r, err := http.NewRequest("POST", srv.URL+"/DeleteStage", nil)
	w.check(err)
	body := fmt.Appendf(nil, `{"arn":%q}`, w.newStage())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	sigv4.Sign(r, body, testKey, testRegion, "ivs", w.clock())
	got, err := http.DefaultClient.Do(r)
	w.check(err)
	defer got.Body.Close()
	if text, _ := io.ReadAll(got.Body); got.StatusCode != 200 || len(text) > 0 || got.Header.Get("Content-Length") != "0" {
		t.Errorf("got %d %q with length %q", got.StatusCode, text, got.Header.Get("Content-Length"))
	}
}

func TestPlainServerDoesNotInsistOnHTTPS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.Plain = true
	w.API = New(o)
	h := w.call("POST", "/ListStages", `{}`).header
	if h.Get("Strict-Transport-Security") != "" || strings.Contains(h.Get("Content-Security-Policy"), "upgrade") {
		t.Errorf("headers are %v", h)
	}
}

func TestUnknownRoutesLookLikeMissingCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, route := range []string{
		"GET /GetStage", "PUT /GetStage", "HEAD /GetStage", "POST /", "POST /NoSuchThing", "POST /getstage", "POST /GetStage/",
		"POST //GetStage", "POST /x/../GetStage", "POST /Get%53tage", "GET /tags", "PUT /tags/" + testStage, "OPTIONS /NoSuchThing",
	} {
		method, path, _ := strings.Cut(route, " ")
		got := w.call(method, path, "")
		if got.status != 403 || got.code() != "MissingAuthenticationTokenException" ||
			got.body != `{"message":"Missing Authentication Token"}` {
			t.Errorf("%s: got %d %s %s", route, got.status, got.code(), got.body)
		}
	}
}

func TestPreflightIsAnsweredWithoutASignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/ListParticipants", "/StartComposition", "/tags/" + testStage} {
		got := w.send(httptest.NewRequest("OPTIONS", path, nil))
		if got.status != 204 || got.body != "" || got.header.Get("Access-Control-Allow-Methods") != "GET,POST,DELETE,OPTIONS" ||
			!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "x-amz-security-token") {
			t.Errorf("%s: got %d %v", path, got.status, got.header)
		}
	}
}

func TestChecksComeInTheOrderThatGivesTheLeastAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	huge := strings.Repeat(" ", maxBody+1)
	unsigned := func(path, body string) answer {
		return w.send(httptest.NewRequest("POST", path, strings.NewReader(body)))
	}
	for _, c := range []struct {
		name string
		got  answer
		code string
	}{
		{"the route before the size", unsigned("/Nowhere", huge), "MissingAuthenticationTokenException"},
		{"the size before the signature", unsigned("/GetStage", huge), "RequestEntityTooLargeException"},
		{"the signature before the JSON", unsigned("/GetStage", "{"), "MissingAuthenticationTokenException"},
		{"the signature before the availability", unsigned("/StartComposition", "{"), "MissingAuthenticationTokenException"},
		{"the JSON before the types", w.call("POST", "/GetStage", `{"arn":1`), "SerializationException"},
		{"the types before the constraints", w.call("POST", "/ListStages", `{"maxResults":0,"nextToken":1}`), "SerializationException"},
		{"the constraints before the lookup", w.call("POST", "/GetStage", `{"arn":"x"}`), validation},
		{"the lookup", w.call("POST", "/GetStage", `{"arn":"`+testStage+`"}`), notFound},
		{"the account before the existence", w.callAs(otherKey, testRegion, "POST", "/GetStage", `{"arn":"`+testStage+`"}`), accessDenied},
	} {
		if c.got.code() != c.code {
			t.Errorf("%s: got %s, want %s", c.name, c.got.code(), c.code)
		}
	}
}

func TestBodyOfUnannouncedLengthIsBoundedAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest("POST", "/GetStage", io.LimitReader(zeros{}, 3*maxBody))
	r.ContentLength = -1
	sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock()) // as good as a head gets
	if got := w.send(r); got.status != 413 || got.code() != "RequestEntityTooLargeException" {
		t.Errorf("got %d %s", got.status, got.code())
	}
}

func TestLargeBodyOfAStrangerIsNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := &counted{Reader: io.LimitReader(zeros{}, smallBody+1)}
	r := httptest.NewRequest("POST", "/GetStage", body)
	r.ContentLength = smallBody + 1
	if got := w.send(r); got.code() != "MissingAuthenticationTokenException" || body.n > 0 {
		t.Errorf("got %s after %d bytes", got.code(), body.n)
	}
}

// counted counts what is read of it.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRefusedSignatureIsToldAsTheVerifierPutsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := sigv4.Key{AccessKeyID: testKey.AccessKeyID, Secret: "guessed"}
	got := w.callAs(wrong, testRegion, "POST", "/ListStages", `{}`)
	if got.status != 403 || got.code() != "InvalidSignatureException" || strings.Contains(got.body, "exceptionMessage") {
		t.Errorf("got %d %s %s", got.status, got.code(), got.body)
	}
}

func TestWhatIsNotTheRightJSONIsASerializationException(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{
		`{`, `}`, `{"a":1,}`, `{"a":1}{}`, `{"a":1} x`, `{/*c*/}`, `[]`, `[{}]`, `1`, `"x"`, `null`, `true`, "\xff", "\ufeff{}", `{'a':1}`,
		`{"maxResults":"1"}`, `{"maxResults":1.5}`, `{"maxResults":1.0}`, `{"maxResults":true}`, `{"maxResults":2147483648}`,
		`{"maxResults":{}}`, `{"nextToken":1}`, `{"nextToken":[]}`, `{"nextToken":false}`, ` `,
		strings.Repeat(`{"a":`, 100_000), strings.Repeat("[", maxBody),
	} {
		got := w.call("POST", "/ListStages", body)
		if got.status != 400 || got.code() != "SerializationException" || got.message() == "" || strings.Contains(got.body, "exceptionMessage") {
			t.Errorf("%.40q: got %d %s %s", body, got.status, got.code(), got.body)
		}
	}
}

func TestOddButHarmlessJSONIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{
		"", `{}`, " \r\n\t{ } \n", `{"unknown":{"deep":[1,{"x":null}]},"maxResults":5}`, `{"nextToken":null,"maxResults":null}`,
		`{"maxResults":5,"maxResults":6}`, `{"MAXRESULTS":"not this member"}`, `{"nextToken":""}`, `{"max\u0052esults":7}`,
	} {
		if got := w.call("POST", "/ListStages", body); got.status != 200 {
			t.Errorf("%q: got %d %s", body, got.status, got.body)
		}
	}
}

func TestSeveralFailuresAreToldTogetherUpToABound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.call("POST", "/ListParticipants", `{"sessionId":"abc","maxResults":0}`)
	want := "3 validation errors detected. Value at '/stageArn' failed to satisfy constraint: Member must not be null; " +
		"Value with length 3 at '/sessionId' failed to satisfy constraint: Member must have length between 16 and 16, inclusive; " +
		"Value at '/maxResults' failed to satisfy constraint: Member must be between 1 and 100, inclusive"
	if got.message() != want {
		t.Errorf("got  %s\nwant %s", got.message(), want)
	}
	many := w.call("POST", "/CreateStage", `{"participantTokenConfigurations":[{"capabilities":[`+strings.Repeat(`"X",`, 10_000)+`"X"]}]}`)
	if !strings.HasPrefix(many.message(), "10002 validation errors detected. ") || len(many.body) > 8<<10 {
		t.Errorf("got %.60s of %d bytes", many.message(), len(many.body))
	}
}

func TestPlacesAreJSONPointers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, at := range map[string]string{
		`{"participantTokenConfigurations":[{},{"capabilities":["PUBLISH","SHOUT"]}]}`: "Value at '/participantTokenConfigurations/1/capabilities/1'",
		`{"autoParticipantRecordingConfiguration":{}}`:                                 "Value at '/autoParticipantRecordingConfiguration/storageConfigurationArn'",
		`{"tags":{"":"x"}}`: "Value with length 0 at '/tags'",
		`{"tags":{"a/b~c":"` + strings.Repeat("x", 257) + `"}}`: "Value with length 257 at '/tags/a~1b~0c'",
	} {
		if got := w.call("POST", "/CreateStage", body); got.code() != validation || !strings.Contains(got.message(), at+" failed") {
			t.Errorf("%s: got %s", body, got.body)
		}
	}
}

func TestContentTypeIsReadLeniently(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for ct, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "application/x-amz-json-1.1": 200, "Application/JSON": 200,
		"application/x-www-form-urlencoded": 200, "text/xml": 415, "application/xml": 415, "multipart/form-data; boundary=x": 415,
		"text/html": 415, "nonsense": 415,
	} {
		got := w.call("POST", "/ListStages", `{}`, "Content-Type", ct)
		if got.status != status || status == 415 && got.code() != "UnsupportedMediaTypeException" {
			t.Errorf("%s: got %d %s, want %d", ct, got.status, got.code(), status)
		}
	}
	if got := w.call("GET", "/tags/"+testStage, "", "Content-Type", "text/xml"); got.status != 404 {
		t.Errorf("a request that needs no body got %d", got.status)
	}
}

func TestOnlyAnImpossibleAcceptIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for accept, status := range map[string]int{
		"": 200, "*/*": 200, "application/json": 200, "application/*;q=0.5": 200, "text/html, */*;q=0.1": 200,
		"application/x-amz-json-1.1": 200, "text/html": 406, "application/xml, image/png": 406,
	} {
		got := w.call("POST", "/ListStages", `{}`, "Accept", accept)
		if got.status != status || status == 406 && got.code() != "NotAcceptableException" {
			t.Errorf("%q: got %d %s, want %d", accept, got.status, got.code(), status)
		}
	}
}

func TestOperationsOfLaterAreNamedInA501(t *testing.T) {
	t.Parallel()
	w, m := newWorld(t), readModel(t)
	n := 0
	for _, op := range table() {
		if op.output != nil {
			continue
		}
		n++
		members := m.valid(m.Operations[op.name].Input.Shape).(map[string]any)
		delete(members, "nextToken")
		if op.name == "StartComposition" {
			set(members, []string{"layout", "pip"}, nil)
			set(members, []string{"destinations", "0", "channel"}, nil)
		}
		if _, ok := members["destinationStageArn"]; ok {
			members["destinationStageArn"] = testStage + "2"
		}
		got := w.callWith(op, m.Shapes[m.Operations[op.name].Input.Shape], members)
		if got.status != 501 || got.code() != "OperationNotSupportedException" || !strings.Contains(got.message(), op.name) {
			t.Errorf("%s: got %d %s", op.name, got.status, got.body)
		}
	}
	if n != 7 {
		t.Errorf("%d operations are not done yet, want 7", n)
	}
}

func TestBasePathIsPutBeforeEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.BasePath = "/base/"
	w.API = New(o)
	arn := strings.ReplaceAll(testStage, "/", "%2F")
	for path, want := range map[string]int{"/base/ListStages": 200, "/ListStages": 403, "/baseListStages": 403, "/base/base/ListStages": 403} {
		if got := w.call("POST", path, `{}`); got.status != want {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, want)
		}
	}
	if got := w.call("GET", "/base/tags/"+arn, ""); got.status != 404 {
		t.Errorf("tags: got %d %s", got.status, got.body)
	}
}

func TestResourceOfATagPathMayBeEscapedOrNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.newStage().String()
	for _, path := range []string{
		arn, strings.ReplaceAll(arn, "/", "%2F"), strings.NewReplacer("/", "%2f", ":", "%3a").Replace(arn),
	} {
		if got := w.call("GET", "/tags/"+path, ""); got.status != 200 || got.body != `{"tags":{}}` {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}
	if got := w.call("GET", "/tags/", ""); got.message() != "1 validation error detected. Value with length 0 at '/resourceArn' "+
		"failed to satisfy constraint: Member must have length between 1 and 128, inclusive" {
		t.Errorf("no resource: got %s", got.body)
	}
}

func TestPanicIsLoggedAndAnsweredNeutrally(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.Service = nil
	w.API = New(o)
	got := w.call("POST", "/GetStage", `{"arn":"`+testStage+`"}`)
	if got.status != 500 || got.code() != internal || strings.Contains(got.body, "nil pointer") || got.message() == "" {
		t.Errorf("got %d %s %s", got.status, got.code(), got.body)
	}
	log := w.log.String()
	for _, want := range []string{"level=ERROR", "panic", "GetStage", got.header.Get("X-Amzn-Requestid")} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %q: %s", want, log)
		}
	}
}

func TestRequestsAreObserved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var seen []string
	o := w.options()
	o.Observe = func(operation string, status int, d time.Duration) {
		if d < 0 {
			t.Error("negative duration")
		}
		seen = append(seen, fmt.Sprint(operation, " ", status))
	}
	w.API = New(o)
	w.call("POST", "/ListStages", `{}`)
	w.call("POST", "/ListStages", `[]`)
	w.call("POST", "/"+strings.Repeat("x", 100), ``)
	if want := []string{"ListStages 200", "ListStages 400", "unknown 403"}; !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
}
