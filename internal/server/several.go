package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"callboard/internal/live"
	"callboard/internal/store"
	"callboard/internal/troupe"
)

// openTroupe makes this server one of those on the same database, where there may be several.
func (s *Server) openTroupe(ctx context.Context) error {
	if !store.IsURL(s.cfg.Data) {
		return nil
	}
	secret, err := s.service.Secret(ctx, "peers")
	if err != nil {
		return err
	}
	settings, err := s.commonSettings()
	if err != nil {
		return err
	}
	s.troupe, err = troupe.New(ctx, troupe.Options{
		Register: s.register, Secret: secret, URL: s.cfg.peerURL(s.Addr()), Settings: settings, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("joining the other servers on %s: %w", store.Redacted(s.cfg.Data), err)
	}
	s.release = append(s.release, func() error { s.troupe.Close(); return nil })
	return nil
}

// commonSettings are those by which servers on one database must not differ.
func (s *Server) commonSettings() (map[string]string, error) {
	keys, err := os.ReadFile(s.cfg.KeysPath())
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("the access keys cannot be read: %w", err)
	}
	return map[string]string{
		"account":                             s.cfg.Account,
		"region":                              s.cfg.Region,
		"regions":                             strings.Join(s.cfg.Regions, ","),
		"linger":                              s.cfg.Linger.String(),
		"quotas":                              fmt.Sprintf("%+v", s.quotas.Quotas()),
		"dev":                                 fmt.Sprint(s.cfg.Dev),
		"access-key-id and secret-access-key": s.credentials.AccessKeyID + "\n" + s.credentials.SecretAccessKey,
		"the access keys of `callboard keys`": string(keys),
		"buckets":                             s.cfg.Buckets,
		"webhooks":                            strings.Join(slices.Sorted(slices.Values(s.cfg.Webhooks)), "\n"),
		"the secrets of webhooks":             strings.Join(s.cfg.WebhookSecrets, "\n"),
	}, nil
}

// peerURL is where other servers reach this one, which listens at an address.
func (c *Config) peerURL(listening string) string {
	switch {
	case c.PeerURL != "":
		return strings.TrimRight(c.PeerURL, "/")
	case wildcard(listening):
		return "http://" + net.JoinHostPort(ownAddress(), strings.TrimPrefix(portOf(listening), ":"))
	}
	return "http://" + listening
}

// ownAddress is an address of this machine that others may reach; its first one that is no loopback.
func ownAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	return "127.0.0.1"
}

// others are the other processes as the floor needs them, nil if there can be none.
func (s *Server) others() live.Others {
	if s.troupe == nil {
		return nil
	}
	return s.troupe
}

// passOn has another process answer a participant; nil if there can be none.
func (s *Server) passOn() func(http.ResponseWriter, *http.Request, string) bool {
	if s.troupe == nil {
		return nil
	}
	return s.troupe.PassOn
}

// openPeers opens the door for the other processes, if there can be any.
func (s *Server) openPeers(d *doors) {
	if s.troupe == nil {
		return
	}
	s.troupe.Use(s.floor, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if door := d.participants(r.URL.Path); door != nil {
			door.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	d.peers = s.troupe
}

// runTroupe keeps this process among the living until the floor is empty for good.
func (s *Server) runTroupe(ctx context.Context) {
	if s.troupe != nil {
		s.troupe.Run(ctx)
	}
}

func (s *Server) troupeStats() troupe.Stats {
	if s.troupe == nil {
		return troupe.Stats{Processes: 1}
	}
	return s.troupe.Stats()
}
