package desk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"callboard/internal/api"
	"callboard/internal/hook"
	"callboard/internal/iam"
	"callboard/internal/sigv4"
	"callboard/internal/stage"
	"callboard/internal/store"
)

var (
	testKey  = sigv4.Key{AccessKeyID: "AKIDCALLBOARD", Secret: "not much of a secret"}
	otherKey = sigv4.Key{AccessKeyID: "AKIDSTRANGER", Secret: "not much either"}
)

const testRegion = "eu-west-1"

// world is a desk on a real domain with a store in memory and a clock that the test
// moves.
type world struct {
	*Desk
	t        testing.TB
	service  *stage.Service
	register *stage.Register
	hooks    *hook.Courier
	caller   stage.Caller

	mu        sync.Mutex
	now       time.Time
	principal api.Principal // who holds testKey
	lost      bool          // testKey is not known any more
	observed  []string
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

// hurry is a rhythm for tests.
var hurry = rhythm{
	strip: 64, farthest: 10_000, part: 7, pause: time.Millisecond, heartbeat: 20 * time.Millisecond,
	write: 5 * time.Second, tick: 5 * time.Millisecond, reading: 4,
}

func newWorld(t testing.TB) *world { return newWorldWith(t, hurry, func(*Options) {}) }

func newWorldWith(t testing.TB, how rhythm, change func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 60e6, time.UTC),
		caller: stage.Caller{Account: "123456789012", Region: testRegion, ARN: "arn:aws:iam::123456789012:root"},
	}
	w.principal = api.Principal{Account: w.caller.Account, ARN: w.caller.ARN, Root: true}
	facts, err := store.Open(t.Context(), store.Options{Now: w.clock})
	w.check(err)
	t.Cleanup(func() { facts.Close() })
	w.service, w.register, err = stage.Open(t.Context(), stage.Options{
		Store: facts, Now: w.clock, Linger: time.Minute,
		Endpoints: stage.Endpoints{Events: "wss://board.example.com/events", WHIP: "https://board.example.com/whip"},
	})
	w.check(err)
	w.service.UseFloor(emptyFloor{})
	w.hooks, err = hook.Open(t.Context(), hook.Options{Service: w.service, Store: facts, Now: w.clock})
	w.check(err)
	o := Options{Service: w.service, Hooks: w.hooks, API: w.newAPI(), Log: slog.New(slog.DiscardHandler), BasePath: "/base", Watchers: 100, AccountWatchers: 50}
	change(&o)
	w.Desk = newDesk(o, how)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

func (w *world) newAPI() *api.API {
	return api.New(api.Options{
		Service:   w.service,
		Verifier:  &sigv4.Verifier{Service: "ivs", Now: w.clock, Lookup: w.lookup},
		Principal: w.who,
		PageKey:   []byte("0123456789abcdef0123456789abcdef"),
		Log:       slog.New(slog.DiscardHandler),
		Gate:      new(sync.RWMutex),
		Observe: func(operation string, status int, _ time.Duration) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.observed = append(w.observed, operation+" "+http.StatusText(status))
		},
	})
}

func (w *world) lookup(id string) (sigv4.Key, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case id == testKey.AccessKeyID && !w.lost:
		return testKey, true
	case id == otherKey.AccessKeyID:
		return otherKey, true
	}
	return sigv4.Key{}, false
}

func (w *world) who(i sigv4.Identity) api.Principal {
	if i.AccessKeyID == otherKey.AccessKeyID {
		return api.Principal{Account: "210987654321", ARN: "arn:aws:iam::210987654321:root", Root: true}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.principal
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

// may gives who holds testKey these policies and no more.
func (w *world) may(documents ...string) {
	w.t.Helper()
	p := api.Principal{Account: w.caller.Account, ARN: "arn:aws:iam::123456789012:user/ann", UserName: "ann"}
	for _, d := range documents {
		policy, err := iam.Parse("test", []byte(d))
		w.check(err)
		p.Policies = append(p.Policies, policy)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.principal = p
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) code() string { return r.header.Get("X-Amzn-Errortype") }

// get signs a request with testKey and sends it to the desk.
func (w *world) get(path string) reply { return w.do(testKey, http.MethodGet, path, "") }

func (w *world) do(key sigv4.Key, method, path, body string) reply {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	sigv4.Sign(r, []byte(body), key, testRegion, "ivs", w.clock())
	return w.send(r)
}

func (w *world) send(r *http.Request) reply {
	rec := httptest.NewRecorder()
	w.Desk.ServeHTTP(rec, r)
	return reply{rec.Code, rec.Header(), rec.Body.String()}
}

// read is get for what must be there.
func (w *world) read(path string, out any) {
	w.t.Helper()
	got := w.get(path)
	if got.status != http.StatusOK {
		w.t.Fatalf("%s answered %d %s", path, got.status, got.body)
	}
	w.check(json.Unmarshal([]byte(got.body), out))
}

func (w *world) newStage() stage.ARN {
	w.t.Helper()
	s, _, err := w.service.CreateStage(w.t.Context(), w.caller, stage.NewStage{})
	w.check(err)
	return s.ARN
}

// token is what somebody is let in with.
func (w *world) token(arn stage.ARN, userID string, attributes map[string]string) stage.Admission {
	return stage.Admission{
		Stage: arn, ParticipantID: strings.ToLower(rand.Text())[:12], UserID: userID, Attributes: attributes,
		Expires: w.clock().Add(time.Hour),
	}
}

// presign signs the URL of a GET as the SDKs do.
func (w *world) presign(address string) string {
	w.t.Helper()
	r, err := http.NewRequest("GET", address+"?X-Amz-Expires=60", nil)
	w.check(err)
	credentials := aws.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: testKey.Secret}
	const ofNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := v4.NewSigner().PresignHTTP(w.t.Context(), credentials, r, ofNothing, "ivs", testRegion, w.clock())
	w.check(err)
	return signed
}

func (w *world) enter(a stage.Admission) stage.Entry {
	w.t.Helper()
	e, err := w.register.Join(w.t.Context(), a, stage.Client{})
	w.check(err)
	return e
}

// join lets somebody in with a fresh token.
func (w *world) join(arn stage.ARN, userID string) stage.Entry {
	w.t.Helper()
	return w.enter(w.token(arn, userID, nil))
}

func (w *world) record(e stage.Entry, names ...stage.EventName) {
	w.t.Helper()
	for _, name := range names {
		w.check(w.register.Record(w.t.Context(), e, stage.Fact{Name: name, Protocol: stage.ProtocolWHIP}))
	}
}

// at is the path of a session, with what follows it.
func at(e stage.Entry, rest string) string {
	return Root + "/stages/" + e.Stage.ID + "/sessions/" + e.SessionID + rest
}

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}
