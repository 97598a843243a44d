package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Run serves until ctx ends, then stops in order: no new connections, requests
// under way are finished, everybody on the floor leaves and the list says so,
// media and facts are closed. It returns when nothing of the server is left, at
// the latest [Config.ShutdownMax] after ctx has ended. An error means that
// serving broke off or that the end was not orderly.
func (s *Server) Run(ctx context.Context) error {
	onFloor, dismiss := context.WithCancel(context.WithoutCancel(ctx))
	defer dismiss()
	floor, served := make(chan error, 1), make(chan error, 1)
	s.gate.Lock() // operations wait for the seed, from the first on
	go func() {
		var company, telling sync.WaitGroup
		company.Go(func() { s.meter.Run(onFloor) })
		company.Go(func() { s.keepHistory(onFloor) })
		inTroupe, leave := context.WithCancel(context.WithoutCancel(ctx))
		company.Go(func() { s.runTroupe(inTroupe) })
		untilQuiet, quiet := context.WithCancel(context.WithoutCancel(ctx))
		telling.Go(func() { s.courier.Run(untilQuiet) })
		err := s.floor.Run(onFloor)
		leave() // its people have left, and the others know
		company.Wait()
		quiet() // what webhooks are not told of by now they are told after the next start
		telling.Wait()
		floor <- err
	}()
	go func() { served <- s.http.Serve(s.listener) }()
	s.phase.Store(seeding)
	broken := s.sow(ctx)
	s.gate.Unlock()
	if broken == nil {
		broken = s.serve(ctx, served)
	}
	if ctx.Err() != nil && errors.Is(broken, ctx.Err()) {
		broken = nil // whoever ends a server that is still sowing gets what he wants
	}
	return errors.Join(broken, s.stop(dismiss, floor, served))
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

// stop ends everything. Requests get a third of the time to finish by themselves.
func (s *Server) stop(dismiss func(), floor, served <-chan error) error {
	s.phase.Store(stopping)
	s.log.Info("stopping")
	deadline := time.NewTimer(s.cfg.ShutdownMax)
	defer deadline.Stop()
	ended := make(chan error, 1)
	go func() { ended <- s.leave(dismiss, floor, served) }()
	select {
	case err := <-ended:
		s.log.Info("stopped")
		return err
	case <-deadline.C:
		return fmt.Errorf("the server did not end in order within %v", s.cfg.ShutdownMax)
	}
}

// leave does the work of stop. Clients that do not cooperate are cut off and
// mentioned in the log; only what the server itself could not do is an error.
func (s *Server) leave(dismiss func(), floor, served <-chan error) error {
	patience, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownMax/3)
	defer cancel()
	if err := s.http.Shutdown(patience); err != nil {
		s.log.Warn("requests were cut off", "error", errors.Join(err, s.http.Close()))
	}
	<-served
	dismiss()
	left := <-floor
	farewell, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownMax/10)
	defer cancel()
	if err := s.presence.Close(farewell); err != nil {
		s.log.Warn("presence sockets were cut off", "error", err)
	}
	s.requests.Wait()
	return errors.Join(left, s.close())
}
