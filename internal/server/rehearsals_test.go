package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"callboard/internal/guest"
	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

func dev(c *server.Config) {
	c.Dev, c.AccessKeyID, c.SecretAccessKey = true, "123456789012", "whatever"
}

func loadedDice(c *server.Config) { dev(c); c.RandSeed = new(uint64(7)) }

// post asks the door for tests and gives what it answers.
func post(ctx context.Context, t *testing.T, s *servertest.Server, path, body string) (int, string) {
	t.Helper()
	return send(ctx, t, s, http.MethodPost, path, body)
}

func send(ctx context.Context, t *testing.T, s *servertest.Server, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func mustReset(ctx context.Context, t *testing.T, s *servertest.Server) {
	t.Helper()
	if status, answer := post(ctx, t, s, "/callboard/v1/reset", ""); status != http.StatusNoContent {
		t.Fatalf("the reset answers %d %s", status, answer)
	}
}

func advance(ctx context.Context, t *testing.T, s *servertest.Server, d string) {
	t.Helper()
	if status, answer := post(ctx, t, s, "/callboard/v1/clock", `{"advance":"`+d+`"}`); status != http.StatusOK {
		t.Fatalf("the clock answers %d %s", status, answer)
	}
}

func TestWithoutDevThereIsNoDoorForTests(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, nil)
	for _, path := range []string{"reset", "clock", "seed", ""} {
		if status, answer := post(t.Context(), t, s, "/callboard/v1/"+path, ""); status != http.StatusForbidden || !strings.Contains(answer, "Missing Authentication Token") {
			t.Errorf("%s answers %d %s", path, status, answer)
		}
	}
}

func TestThePageOfAStrangerCannotReset(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, dev)
	if body := ask(t, s, "/callboard/v1/reset", "", "https://evil.example"); !strings.Contains(body, "no page from elsewhere") {
		t.Errorf("the answer is %s", body)
	}
}

func TestResetBringsBackTheStateAfterTheStart(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, loadedDice)
	play := func() string {
		arn, err := s.CreateStage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		alice, bob := enter(ctx, t, s, arn), enter(ctx, t, s, arn)
		if _, err := alice.Publish(ctx, guest.H264); err != nil {
			t.Fatal(err)
		}
		watch, err := bob.Attend(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Wait(ctx, func(s guest.State) bool { p, _ := s.Person(alice.ID()); return p.IsPublishing }); err != nil {
			t.Fatal(err)
		}
		session := liveSession(ctx, t, s, arn)
		advance(ctx, t, s, "30s") // less than a clock is believed to be wrong by
		mustReset(ctx, t, s)
		<-watch.Done()
		if code := websocket.CloseStatus(watch.Err()); code != 4002 {
			t.Errorf("bob's socket ended with %v, want the code of a deleted stage", watch.Err())
		}
		return fmt.Sprint(arn, alice.ID(), bob.ID(), session)
	}
	if first, second := play(), play(); first != second {
		t.Errorf("first %s, then %s", first, second)
	}
	var list struct{ Stages []any }
	if err := s.Call(ctx, "ListStages", map[string]any{}, &list); err != nil || len(list.Stages) > 0 {
		t.Errorf("there are %v, %v", list.Stages, err)
	}
	if _, answer := send(ctx, t, s, http.MethodGet, "/callboard/v1/clock", ""); !strings.Contains(answer, `"ahead":"0s"`) {
		t.Errorf("the clock is %s", answer)
	}
	if status, page := get(t, s, s.URL()+"/metrics"); status != 200 || !strings.Contains(page, "\ncallboard_participants 0\n") {
		t.Error("somebody is still there")
	}
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if far := time.Until(expiration(ctx, t, s, arn)); far > 12*time.Hour {
		t.Errorf("a token lasts for %v: time did not go back", far)
	}
}

// expiration is when a token made now expires.
func expiration(ctx context.Context, t *testing.T, s *servertest.Server, arn string) time.Time {
	t.Helper()
	var out struct {
		ParticipantToken struct{ ExpirationTime time.Time }
	}
	if err := s.Call(ctx, "CreateParticipantToken", map[string]any{"stageArn": arn}, &out); err != nil {
		t.Fatal(err)
	}
	return out.ParticipantToken.ExpirationTime
}

func TestAResetAmidEverythingLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, loadedDice)
	over, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for over.Err() == nil {
				if err := comeAndGo(ctx, s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 15 {
		mustReset(ctx, t, s)
	}
	stop()
	all.Wait()
	mustReset(ctx, t, s)
	if status, page := get(t, s, s.URL()+"/metrics"); status != 200 || !strings.Contains(page, "\ncallboard_participants 0\n") {
		t.Error("somebody is still there")
	}
	if arn, err := s.CreateStage(ctx); err != nil { // whose id would be taken if an older one had survived
		t.Error(err, arn)
	}
}

// comeAndGo makes a stage, joins it and deletes it. What is gone meanwhile is no error.
func comeAndGo(ctx context.Context, s *servertest.Server) error {
	gone := func(err error) bool {
		f, ok := errors.AsType[*servertest.Failure](err)
		return err == nil || ok && f.Status == http.StatusNotFound
	}
	arn, err := s.CreateStage(ctx)
	if err != nil {
		return err
	}
	token, _, err := s.CreateToken(ctx, arn, "somebody")
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	g, err := guest.New(token)
	if err != nil {
		return err
	}
	defer g.Close(ctx)
	g.Attend(ctx) // works or not, but never halfway
	if err := s.Call(ctx, "DeleteStage", map[string]any{"arn": arn}, nil); !gone(err) {
		return err
	}
	return nil
}

func TestTheClockEndsWhatIsOverByThen(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, dev)
	arn, err := s.CreateStage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alice, late := enter(ctx, t, s, arn), enter(ctx, t, s, arn)
	watch, err := alice.Attend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	session := liveSession(ctx, t, s, arn)
	advance(ctx, t, s, "3m")
	if liveSession(ctx, t, s, arn) != session || watch.Err() != nil {
		t.Error("the session ended though alice is there")
	}
	if err := alice.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for roll(ctx, t, s, arn, session)[0].State != "DISCONNECTED" { // the linger begins now
		runtime.Gosched()
	}
	advance(ctx, t, s, "1m59s")
	if liveSession(ctx, t, s, arn) != session {
		t.Error("the session ended before its linger")
	}
	advance(ctx, t, s, "2s")
	if got := liveSession(ctx, t, s, arn); got != "" {
		t.Errorf("the session %s is still live", got)
	}
	advance(ctx, t, s, "12h")
	if _, err := late.Attend(ctx); err == nil || !strings.Contains(err.Error(), "TOKEN_EXPIRED") {
		t.Errorf("with a token of yesterday: %v", err)
	}
	again := enter(ctx, t, s, arn)
	if _, err := again.Attend(ctx); err != nil {
		t.Errorf("with a token of today: %v", err)
	}
}

func TestStagesAndTokensFollowTheHostOfTheRequest(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, func(c *server.Config) { dev(c); c.DevNetwork, c.Listen, c.Media = true, "0.0.0.0:0", "0.0.0.0:0" })
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("its own URL is %s", s.URL())
	}
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	r := anonymous(t, "http://127.0.0.1:"+port+"/CreateStage", `{"participantTokenConfigurations":[{}]}`)
	r.Host = "callboard:32768"
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Stage struct {
			ARN       string
			Endpoints struct{ Events, WHIP string }
		}
		ParticipantTokens []struct{ Token string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp.Status, err)
	}
	if e := out.Stage.Endpoints; e.Events != "ws://callboard:32768/events" || e.WHIP != "http://callboard:32768/whip" {
		t.Errorf("the endpoints are %+v", e)
	}
	if _, err := guest.New(out.ParticipantTokens[0].Token); err != nil {
		t.Error(err)
	}
	g := enter(ctx, t, s, out.Stage.ARN) // who asked 127.0.0.1 gets there
	if _, err := g.Attend(ctx); err != nil {
		t.Error(err)
	}
}

func TestThePublicURLIsStrongerThanTheHost(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) { dev(c); c.PublicURL = "http://localhost:1" })
	var out struct {
		Stage struct{ Endpoints struct{ Events, WHIP string } }
	}
	url := "http://" + s.Addr()
	resp, err := s.Client.Do(anonymous(t, url+"/CreateStage", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Stage.Endpoints.WHIP != "http://localhost:1/whip" {
		t.Errorf("%v, the endpoints are %+v", err, out.Stage.Endpoints)
	}
}

// anonymous is a request as dev accepts it: of the right form, signed by nobody.
func anonymous(t *testing.T, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=123456789012/"+now.Format("20060102")+"/us-east-1/ivs/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	return r
}

func TestTheSameNumberGivesTheSameIDsOnEveryStart(t *testing.T) {
	t.Parallel()
	ids := func(number uint64) []string {
		s := servertest.Start(t, func(c *server.Config) { dev(c); c.RandSeed = &number })
		arn, err := s.CreateStage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, participant, err := s.CreateToken(t.Context(), arn, "")
		if err != nil {
			t.Fatal(err)
		}
		return []string{arn, participant}
	}
	if a, b, c := ids(1), ids(1), ids(2); !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("got %q and %q, and for another number %q", a, b, c)
	}
}

// claimsOf gives the URLs in a token.
func claimsOf(t *testing.T, jwt string) (c struct {
	Events string `json:"events_url"`
	WHIP   string `json:"whip_url"`
}) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAResetGivesThrottledCallersTheirBucketsBack(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	s := servertest.Start(t, func(c *server.Config) { dev(c); c.Quotas = "aws" })
	throttled := func() bool {
		err := s.Call(ctx, "ListStages", map[string]any{}, nil)
		f, ok := errors.AsType[*servertest.Failure](err)
		return ok && f.Status == http.StatusTooManyRequests
	}
	for !throttled() {
	}
	mustReset(ctx, t, s)
	if throttled() {
		t.Error("the first call after the reset is throttled")
	}
}
