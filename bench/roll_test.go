package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callboard/internal/stage"
)

// BenchmarkListParticipants measures one page of 50 over a loopback connection:
// signature, decoding, page token, store, encoding and net/http. "floor" is the
// time a static handler takes for the same bytes; "of-floor" is the share of its
// throughput that the roll call reaches.
func BenchmarkListParticipants(b *testing.B) {
	for _, size := range []int{1e3, 1e6} {
		b.Run(fmt.Sprintf("%.0e", float64(size)), func(b *testing.B) {
			h := newHall(b, size)
			for _, q := range h.questions(b) {
				b.Run(q.name, func(b *testing.B) { h.measure(b, "ListParticipants", q.body) })
			}
		})
	}
}

// hall is a house with one session of many participants.
type hall struct {
	house
	dir     string
	stage   stage.ARN
	session string
	size    int
}

func newHall(b *testing.B, size int) *hall {
	dir := b.TempDir()
	h := &hall{house: newHouseAt(b, dir), dir: dir, size: size, session: sessionID}
	h.fill(b)
	return h
}

const sessionID = "st-0123456789abc"

// fileHall is a hall whose store is on disk and closed. It is made once if
// there is a directory to keep it in.
func fileHall(b *testing.B, size int) *hall {
	h := &hall{dir: b.TempDir(), size: size, session: sessionID}
	if keep := os.Getenv("CALLBOARD_BENCH_KEEP"); keep != "" {
		h.dir = filepath.Join(keep, fmt.Sprint(size))
		must(b, os.MkdirAll(h.dir, 0o700))
	}
	var err error
	h.house, err = openHouse(h.dir)
	must(b, err)
	defer func() { must(b, h.store.Close()) }()
	there, _, err := h.service.Stages(b.Context(), caller, stage.Page{Limit: 1})
	must(b, err)
	if len(there) > 0 {
		h.stage = there[0].ARN
		return h
	}
	h.fill(b)
	return h
}

// fill writes the participants straight into the store: one in a thousand is
// connected, three in ten have published, one in a hundred failed to record,
// three share a user id.
func (h *hall) fill(b *testing.B) {
	made, _, err := h.service.CreateStage(b.Context(), caller, stage.NewStage{})
	must(b, err)
	h.stage = made.ARN
	session := stage.Session{Stage: h.stage, ID: h.session, Started: time.Now(), NextSeq: 1}
	const batch = 5000
	for from := 0; from < h.size; from += batch {
		must(b, h.store.Update(b.Context(), func(tx stage.Tx) error {
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

// ask is a request for a page.
func (h *hall) ask(extra string) string {
	return fmt.Sprintf(`{"stageArn":%q,"sessionId":%q%s}`, h.stage, h.session, extra)
}

func (h *hall) questions(b *testing.B) []question {
	return []question{
		{"first", h.ask("")},
		{"deep", h.ask(fmt.Sprintf(`,"nextToken":%q`, h.deepToken(b)))},
		{"userId", h.ask(fmt.Sprintf(`,"filterByUserId":"a-user-of-the-application-%07d"`, h.size/6))},
		{"connected", h.ask(`,"filterByState":"CONNECTED"`)},
		{"disconnected", h.ask(`,"filterByState":"DISCONNECTED"`)},
		{"published", h.ask(`,"filterByPublished":true`)},
		{"recording", h.ask(`,"filterByRecordingState":"FAILED"`)},
	}
}

// deepToken walks to a page far from the start: halfway through a small
// session, a thousand pages into a large one.
func (h *hall) deepToken(b *testing.B) string {
	token := ""
	for range min(1000, h.size/100) {
		extra := ""
		if token != "" {
			extra = fmt.Sprintf(`,"nextToken":%q`, token)
		}
		var page struct{ NextToken string }
		must(b, json.Unmarshal(h.get(b, "ListParticipants", h.ask(extra)), &page))
		token = page.NextToken
	}
	return token
}
