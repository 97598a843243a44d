package desk

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/sigv4"
	"callboard/internal/stage"
)

// evening is a session with a history: ann published and left, bob came twice and is
// there, carol publishes.
func evening(t *testing.T) (w *world, ann, bob, carol stage.Entry, began time.Time) {
	t.Helper()
	w = newWorld(t)
	arn, began := w.newStage(), w.clock()
	ann = w.enter(w.token(arn, "ann", map[string]string{"role": "host"}))
	token := w.token(arn, "bob", map[string]string{"role": "guest"})
	bob = w.enter(token)
	w.pass(10 * time.Second)
	w.record(ann, stage.PublishStarted)
	w.check(w.register.Record(t.Context(), bob, stage.Fact{Name: stage.SubscribeStarted, Remote: ann.ParticipantID}))
	w.pass(10 * time.Second)
	w.record(bob, stage.Left)
	w.record(ann, stage.Left)
	w.pass(10 * time.Second)
	bob = w.enter(token)
	carol = w.enter(w.token(arn, "=carol", nil))
	w.record(carol, stage.PublishStarted)
	w.pass(10 * time.Second)
	return w, ann, bob, carol, began
}

func (w *world) usersOf(e stage.Entry, query string) (users []string) {
	w.t.Helper()
	var out queryParticipantsOutput
	w.read(at(e, "/participants"+query), &out)
	for _, p := range out.Participants {
		users = append(users, p.UserID)
	}
	return users
}

func TestParticipantsAreAskedForByConditionsThatCombineAndInThreeOrders(t *testing.T) {
	t.Parallel()
	w, ann, _, _, began := evening(t)
	moment := func(seconds int) string {
		return url.QueryEscape(began.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339Nano))
	}
	for query, want := range map[string][]string{
		"":                                      {"=carol", "bob", "ann"},
		"?state=CONNECTED":                      {"=carol", "bob"},
		"?state=CONNECTED&published=false":      {"bob"},
		"?publishing=true":                      {"=carol"},
		"?published=true&state=DISCONNECTED":    {"ann"},
		"?attribute.role=host":                  {"ann"},
		"?attribute.role=host&userIdPrefix=b":   nil,
		"?userId=bob":                           {"bob"},
		"?userIdPrefix=a&protocol=WHIP":         {"ann"},
		"?recordingState=ACTIVE":                nil,
		"?recordingState=DISABLED&userId=ann":   {"ann"},
		"?presentLongerThan=10":                 {"bob", "ann"},
		"?presentLongerThan=20":                 {"bob"},
		"?joinedFrom=" + moment(1):              {"=carol"},
		"?joinedBefore=" + moment(30):           {"bob", "ann"},
		"?sort=firstJoin":                       {"ann", "bob", "=carol"},
		"?sort=presence":                        {"bob", "ann", "=carol"},
		"?at=" + moment(15):                     {"bob", "ann"},
		"?state=CONNECTED&at=" + moment(15):     {"bob", "ann"},
		"?publishing=true&at=" + moment(15):     {"ann"},
		"?state=CONNECTED&at=" + moment(25):     nil,
		"?published=true&at=" + moment(5):       nil,
		"?sort=presence&at=" + moment(35):       {"bob", "ann", "=carol"},
		"?presentLongerThan=19&at=" + moment(0): nil,
	} {
		if got := w.usersOf(ann, query); !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", query, got, want)
		}
		sep := "?"
		if strings.Contains(query, "?") {
			sep = "&"
		}
		var count countParticipantsOutput
		if !strings.Contains(query, "sort=") {
			w.read(at(ann, "/participants/count"+query), &count)
			if count.Count != int64(len(want)) {
				t.Errorf("%s counts %d, want %d", query, count.Count, len(want))
			}
		}
		if got := w.pagesOf(ann, query+sep+"maxResults=1"); !slices.Equal(got, want) {
			t.Errorf("%s lists in pages %q, want %q", query, got, want)
		}
	}
}

// pagesOf lists all pages.
func (w *world) pagesOf(e stage.Entry, query string) (users []string) {
	w.t.Helper()
	for token := ""; ; {
		var out queryParticipantsOutput
		w.read(at(e, "/participants"+query+token), &out)
		for _, p := range out.Participants {
			users = append(users, p.UserID)
		}
		if out.NextToken == "" {
			return users
		}
		token = "&nextToken=" + out.NextToken
	}
}

func TestAPageTokenOfAnInquiryBelongsToItsQuestion(t *testing.T) {
	t.Parallel()
	w, ann, _, _, _ := evening(t)
	var out queryParticipantsOutput
	w.read(at(ann, "/participants?maxResults=1"), &out)
	for _, query := range []string{"/participants?sort=presence&nextToken=", "/participants?published=true&nextToken=", "/attendance?nextToken="} {
		if got := w.get(at(ann, query+out.NextToken)); got.status != 400 {
			t.Errorf("%s is answered %d %s", query, got.status, got.body)
		}
	}
}

func TestAttendanceTellsIntervalsTotalsAndReconnects(t *testing.T) {
	t.Parallel()
	w, ann, bob, _, began := evening(t)
	var out getAttendanceOutput
	w.read(at(ann, "/attendance?userId=bob"), &out)
	second := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second).UTC() }
	want := attendance{
		attendant: attendant{
			ParticipantID: bob.ParticipantID, UserID: "bob", State: "CONNECTED", FirstJoinTime: second(0), RecordingState: "DISABLED",
			Protocol: stage.ProtocolUnknown, Attributes: map[string]string{"role": "guest"}, JoinSequence: 2,
			Totals: totals{ConnectedMs: 30_000, SubscribedMs: 10_000, Reconnects: 1},
		},
		Connected:       []interval{{StartTime: second(0), EndTime: second(20)}, {StartTime: second(30), EndTime: second(40), Open: true}},
		PublishingTimes: []interval{},
		Subscribed:      []interval{{StartTime: second(10), EndTime: second(20), Publisher: ann.ParticipantID}},
	}
	if len(out.Attendance) != 1 || !reflect.DeepEqual(out.Attendance[0], want) {
		t.Errorf("attendance is\n%+v, want\n%+v", out.Attendance, want)
	}
}

func TestCountsAreSplitByAProperty(t *testing.T) {
	t.Parallel()
	w, ann, _, _, _ := evening(t)
	for query, want := range map[string]string{
		"?by=state":                     "[{CONNECTED 2} {DISCONNECTED 1}]",
		"?by=published&state=CONNECTED": "[{false 1} {true 1}]",
		"?by=publishing":                "[{false 2} {true 1}]",
		"?by=recordingState":            "[{DISABLED 3}]",
		"?by=protocol":                  "[{WHIP 2} {UNKNOWN 1}]",
		"?by=attribute.role":            "[{guest 1} {host 1}]",
		"?by=attribute.nothing":         "[]",
		"?by=state&userIdPrefix=nobody": "[]",
	} {
		var out countParticipantsOutput
		w.read(at(ann, "/participants/count"+query), &out)
		if got := fmt.Sprint(out.Groups); got != want {
			t.Errorf("%s gives %s, want %s", query, got, want)
		}
	}
	if got := w.get(at(ann, "/participants/count?by=shoeSize")); got.status != 400 {
		t.Errorf("by shoe size: %d %s", got.status, got.body)
	}
}

func TestTheCurveShowsEveryStepAndThePeakWithItsTime(t *testing.T) {
	t.Parallel()
	w, ann, _, _, began := evening(t)
	var out getConcurrencyOutput
	w.read(at(ann, "/concurrency?resolution=15"), &out)
	second := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second).UTC() }
	want := getConcurrencyOutput{
		StartTime: second(0), EndTime: second(40), Resolution: 15,
		Peak: peaks{peak{2, second(0)}, peak{1, second(10)}},
		Buckets: []bucket{
			{second(0), span{2, 2, 2}, span{0, 1, 1}},
			{second(15), span{0, 2, 0}, span{0, 1, 0}},
			{second(30), span{2, 2, 2}, span{1, 1, 1}},
		},
	}
	if !reflect.DeepEqual(out, want) {
		t.Errorf("the curve is\n%+v, want\n%+v", out, want)
	}
	if got := w.get(at(ann, "/concurrency?resolution=0")); got.status != 400 {
		t.Errorf("a resolution of nothing is answered %d %s", got.status, got.body)
	}
}

func TestAnExportIsWholeAndSaysSoAtItsEnd(t *testing.T) {
	t.Parallel()
	w, ann, _, carol, _ := evening(t)
	for what, rows := range map[string]int{"participants": 3, "attendance": 4 + 2 + 1, "events": 10} {
		for _, format := range []string{"csv", "jsonl", "parquet"} {
			got := w.get(at(ann, "/export?what="+what+"&format="+format))
			if got.status != 200 || got.header.Get("Callboard-Rows") != fmt.Sprint(rows) || got.header.Get("Callboard-Participants") != "3" || got.header.Get("Callboard-Feed") != "10" {
				t.Errorf("%s as %s is answered %d with %v", what, format, got.status, got.header)
			}
			switch format {
			case "csv":
				if list, err := csv.NewReader(strings.NewReader(got.body)).ReadAll(); err != nil || len(list) != rows+1 {
					t.Errorf("%s has %d rows, %v", what, len(list), err)
				}
			case "jsonl":
				if n := strings.Count(got.body, "\n"); n != rows {
					t.Errorf("%s has %d lines", what, n)
				}
			case "parquet":
				if !strings.HasPrefix(got.body, "PAR1") || !strings.HasSuffix(got.body, "PAR1") {
					t.Errorf("%s is no Parquet", what)
				}
			}
		}
	}
	list, _ := csv.NewReader(strings.NewReader(w.get(at(ann, "/export?what=participants&format=csv")).body)).ReadAll()
	if last := list[3]; last[1] != carol.ParticipantID || last[2] != "'=carol" || last[3] != "CONNECTED" || last[6] != "true" || last[9] != "{}" {
		t.Errorf("the last row is %q", last)
	}
	var row struct{ UserID string }
	lines := strings.Split(w.get(at(ann, "/export?what=participants&format=jsonl")).body, "\n")
	if err := json.Unmarshal([]byte(lines[2]), &row); err != nil || row.UserID != "=carol" {
		t.Errorf("the last line is %s", lines[2])
	}
}

func TestAnExportThatFailsOnTheWayIsNotTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half of it")
		breakOff(w)
	}))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		return // nothing came, which is as good
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q was read to its end", text)
	}
}

func TestAnExportIsPackedForWhoeverTakesThat(t *testing.T) {
	t.Parallel()
	w, ann, _, _, _ := evening(t)
	server := httptest.NewServer(w.Desk)
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL+at(ann, "/export?what=events&format=jsonl"), nil)
	w.check(err)
	sigv4.Sign(r, nil, testKey, testRegion, "ivs", w.clock())
	resp, err := http.DefaultClient.Do(r) // which asks for gzip and unpacks it
	w.check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	w.check(err)
	if !resp.Uncompressed || strings.Count(string(text), "\n") != 10 || resp.Trailer.Get("Callboard-Rows") != "10" {
		t.Errorf("%d bytes, packed %v, trailer %v", len(text), resp.Uncompressed, resp.Trailer)
	}
}
