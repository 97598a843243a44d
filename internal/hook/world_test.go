package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callboard/internal/stage"
	"callboard/internal/store"
)

// world is a domain on a real store, in a bubble whose time passes by itself.
type world struct {
	*stage.Service
	*stage.Register
	t      *testing.T
	store  *store.Store
	caller stage.Caller
	people int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, caller: stage.Caller{Account: "123456789012", Region: "us-east-1"}}
	var err error
	w.store, err = store.Open(t.Context(), store.Options{})
	w.check(err)
	t.Cleanup(func() { w.check(w.store.Close()) })
	w.Service, w.Register, err = stage.Open(t.Context(), stage.Options{Store: w.store, Linger: time.Minute})
	w.check(err)
	w.UseFloor(nobody{})
	return w
}

type nobody struct{}

func (nobody) Disconnect(context.Context, stage.ARN, string, stage.Reason, string) error { return nil }
func (nobody) Clear(context.Context, stage.ARN, stage.Reason) error                      { return nil }
func (nobody) Inspect(context.Context, stage.ARN, string) (m stage.Media, err error)     { return m, nil }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stage() stage.ARN {
	w.t.Helper()
	s, _, err := w.CreateStage(w.t.Context(), w.caller, stage.NewStage{})
	w.check(err)
	return s.ARN
}

// join lets somebody new in, with a user id of their own.
func (w *world) join(arn stage.ARN) stage.Entry {
	w.t.Helper()
	w.people++
	id := fmt.Sprintf("p%03d", w.people)
	e, err := w.Join(w.t.Context(), stage.Admission{Stage: arn, ParticipantID: id, UserID: "user of " + id, Expires: time.Now().Add(time.Hour)}, stage.Client{})
	w.check(err)
	return e
}

func (w *world) record(e stage.Entry, facts ...stage.Fact) {
	w.t.Helper()
	w.check(w.Record(w.t.Context(), e, facts...))
}

// mortal is a store from which a process has no more to say once it has died.
type mortal struct {
	stage.Store
	dead atomic.Bool
}

func (m *mortal) Update(ctx context.Context, fn func(stage.Tx) error) error {
	if m.dead.Load() {
		return errors.New("this process is dead")
	}
	return m.Store.Update(ctx, fn)
}

// process is one that delivers.
type process struct {
	stop func() // in order
	kill func()
}

// courier runs one more process on the world's store until the end of the test.
func (w *world) courier(o Options) (c *Courier, p process) {
	w.t.Helper()
	m := &mortal{Store: w.store}
	o.Service, o.Store, o.Account, o.Region = w.Service, m, w.caller.Account, w.caller.Region
	c, err := Open(w.t.Context(), o)
	w.check(err)
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	stop := func() { cancel(); running.Wait() }
	w.t.Cleanup(stop)
	return c, process{stop: stop, kill: func() {
		m.dead.Store(true)
		stop()
	}}
}

func (w *world) hook(c *Courier, n NewHook) (Hook, string) {
	w.t.Helper()
	if n.URL == "" {
		n.URL = "https://receiver.example.com/hook"
	}
	h, secret, err := c.Create(w.t.Context(), w.caller, n)
	w.check(err)
	return h, secret
}

// got is one attempt as the receiver saw it.
type got struct {
	Envelope
	header http.Header
	body   []byte
	at     time.Time
	ok     bool
}

func (g got) String() string { return g.Detail.EventName + " " + g.Detail.ParticipantID }

// receiver is the other side: answer says with which status, 0 for nobody there.
type receiver struct {
	mu     sync.Mutex
	all    []got
	answer func(g got) (status int, header http.Header)
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	g := got{header: q.Header, body: body, at: time.Now()}
	if err = errors.Join(err, json.Unmarshal(body, &g.Envelope)); err != nil {
		return nil, err
	}
	status, header := http.StatusNoContent, http.Header{}
	if r.answer != nil {
		status, header = r.answer(g)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g.ok = status/100 == 2
	r.all = append(r.all, g)
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("thanks")), Request: q}, nil
}

// delivered gives what was taken, in order; of one stage if it is named.
func (r *receiver) delivered(arn ...stage.ARN) (list []got) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.all {
		if g.ok && (len(arn) == 0 || g.Resources[0] == arn[0].String()) {
			list = append(list, g)
		}
	}
	return list
}

func (r *receiver) attempts() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// names gives what each says.
func names(list []got) (texts []string) {
	for _, g := range list {
		texts = append(texts, strings.TrimSpace(g.String()))
	}
	return texts
}

// ids gives each id once, in the order of its first appearance.
func ids(list []got) (all []string) {
	for _, g := range list {
		if !slices.Contains(all, g.ID) {
			all = append(all, g.ID)
		}
	}
	return all
}

// feed gives the ids of the events of the feed after a position; of one stage if it is named.
func (w *world) feed(c *Courier, after int64, arn ...stage.ARN) (all []string) {
	w.t.Helper()
	w.check(w.store.View(w.t.Context(), func(tx stage.Tx) error {
		list, err := tx.Feed(after, 100_000)
		for _, e := range list {
			if len(arn) == 0 || e.Stage == arn[0] {
				all = append(all, eventID(c.key, e))
			}
		}
		return err
	}))
	return all
}

func equal[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// verify is Standard Webhooks once more, from its specification and for one secret.
func verify(secret string, h http.Header, body []byte, now time.Time) error {
	raw, err := base64.StdEncoding.DecodeString(strings.Split(secret, "_")[1])
	if err != nil {
		return err
	}
	var seconds int64
	if _, err := fmt.Sscan(h.Get("Webhook-Timestamp"), &seconds); err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("time %q: %v", h.Get("Webhook-Timestamp"), err)
	}
	mac := hmac.New(sha256.New, raw)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("Webhook-Id"), seconds, bytes.TrimSpace(body))
	for _, one := range strings.Fields(h.Get("Webhook-Signature")) {
		version, signature, _ := strings.Cut(one, ",")
		if given, err := base64.StdEncoding.DecodeString(signature); err == nil && version == "v1" && hmac.Equal(given, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature holds")
}

// bubble runs a test where time passes when everybody waits.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}
