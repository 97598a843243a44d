package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
)

func TestColumnsAreAlignedByWhatATerminalShows(t *testing.T) {
	t.Parallel()
	got := align([][]string{{"A", "B", "C"}, {"キャロル", "x", "y"}, {"e\u0301te\u0301", "😀", "z"}, {"plain", "", ""}})
	want := "A         B   C\nキャロル  x   y\ne\u0301te\u0301       😀  z\nplain\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextCannotCommandTheTerminal(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a\x1b[2Jb", "a\rb", "a\nb", "a\u202eb", "a\u0085b", "a\x00b"} {
		if got := printable(text); len([]rune(got)) != len([]rune(text)) || !strings.Contains(got, "\ufffd") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if got := printable("é 日本 😀"); got != "é 日本 😀" {
		t.Errorf("harmless text becomes %q", got)
	}
}

func TestRecordingIsShownWhenSomebodyIsRecorded(t *testing.T) {
	t.Parallel()
	p := types.ParticipantSummary{ParticipantId: aws.String("x"), RecordingState: types.ParticipantRecordingStateDisabled}
	if strings.Contains(rollTable([]types.ParticipantSummary{p}), "RECORDING") {
		t.Error("the column is there although nobody is recorded")
	}
	q := p
	q.RecordingState = types.ParticipantRecordingStateActive
	if got := rollTable([]types.ParticipantSummary{p, q}); !strings.Contains(got, "RECORDING") || !strings.Contains(got, "ACTIVE") {
		t.Errorf("got\n%s", got)
	}
}

func TestWatchingShowsChangesUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	n := 0
	err := watch(ctx, &out, time.Millisecond, func(w io.Writer) error {
		if n++; n == 1 {
			return errNoLiveSession
		}
		if n == 6 {
			interrupt()
			return errors.New("cut short")
		}
		fmt.Fprintf(w, "picture %d\n", n/3)
		return nil
	})
	if want := "Nobody is there now; waiting for a live session.\n\npicture 0\n\npicture 1\n\n"; err != nil || out.String() != want {
		t.Errorf("it ends with %v and has shown %q", err, &out)
	}
}

func TestWatchingEndsWithAnErrorOfTheService(t *testing.T) {
	t.Parallel()
	want := errors.New("no")
	if err := watch(t.Context(), io.Discard, time.Hour, func(io.Writer) error { return want }); !errors.Is(err, want) {
		t.Errorf("it ends with %v", err)
	}
}

func FuzzATableHasOneLineForEachRow(f *testing.F) {
	f.Add("alice")
	f.Add("キャロル\n\x1b[2J\u2028")
	f.Fuzz(func(t *testing.T, userID string) {
		text := rollTable([]types.ParticipantSummary{{ParticipantId: aws.String("x"), UserId: &userID}})
		if strings.Count(text, "\n") != 2 || strings.ContainsAny(text, "\x1b\r\u2028\u202e") {
			t.Errorf("%q makes %q", userID, text)
		}
	})
}
