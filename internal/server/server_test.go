package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callboard/internal/server"
	"callboard/internal/server/servertest"
)

func TestAServerAnswersTheAPIAndItsOwnPages(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, nil)
	arn, err := s.CreateStage(t.Context())
	if err != nil || !strings.HasPrefix(arn, "arn:aws:ivs:us-east-1:000000000000:stage/") {
		t.Fatalf("CreateStage gives %q, %v", arn, err)
	}
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ready",
		"/metrics": `callboard_api_requests_total{operation="CreateStage",status="200"} 1`,
	} {
		if status, body := get(t, s, s.URL()+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d %.2000s; want %q in it", path, status, body, want)
		}
	}
	if status, _ := get(t, s, s.URL()+"/nothing"); status != http.StatusForbidden {
		t.Errorf("an unknown path answers %d; the API's front door says 403", status)
	}
}

func TestARequestThatIsNotSignedByTheCredentialsIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, nil)
	wrong := servertest.Start(t, func(c *server.Config) {
		c.PublicURL = s.URL() // signs with its own secret and sends to the other server
		c.SecretAccessKey = "another-secret-of-forty-characters-xxxxx"
	})
	_, err := wrong.CreateStage(t.Context())
	if f, ok := errors.AsType[*servertest.Failure](err); !ok || f.Status != http.StatusForbidden {
		t.Errorf("got %v, want 403", err)
	}
}

func TestWithDevATwelveDigitKeyIDIsAnAccountOfItsOwn(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, func(c *server.Config) {
		c.Dev, c.AccessKeyID, c.SecretAccessKey = true, "123456789012", "whatever-it-is"
	})
	arn, err := s.CreateStage(t.Context())
	if err != nil || !strings.Contains(arn, ":123456789012:") {
		t.Errorf("got %q, %v", arn, err)
	}
}

func TestWithDevOnlyThisMachineIsAnswered(t *testing.T) {
	t.Parallel()
	dev := servertest.Start(t, func(c *server.Config) { c.Dev = true })
	proper := servertest.Start(t, nil)
	const refused = "This server runs with dev"
	cases := []struct{ name, path, host, origin, want string }{
		{"no page", "/ListStages", "", "", "MissingAuth"},
		{"a page of this machine", "/ListStages", "localhost:7480", "http://localhost:3000", "MissingAuth"},
		{"a page under localhost", "/ListStages", "127.0.0.1", "https://app.localhost", "MissingAuth"},
		{"IPv6", "/ListStages", "[::1]", "http://[::1]:80", "MissingAuth"},
		{"a page from elsewhere", "/ListStages", "", "https://evil.example", refused},
		{"a page without an origin of its own", "/ListStages", "", "null", refused},
		{"a name that was pointed here", "/ListStages", "evil.example:7480", "", refused},
		{"a name that only begins right", "/", "localhost.evil.example", "", refused},
		{"participants, who have tokens", "/whip/nothing", "evil.example", "https://evil.example", ""},
		{"a browser extension", "/ListStages", "", "chrome-extension://localhost", refused},
		{"a page without a scheme", "/ListStages", "", "//localhost", refused},
		{"health", "/healthz", "evil.example", "", "ok"},
		{"metrics", "/metrics", "", "", "callboard_participants 0"},
		{"metrics under a name that was pointed here", "/metrics", "evil.example:7480", "", refused},
		{"metrics for a page from elsewhere", "/metrics", "", "https://evil.example", refused},
		{"readiness", "/readyz", "localhost", "", "ready"},
		{"readiness under a name that was pointed here", "/readyz", "evil.example", "", refused},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if body := ask(t, dev, c.path, c.host, c.origin); !strings.Contains(body, c.want) || c.want != refused && strings.Contains(body, refused) {
				t.Errorf("the answer is %s", body)
			}
			if body := ask(t, proper, c.path, c.host, c.origin); strings.Contains(body, refused) {
				t.Errorf("without dev the answer is %s", body)
			}
		})
	}
}

// ask posts nothing, unsigned, and gives the error's code and the body.
func ask(t *testing.T, s *servertest.Server, path, host, origin string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("X-Amzn-ErrorType") + string(body)
}

func TestEverythingIsFoundUnderThePathOfThePublicURL(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	s := servertest.Start(t, func(c *server.Config) {
		c.Listen, c.PublicURL = "127.0.0.1:"+port, "http://127.0.0.1:"+port+"/live/board/"
	})
	arn, err := s.CreateStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Stage struct{ Endpoints struct{ Events, WHIP string } }
	}
	if err := s.Call(t.Context(), "GetStage", map[string]any{"arn": arn}, &out); err != nil {
		t.Fatal(err)
	}
	want := "127.0.0.1:" + port + "/live/board"
	if e := out.Stage.Endpoints; e.Events != "ws://"+want+"/events" || e.WHIP != "http://"+want+"/whip" {
		t.Errorf("the endpoints are %+v", e)
	}
	for _, base := range []string{"", "/live/board"} {
		for path, want := range map[string]int{"/healthz": 200, "/whip": 204, "/events": 401, "/GetStage": 403, "/": 403} {
			if status, _ := get(t, s, "http://"+s.Addr()+base+path); status != want {
				t.Errorf("%s answers %d, want %d", base+path, status, want)
			}
		}
	}
}

func TestAStartThatFailsReleasesEverything(t *testing.T) {
	t.Parallel()
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	cfg := server.Default()
	cfg.Listen, cfg.Media = "127.0.0.1:"+freePort(t), busy.LocalAddr().String()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	for range 2 { // the second fails for the same reason, not because of the first
		if _, err := server.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "media "+cfg.Media) {
			t.Fatalf("got %v, want an error about media", err)
		}
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		t.Fatalf("the HTTP port is still taken: %v", err)
	}
	l.Close()
}

func TestTheFactsAndTheCredentialsSurviveARestart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	onDisk := func(c *server.Config) { c.Data, c.AccessKeyID, c.SecretAccessKey = data, "", "" }
	first := servertest.Start(t, onDisk)
	arn, err := first.CreateStage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := servertest.Start(t, onDisk)
	if second.Credentials() != first.Credentials() {
		t.Error("the credentials are others")
	}
	if err := second.Call(t.Context(), "GetStage", map[string]any{"arn": arn}, nil); err != nil {
		t.Errorf("the stage is gone: %v", err)
	}
}

func TestASecondServerOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	first := servertest.Start(t, func(c *server.Config) { c.Data = filepath.Join(t.TempDir(), "data") })
	cfg := first.Config
	cfg.Listen = "127.0.0.1:0"
	if _, err := server.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "data ") {
		t.Errorf("got %v, want an error about data", err)
	}
}

func TestARequestUnderWayIsFinishedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, nil)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST /CreateStage HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the server does not ask for the body: %q, %v", line, err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	waitUntil(t, func() bool {
		another, err := net.Dial("tcp", s.Addr())
		if err == nil {
			another.Close()
		}
		return err != nil
	})
	fmt.Fprint(conn, "{}")
	if _, err := answers.ReadString('\n'); err != nil { // the end of the 100
		t.Fatal(err)
	}
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "403") { // it was not signed
		t.Errorf("the request was answered with %q, %v", line, err)
	}
	<-closed
}

func get(t *testing.T, s *servertest.Server, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// freePort gives a port that nobody has at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// waitUntil asks again until it is so, at most ten seconds.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come to be")
		}
	}
}
