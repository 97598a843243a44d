package server

import (
	"context"
	"errors"
	"fmt"
	"net"

	"callboard/internal/sfu"
)

// openMedia opens the ways that media takes: one UDP socket, and TCP for those who cannot use it.
func (s *Server) openMedia(ctx context.Context) error {
	var l net.ListenConfig
	conn, err := l.ListenPacket(ctx, "udp", s.cfg.Media)
	if err != nil {
		return fmt.Errorf("media %s cannot be opened: %w", s.cfg.Media, err)
	}
	s.media = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	o := sfu.Options{Conn: conn, Log: s.log}
	if address := s.cfg.mediaTCP(); address != "" {
		if o.Listener, err = l.Listen(ctx, "tcp", address); err != nil {
			return errors.Join(fmt.Errorf("media-tcp %s cannot be opened, and \"off\" would do without it: %w", address, err), conn.Close())
		}
		s.mediaTCP = o.Listener.Addr()
	}
	for _, ip := range s.cfg.MediaIPs {
		o.IPs = append(o.IPs, ip.AsSlice())
	}
	if s.engine, err = sfu.Open(o); err != nil {
		if o.Listener != nil {
			_ = o.Listener.Close()
		}
		return errors.Join(err, conn.Close())
	}
	s.release = append(s.release, s.engine.Close)
	return nil
}
