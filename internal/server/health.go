package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"callboard/internal/stage"
)

// healthy says that the process lives. Who restarts processes asks this.
func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

// ready says whether requests will succeed. Who sends requests asks this.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if reason := s.unready(r.Context()); reason != "" {
		http.Error(w, reason, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (s *Server) unready(ctx context.Context) string {
	switch s.phase.Load() {
	case starting:
		return "starting"
	case seeding:
		return "seeding"
	case stopping:
		return "stopping"
	}
	if !s.engine.Healthy() {
		s.log.Error("not ready: the media socket cannot be read")
		return "media cannot be received"
	}
	if !s.register.Held(s.clock.Now()) {
		s.log.Error("not ready: this process could not say for too long that it is alive")
		return "other servers take this one for dead"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.store.View(ctx, s.probe); err != nil {
		s.log.Error("not ready: facts cannot be read", "error", err)
		return "facts cannot be read"
	}
	if err := s.store.Update(ctx, func(stage.Tx) error { return nil }); err != nil {
		s.log.Error("not ready: facts cannot be written", "error", err)
		return "facts cannot be written"
	}
	return ""
}

func (s *Server) probe(tx stage.Tx) error {
	_, err := tx.CountDocuments(stage.TypeStage, s.cfg.Account, s.cfg.Region, 1)
	return err
}
