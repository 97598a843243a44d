package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/internal/server/servertest"
)

// pointAt has AWS clients of this process use a server.
func pointAt(t *testing.T, url, id, secret string) {
	t.Setenv("AWS_ACCESS_KEY_ID", id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ENDPOINT_URL_IVS_REALTIME", url)
}

func TestWatchPrintsALineForEachMessageUntilItIsInterrupted(t *testing.T) {
	s := servertest.Start(t, nil)
	c := s.Credentials()
	pointAt(t, s.URL(), c.AccessKeyID, c.SecretAccessKey)
	var stage struct{ Stage struct{ ARN string } }
	call(t.Context(), t, s, "CreateStage", map[string]any{"name": "rehearsal"}, &stage)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	read, write := io.Pipe()
	status := make(chan int)
	var complaints bytes.Buffer
	go func() {
		defer write.Close()
		status <- run(ctx, []string{"watch", "rehearsal", "--filter", "userId=alice"}, write, &complaints)
	}()
	lines := bufio.NewScanner(read)
	until := func(event string) (m streamMessage) {
		for m.Event != event && lines.Scan() {
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	if until("caught-up").ID == "" {
		t.Fatalf("it never caught up: %s", &complaints)
	}
	for _, name := range []string{"bob", "alice"} {
		g := enter(ctx, t, s, stage.Stage.ARN, name)
		if _, err := g.Attend(ctx); err != nil {
			t.Fatal(err)
		}
		defer g.Close(t.Context())
	}
	if m := until("joined"); !strings.Contains(string(m.Data), `"userId":"alice"`) {
		t.Errorf("joined has %s", m.Data)
	}
	interrupt()
	if got := <-status; got != 0 {
		t.Errorf("the status is %d: %s", got, &complaints)
	}
}

// flaky is a server that says something and hangs up, over and over; in the end it
// says that this was all.
func flaky(t *testing.T, streams ...string) (url string, asked *[]string) {
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Header.Get("Last-Event-ID"))
		if len(*asked) > len(streams) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		io.WriteString(w, streams[len(*asked)-1])
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestALostWatchGoesOnAfterTheLastCursor(t *testing.T) {
	url, asked := flaky(t,
		"event: caught-up\nid: 1-x\ndata: {\"no\":1}\n\n:\nid: 2-x\n\n",
		"event: goodbye\ndata: {\"reason\":\"stopping\"}\n\n")
	pointAt(t, url, "AKIATEST", "secret")
	var out, complaints bytes.Buffer
	if got := run(t.Context(), []string{"watch", "arn:aws:ivs:us-east-1:000000000000:stage/a", "--resume", "0-x"}, &out, &complaints); got != 0 {
		t.Errorf("the status is %d: %s", got, &complaints)
	}
	if want := []string{"0-x", "2-x", "2-x"}; !slices.Equal(*asked, want) {
		t.Errorf("asked was for what comes after %v, want %v", *asked, want)
	}
	if got := strings.Count(out.String(), "\n"); got != 2 {
		t.Errorf("printed is\n%s", &out)
	}
}

func TestAWatchThatTheServerEndsSaysWhy(t *testing.T) {
	for reason, want := range map[string]string{"gone": "the stage is not there any more", "denied": "may not watch any more"} {
		url, _ := flaky(t, "event: goodbye\ndata: {\"reason\":\""+reason+"\"}\n\n")
		pointAt(t, url, "AKIATEST", "secret")
		var out, complaints bytes.Buffer
		if got := run(t.Context(), []string{"watch", "arn:aws:ivs:us-east-1:000000000000:stage/a"}, &out, &complaints); got != 1 || !strings.Contains(complaints.String(), want) {
			t.Errorf("%s: the status is %d, and it says %q", reason, got, &complaints)
		}
	}
}

func TestThePictureOfAWatchFollowsItsMessages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := rollPicture{screen: newScreen(&out), roll: map[string]watched{}}
	row := func(id, state string, seq int) string {
		return fmt.Sprintf(`{"participantId":%q,"userId":"u\u001b","state":%q,"published":false,"firstJoinTime":%q,"joinSequence":%d}`, id, state, time.Unix(0, 0).UTC().Format(time.RFC3339), seq)
	}
	for _, m := range [][2]string{
		{"snapshot", `{"no":1,"part":1,"sessionId":"st-1","participants":[` + row("a", "CONNECTED", 1) + `]}`},
		{"caught-up", `{"no":1}`},
		{"joined", `{"view":"entered","no":2,"sessionId":"st-1","participant":` + row("b", "CONNECTED", 2) + `}`},
		{"left", `{"view":"exited","no":3,"sessionId":"st-1","participant":` + row("a", "DISCONNECTED", 1) + `}`},
		{"session-ended", `{"no":4,"sessionId":"st-1"}`},
	} {
		if err := p.apply(streamMessage{Event: m[0], Data: json.RawMessage(m[1])}); err != nil {
			t.Fatal(err)
		}
	}
	p.note("it is down")
	pictures := strings.Split(out.String(), "\n\n")
	if last := out.String(); !strings.Contains(last, "Not up to date: it is down") || strings.Contains(last, "\x1b") || !strings.Contains(last, "Session st-1: 2 connected of 2.") {
		t.Errorf("the pictures are\n%s\nin %d parts", last, len(pictures))
	}
	if text := p.text(); strings.Contains(text, "\na ") || !strings.Contains(text, "Session st-1 has ended.") {
		t.Errorf("the last picture is\n%s", text)
	}
}
