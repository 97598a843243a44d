package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecode decodes anything into the input of any operation. What is
// accepted is JSON and decodes to the same again; the rest is bad input.
func FuzzDecode(f *testing.F) {
	operations := table()
	for i, body := range []string{
		`{}`, `{"arn":"` + testStage + `"}`, `{"tags":{"a":"b"},"name":null}`, `{"participantTokenConfigurations":[{"duration":1},{}]}`,
		`{"stageArn":1}`, `[`, `{"capabilities":[null]}`, `{"maxResults":1e3}`, "{\"userId\":\"\\ud800\xff\"}",
	} {
		f.Add(uint8(i), body, testStage, "tagKeys=a&tagKeys=b")
	}
	f.Fuzz(func(t *testing.T, n uint8, body, resource, query string) {
		op := operations[int(n)%len(operations)]
		r := httptest.NewRequest("POST", "/", nil)
		r.URL = &url.URL{RawQuery: query}
		in := compileInput(op.input)
		one, two := reflect.New(op.input), reflect.New(op.input)
		err := in.decode(&request{Request: r, body: []byte(body), resource: resource}, one.Elem())
		again := in.decode(&request{Request: r, body: []byte(body), resource: resource}, two.Elem())
		if fmt.Sprint(err) != fmt.Sprint(again) || !reflect.DeepEqual(one.Interface(), two.Interface()) {
			t.Errorf("decoded differently: %v, %v", err, again)
		}
		if f := toFault(err); err != nil && (f == nil || f.status != 400) {
			t.Errorf("failed with %v", err)
		}
		if err == nil && in.hasBody() && body != "" && !json.Valid([]byte(body)) {
			t.Errorf("%q was accepted", body)
		}
	})
}

// TestRandomRequestsAreNeverOurFault sends mutilated requests to every
// operation: whatever they say, the answer must not be a 5xx, but for the 501 of
// what is not done yet.
func TestRandomRequestsAreNeverOurFault(t *testing.T) {
	t.Parallel()
	m, w := readModel(t), newWorld(t)
	arn := w.newStage()
	session := w.join(arn, "ann").SessionID
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		for _, op := range table() {
			input := m.Operations[op.name].Input.Shape
			members := m.valid(input).(map[string]any)
			for name, value := range members {
				members[name] = mutilate(rng, value, 0.1)
			}
			for name, value := range map[string]any{"arn": arn.String(), "stageArn": arn.String(), "sessionId": session} {
				if _, ok := members[name]; ok && rng.IntN(3) > 0 {
					members[name] = value
				}
			}
			body, err := json.Marshal(members)
			w.check(err)
			if rng.IntN(10) == 0 {
				body = body[:rng.IntN(len(body))]
			}
			path := op.path
			if path == tagsPath {
				path += strings.ReplaceAll(arn.String(), "/", "%2F") + "?tagKeys=a"
			}
			if got := w.call(op.method, path, string(body)); got.status >= 500 && (got.status != 501 || op.output != nil) {
				t.Errorf("%s %s: got %d %s\n%s", op.name, body, got.status, got.body, w.log.String())
			}
		}
	}
}

// mutilate replaces some parts of a value by something strange.
func mutilate(rng *rand.Rand, value any, chance float64) any {
	if rng.Float64() < chance {
		strange := []any{nil, 0, -1, 1e300, "", "\u0000", strings.Repeat("é", 200), []any{nil}, map[string]any{"": nil}, true, testStage}
		return strange[rng.IntN(len(strange))]
	}
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			if value[k] = mutilate(rng, v, chance); rng.Float64() < chance {
				delete(value, k)
			}
		}
	case []any:
		for i, v := range value {
			value[i] = mutilate(rng, v, chance)
		}
	}
	return value
}

// Whatever path a stranger asks for is found or not found; nothing else happens.
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"/GetStage", "/tags/arn%3Aaws%3Aivs", "/tags/", "/base/tags/%zz", "//", "/tags/a/b%2Fc"} {
		f.Add("POST", seed)
	}
	a := New(Options{BasePath: "/base"})
	f.Fuzz(func(t *testing.T, method, path string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawPath: path}}
		if path, resource := a.route(r); resource != "" && path != tagsPath {
			t.Errorf("%q names a resource on %q", resource, path)
		}
	})
}
