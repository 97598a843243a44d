// Package servertest runs whole servers inside tests: on ports of their own,
// with everything in memory, as many at a time as one likes.
//
// A [Server] made by [Start] is the real thing, with signed requests and media
// over loopback. Its end is examined, too: it must be orderly, and no goroutine
// that belongs to it may be left.
package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callboard/internal/server"
	"callboard/internal/sigv4"
)

// Server is a running server.
type Server struct {
	*server.Server
	Config server.Config
	Client *http.Client // closes its connections with the server

	t     testing.TB
	label string // of all its goroutines
	stop  context.CancelFunc
	ended chan error
	close sync.Once
}

var started atomic.Int64

// Start starts a server and closes it when the test ends. change may be nil; it
// gets a configuration with free ports on loopback, data in memory and given
// credentials.
func Start(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	cfg := server.Default()
	cfg.Listen, cfg.Media = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Data = server.Memory
	cfg.AccessKeyID, cfg.SecretAccessKey = "AKIATESTTESTTESTTEST", "a-secret-of-forty-characters-for-testing"
	cfg.LogOutput = writer{t}
	if change != nil {
		change(&cfg)
	}
	s := &Server{
		Config: cfg, Client: &http.Client{Transport: new(http.Transport)},
		t: t, label: strconv.FormatInt(started.Add(1), 10), ended: make(chan error, 1),
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	s.stop = stop
	if err := s.start(ctx); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// start labels the server's goroutines: each inherits the label of its maker.
func (s *Server) start(ctx context.Context) (err error) {
	serving := make(chan struct{})
	s.Config.Serving = func(*server.Server) { close(serving) }
	pprof.Do(ctx, pprof.Labels("servertest", s.label), func(ctx context.Context) {
		if s.Server, err = server.New(ctx, s.Config); err != nil {
			return
		}
		go func() { s.ended <- s.Run(ctx) }()
	})
	if err == nil {
		<-serving
	}
	return err
}

// Close ends the server in order. The test fails if that takes too long, if the
// server reports an error, or if goroutines of the server are left.
func (s *Server) Close() {
	s.close.Do(func() {
		s.t.Helper()
		s.stop()
		s.Client.CloseIdleConnections()
		if err := <-s.ended; err != nil {
			s.t.Errorf("the server did not end in order: %v", err)
		}
		if left := s.leftovers(); left != "" {
			s.t.Errorf("the server has ended, but goroutines of it are left:\n%s", left)
		}
	})
}

// leftovers gives a few seconds to goroutines that are on their last lines.
func (s *Server) leftovers() string {
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		left := goroutines(s.label)
		if left == "" {
			return ""
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return left
		}
	}
}

// goroutines gives the stacks of those that carry the label.
func goroutines(label string) string {
	var all, ours bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&all, 1)
	for block := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(block, fmt.Sprintf("%q:%q", "servertest", label)) {
			ours.WriteString(block + "\n\n")
		}
	}
	return ours.String()
}

// Failure is what the API answered when it did not do what it was asked.
type Failure struct {
	Status  int
	Code    string // X-Amzn-ErrorType
	Message string
}

// Error tells status, code and message.
func (f *Failure) Error() string { return fmt.Sprintf("%d %s: %s", f.Status, f.Code, f.Message) }

// Call sends one request to an operation that is a POST, such as CreateStage,
// signed with the root pair. in and out are JSON; out may be nil. A refusal is a
// [*Failure].
func (s *Server) Call(ctx context.Context, operation string, in, out any) error {
	c := s.Credentials()
	return s.CallAs(ctx, sigv4.Key{AccessKeyID: c.AccessKeyID, Secret: c.SecretAccessKey}, operation, in, out)
}

// CallAs is Call with another access key.
func (s *Server) CallAs(ctx context.Context, key sigv4.Key, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/"+operation, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	sigv4.Sign(r, body, key, s.Config.Region, "ivs", time.Now())
	resp, err := s.Client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return failure(resp, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func failure(resp *http.Response, body []byte) error {
	code, _, _ := strings.Cut(resp.Header.Get("X-Amzn-ErrorType"), ":")
	f := &Failure{Status: resp.StatusCode, Code: code}
	var m struct{ Message string } // the name in the body differs in case only
	json.Unmarshal(body, &m)
	f.Message = m.Message
	return f
}

// CreateStage makes a stage and gives its ARN.
func (s *Server) CreateStage(ctx context.Context) (string, error) {
	var out struct {
		Stage struct {
			ARN string `json:"arn"`
		} `json:"stage"`
	}
	err := s.Call(ctx, "CreateStage", map[string]any{}, &out)
	return out.Stage.ARN, err
}

// CreateToken makes a participant token with both capabilities.
func (s *Server) CreateToken(ctx context.Context, stage, userID string) (token, participantID string, err error) {
	var out struct {
		Token struct {
			Token         string `json:"token"`
			ParticipantID string `json:"participantId"`
		} `json:"participantToken"`
	}
	err = s.Call(ctx, "CreateParticipantToken", map[string]any{"stageArn": stage, "userId": userID}, &out)
	return out.Token.Token, out.Token.ParticipantID, err
}

// writer logs to the test while the test runs.
type writer struct{ t testing.TB }

func (w writer) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}
