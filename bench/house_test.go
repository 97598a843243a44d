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
}

func newHouse(b *testing.B) house {
	ctx := b.Context()
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(b.TempDir(), "callboard.db")})
	must(b, err)
	b.Cleanup(func() { db.Close() })
	service, _, err := stage.Open(ctx, stage.Options{
		Store: db, Linger: time.Hour,
		Endpoints: stage.Endpoints{Events: "ws://localhost/events", WHIP: "http://localhost/whip"},
	})
	must(b, err)
	secret, err := service.Secret(ctx, "page")
	must(b, err)
	server := httptest.NewServer(api.New(api.Options{
		Service: service,
		Verifier: &sigv4.Verifier{
			Service: "ivs",
			Window:  time.Hour,
			Lookup:  func(id string) (sigv4.Key, bool) { return key, id == key.AccessKeyID },
		},
		Principal: func(sigv4.Identity) api.Principal {
			return api.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root", Root: true}
		},
		PageKey: secret,
		Log:     slog.New(slog.DiscardHandler),
		Plain:   true,
	}))
	b.Cleanup(server.Close)
	return house{server.URL, db, service}
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
