package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/net/netutil"

	"callboard/internal/api"
	"callboard/internal/desk"
	"callboard/internal/express"
	"callboard/internal/hook"
	"callboard/internal/keyring"
	"callboard/internal/live"
	"callboard/internal/presence"
	"callboard/internal/quota"
	"callboard/internal/rehearsal"
	"callboard/internal/relay"
	"callboard/internal/seed"
	"callboard/internal/sfu"
	"callboard/internal/stage"
	"callboard/internal/store"
	"callboard/internal/troupe"
)

// maxConnections bounds the HTTP connections that are open at once. Those
// beyond wait in the listener's queue.
const maxConnections = 20_000

// Server is a whole Callboard. [New] makes one, [Server.Run] runs it, once.
type Server struct {
	cfg         Config
	log         *slog.Logger
	credentials Credentials // the root pair
	keys        *keyring.Book
	public      *url.URL
	media       netip.AddrPort
	mediaTCP    net.Addr     // nil without TCP
	relay       *relay.Relay // nil without TURN

	quotas   quota.Profile
	meter    *quota.Meter
	listener net.Listener
	store    *store.Store
	service  *stage.Service
	register *stage.Register
	courier  *hook.Courier
	engine   *sfu.Engine
	floor    *live.Floor
	troupe   *troupe.Troupe // nil unless there may be other processes
	presence *presence.Endpoint
	desk     *desk.Desk
	metrics  *metrics
	http     *http.Server
	express  *express.Listener // in front of http

	clock rehearsal.Clock // nobody sets it ahead but for tests
	dice  *rehearsal.Dice // nil without rand-seed
	gate  sync.RWMutex    // held for reading by operations, for writing by who sows or resets
	plan  *seed.Plan      // what is to be there from the start
	crop  atomic.Pointer[seed.Crop]

	phase    atomic.Int32   // starting, seeding, ready, stopping
	requests sync.WaitGroup // HTTP requests and sockets that are being served
	release  []func() error // gives back what was acquired, last first
}

const (
	starting int32 = iota
	seeding
	ready
	stopping
)

// New acquires everything a server needs: addresses, data, media socket. People
// who are listed as connected by a process that died are set right. Nothing is
// served before Run, which must follow; if New fails, everything is released.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if err := cmp.Or(cfg.check(), cfg.checkMedia()); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: newLogger(&cfg)}
	// Files that may be wrong come first: until they are read nothing is made.
	steps := []func(context.Context) error{
		s.openSeed, s.openQuotas, s.openAccess, s.openListener, s.openStore, s.openStage, s.openTroupe, s.recover,
		s.openHooks, s.openFloor, s.openHTTP,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func newLogger(cfg *Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(cfg.LogOutput, o))
	}
	return slog.New(slog.NewTextHandler(cfg.LogOutput, o))
}

func (s *Server) openQuotas(context.Context) (err error) {
	if s.quotas, err = Quotas(s.cfg.Quotas); err != nil {
		return err
	}
	s.meter = quota.NewMeter(quota.Options{Profile: s.quotas, Log: s.log})
	return nil
}

// Quotas gives the profile that the setting of this name stands for.
func Quotas(setting string) (quota.Profile, error) {
	return quota.Load(setting, api.Operations())
}

// openListener binds the HTTP address first: it is the cheapest thing to fail,
// and the public URL may depend on the port.
func (s *Server) openListener(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen %s cannot be opened: %w", s.cfg.Listen, err)
	}
	s.listener = netutil.LimitListener(l, maxConnections)
	s.release = append(s.release, func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // Run has closed it
			return err
		}
		return nil
	})
	address, err := s.cfg.URL()
	if err != nil { // the port was chosen just now
		address = "http://" + reachable(l.Addr().String())
	}
	if s.public, err = url.Parse(address); err != nil {
		return fmt.Errorf("public-url %q is no URL: %w", address, err)
	}
	return nil
}

func (s *Server) openStore(ctx context.Context) (err error) {
	if s.cfg.RandSeed != nil {
		s.dice = rehearsal.NewDice(*s.cfg.RandSeed)
	}
	s.store, err = store.Open(ctx, store.Options{Path: s.cfg.Facts(), Now: s.clock.Now, Log: s.log, RollBytes: s.cfg.rollBytes()})
	if err != nil {
		return fmt.Errorf("data %s cannot be opened: %w", store.Redacted(s.cfg.Data), err)
	}
	s.release = append(s.release, s.store.Close)
	return nil
}

func (s *Server) openStage(ctx context.Context) (err error) {
	probe, err := s.cfg.prober()
	if err != nil {
		return err
	}
	o := stage.Options{
		Store:     s.store,
		Endpoints: endpoints(s.public),
		Linger:    s.cfg.Linger,
		Quotas:    s.quotas.Quotas(),
		Demanded:  s.meter.Demand,
		Now:       s.clock.Now,
		Log:       s.log,
		Probe:     probe,
	}
	if s.dice != nil {
		o.Rand = s.dice
	}
	s.service, s.register, err = stage.Open(ctx, o)
	return err
}

func (s *Server) recover(ctx context.Context) error {
	if err := s.register.Recover(ctx); err != nil {
		return fmt.Errorf("setting right what the last run left: %w", err)
	}
	return nil
}

func (s *Server) openFloor(ctx context.Context) error {
	if err := s.openMedia(ctx); err != nil {
		return err
	}
	if err := s.openRelay(ctx); err != nil {
		return err
	}
	s.floor = live.Open(live.Options{
		Register: s.register, Engine: s.engine, Log: s.log, Farewell: s.cfg.ShutdownMax / 2,
		Quotas: s.quotas.Quotas(), AWS: quota.AWS().Quotas(), Demanded: s.meter.Demand, Others: s.others(),
	})
	s.service.UseFloor(s.floor)
	if s.troupe != nil {
		s.service.UseFloor(s.troupe)
	}
	return nil
}

// close gives everything back. What was given back before is not tried again.
func (s *Server) close() error {
	var errs []error
	for _, release := range slices.Backward(s.release) {
		errs = append(errs, release())
	}
	s.release = nil
	return errors.Join(errs...)
}

// URL is the URL of the server as clients see it, without a slash at the end.
func (s *Server) URL() string { return s.public.String() }

// Addr is the address of HTTP, with the port that was really taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// MediaAddr is the UDP address of media, with the port that was really taken.
func (s *Server) MediaAddr() string { return s.media.String() }

// Credentials are the root pair, which may do everything in its account.
func (s *Server) Credentials() Credentials { return s.credentials }
