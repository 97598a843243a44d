package server

import (
	"context"
	"errors"
	"net/http"

	"callboard/internal/rehearsal"
)

// rehearsalPath is where a server for tests can be set ahead and begun anew.
const rehearsalPath = "/callboard/v1/"

func (s *Server) rehearsals() http.Handler {
	o := rehearsal.Options{Clock: &s.clock, Sweep: s.register.Sweep, Reset: s.reset, Log: s.log}
	if s.cfg.Seed != "" {
		o.Seed = s.showCrop
	}
	return rehearsal.NewDoor(o)
}

// reset brings everything back to the state after the start. Operations under
// way are finished first, those that come wait; whoever is on the floor leaves
// in order and nobody joins. The log, the counters of /metrics and the server's
// own secrets stay.
func (s *Server) reset(ctx context.Context) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	return s.floor.Vacate(ctx, func() error {
		err := s.service.Reset(ctx, func() {
			s.clock.Reset()
			if s.dice != nil {
				s.dice.Restart()
			}
		})
		if err != nil {
			return err
		}
		s.desk.Forget()
		s.meter.Refill()
		return errors.Join(s.forgetCrop(), s.sow(ctx))
	})
}
