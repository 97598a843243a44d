package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"callboard/internal/stage"
)

// alike says whether two texts are JSON of the same value.
func alike(t *testing.T, got, want []byte) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Errorf("%q is not JSON: %v", got, err)
		return false
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(a, b)
}

var oddStrings = []string{
	"", "ann", `"quoted" \back`, "tab\tnewline\nreturn\rnull\x00bell\x07del\x7f", "日本語 é 🎭", "<script>&amp;", "\u2028\u2029",
	"\xff", "a\xc3", "\xed\xa0\x80", "mixed \xff\xfe é \"", "\ufffd", "ends with \\",
}

func TestStringsAreEncodedAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	for _, s := range oddStrings {
		want, _ := json.Marshal(s)
		if got := appendString(nil, s); !alike(t, got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range oddStrings {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, _ := json.Marshal(s)
		if got := appendString(nil, s); !alike(t, got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	})
}

func TestRollCallIsEncodedAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	out := &listParticipantsOutput{}
	for range 2 {
		out.Participants = each(out.rows, toParticipantSummary)
		want, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.appendJSON(nil); !alike(t, got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		out.NextToken = "abc"
		for i, s := range oddStrings {
			out.rows = append(out.rows, stage.Participant{
				ID: s, UserID: s, Connected: i%2 == 0, Published: i%3 == 0, FirstJoin: time.Date(2026, 1, 2, 3, 4, 5, i*50e6, time.UTC),
				Recording: stage.RecordingState(i % len(recordingStates)),
			})
		}
	}
}

func TestTimestampsHaveAtMostMilliseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("elsewhere", 3600)
	for want, at := range map[string]time.Time{
		`"2026-01-02T03:04:05Z"`:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		`"2026-01-02T03:04:05.602Z"`: time.Date(2026, 1, 2, 4, 4, 5, 602_999_999, zone),
		`"2026-01-02T03:04:05.6Z"`:   time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC),
		`"2026-01-02T03:04:06Z"`:     time.Date(2026, 1, 2, 3, 4, 6, 999, time.UTC),
	} {
		if got := string(appendTime(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
