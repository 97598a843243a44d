package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
