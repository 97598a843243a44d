package api

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"callboard/internal/sigv4"
)

// BenchmarkListParticipants answers one signed page of 100 out of 200 rows.
func BenchmarkListParticipants(b *testing.B) {
	w := newWorld(b)
	arn := w.newStage()
	session := ""
	for i := range 200 {
		session = w.join(arn, fmt.Sprintf("user-%d", i)).SessionID
	}
	body := fmt.Sprintf(`{"stageArn":%q,"sessionId":%q,"maxResults":100}`, arn, session)
	r := httptest.NewRequest("POST", "/ListParticipants", nil)
	sigv4.Sign(r, []byte(body), testKey, testRegion, "ivs", w.clock())
	b.ReportAllocs()
	for b.Loop() {
		r.Body = nopBody{strings.NewReader(body)}
		rec := httptest.NewRecorder()
		w.API.ServeHTTP(rec, r)
		if rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

type nopBody struct{ *strings.Reader }

func (nopBody) Close() error { return nil }

func BenchmarkDecode(b *testing.B) {
	body := fmt.Appendf(nil, `{"stageArn":%q,"sessionId":"st-1CVugbu2cf2n8","filterByState":"CONNECTED","maxResults":100}`, testStage)
	in := compileInput(reflect.TypeFor[listParticipantsInput]())
	r := &request{Request: httptest.NewRequest("POST", "/ListParticipants", nil), body: body}
	b.ReportAllocs()
	for b.Loop() {
		if err := in.decode(r, reflect.ValueOf(new(listParticipantsInput)).Elem()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	out := &listParticipantsOutput{NextToken: "AQAAAAAAAAAq"}
	for i := range 100 {
		out.Participants = append(out.Participants, participantSummary{
			ParticipantID: "tU06DT5jCJeb", UserID: fmt.Sprintf("user-%d", i), State: connected,
			FirstJoinTime: timestamp{time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)}, RecordingState: "DISABLED", ReplicationType: "NONE",
		})
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = out.appendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}
