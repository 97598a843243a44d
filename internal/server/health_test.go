package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"callboard/internal/stage"
)

func TestAServerIsReadyOnlyWhileItServesAndItsFactsAreThere(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Listen, cfg.Media, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", Memory
	ctx, stop := context.WithCancel(t.Context())
	cfg.Serving = func(s *Server) {
		wantReady(t, s, http.StatusOK, "ready")
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
		wantReady(t, s, http.StatusServiceUnavailable, "facts cannot be read")
		stop()
	}
	s, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantReady(t, s, http.StatusServiceUnavailable, "starting")
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	wantReady(t, s, http.StatusServiceUnavailable, "stopping")
}

func TestAServerWhoseMediaSocketIsGoneIsNotReady(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Listen, cfg.Media, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", Memory
	ctx, stop := context.WithCancel(t.Context())
	cfg.Serving = func(s *Server) {
		if err := s.engine.Close(); err != nil {
			t.Error(err)
		}
		wantReady(t, s, http.StatusServiceUnavailable, "media cannot be received")
		stop()
	}
	s, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func wantReady(t *testing.T, s *Server, status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ready(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	if w.Code != status || !strings.Contains(w.Body.String(), body) {
		t.Errorf("readyz answers %d %q, want %d %q", w.Code, w.Body, status, body)
	}
}

func TestAServerIsNotReadyWhileItSows(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg.Listen, cfg.Media, cfg.Data, cfg.Dev = "127.0.0.1:0", "127.0.0.1:0", Memory, true
	cfg.Seed = filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(cfg.Seed, []byte("stages: [{name: lobby}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	serving := make(chan struct{})
	cfg.Serving = func(*Server) { close(serving) }
	s, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	busy, free := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // the disk is slow
		err := s.store.Update(ctx, func(stage.Tx) error {
			close(busy)
			<-free
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-busy
	all.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for s.phase.Load() == starting {
		runtime.Gosched()
	}
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	ask := func() (int, string) {
		resp, err := client.Get(s.URL() + "/readyz")
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
	if status, body := ask(); status != http.StatusServiceUnavailable || body != "seeding\n" {
		t.Errorf("while it sows it answers %d %q", status, body)
	}
	close(free)
	<-serving
	if status, body := ask(); status != http.StatusOK || body != "ready\n" {
		t.Errorf("afterwards it answers %d %q", status, body)
	}
	stop()
	all.Wait()
}
