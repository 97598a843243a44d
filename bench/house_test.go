package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callboard/internal/api"
	"callboard/internal/sigv4"
	"callboard/internal/stage"
	"callboard/internal/store"
)

var key = sigv4.Key{AccessKeyID: "AKIABENCHMARK0000000", Secret: "secret"}

const account, region = "123456789012", "us-east-1"

var caller = stage.Caller{Account: account, Region: region}

// house is the API on a store on disk, behind a loopback connection.
type house struct {
	url     string
	store   *store.Store
	service *stage.Service
	api     http.Handler
}

func newHouse(b *testing.B) house { return newHouseAt(b, b.TempDir()) }

func newHouseAt(b *testing.B, dir string) house {
	h, err := openHouse(dir)
	must(b, err)
	b.Cleanup(func() { h.store.Close() })
	server := httptest.NewServer(h.api)
	b.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func openHouse(dir string) (h house, err error) {
	ctx := context.Background()
	if h.store, err = store.Open(ctx, store.Options{Path: filepath.Join(dir, "callboard.db"), RollBytes: 4 << 30}); err != nil {
		return house{}, err
	}
	h.service, _, err = stage.Open(ctx, stage.Options{
		Store: h.store, Linger: time.Hour,
		Endpoints: stage.Endpoints{Events: "ws://localhost/events", WHIP: "http://localhost/whip"},
	})
	if err != nil {
		return house{}, err
	}
	secret, err := h.service.Secret(ctx, "page")
	if err != nil {
		return house{}, err
	}
	h.api = api.New(api.Options{
		Service: h.service,
		Verifier: &sigv4.Verifier{
			Service: "ivs",
			Window:  24 * time.Hour,
			Lookup:  func(id string) (sigv4.Key, bool) { return key, id == key.AccessKeyID },
		},
		Principal: func(sigv4.Identity) api.Principal {
			return api.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root", Root: true}
		},
		PageKey: secret,
		Log:     slog.New(slog.DiscardHandler),
		Plain:   true,
	})
	return h, nil
}

func (h house) request(operation, body string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, h.url+"/"+operation, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	sigv4.Sign(r, []byte(body), key, region, "ivs", time.Now())
	return r
}

func (h house) get(b *testing.B, operation, body string) []byte {
	answer, err := dial(h.url).do(wire(h.request(operation, body)))
	must(b, err)
	return answer
}

// measure alternates short runs of an operation and of the floor, so that a
// noisy moment of the machine falls on both.
func (h house) measure(b *testing.B, operation, body string) {
	ours, request := dial(h.url), wire(h.request(operation, body))
	answer, err := ours.do(request)
	must(b, err)
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		w.Write(answer)
	}))
	defer static.Close()
	floor := dial(static.URL)
	defer ours.close()
	defer floor.close()

	const run = 200
	var spent, least time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		least += timed(b, floor, request, run)
		b.StartTimer()
		spent += timed(b, ours, request, run)
		n += run
	}
	perOp := float64(spent.Microseconds()) / float64(n)
	perFloor := float64(least.Microseconds()) / float64(n)
	b.ReportMetric(0, "ns/op") // an op is a run of many requests: say it per request
	b.ReportMetric(perOp, "us/call")
	b.ReportMetric(perFloor, "us/floor")
	b.ReportMetric(perFloor/perOp, "of-floor")
	b.ReportMetric(float64(len(answer)), "bytes")
}

func timed(b *testing.B, c *connection, request []byte, n int) time.Duration {
	start := time.Now()
	for range n {
		if _, err := c.do(request); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
