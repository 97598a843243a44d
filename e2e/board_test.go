//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"callboard/internal/guest"
	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

const (
	region  = "eu-west-1"
	account = "123456789012"
	// patience is how long a test waits for a fact that should be there at once.
	patience = 20 * time.Second
)

// board is a running Callboard as its users know it: a URL and credentials.
type board struct {
	*ivsrealtime.Client
	url    string // of HTTP, without a slash at the end
	media  string // address of the media socket
	id     string // access key id
	secret string
}

// newBoard starts a server for the test.
func newBoard(t *testing.T, change ...func(*server.Config)) *board {
	t.Helper()
	s := servertest.Start(t, func(c *server.Config) {
		c.Region, c.Account = region, account
		for _, f := range change {
			f(c)
		}
	})
	b := &board{url: s.URL(), media: s.MediaAddr(), id: s.Credentials().AccessKeyID, secret: s.Credentials().SecretAccessKey}
	b.Client = b.client(b.id, b.secret, region)
	return b
}

// client is an SDK client for the board with other credentials or another region.
func (b *board) client(id, secret, region string) *ivsrealtime.Client {
	return ivsrealtime.New(ivsrealtime.Options{
		BaseEndpoint:     aws.String(b.url),
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider(id, secret, ""),
		HTTPClient:       web{},
		RetryMaxAttempts: 1, // a failure must not be repeated until it is none
	})
}

// web sends the SDK's requests. The SDK closes a request's body when the answer
// begins; its reader then reports the end of the body as an error through
// WriteTo, for which net/http closes the connection in the middle of the answer.
// A fast server and a slow test make that likely, so WriteTo is hidden.
type web struct{}

func (web) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return http.DefaultClient.Do(r)
}

// stage is the ARN of a new stage.
func (b *board) stage(t *testing.T) string {
	t.Helper()
	out, err := b.CreateStage(t.Context(), &ivsrealtime.CreateStageInput{})
	must(t, err)
	return *out.Stage.Arn
}

// token is a new participant token with all capabilities.
func (b *board) token(t *testing.T, arn, userID string) *types.ParticipantToken {
	t.Helper()
	out, err := b.CreateParticipantToken(t.Context(), &ivsrealtime.CreateParticipantTokenInput{StageArn: &arn, UserId: &userID})
	must(t, err)
	return out.ParticipantToken
}

// guest is somebody with a new token, who leaves when the test ends.
func (b *board) guest(t *testing.T, arn, userID string) *guest.Guest {
	t.Helper()
	return bearer(t, *b.token(t, arn, userID).Token)
}

// session is the id of the stage's live session, "" when there is none.
func (b *board) session(t *testing.T, arn string) string {
	t.Helper()
	out, err := b.GetStage(t.Context(), &ivsrealtime.GetStageInput{Arn: &arn})
	must(t, err)
	return aws.ToString(out.Stage.ActiveSessionId)
}

// bearer is a guest with the given token, who leaves when the test ends.
func bearer(t *testing.T, token string) *guest.Guest {
	t.Helper()
	g, err := guest.New(token)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		g.Close(ctx) // the server may be gone or have said goodbye first
	})
	return g
}

// attendance is a guest's presence socket on which the first state has arrived.
func attendance(t *testing.T, g *guest.Guest) *guest.Attendance {
	t.Helper()
	ctx := deadline(t, patience)
	a, err := g.Attend(ctx)
	must(t, err)
	_, err = a.Wait(ctx, func(s guest.State) bool { _, here := s.Person(g.ID()); return here })
	must(t, err)
	return a
}

// deadline is a context of the test that ends after d.
func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks again and again until nothing is missing any more. What is
// still missing when the time is over fails the test.
func eventually(t *testing.T, d time.Duration, missing func() string) {
	t.Helper()
	ctx := deadline(t, d)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		last := missing()
		if last == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %v: %s", d, last)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// equal compares deeply and shows differences as JSON.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %s\nwant %s", what, text(got), text(want))
	}
}

func decode(t testing.TB, data string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// needed skips a test for want of a program, or fails it where nothing may be skipped.
func needed(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("CALLBOARD_E2E") == "all" {
		t.Fatalf("%s is missing", program)
	}
	t.Skipf("%s is missing", program)
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the name of the error in an answer of the API.
func (a answer) code() string { return a.header.Get("X-Amzn-Errortype") }

// message is the text of the error in an answer of the API.
func (a answer) message() string {
	var problem struct{ Message string }
	if json.Unmarshal([]byte(a.body), &problem) != nil {
		return ""
	}
	return problem.Message
}

// reply sends a request and reads what comes back.
func reply(t *testing.T, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// request is an unsigned request with a body.
func (b *board) request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	must(t, err)
	return r
}
