package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"callboard/internal/api"
	"callboard/internal/desk"
	"callboard/internal/lobby"
	"callboard/internal/presence"
	"callboard/internal/whip"
)

// openHTTP builds the doors and the server in front of them. Its timeouts do
// not concern presence sockets, which look after themselves.
func (s *Server) openHTTP(ctx context.Context) error {
	s.metrics = newMetrics(s)
	doors, err := s.doors(ctx)
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			defer s.requests.Done()
			doors.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return nil
}

// plain tells the paths of the API's operations from all others.
func (s *Server) plain() func(path string) bool {
	paths := map[string]bool{}
	for _, name := range api.Operations() {
		paths["/"+name], paths[s.public.Path+"/"+name] = true, true
	}
	return func(path string) bool { return paths[path] }
}

func (s *Server) doors(ctx context.Context) (*doors, error) {
	pageKey, err := s.service.Secret(ctx, "page-tokens")
	if err != nil {
		return nil, err
	}
	base := s.public.Path
	own := map[string]http.Handler{
		"/healthz": http.HandlerFunc(s.healthy),
		"/readyz":  s.guard(http.HandlerFunc(s.ready)),
		"/metrics": s.guard(s.metrics.page()),
	}
	if s.cfg.Dev {
		rehearsals := http.StripPrefix(rehearsalPath, s.guard(s.rehearsals()))
		for _, name := range [...]string{"clock", "reset", "seed"} {
			own[rehearsalPath+name] = rehearsals
		}
	}
	plain := s.newAPI("", pageKey)
	s.desk = desk.New(desk.Options{
		Service: s.service, Hooks: s.courier, API: plain, Log: s.log, BasePath: base,
		Watchers: s.cfg.Watchers, AccountWatchers: s.cfg.AccountWatchers,
	})
	welcome := lobby.New()
	for path := range welcome.Paths() {
		own[path] = welcome
	}
	s.presence = presence.New(presence.Options{Register: s.register, Floor: s.floor, Log: s.log, Prefix: "/events", PassOn: s.passOn()})
	d := &doors{
		base: base,
		own:  own,
		whip: whip.New(whip.Options{
			Register: s.register, Floor: s.floor, Log: s.log, Prefix: "/whip", PublicPath: base + "/whip", PassOn: s.passOn(), Servers: s.servers(),
		}),
		presence: s.presence,
		desk:     s.guard(s.desk),
		api:      s.guard(plain),
		baseAPI:  s.guard(s.newAPI(base, pageKey)),
	}
	s.openPeers(d)
	return d, nil
}

func (s *Server) newAPI(base string, pageKey []byte) *api.API {
	o := api.Options{
		Service:   s.service,
		Verifier:  s.verifier(),
		Principal: s.principal,
		Proxies:   s.cfg.TrustedProxies,
		Throttle:  s.meter.Call,
		PageKey:   pageKey,
		Log:       s.log,
		Plain:     s.public.Scheme == "http",
		BasePath:  base,
		Observe:   s.metrics.observe,
		Gate:      &s.gate,
	}
	if s.followsHost() {
		o.Endpoints = hostEndpoints
	}
	return api.New(o)
}

// guard puts in front of a door, in a server that accepts any credentials, what
// keeps strangers out.
func (s *Server) guard(door http.Handler) http.Handler {
	if !s.cfg.Dev {
		return door
	}
	return guard{door: door, host: s.public.Hostname(), network: s.cfg.DevNetwork}
}

// doors sends each request to the part of the server that speaks its language.
// It looks at the path as it came: a mux that tidies paths by redirecting
// would break signatures.
type doors struct {
	base     string // path of the public URL; every door is under it and without it
	own      map[string]http.Handler
	whip     http.Handler
	presence http.Handler
	peers    http.Handler // nil unless there may be other processes
	desk     http.Handler // takes the path as it came: it is a part of what clients sign
	api      http.Handler // everything else
	baseAPI  http.Handler // the same under base, which is a part of what clients sign
}

func (d *doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, based := strings.CutPrefix(r.URL.Path, d.base)
	based = based && d.base != "" && (path == "" || path[0] == '/')
	if !based {
		path = r.URL.Path
	}
	door := d.door(path)
	switch {
	case door == nil && strings.HasPrefix(path, desk.Root+"/"):
		d.desk.ServeHTTP(w, r)
	case door == nil && based:
		d.baseAPI.ServeHTTP(w, r)
	case door == nil:
		d.api.ServeHTTP(w, r)
	case based:
		http.StripPrefix(d.base, door).ServeHTTP(w, r)
	default:
		door.ServeHTTP(w, r)
	}
}

// door gives the handler of a path below the base, nil for the API's.
func (d *doors) door(path string) http.Handler {
	if door := d.participants(path); door != nil {
		return door
	}
	if d.peers != nil && strings.HasPrefix(path, "/peer/") {
		return d.peers
	}
	if own, ok := d.own[path]; ok {
		return own
	}
	return nil
}

// participants gives the door of participants that a path leads to, nil if none.
func (d *doors) participants(path string) http.Handler {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); first {
	case "whip":
		return d.whip
	case "events":
		return d.presence
	}
	return nil
}
