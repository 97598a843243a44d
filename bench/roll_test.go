package bench

import (
	"context"
	"encoding/json"
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

// BenchmarkListParticipants measures one page of 50 over a loopback connection:
// signature, decoding, page token, store, encoding and net/http. "floor" is the
// time a static handler takes for the same bytes; "of-floor" is the share of its
// throughput that the roll call reaches.
func BenchmarkListParticipants(b *testing.B) {
	for _, size := range []int{1e3, 1e6} {
		b.Run(fmt.Sprintf("%.0e", float64(size)), func(b *testing.B) {
			h := newHouse(b, size)
			for _, q := range h.questions(b) {
				b.Run(q.name, func(b *testing.B) { h.measure(b, q.body) })
			}
		})
	}
}

// house is a server with one session of many participants.
type house struct {
	url     string
	stage   stage.ARN
	session string
	size    int
}

func newHouse(b *testing.B, size int) *house {
	ctx := b.Context()
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(b.TempDir(), "callboard.db")})
	must(b, err)
	b.Cleanup(func() { db.Close() })
	service, _, err := stage.Open(ctx, stage.Options{Store: db, Linger: time.Hour})
	must(b, err)
	made, _, err := service.CreateStage(ctx, stage.Caller{Account: account, Region: region}, stage.NewStage{})
	must(b, err)
	h := &house{stage: made.ARN, size: size, session: "st-0123456789abc"}
	h.fill(b, db)
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
	h.url = server.URL
	return h
}

// fill writes the participants straight into the store: one in a thousand is
// connected, three in ten have published, one in a hundred failed to record,
// three share a user id.
func (h *house) fill(b *testing.B, db *store.Store) {
	session := stage.Session{Stage: h.stage, ID: h.session, Started: time.Now(), NextSeq: 1}
	const batch = 5000
	for from := 0; from < h.size; from += batch {
		must(b, db.Update(b.Context(), func(tx stage.Tx) error {
			for i := from; i < min(from+batch, h.size); i++ {
				if session.No == 0 {
					if err := tx.PutSession(&session); err != nil {
						return err
					}
				}
				p := participant(session.No, i)
				if err := tx.PutParticipant(&p); err != nil {
					return err
				}
			}
			session.NextSeq = int64(h.size + 1)
			return tx.PutSession(&session)
		}))
	}
}

func participant(session int64, i int) stage.Participant {
	p := stage.Participant{
		Session:   session,
		Seq:       int64(i + 1),
		ID:        fmt.Sprintf("P%011d", i),
		UserID:    fmt.Sprintf("a-user-of-the-application-%07d", i/3),
		Connected: i%1000 == 0,
		Published: i%10 < 3,
		FirstJoin: time.UnixMilli(1767225600000 + int64(i)),
		Detail:    &stage.Detail{Attributes: map[string]string{"role": "viewer"}, Protocol: stage.ProtocolUnknown},
	}
	if i%100 == 0 {
		p.Recording = stage.RecordingFailed
	}
	return p
}

type question struct{ name, body string }

func (h *house) questions(b *testing.B) []question {
	ask := func(extra string) string {
		return fmt.Sprintf(`{"stageArn":%q,"sessionId":%q%s}`, h.stage, h.session, extra)
	}
	return []question{
		{"first", ask("")},
		{"deep", ask(fmt.Sprintf(`,"nextToken":%q`, h.deepToken(b, ask)))},
		{"userId", ask(fmt.Sprintf(`,"filterByUserId":"a-user-of-the-application-%07d"`, h.size/6))},
		{"connected", ask(`,"filterByState":"CONNECTED"`)},
		{"disconnected", ask(`,"filterByState":"DISCONNECTED"`)},
		{"published", ask(`,"filterByPublished":true`)},
		{"recording", ask(`,"filterByRecordingState":"FAILED"`)},
	}
}

// deepToken walks to a page far from the start: halfway through a small
// session, a thousand pages into a large one.
func (h *house) deepToken(b *testing.B, ask func(string) string) string {
	token := ""
	for range min(1000, h.size/100) {
		extra := ""
		if token != "" {
			extra = fmt.Sprintf(`,"nextToken":%q`, token)
		}
		var page struct{ NextToken string }
		must(b, json.Unmarshal(h.get(b, ask(extra)), &page))
		token = page.NextToken
	}
	return token
}

func (h *house) request(body string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, h.url+"/ListParticipants", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	sigv4.Sign(r, []byte(body), key, region, "ivs", time.Now())
	return r
}

func (h *house) get(b *testing.B, body string) []byte {
	answer, err := dial(h.url).do(wire(h.request(body)))
	must(b, err)
	return answer
}

// measure alternates short runs of the roll call and of the floor, so that a
// noisy moment of the machine falls on both.
func (h *house) measure(b *testing.B, body string) {
	ours, request := dial(h.url), wire(h.request(body))
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
	b.ReportMetric(perOp, "us/page")
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
