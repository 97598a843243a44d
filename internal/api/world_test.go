package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
	"callboard/internal/store"
)

var (
	testKey  = sigv4.Key{AccessKeyID: "AKIDCALLBOARD", Secret: "not much of a secret"}
	otherKey = sigv4.Key{AccessKeyID: "AKIDSTRANGER", Secret: "not much either"}
)

const (
	testRegion = "eu-west-1"
	testStage  = "arn:aws:ivs:eu-west-1:123456789012:stage/AbCdEfGhIjKl"
	testPEM    = "-----BEGIN PUBLIC KEY-----\n" +
		"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEimDezI46siYraKq6JSZpy45yUmnaP21y\n" +
		"RuYWxzhPK4mrrEFjjZITsdmgUuF6cyVGGV0AMMyEgfoD+hmXlF7tZIqQPizH1H60\n" +
		"Kum5Fa8MLf+c37J70NT3cqwYZKRzbzSg\n" +
		"-----END PUBLIC KEY-----\n"
)

// world is the API on a real domain with a store in memory and a clock that
// the test moves.
type world struct {
	*API
	t        testing.TB
	facts    *store.Store
	service  *stage.Service
	register *stage.Register
	caller   stage.Caller
	// principal is who holds testKey.
	principal Principal
	log       lockedBuffer

	mu  sync.Mutex
	now time.Time
}

// emptyFloor is a floor on which nobody ever is.
type emptyFloor struct{}

func (emptyFloor) Disconnect(context.Context, stage.ARN, string, stage.Reason, string) error {
	return nil
}
func (emptyFloor) Clear(context.Context, stage.ARN, stage.Reason) error { return nil }
func (emptyFloor) Inspect(context.Context, stage.ARN, string) (stage.Media, error) {
	return stage.Media{}, nil
}

// probe knows two buckets that are not what one expects.
func probe(_ context.Context, bucket string) error {
	switch bucket {
	case "missing":
		return &stage.Error{Kind: stage.NotFound, Message: "There is no bucket missing"}
	case "locked":
		return &stage.Error{Kind: stage.Denied, Message: "The bucket locked cannot be written to"}
	case "broken":
		return errors.New("the disk is full")
	}
	return nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldAt(t, "")
}

// newWorldAt is a world whose facts are in a file, which others can look into.
func newWorldAt(t testing.TB, path string) *world {
	t.Helper()
	w := &world{
		t:      t,
		caller: stage.Caller{Account: "123456789012", Region: testRegion, ARN: "arn:aws:iam::123456789012:root"},
		now:    time.Date(2026, 1, 2, 3, 4, 5, 60e6, time.UTC),
	}
	facts, err := store.Open(t.Context(), store.Options{Path: path, Now: w.clock})
	w.check(err)
	w.facts = facts
	t.Cleanup(func() { facts.Close() })
	w.service, w.register, err = stage.Open(t.Context(), stage.Options{
		Store:     facts,
		Now:       w.clock,
		Endpoints: stage.Endpoints{Events: "wss://board.example.com/events", WHIP: "https://board.example.com/whip"},
		Linger:    2 * time.Minute,
		Quotas:    stage.Quotas{PublicKeys: 3},
		Probe:     probe,
	})
	w.check(err)
	w.service.UseFloor(emptyFloor{})
	w.principal = Principal{Account: w.caller.Account, ARN: w.caller.ARN, Root: true}
	w.API = New(w.options())
	return w
}

func (w *world) options() Options {
	return Options{
		Service: w.service,
		Verifier: &sigv4.Verifier{Service: "ivs", Now: w.clock, Lookup: func(id string) (sigv4.Key, bool) {
			for _, k := range []sigv4.Key{testKey, otherKey} {
				if k.AccessKeyID == id {
					return k, true
				}
			}
			return sigv4.Key{}, false
		}},
		Principal: func(i sigv4.Identity) Principal {
			if i.AccessKeyID == otherKey.AccessKeyID {
				return Principal{Account: "210987654321", ARN: "arn:aws:iam::210987654321:root", Root: true}
			}
			return w.principal
		},
		PageKey: []byte("0123456789abcdef0123456789abcdef"),
		Log:     slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) code() string { return a.header.Get("X-Amzn-Errortype") }

// message gives the text of an error, "" if it is not there.
func (a answer) message() string {
	var e struct{ Message string }
	json.Unmarshal([]byte(a.body), &e)
	return e.Message
}

// call signs a request and sends it through the handler.
func (w *world) call(method, path, body string, headers ...string) answer {
	return w.callAs(testKey, testRegion, method, path, body, headers...)
}

func (w *world) callAs(key sigv4.Key, region, method, path, body string, headers ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	sigv4.Sign(r, []byte(body), key, region, "ivs", w.clock())
	return w.send(r)
}

func (w *world) send(r *http.Request) answer {
	rec := httptest.NewRecorder()
	w.API.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// post calls an operation and requires success; the answer goes into out.
func (w *world) post(operation, body string, out any) {
	w.t.Helper()
	got := w.call("POST", "/"+operation, body)
	if got.status != http.StatusOK {
		w.t.Fatalf("%s answered %d %s", operation, got.status, got.body)
	}
	if out != nil {
		w.check(json.Unmarshal([]byte(got.body), out))
	}
}

// newStage creates a stage and gives its ARN.
func (w *world) newStage() stage.ARN {
	w.t.Helper()
	var out struct{ Stage struct{ ARN string } }
	w.post("CreateStage", `{}`, &out)
	arn, err := stage.ParseARN(out.Stage.ARN)
	w.check(err)
	return arn
}

// join lets someone in with a fresh token.
func (w *world) join(arn stage.ARN, userID string) stage.Entry {
	w.t.Helper()
	t, err := w.service.CreateToken(w.t.Context(), w.caller, arn, stage.TokenRequest{
		UserID: userID, Attributes: map[string]string{"role": "guest"},
	})
	w.check(err)
	admission, err := w.register.Admit(w.t.Context(), t.JWT)
	w.check(err)
	entry, err := w.register.Join(w.t.Context(), admission, stage.Client{
		OSName: "Linux", OSVersion: "6.1", BrowserName: "Firefox", BrowserVersion: "140.0",
	})
	w.check(err)
	return entry
}

// exchange has somebody hold a token that may subscribe only.
func (w *world) exchange(e stage.Entry, userID string, attributes map[string]string) {
	w.t.Helper()
	before := stage.Admission{
		Stage: e.Stage, ParticipantID: e.ParticipantID, UserID: "ann", Attributes: map[string]string{"role": "guest"},
		MayPublish: true, MaySubscribe: true, Expires: w.clock().Add(time.Hour),
	}
	after := before
	after.UserID, after.Attributes, after.MayPublish = userID, attributes, false
	after.Expires = after.Expires.Add(time.Hour)
	_, err := w.register.Exchange(w.t.Context(), e, before, after)
	w.check(err)
}

func (w *world) record(e stage.Entry, facts ...stage.Fact) {
	w.t.Helper()
	w.check(w.register.Record(w.t.Context(), e, facts...))
}

// lockedBuffer collects the log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
