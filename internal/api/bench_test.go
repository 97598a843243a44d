package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// BenchmarkListParticipants answers one signed page of 50 out of 200 rows.
func BenchmarkListParticipants(b *testing.B) {
	w := newWorld(b)
	arn := w.newStage()
	session := ""
	for i := range 200 {
		session = w.join(arn, fmt.Sprintf("user-%d", i)).SessionID
	}
	body := fmt.Sprintf(`{"stageArn":%q,"sessionId":%q}`, arn, session)
	r := httptest.NewRequest("POST", "/ListParticipants", strings.NewReader(body))
	sigv4.Sign(r, []byte(body), testKey, testRegion, "ivs", w.clock())
	answer := &thrown{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r.Body = nopBody{strings.NewReader(body)}
		clear(answer.header)
		w.API.ServeHTTP(answer, r)
		if answer.status != 200 {
			b.Fatal(answer.status)
		}
	}
}

// thrown is an answer that nobody reads.
type thrown struct {
	header http.Header
	status int
}

func (t *thrown) Header() http.Header         { return t.header }
func (t *thrown) WriteHeader(status int)      { t.status = status }
func (t *thrown) Write(b []byte) (int, error) { return len(b), nil }

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
		out.rows = append(out.rows, stage.Participant{
			ID: "tU06DT5jCJeb", UserID: fmt.Sprintf("user-%d", i), Connected: true, FirstJoin: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		})
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = out.appendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}
