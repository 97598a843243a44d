package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// door is a world behind a real HTTP server, which adds what net/http adds.
type door struct {
	*world
	url string
	ids map[string]bool // of requests
}

func newDoor(t *testing.T) *door {
	t.Helper()
	w := newWorld(t)
	srv := httptest.NewServer(w.API)
	t.Cleanup(srv.Close)
	return &door{w, srv.URL, map[string]bool{}}
}

// knock sends a request; sign may be nil.
func (d *door) knock(method, path, body string, sign func(*http.Request)) answer {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	d.check(err)
	r.Header.Set("Content-Type", "application/json")
	if sign != nil {
		sign(r)
	}
	resp, err := http.DefaultClient.Do(r)
	d.check(err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	d.check(err)
	return answer{resp.StatusCode, resp.Header, string(got)}
}

// by signs with a key, after a change of the request.
func (d *door) by(key sigv4.Key, body string, change func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		if change != nil {
			change(r)
		}
		sigv4.Sign(r, []byte(body), key, testRegion, "ivs", d.clock())
	}
}

// dressed checks what every answer wears, whatever it says.
func (d *door) dressed(what string, got answer) {
	d.t.Helper()
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Content-Security-Policy",
		"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Date",
	} {
		if values := got.header.Values(name); len(values) != 1 || values[0] == "" {
			d.t.Errorf("%s: %s is %q", what, name, values)
		}
	}
	if _, err := http.ParseTime(got.header.Get("Date")); err != nil {
		d.t.Errorf("%s: %v", what, err)
	}
	id := got.header.Get("X-Amzn-Requestid")
	if _, err := uuid.Parse(id); err != nil || d.ids[id] {
		d.t.Errorf("%s: request id %q is no fresh UUID", what, id)
	}
	d.ids[id] = true
}

func TestEveryRefusalHasTheFormThatSDKsRead(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.meetTheQuota()
	key, err := json.Marshal(testPEM)
	d.check(err)
	imported := `{"publicKeyMaterial":` + string(key) + `}`
	other := strings.Replace(testStage, "123456789012", "210987654321", 1)
	type header = func(*http.Request)
	set := func(name, value string) header { return func(r *http.Request) { r.Header.Set(name, value) } }
	for _, c := range []struct {
		name, method, path, body string
		key                      sigv4.Key // the zero one does not sign
		change                   header
		status                   int
		code                     string
		modelled                 bool
	}{
		{"wrong JSON", "POST", "/GetStage", `{`, testKey, nil, 400, "SerializationException", false},
		{"wrong type", "POST", "/GetStage", `{"arn":1}`, testKey, nil, 400, "SerializationException", false},
		{"wrong value", "POST", "/GetStage", `{"arn":"x"}`, testKey, nil, 400, validation, true},
		{"over quota", "POST", "/ImportPublicKey", imported, testKey, nil, 402, quota, true},
		{"no signature", "POST", "/ListStages", `{}`, sigv4.Key{}, nil, 403, "MissingAuthenticationTokenException", false},
		{"no route", "POST", "/Nothing", `{}`, testKey, nil, 403, "MissingAuthenticationTokenException", false},
		{"half a signature", "POST", "/ListStages", `{}`, sigv4.Key{}, set("Authorization", "AWS4-HMAC-SHA256 Credential=x"), 403, "IncompleteSignatureException", false},
		{"unknown key", "POST", "/ListStages", `{}`, sigv4.Key{AccessKeyID: "AKIDNOBODY", Secret: "x"}, nil, 403, "UnrecognizedClientException", false},
		{"wrong secret", "POST", "/ListStages", `{}`, sigv4.Key{AccessKeyID: testKey.AccessKeyID, Secret: "x"}, nil, 403, "InvalidSignatureException", false},
		{"somebody else's", "POST", "/GetStage", `{"arn":"` + other + `"}`, testKey, nil, 403, accessDenied, true},
		{"unknown", "POST", "/GetStage", `{"arn":"` + testStage + `"}`, testKey, nil, 404, notFound, true},
		{"unknown, by GET", "GET", "/tags/" + testStage, "", testKey, nil, 404, notFound, true},
		{"impossible answer", "POST", "/ListStages", `{}`, testKey, set("Accept", "text/html"), 406, "NotAcceptableException", false},
		{"too large", "POST", "/GetStage", strings.Repeat(" ", maxBody+1), testKey, nil, 413, "RequestEntityTooLargeException", false},
		{"wrong form", "POST", "/GetStage", `<arn/>`, testKey, set("Content-Type", "text/xml"), 415, "UnsupportedMediaTypeException", false},
		{"not there yet", "POST", "/ListCompositions", `{}`, testKey, nil, 501, "OperationNotSupportedException", false},
	} {
		sign := c.change
		if c.key != (sigv4.Key{}) {
			sign = d.by(c.key, c.body, c.change)
		}
		got := d.knock(c.method, c.path, c.body, sign)
		if got.status != c.status || got.code() != c.code {
			t.Errorf("%s: got %d %s %s, want %d %s", c.name, got.status, got.code(), got.body, c.status, c.code)
		}
		d.dressed(c.name, got)
		wellFormed(t, c.name, got, c.modelled)
	}
}

// meetTheQuota imports as many public keys as there may be.
func (d *door) meetTheQuota() {
	d.t.Helper()
	for range 3 {
		private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		d.check(err)
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		d.check(err)
		material := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		body, err := json.Marshal(map[string]string{"publicKeyMaterial": string(material)})
		d.check(err)
		d.post("ImportPublicKey", string(body), nil)
	}
}

// wellFormed checks the body of an error: its text stands in message, and, if
// the error is one of the model, in exceptionMessage as well.
func wellFormed(t *testing.T, what string, got answer, modelled bool) {
	t.Helper()
	var members map[string]string
	if err := json.Unmarshal([]byte(got.body), &members); err != nil || members["message"] == "" {
		t.Errorf("%s: the body is %s", what, got.body)
	}
	want := map[bool]int{false: 1, true: 2}[modelled]
	if len(members) != want || modelled && members["exceptionMessage"] != members["message"] {
		t.Errorf("%s: the body has %d members: %s", what, len(members), got.body)
	}
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
		t.Errorf("%s: type and length are %q", what, []string{got.header.Get("Content-Type"), got.header.Get("Content-Length")})
	}
}

func TestEveryRouteAnswersAPreflightAndCarriesTheHeaders(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, op := range table() {
		path := op.path
		if path == tagsPath {
			path += strings.ReplaceAll(testStage, "/", "%2F")
		}
		got := d.knock("OPTIONS", path, "", func(r *http.Request) {
			r.Header.Set("Origin", "https://app.example.com")
			r.Header.Set("Access-Control-Request-Method", op.method)
			r.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-amz-date")
		})
		if got.status != 204 || got.body != "" || !strings.Contains(got.header.Get("Access-Control-Allow-Methods"), op.method) ||
			!strings.Contains(got.header.Get("Access-Control-Allow-Headers"), "authorization, content-type, x-amz-date") {
			t.Errorf("%s: the preflight got %d %v", op.name, got.status, got.header)
		}
		d.dressed(op.name+" preflight", got)
		refused := d.knock(op.method, path, "", nil)
		if refused.status != 403 || refused.code() != "MissingAuthenticationTokenException" {
			t.Errorf("%s: without a signature got %d %s", op.name, refused.status, refused.code())
		}
		d.dressed(op.name+" without a signature", refused)
		signed := d.knock(op.method, path, "", d.by(testKey, "", nil))
		d.dressed(op.name, signed)
		if signed.status == 403 || signed.status >= 500 && op.output != nil {
			t.Errorf("%s: got %d %s", op.name, signed.status, signed.body)
		}
	}
}

func TestAFaultOfOursIsDressedAsWell(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	o := d.options()
	o.Service = new(stage.Service) // which has no store
	srv := httptest.NewServer(New(o))
	t.Cleanup(srv.Close)
	d.url = srv.URL
	got := d.knock("POST", "/ListStages", `{}`, d.by(testKey, `{}`, nil))
	if got.status != 500 || got.code() != internal || strings.Contains(got.body, "nil") {
		t.Errorf("got %d %s %s", got.status, got.code(), got.body)
	}
	d.dressed("a fault", got)
	wellFormed(t, "a fault", got, true)
}
