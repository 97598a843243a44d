package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"callboard/internal/express"
)

// Run serves until ctx ends, then stops in order: nobody is let onto the floor any
// more (503 with Retry-After), everybody on it leaves and the list says so, while the API still answers;
// then requests under way are finished, and media and facts are closed. It returns when nothing of the
// server is left, at the latest [Config.ShutdownMax] after ctx has ended. An error means that
// serving broke off or that the end was not orderly.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	s.gate.Lock() // operations wait for the seed, from the first on
	c := s.muster(context.WithoutCancel(ctx))
	s.express = express.Listen(s.listener, s.http, s.plain())
	go func() { served <- s.http.Serve(s.express) }()
	s.phase.Store(seeding)
	broken := s.sow(ctx)
	s.gate.Unlock()
	if broken == nil {
		broken = s.serve(ctx, served)
	}
	if ctx.Err() != nil && errors.Is(broken, ctx.Err()) {
		broken = nil // whoever ends a server that is still sowing gets what he wants
	}
	return errors.Join(broken, s.stop(c, served))
}

// crew is what works beside HTTP.
type crew struct {
	dismiss func() error // has everybody leave the floor, and returns when they have
	disband func()       // ends the rest, and waits for it
}

func (s *Server) muster(ctx context.Context) *crew {
	onFloor, dismiss := context.WithCancel(ctx)
	inCompany, disband := context.WithCancel(ctx)
	inTroupe, leave := context.WithCancel(ctx)
	untilQuiet, quiet := context.WithCancel(ctx)
	var company, troupe, telling sync.WaitGroup
	company.Go(func() { s.meter.Run(inCompany) })
	company.Go(func() { s.keepHistory(inCompany) })
	company.Go(func() { s.desk.Run(inCompany) })
	troupe.Go(func() { s.runTroupe(inTroupe) })
	telling.Go(func() { s.courier.Run(untilQuiet) })
	empty := make(chan error, 1)
	go func() { empty <- s.floor.Run(onFloor) }()
	return &crew{
		dismiss: func() error { dismiss(); return <-empty },
		disband: func() {
			disband()
			leave() // the people of this process have left, and the others know
			company.Wait()
			troupe.Wait()
			quiet() // what webhooks are not told of by now they are told after the next start
			telling.Wait()
		},
	}
}

// serve waits for the end of ctx or of HTTP.
func (s *Server) serve(ctx context.Context, served chan error) error {
	s.phase.Store(ready)
	s.log.Info("serving", "url", s.URL(), "listen", s.Addr(), "media", s.MediaAddr())
	if s.cfg.Serving != nil {
		s.cfg.Serving(s)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		served <- http.ErrServerClosed
		return fmt.Errorf("HTTP serving ended: %w", err)
	}
}

// stop ends everything.
func (s *Server) stop(c *crew, served <-chan error) error {
	s.phase.Store(stopping)
	s.log.Info("stopping")
	deadline := time.NewTimer(s.cfg.ShutdownMax)
	defer deadline.Stop()
	ended := make(chan error, 1)
	go func() { ended <- s.leave(c, served) }()
	select {
	case err := <-ended:
		s.log.Info("stopped")
		return err
	case <-deadline.C:
		return fmt.Errorf("the server did not end in order within %v", s.cfg.ShutdownMax)
	}
}

// leave does the work of stop. The floor gets half of the time, requests then a third to finish by
// themselves. Clients that do not cooperate are cut off and
// mentioned in the log; only what the server itself could not do is an error.
func (s *Server) leave(c *crew, served <-chan error) error {
	s.desk.Close() // watchers would stay for good
	left := c.dismiss()
	farewell, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownMax/10)
	defer cancel()
	if err := s.presence.Close(farewell); err != nil {
		s.log.Warn("presence sockets were cut off", "error", err)
	}
	patience, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownMax/3)
	defer cancel()
	if err := errors.Join(s.express.Shutdown(patience), s.http.Shutdown(patience)); err != nil {
		s.log.Warn("requests were cut off", "error", errors.Join(err, s.http.Close()))
	}
	<-served
	c.disband()
	s.requests.Wait()
	return errors.Join(left, s.close())
}
